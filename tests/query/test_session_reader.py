import json

import pytest
from paper import PaperRLM

from rlm_memory_core import Budget, Reading, Usage
from rlm_memory_core.models.normalise import Embeddings
from rlm_memory_core.query.prompts.record import SUBAGENT_SYSTEM
from rlm_memory_core.repl.limits import Limits

SHOW = "```repl\nimport json\nprint(json.dumps({}))\n```"


def reads(prompt):
    """A sub-agent that finds a fact about the cat and one about the bicycle, and makes one up."""
    if "Mochi" in prompt:
        dog = '- [Turn 1] "a dog": - | - | a pet'
        return f'- [Turn 2] "My cat is called Mochi.": 2023/05/20 | Mochi | the name;; sure\n{dog}'
    if "bicycle" in prompt:
        return '- [Turn 3] "I bought a red bicycle.": - | - | a purchase'
    return "NOT_FOUND"


def shown(scripted):
    output = scripted.conversation[-1]["content"]
    return json.loads(output.partition("<output>\n")[2].partition("\n</output>")[0])


def ask(llm, store, reading, **options):
    return PaperRLM(llm, reading=reading, **options).query(store, "What of my pets?", "2023/08/01")


@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
@pytest.mark.parametrize("parallel", [True, False])
def test_facts_come_checked_and_newest_last(diary, root_and_subagents, scripted, parallel, copy_limit):
    llm = root_and_subagents([SHOW.format("read_facts([2, 1, 0])"), "FINAL(Mochi)"], reads)
    answer = ask(llm, diary, Reading(facts=True), parallel=parallel, copy_limit=copy_limit)
    cat, bicycle = shown(scripted)
    assert cat == {
        "position": 0, "session": 1, "said": "2023/05/20 (Sat) 02:21", "turn": 1,
        "quote": "My cat is called Mochi.", "date": "2023/05/20", "value": "Mochi", "text": "the name", "notes": "sure",
    }  # fmt: skip
    assert (bicycle["said"], bicycle["date"], bicycle["value"]) == (*["2023/06/01 (Thu) 10:00"] * 2, "")
    assert bicycle["notes"] == ""
    assert (answer.false_quotes, answer.sessions_read) == (1, (1, 2, 3))
    assert [(each.turn, each.day, each.value) for each in answer.evidence] == [
        (1, "2023/05/20", "Mochi"),
        (3, None, ""),
    ]
    systems = [request["messages"][0]["content"] for request in scripted.requests]
    assert (systems.count(SUBAGENT_FACTS_SYSTEM), systems.count(SUBAGENT_SYSTEM)) == (3, 0)


def test_a_reply_without_a_quote_is_a_fact_too(diary, root_and_subagents, scripted):
    llm = root_and_subagents([SHOW.format("read_facts([0])"), "FINAL(Mochi)"], lambda prompt: "It is Mochi.")
    ask(llm, diary, Reading(facts=True))
    assert [(fact["quote"], fact["turn"], fact["text"]) for fact in shown(scripted)] == [("", None, "It is Mochi.")]


@pytest.mark.parametrize("parallel", [True, False])
def test_findings_come_newest_last(diary, root_and_subagents, scripted, parallel):
    llm = root_and_subagents([SHOW.format("read_sessions([1, 2, 0, -3])"), "FINAL(Mochi)"], lambda prompt: "Something.")
    ask(llm, diary, Reading(recency=True), parallel=parallel)
    found = shown(scripted)
    assert [(each["position"], each["session"]) for each in found] == [(0, 1), (1, 2), (2, 3)]
    assert {each["text"] for each in found} == {"Something."}


@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
@pytest.mark.parametrize("positions", ["range(3)", "(2, 1, 0)", "range(2, -1, -1)", "[-3, -2, -1]"])
def test_a_range_and_a_tuple_are_lists_too(diary, root_and_subagents, scripted, positions, copy_limit):
    llm = root_and_subagents([SHOW.format(f"read_sessions({positions})"), "FINAL(Mochi)"], lambda prompt: "Something.")
    ask(llm, diary, Reading(recency=True), copy_limit=copy_limit)
    assert [each["position"] for each in shown(scripted)] == [0, 1, 2]


