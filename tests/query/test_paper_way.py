import json

import pytest
from paper import PaperRLM

from rlm_memory_core import Budget, Limits, Reading, Usage, connect
from rlm_memory_core.models.normalise import Embeddings

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


@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
def test_an_embedder_ranks_and_its_calls_are_counted(diary, root_and_subagents, scripted, copy_limit):
    root = [SHOW.format("rank_sessions(question)"), SHOW.format("rank_sessions(question, 1)"), "FINAL(Lisbon)"]
    plain = PaperRLM(root_and_subagents(root, rates=(0, 0)), copy_limit=copy_limit)
    before = plain.query(diary, "What of my pets?", "2023/08/01")
    assert shown(scripted) == [2]  # no word in common: the newest first
    embedder, budget = Alike(), Budget(usd=5)
    llm = root_and_subagents(root, rates=(0, 0))
    answer = ask(llm, diary, Reading("paper", embedder=embedder), copy_limit=copy_limit, budget=budget)
    assert embedder.budgets == [budget] * 3
    first, second = (step.output for step in answer.trace.steps[:2])
    assert (json.loads(first)[0], json.loads(second)) == (2, [2])
    assert answer.usage.calls == before.usage.calls + 3  # the turns once, the question each time
    assert (before.cost_usd, answer.cost_usd) == (0.0, 0.75)


@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
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
def test_what_the_code_passes_as_text_is_recognised(diary, root_and_subagents, code, numbers, copy_limit):
    texts = ["get_session(0)", "get_session(1)"] if copy_limit == 0 else ["sessions[0]", "sessions[1]"]
    answer = PaperRLM(
        root_and_subagents([f"```repl\n{code.format(*texts)}\n```", "FINAL(x)"], lambda prompt: "It says so."),
        copy_limit=copy_limit,
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


@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
def test_a_position_stands_for_its_session(diary, root_and_subagents, scripted, copy_limit):
    """A model that passes what `rank_sessions` returns means the sessions there."""
    code = "print(llm_query_parallel(rank_sessions('bicycle')[:1], None, question), llm_query(session_prompt(-1)))"
    llm = root_and_subagents([f"```repl\n{code}\n```", "FINAL(x)"], lambda prompt: "It says so.")
    answer = PaperRLM(llm, copy_limit=copy_limit).query(diary, "Who?")
    assert answer.sessions_read == (2, 3)
    prompts = [request["messages"][1]["content"] for request in scripted.requests[1:3]]
    assert [prompt.splitlines()[0] for prompt in prompts] == [
        '<session date="2023/06/01 (Thu) 10:00">',
        '<session date="2023/07/04 (Tue) 18:30">',
    ]


def test_what_is_more_pieces_than_may_be_asked_is_ranked_and_not_left_unread(store):
    """Eight sessions of which one is ten pieces: with at most twelve sub-agents, not all can be asked at once."""
    for number in range(8):
        store.start_session()
        store.add("user", "My cat is called Mochi." if number == 2 else f"It rained on my walk number {number}.")
    for _ in range(10):
        store.add("assistant", "word " * 7_900)
    engine = PaperRLM(connect("offline", recorded="off"), limits=Limits(query_subcalls=12))
    answer = engine.query(store, "What is my cat called?")
    assert answer.text == "My cat is called Mochi."
    assert 1 <= answer.coverage.asked <= 12
    assert "pieces" in answer.read


@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
@pytest.mark.parametrize(
    "code", ["get_recent(-1)", "rank_sessions(k=-1)", "search_history('a', -1)", "get_recent(1.5)"]
)
def test_a_number_that_makes_no_sense_is_refused(diary, root_and_subagents, scripted, copy_limit, code):
    llm = root_and_subagents([f"```repl\n{code}\n```", "FINAL(x)"])
    PaperRLM(llm, copy_limit=copy_limit).query(diary, "Who?")
    assert f"Error: {code.partition('(')[0]} takes a" in scripted.conversation[-1]["content"]
