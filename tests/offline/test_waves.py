"""When the offline root model reads on: invented histories whose best-ranked sessions are not of the time asked for."""

import json

import pytest

from rlm_memory_core import MemoryRLM, MemoryStore, Reading, connect
from rlm_memory_core.offline.waves import read_on_or_answer
from rlm_memory_core.query import prompts

ASKED_ON = "2023/06/30 (Fri) 10:00"
QUESTION = "What did I repair in the kitchen with my neighbour two weeks ago?"  # 16 June
DRAWER = "My neighbour and I repair a drawer in the kitchen."
HINGE = "Today my neighbour and I had to repair a hinge in the kitchen."
BUS = "The bus was late again."
MODES = [{}, {"recency": True}, {"facts": True}]


def history(dated=True, of_time=8, hinge=f"{f'{BUS} ' * 40}{HINGE}"):
    """Forty sessions of April and May, a third of them on drawers, and some of mid-June, the oldest also on a hinge."""
    days = [f"2023/0{4 + number // 20}/{1 + number % 20:02}" for number in range(40)]
    days += [f"2023/06/{14 + number * 5 // of_time:02}" for number in range(of_time)]
    store = MemoryStore()
    for number, day in enumerate(days):
        store.start_session(f"{day} (Mon) 10:00" if dated else None)
        old = f"{DRAWER} Neighbour, kitchen, repair." if number % 3 == 0 else BUS
        store.extend([("user", old if number < 40 else hinge if number == 40 else BUS), ("assistant", "I see.")])
    return store


def ask(store, question=QUESTION, copy_limit=1_000_000, **reading):
    engine = MemoryRLM(connect("offline", recorded="off"), reading=Reading(**reading), copy_limit=copy_limit)
    return engine.query(store, question, ASKED_ON)


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
def test_the_sessions_of_the_time_that_is_asked_about_are_read(mode, copy_limit):
    answer = ask(history(), first=4, copy_limit=copy_limit, **mode)
    assert answer.text.startswith(HINGE)
    assert len(answer.sessions_read) == 4 + 4
    assert answer.sessions_read[4] == 41
    assert not [step for step in answer.trace.steps if "Error" in step.output]


def test_they_are_not_read_where_the_answer_is_of_that_time_already():
    hinge = "Today I had to repair the hinge of a cupboard in the kitchen: kitchen repair, repair of a kitchen."
    answer = ask(history(hinge=hinge), first=4)
    assert answer.text.startswith(hinge)
    assert (len(answer.sessions_read), len(answer.trace.steps)) == (4, 2)


@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
@pytest.mark.parametrize(
    ("dated", "question"),
    [(False, QUESTION), (True, "What did I repair in the kitchen?"), (True, "What did I repair three years ago?")],
)
def test_without_sessions_of_a_time_that_is_named_none_are_read(dated, question, copy_limit):
    answer = ask(history(dated), question, copy_limit, first=4)
    assert (len(answer.sessions_read), len(answer.trace.steps)) == (4, 2)


def test_a_name_that_stands_nowhere_is_not_read_for_at_any_time():
    answer = ask(history(), "What did Boris repair in the kitchen two weeks ago?", first=4)
    assert (answer.text, answer.sessions_read) == (prompts.UNKNOWN, ())


@pytest.mark.parametrize("copy_limit", [0, 10_000_000])
def test_of_a_time_that_holds_many_sessions_no_more_are_read_than_at_first(copy_limit):
    few, many = (ask(history(of_time=count), first=4, copy_limit=copy_limit) for count in (12, 600))
    assert len(few.sessions_read) == len(many.sessions_read) == 8
    assert many.usage.total_tokens == pytest.approx(few.usage.total_tokens, rel=0.1)
    assert 31 in many.sessions_read  # it speaks of a repair


@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
def test_whatever_stands_for_a_date_is_no_reason_to_read_nothing(copy_limit):
    store = history()
    for date in (None, "soon\n\"'{}", "x" * 20_000):
        store.start_session(date)
        store.add("user", BUS)
    assert ask(store, first=4, copy_limit=copy_limit).text.startswith(HINGE)


SYSTEM = prompts.root_messages("?", None, sessions=9, turns=9, characters=9, first=4)[0]["content"]


def printed(left, *found, missing=0):
    """What the code of a wave prints."""
    counts = {"sessions": 9, "spread": {"repair": 5, "kitchen": 5, "neighbour": 5}, "missing": missing, "of_time": left}
    entries = [
        {"place": place, "rank": place, "date": day, "text": f'- [Turn 1] "{said}": user'}
        for place, (day, said) in enumerate(found)
    ]
    return "\n".join(map(json.dumps, [counts, *entries]))


MAY, JUNE = ("2023/05/03", DRAWER), ("2023/06/16", DRAWER)


@pytest.mark.parametrize(
    ("found", "left", "reads_on"),
    [
        ([MAY], 2, True),
        ([JUNE], 2, False),
        ([MAY], 0, False),
        ([], 2, True),
        ([(None, DRAWER)], 2, True),
        ([("2023/06/16", f"{DRAWER[:-1]} on 1 August.")], 2, True),  # said then, of another day
        ([("2023/06/20", f"{DRAWER[:-1]} on 16 June.")], 2, False),  # said later, of that day
        ([("2023/06/16", "I had lunch, and the kitchen was cold.")], 2, True),  # of that day, but no answer
    ],
)
def test_what_the_answer_rests_on_decides(found, left, reads_on):
    more, _ = read_on_or_answer(SYSTEM, [printed(left, *found)], QUESTION, ASKED_ON, forced=False)
    assert (more is not None) is reads_on


def test_no_further_code_is_written_where_none_will_be_run():
    assert read_on_or_answer(SYSTEM, [printed(2, MAY)], QUESTION, ASKED_ON, forced=True) == (None, DRAWER)


def test_words_are_read_for_before_the_time():
    vague = ("2023/05/03", "I was in the kitchen.")
    more, answer = read_on_or_answer(SYSTEM, [printed(2, vague, missing=1)], QUESTION, ASKED_ON, forced=False)
    assert answer == prompts.UNKNOWN
    assert "missing()" in more
    outputs = [printed(2, vague, missing=1), printed(2, missing=1)]  # that brought nothing
    more, _ = read_on_or_answer(SYSTEM, outputs, QUESTION, ASKED_ON, forced=False)
    assert "of_time" in more


@pytest.mark.parametrize("output", ["", "NameError: x", '{"sessions": 9, "spread": {}, "of_time": "many"}'])
def test_odd_output_ends_the_reading(output):
    assert read_on_or_answer(SYSTEM, [output], QUESTION, ASKED_ON, forced=False) == (None, prompts.UNKNOWN)