def test_a_large_history_is_read_in_so_many_calls(diary, root_and_subagents, scripted):
    llm = root_and_subagents(["```repl\nread_facts([0] * 1001)\n```", "FINAL(no)"], reads)
    ask(llm, diary, Reading(facts=True), copy_limit=0)
    assert "ValueError: read_facts takes at most 1,000 at once, not 1,001" in scripted.conversation[-1]["content"]


@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
@pytest.mark.parametrize("positions", ["set(range(3))", "{0: 1, 1: 1, 2: 1}", "frozenset(range(3))", "range(3)"])
def test_no_collection_escapes_the_limit_on_subagents(diary, root_and_subagents, scripted, positions, copy_limit):
    llm = root_and_subagents([f"```repl\nread_sessions({positions})\n```", "FINAL(no)"], lambda prompt: "Something.")
    limits = Limits(run_subcalls=2, query_subcalls=2)
    answer = ask(llm, diary, Reading(recency=True), limits=limits, copy_limit=copy_limit)
    assert "limit reached: the code of one run may ask 2 sub-agents" in scripted.conversation[-1]["content"]
    assert answer.coverage.asked == 0


def test_a_session_that_could_not_be_read_is_no_finding(diary, root_and_subagents, scripted):
    llm = root_and_subagents([SHOW.format("read_sessions([0, 1])"), "FINAL(Mochi)"], lambda prompt: "")
    answer = ask(llm, diary, Reading(recency=True))
    assert answer.coverage.failures == 2
    assert answer.sessions_read == ()
    assert "2 failed" in scripted.conversation[-1]["content"]
    assert "<output>\n[]\n</output>" in scripted.conversation[-1]["content"]


@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("read_facts('all')", "TypeError: read_facts takes a list of positions"),
        ("read_facts(['text'])", "TypeError: read_facts takes a list of positions"),
        ("read_facts([3])", "IndexError: no session 3: positions go from 0 to 2"),
        ("read_facts([-4])", "IndexError: no session -4: positions go from 0 to 2"),
        ("read_facts([True])", "TypeError: the position of a session is a whole number, not bool"),
        ("read_facts([None])", "TypeError: the position of a session is a whole number, not NoneType"),
        ("read_facts({0, 1})", "such as rank_sessions(question)[:10], not set; make a list with list(...)"),
        ("read_facts({0: 1})", "such as rank_sessions(question)[:10], not dict; make a list with list(...)"),
        ("read_facts(i for i in (0, 1))", "[:10], not text; make a list with list(...)"),
        ("read_facts(None)", "TypeError: read_facts takes a list of positions first"),
        ("read_facts(5)", "[:10], not int; make a list with list(...)"),
        ("read_facts(True)", "[:10], not bool; make a list with list(...)"),
        ("llm_query_parallel([], [], question)", "NameError"),
    ],
)
def test_what_cannot_be_read_is_refused(diary, root_and_subagents, scripted, code, complaint, copy_limit):
    llm = root_and_subagents([f"```repl\n{code}\n```", "FINAL(no)"], reads)
    ask(llm, diary, Reading(facts=True), copy_limit=copy_limit)
    assert complaint in scripted.conversation[-1]["content"]


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
        ("llm_query_parallel([1, 2])", "TypeError: llm_query_parallel takes a list of session texts first"),
        ("llm_query_parallel(sessions, ['2023'])", "ValueError: llm_query_parallel got 3 sessions but 1 dates"),
    ):
        llm = root_and_subagents([f"```repl\n{code}\n```", "FINAL(no)"])
        assert PaperRLM(llm).query(diary, "Who?").coverage.asked == 0
        assert complaint in scripted.conversation[-1]["content"]
