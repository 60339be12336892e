"""The offline root model: which sessions it has read, and what it makes of what its program prints."""

import json

import pytest

from rlm_memory_core import MemoryRLM, MemoryStore, Reading, connect
from rlm_memory_core.offline.root import final, next_message
from rlm_memory_core.query import prompts

MODES = [{}]
UNKNOWN = f"FINAL({prompts.UNKNOWN})"


@pytest.fixture
def long_store():
    """Sixty sessions on buses, and among them three facts."""
    facts = {7: "My cat is called Mochi.", 21: "The spare key of the cottage is under a pot.", 40: "I run with Ines."}
    store = MemoryStore()
    for number in range(60):
        store.start_session(f"2023/0{1 + number // 28}/{1 + number % 28:02} (Mon) 10:00")
        store.extend([("user", facts.get(number, "The bus was late again.")), ("assistant", "I see.")])
    return store


def ask(store, question, **options):
    reading = Reading("paper", **options.pop("reading"))
    answer = MemoryRLM(connect("offline", recorded="off"), reading=reading, **options).query(store, question)
    assert not answer.error
    assert not [step.output for step in answer.trace.steps if "Error" in step.output]
    return answer


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("parallel", [True, False])
def test_the_best_sessions_are_enough(long_store, mode, parallel):
    reading = {"first": 3} | mode
    answer = ask(long_store, "What is my cat called?", reading=reading, parallel=parallel)
    assert answer.text == "My cat is called Mochi."
    assert len(answer.sessions_read) == 3
    assert [(each.session, each.quote) for each in answer.evidence] == [(8, "My cat is called Mochi.")]


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_without_a_first_wave_all_are_read(long_store, mode):
    answer = ask(long_store, "What is my cat called?", reading=mode)
    assert (answer.text, len(answer.sessions_read)) == ("My cat is called Mochi.", 60)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_it_reads_on_once_while_nothing_is_found(long_store, mode):
    answer = ask(long_store, "How fast is my printer?", reading={"first": 3} | mode)
    assert (answer.text, len(answer.sessions_read)) == (prompts.UNKNOWN, 6)


def test_a_name_that_stands_nowhere_is_not_worth_reading_for(long_store):
    answer = ask(long_store, "Where does my cousin Boris live?", reading={"first": 3})
    assert (answer.text, answer.sessions_read) == (prompts.UNKNOWN, ())


def test_the_newest_of_facts_that_contradict_one_another_is_right(store):
    for month, place in enumerate(("Oslo", "Rome", "Lima"), 1):
        store.start_session(f"2023/0{month}/01 (Mon) 10:00")
        store.add("user", f"My sister lives in {place}.")
    for mode in MODES:
        assert ask(store, "Where does my sister live?", reading=mode).text.startswith("My sister lives in Lima.")


def test_an_empty_history_is_not_known(store):
    assert ask(store, "Where do I live?", reading={}).text == prompts.UNKNOWN


SYSTEM = prompts.root_messages("?", None, sessions=9, turns=9, characters=9, first=4)[0]["content"]
QUESTION = "What is my cat called?"
HEADER = {"sessions": 9, "missing": []}


def printed(*entries):
    return "\n".join(map(json.dumps, entries))


def test_other_text_of_a_sub_agent_is_quoted_too():
    output = printed(HEADER, {"position": 0, "date": None, "text": "The cat is called Mochi."})
    assert next_message(SYSTEM, [output], QUESTION, forced=False) == "FINAL(The cat is called Mochi.)"


def test_no_code_is_written_where_none_will_be_run():
    assert "read(sorted(order[4:8]))" in next_message(SYSTEM, [printed(HEADER)], QUESTION, forced=False)
    assert next_message(SYSTEM, [printed(HEADER)], QUESTION, forced=True) == UNKNOWN
    assert next_message(SYSTEM, [printed(HEADER)] * 2, QUESTION, forced=False) == UNKNOWN


@pytest.mark.parametrize(
    "output",
    ["", "NameError: x", "[1", "7", "NaN", "[" * 100_000, '{"sessions": "all"}', '{"position": [], "text": 3}',
     '{"position": 1, "date": null, "text": "My cat', '{"position": 1, "date": 3, "text": "My cat is called Mochi."}'],
)  # fmt: skip
def test_lines_that_the_program_did_not_print_are_passed_over(output):
    assert next_message(SYSTEM, [output], QUESTION, forced=False) == UNKNOWN


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Paris (France)", "Paris (France)"), ("Paris (France", "Paris France"), (":) fine", ": fine"), ("a\nb", "a b")],
)
def test_final_is_balanced(text, expected):
    assert final(text) == f"FINAL({expected})"
