import json

import pytest
from paper import PaperRLM

from rlm_memory_core import Budget, Limits, Reading, Usage
from rlm_memory_core.models.normalise import Embeddings
from rlm_memory_core.query import paper_way

SHOW = "```repl\nimport json\nprint(json.dumps({}))\n```"


def shown(scripted):
    output = scripted.conversation[-1]["content"]
    return json.loads(output.partition("<output>\n")[2].partition("\n</output>")[0])


def ask(llm, store, reading, **options):
    return PaperRLM(llm, reading=reading, **options).query(store, "What of my pets?", "2023/08/01")


class Alike:
    """Finds that texts of Lisbon, and the question, are about one thing."""

    model = "alike"

    def __init__(self):
        self.budgets = []

    async def embed(self, texts, budget=None):
        self.budgets.append(budget)
        vectors = [[1.0, 0.1] if "Lisbon" in text or "pets" in text else [0.0, 1.0] for text in texts]
        return Embeddings(vectors, Usage(prompt_tokens=len(texts), calls=1), 0.25)


def test_an_embedder_ranks_and_its_calls_are_counted(diary, root_and_subagents, scripted):
    root = [SHOW.format("rank_sessions(question)"), SHOW.format("rank_sessions(question, 1)"), "FINAL(Lisbon)"]
    plain = PaperRLM(root_and_subagents(root, rates=(0, 0)))
    before = plain.query(diary, "What of my pets?", "2023/08/01")
    assert shown(scripted) == [2]  # no word in common: the newest first
    embedder, budget = Alike(), Budget(usd=5)
    llm = root_and_subagents(root, rates=(0, 0))
    answer = ask(llm, diary, Reading("paper", embedder=embedder), budget=budget)
    assert embedder.budgets == [budget] * 3
    first, second = (step.output for step in answer.trace.steps[:2])
    assert (json.loads(first)[0], json.loads(second)) == (2, [2])
    assert answer.usage.calls == before.usage.calls + 3  # the turns once, the question each time
    assert (before.cost_usd, answer.cost_usd) == (0.0, 0.75)


@pytest.mark.parametrize(
    ("code", "numbers"),
    [
        ("llm_query(session_prompt({0}))", [1]),
        ("llm_query_parallel([{0}, {1}], None, question)", [1, 2]),
        ("llm_query({0})", [1]),
        ("llm_query('Who is it? ' + {0})", [None]),
        ("llm_query_parallel(['Some text', {1}])", [None, 2]),
        ("llm_query_parallel([session_prompt({0}), {1}])", [1, 2]),
        ("llm_query(session_prompt(session_prompt({0})))", [1]),
    ],
)
def test_what_the_code_passes_as_text_is_recognised(diary, root_and_subagents, code, numbers):
    texts = "sessions[0]", "sessions[1]"
    answer = PaperRLM(
        root_and_subagents([f"```repl\n{code.format(*texts)}\n```", "FINAL(x)"], lambda prompt: "It says so.")
    ).query(diary, "Who?")
    assert sorted((call.number for call in answer.trace.calls), key=str) == sorted(numbers, key=str)
    assert answer.sessions_read == tuple(number for number in numbers if number)
    assert [found.session for found in answer.evidence] == sorted(numbers, key=lambda number: number or 99)


def test_wrong_arguments_are_refused_in_one_line(diary, root_and_subagents, scripted):
    for code, complaint in (
        ("llm_query(3)", "TypeError: llm_query takes one string, not int"),
        ("llm_query_parallel('text')", "TypeError: llm_query_parallel takes a list of session texts first"),
        ("llm_query_parallel([None, 2])", "TypeError: the position of a session is a whole number, not NoneType"),
        ("llm_query_parallel([0] * 1001)", "ValueError: llm_query_parallel takes at most 1,000 positions at once"),
        ("llm_query_parallel(sessions, ['2023'])", "ValueError: llm_query_parallel got 3 sessions but 1 dates"),
    ):
        llm = root_and_subagents([f"```repl\n{code}\n```", "FINAL(no)"])
        assert PaperRLM(llm).query(diary, "Who?").coverage.asked == 0
        assert complaint in scripted.conversation[-1]["content"]


def test_a_position_stands_for_its_session(diary, root_and_subagents, scripted):
    """A model that passes what `rank_sessions` returns means the sessions there."""
    code = "print(llm_query_parallel(rank_sessions('bicycle')[:1], None, question), llm_query(session_prompt(-1)))"
    llm = root_and_subagents([f"```repl\n{code}\n```", "FINAL(x)"], lambda prompt: "It says so.")
    answer = PaperRLM(llm).query(diary, "Who?")
    assert answer.sessions_read == (2, 3)
    prompts = [request["messages"][1]["content"] for request in scripted.requests[1:3]]
    assert [prompt.splitlines()[0] for prompt in prompts] == [
        '<session date="2023/06/01 (Thu) 10:00">',
        '<session date="2023/07/04 (Tue) 18:30">',
    ]


@pytest.mark.parametrize(("most", "pieces"), [(7, 10_000), (1_000, 2)])
def test_a_history_that_is_too_large_is_refused_before_any_call(
    diary, root_and_subagents, scripted, monkeypatch, most, pieces
):
    monkeypatch.setattr(paper_way, "MOST_CHARACTERS", most)
    engine = PaperRLM(root_and_subagents([]), limits=Limits(query_subcalls=pieces))
    with pytest.raises(ValueError, match=r'^Reading\("paper"\) takes .*; use Reading\("search"\)$') as refused:
        engine.query(diary, "Who?")
    assert "\n" not in str(refused.value)
    assert not scripted.requests


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("rank_sessions(k=-1)", "Error: k must not be negative, not -1"),
        ("search_history('a', -1)", "Error: limit must not be negative, not -1"),
        ("get_recent(1.5)", "Error: "),
        ("llm_query_parallel(5)", "a list of session texts first"),
        ("llm_query_parallel([7])", "no session 7"),
        ("llm_query_parallel([0, 1], ['Monday'])", "2 sessions but 1 dates"),
    ],
)
def test_an_error_is_shown_to_the_root_model(diary, root_and_subagents, scripted, code, said):
    llm = root_and_subagents([f"```repl\n{code}\n```", "FINAL(x)"])
    assert PaperRLM(llm).query(diary, "Who?").coverage.asked == 0
    assert said in scripted.conversation[-1]["content"]


def test_sub_agents_are_sent_to_positions_and_texts(diary, root_and_subagents, scripted):
    code = "```repl\nprint(llm_query_parallel([2, 0], None, question), llm_query_parallel(['x'], ['Monday']))\n```"
    llm = root_and_subagents([code, "FINAL(done)"], lambda prompt: "Lisbon" if "Lisbon" in prompt else "NOT_FOUND")
    answer = PaperRLM(llm).query(diary, "Where did I move?")
    prompts = [request["messages"][1]["content"] for request in scripted.requests[1:4]]
    assert sorted(prompt.splitlines()[0] for prompt in prompts) == [
        '<session date="2023/05/20 (Sat) 02:21">', '<session date="2023/07/04 (Tue) 18:30">', '<session date="Monday">',
    ]  # fmt: skip
    assert [(evidence.session, evidence.text) for evidence in answer.evidence] == [(3, "Lisbon")]
    assert "['Lisbon', 'NOT_FOUND'] ['NOT_FOUND']" in scripted.conversation[-1]["content"]


def test_quotes_are_looked_up_in_the_turns_of_a_position(diary, root_and_subagents, scripted):
    reply = '- [Turn 9] "I bought a red bicycle": a bicycle\n- [Turn 3] "My dog is called Rex.": the dog'
    llm = root_and_subagents(["```repl\nprint(llm_query_parallel([1]))\n```", "FINAL(done)"], lambda prompt: reply)
    answer = PaperRLM(llm).query(diary, "What did I buy?")
    assert [(each.session, each.turn, each.quote) for each in answer.evidence] == [(2, 3, "I bought a red bicycle")]
    assert answer.false_quotes == 1
    assert "a quote that is not in the session" in scripted.conversation[-1]["content"]
