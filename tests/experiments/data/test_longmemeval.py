import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from rlm_memory_core.experiments.data import longmemeval, longmemeval_file
from rlm_memory_core.experiments.data.assets import DataUnavailable, sha256_of
from rlm_memory_core.experiments.data.longmemeval import TYPES, load, paper_ids, questions
from rlm_memory_core.experiments.data.longmemeval_file import parse_date

DATA = os.environ.get("RLM_MEMORY_DATA", "")
LOG = Path(DATA).parent / "paper" / "logs" / "run_100_log.txt"
S = "longmemeval_s_cleaned.json"


def item(number, kind="multi-session", **changes):
    """One item in the official format: three sessions out of date order, the middle one with the answer."""
    return {
        "question_id": f"q{number:03}",
        "question_type": kind,
        "question": "Where did I grow up?",
        "answer": "Nairobi",
        "question_date": "2023/05/30 (Tue) 23:40",
        "haystack_session_ids": ["later", f"answer_{number}", "first"],
        "haystack_dates": ["2023/05/20 (Sat) 02:21", "2023/04/10 (Mon) 17:50", "2022/12/31 (Sat) 09:00"],
        "haystack_sessions": [
            [{"role": "user", "content": "The bus was late."}, {"role": "assistant", "content": "Oh."}],
            [{"role": "user", "content": "I grew up in Nairobi, né ✓.", "has_answer": True}],
            [],
        ],
        "answer_session_ids": [f"answer_{number}"],
    } | changes


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RLM_MEMORY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RLM_MEMORY_DATA", raising=False)


@pytest.fixture
def write(tmp_path):
    folder = tmp_path / "official"
    folder.mkdir()

    def write(content, name=S):
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / name).write_bytes(raw)
        return folder

    return write


def balanced_file(per_type):
    return [item(i, kind) for i, kind in enumerate(kind for kind in TYPES for _ in range(per_type))]


def only(folder):
    (sample,) = load("s", "all", data_dir=folder)
    return sample


# One item as a sample


def test_sessions_come_in_date_order_with_their_dates_as_written(write):
    sample = only(write([item(1)]))
    assert [session.date for session in sample.sessions] == [
        "2022/12/31 (Sat) 09:00",
        "2023/04/10 (Mon) 17:50",
        "2023/05/20 (Sat) 02:21",
    ]
    assert [len(session.turns) for session in sample.sessions] == [0, 1, 2]
    assert sample.sessions[1].turns[0] == ("user", "I grew up in Nairobi, né ✓.")
    assert sample.sessions[2].turns[1] == ("assistant", "Oh.")
    assert (sample.id, sample.kind, sample.answer) == ("q001", "multi-session", "Nairobi")
    assert (sample.question, sample.question_date) == ("Where did I grow up?", "2023/05/30 (Tue) 23:40")


def test_evidence_is_where_the_sorted_session_stands(write):
    assert only(write([item(1)])).evidence == (1,)
    last = ["2023/04/10 (Mon) 17:50", "2023/05/20 (Sat) 02:21", "2022/12/31 (Sat) 09:00"]
    assert only(write([item(2, haystack_dates=last)])).evidence == (2,)


def test_sessions_of_one_minute_keep_their_order(write):
    sessions = [[{"role": "user", "content": text}] for text in "abc"]
    sample = only(write([item(1, haystack_dates=["2023/04/10 (Mon) 17:50"] * 3, haystack_sessions=sessions)]))
    assert [session.turns[0].content for session in sample.sessions] == ["a", "b", "c"]


def test_years_order_before_hours(write):
    dates = ["2023/01/01 (Sun) 00:10", "2022/11/02 (Wed) 23:59", "2023/01/01 (Sun) 00:09"]
    sample = only(write([item(1, haystack_dates=dates)]))
    assert [session.date for session in sample.sessions] == [dates[1], dates[2], dates[0]]


def test_no_label_reaches_a_session(write):
    sample = only(write([item(1)]))
    shown = repr(sample.sessions) + sample.store().to_string()
    assert "Nairobi" in shown
    assert "has_answer" not in shown
    assert "answer_1" not in shown
    assert {type(turn)._fields for session in sample.sessions for turn in session.turns} == {("role", "content")}


@pytest.mark.parametrize(
    ("answer", "text"), [(3, "3"), (5.5, "5.5"), ("3 days", "3 days"), (12345678901, "12345678901")]
)
def test_answers_are_text_even_where_they_are_numbers(write, answer, text):
    assert only(write([item(1, answer=answer)])).answer == text


def test_abstention_is_told_by_the_id(write):
    plain, abstain = load("s", "all", data_dir=write([item(1), item(2, question_id="q2_abs")]))
    assert (plain.abstain, abstain.abstain) == (False, True)


def test_duplicate_session_ids_are_all_evidence(write):
    assert only(write([item(1, haystack_session_ids=["answer_1", "x", "answer_1"])])).evidence == (0, 2)


def test_evidence_may_be_absent(write):
    assert only(write([item(1, answer_session_ids=["elsewhere"])])).evidence == ()


def test_dates_are_read_whatever_the_weekday_is_called():
    assert parse_date("2023/04/10 (Mon) 17:50") == datetime(2023, 4, 10, 17, 50)
    assert parse_date("2023/04/10 (lun) 17:50") == datetime(2023, 4, 10, 17, 50)
    for wrong in ("2023/13/10 (Mon) 17:50", "2023-04-10", "", "2023/04/10 (Mon) 17:50 "):
        with pytest.raises(ValueError, match="is not like"):
            parse_date(wrong)


# Which samples


def test_the_paper_sample_is_a_hundred_ids_in_the_papers_order(write):
    ids = paper_ids()
    assert len(set(ids)) == len(ids) == 100
    shuffled = random.Random(1).sample(ids, 100)
    folder = write([item(0), *(item(1, question_id=question) for question in shuffled)])
    assert [sample.id for sample in load("s", data_dir=folder)] == ids


def test_a_file_without_all_of_the_papers_questions_says_how_many_it_lacks(write):
    folder = write([item(1, question_id=question) for question in paper_ids()[:97]])
    with pytest.raises(DataUnavailable, match=r"lacks 3 of the paper's 100 questions.*sample='all'"):
        load("s", data_dir=folder)


@pytest.mark.parametrize("everything", ["all", None])
def test_all_is_the_file_as_it_is(write, everything):
    samples = load("s", everything, data_dir=write([item(2), item(1)]))
    assert [sample.id for sample in samples] == ["q002", "q001"]


@pytest.mark.parametrize(("size", "counts"), [(6, [1] * 6), (8, [2, 2, 1, 1, 1, 1]), (23, [4, 4, 4, 4, 4, 3])])
def test_a_draw_is_balanced_and_the_remainder_goes_to_the_first_types(write, size, counts):
    drawn = Counter(sample.kind for sample in load("s", size, data_dir=write(balanced_file(5))))
    assert [drawn[kind] for kind in sorted(TYPES)] == counts


def test_a_small_type_is_used_up_and_the_others_fill_in(write):
    folder = write([item(i, TYPES[0]) for i in range(2)] + [item(i, TYPES[1]) for i in range(10, 20)])
    assert Counter(sample.kind for sample in load("s", 9, data_dir=folder)) == {TYPES[0]: 2, TYPES[1]: 7}


def test_a_draw_depends_on_the_seed_alone(write):
    items = balanced_file(5)

    def ids(items, **arguments):
        return [sample.id for sample in load("s", 12, data_dir=write(items), **arguments)]

    drawn = ids(items)
    assert ids(items[::-1]) == drawn
    assert ids(items, seed=42) == drawn
    assert ids(items, seed=7) != drawn


def test_a_small_draw_begins_a_large_one(write):
    folder = write(balanced_file(5))
    large = [sample.id for sample in load("s", 20, data_dir=folder)]
    assert [sample.id for sample in load("s", 7, data_dir=folder)] == large[:7]


def test_questions_are_drawn_from_the_papers_sample_in_its_order(write):
    folder = write([item(1, question_id=question) for question in [*paper_ids(), *"abcdefgh"]])
    drawn = [sample.id for sample in questions(60, data_dir=folder)]
    assert len(drawn) >= 60
    assert drawn == [question for question in paper_ids() if question in drawn]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"variant": "xl"}, r"variant must be one of oracle, s, m, not 'xl'"),
        ({"sample": "papr"}, r"sample must be 'paper', 'all' or a number, not 'papr'"),
        ({"sample": 0}, r"cannot draw 0 of 12"),
        ({"sample": 13}, r"cannot draw 13 of 12 questions \(knowledge-update 2, .*temporal-reasoning 2\)"),
    ],
)
def test_impossible_wishes_are_refused_in_one_line(write, arguments, said):
    with pytest.raises(ValueError, match=said) as caught:
        load(**({"variant": "s", "data_dir": write(balanced_file(2))} | arguments))
    assert "\n" not in str(caught.value)


# The sequence


def test_samples_are_a_sequence(write):
    samples = load("s", "all", data_dir=write([item(i) for i in range(5)]))
    assert len(samples) == 5
    assert samples[-1].id == "q004"
    assert [sample.id for sample in samples[1:4:2]] == ["q001", "q003"]
    assert samples[2] == samples[2]
    with pytest.raises(IndexError):
        samples[5]


def test_provenance(write):
    folder = write([item(1)])
    samples = load("s", "all", data_dir=folder)
    assert samples.path == folder / S
    assert samples[:1].sha256 == sha256_of(folder / S)
    assert samples.population == 1


@pytest.mark.parametrize(
    ("variant", "name"), [("oracle", "longmemeval_oracle.json"), ("s", S), ("m", "longmemeval_m_cleaned.json")]
)
def test_each_variant_has_its_file(write, variant, name):
    assert load(variant, "all", data_dir=write([item(1)], name)).path.name == name


def test_a_file_is_built_once_and_anew_when_it_changes(write, monkeypatch):
    folder = write([item(1)])
    os.utime(folder / S, ns=(1, 1))
    assert only(folder).id == "q001"
    with monkeypatch.context() as patched:
        patched.setattr(longmemeval_file, "_row", None)  # a second build would call it
        assert only(folder).id == "q001"
    write([item(2)])  # of the same size
    os.utime(folder / S, ns=(2, 2))
    assert only(folder).id == "q002"


# Broken files


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a JSON array"),
        (b"hello", "is not a JSON array"),
        (b'{"question_id": 1}', "is not a JSON array"),
        (b"[]", "holds no items"),
        (json.dumps([item(1), item(2)]).encode()[:-400], "broken after item 1"),
        (json.dumps([item(1)]).encode()[:-1], "broken after item 1"),
        (json.dumps([item(1)]).encode() + b"more", "broken after item 1"),
        (json.dumps([item(1)]).encode().replace(b"bus", b"\xff\xfe"), "broken after item 0"),
        ([item(1), 7], "item 2: is not an object"),
        ([item(1), {"question_id": "x"}], "item 2: 'question_type' is missing"),
        ([item(1, answer=None)], "item 1: 'answer' is not right"),
        ([item(1, answer_session_ids="x")], "item 1: 'answer_session_ids' is not right"),
        ([item(1), item(2), item(3, haystack_dates=[])], "item 3: 3 sessions do not go with 0 dates and 3 ids"),
        ([item(1, haystack_dates=["yesterday"] * 3)], "item 1: date 'yesterday' is not like"),
        ([item(1, haystack_dates=[1, 2, 3])], "item 1:"),
        ([item(1, haystack_sessions=[[{"role": "user"}], [], []])], "item 1: a turn has no 'role' or no 'content'"),
        ([item(1, haystack_sessions=[["hello"], [], []])], "item 1: a turn has no"),
        ([item(1, haystack_sessions=[None, [], []])], "item 1:"),
    ],
)
def test_a_broken_file_is_one_clear_line_and_leaves_no_half_cache(write, tmp_path, content, said):
    folder = write(content)
    with pytest.raises(DataUnavailable) as caught:
        load("s", "all", data_dir=folder)
    message = str(caught.value)
    assert said in message
    assert str(folder / S) in message
    assert "\n" not in message
    assert [path for path in tmp_path.rglob("*") if path.suffix in (".arrow", ".incomplete")] == []
    write([item(1)])
    assert only(folder).id == "q001"


def test_a_cache_that_cannot_be_written_is_one_line(write, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataUnavailable, match="could not be prepared") as caught:
        load("s", "all", data_dir=write([item(1)]))
    assert "\n" not in str(caught.value)


# Quiet and flat


def test_building_is_silent_and_leaves_the_bars_of_datasets_as_they_were(write, capfd):
    import datasets

    before = datasets.are_progress_bars_disabled()
    load("s", "all", data_dir=write([item(1)]))
    assert capfd.readouterr() == ("", "")
    assert datasets.are_progress_bars_disabled() == before


def test_building_shows_one_bar_on_a_terminal_and_does_not_build_twice(write, capfd, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    folder = write([item(1)])
    load("s", "all", data_dir=folder)
    assert "100%" in capfd.readouterr().err
    load("s", "all", data_dir=folder)
    assert "%" not in capfd.readouterr().err


MEASURE = """
import sys
from pathlib import Path
from rlm_memory_core.experiments.data import longmemeval

def peak():  # of this process alone: ru_maxrss would begin at the parent's
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))

longmemeval.load("oracle", "all", data_dir=sys.argv[1])
before = peak()
samples = longmemeval.load("s", "all", data_dir=sys.argv[1])
assert sum(len(session.turns) for session in samples[-1].sessions) == 1000
print(len(samples), peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_a_file_of_sixty_megabytes_builds_in_flat_memory(write, tmp_path):
    folder = write([item(0)], "longmemeval_oracle.json")
    with (folder / S).open("w") as file:
        for number in range(60):
            turns = [{"role": "user", "content": f"{number} {turn} " + "word " * 200} for turn in range(1000)]
            file.write(("," if number else "[") + json.dumps(item(number, haystack_sessions=[turns, [], []])))
        file.write("]")
    size = (folder / S).stat().st_size
    assert size > 60_000_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    count, kilobytes = map(int, done.stdout.split())
    assert count == 60
    assert kilobytes * 1024 < size / 2


# The real data


@pytest.fixture(scope="module")
def real(built_cache):
    """The paper's hundred, built once; its cache outlives the tests' own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RLM_MEMORY_CACHE", str(built_cache))
        yield load("s", data_dir=DATA)


needs_data = pytest.mark.skipif(
    not DATA or not list(Path(DATA).glob("longmemeval_s*.json")), reason="RLM_MEMORY_DATA names no LongMemEval-S file"
)


@needs_data
@pytest.mark.skipif(not LOG.is_file(), reason="no authors' log beside the data")
def test_turns_and_characters_of_all_histories_are_the_authors(real):
    log = LOG.read_text(encoding="utf-8")
    logged = re.findall(r"^\[\d+/100\] id=(\S+) \| type=(\S+) \| turns=(\d+) \| chars=([\d,]+)$", log, re.M)
    assert len(logged) == 100
    for sample, (question, kind, turns, characters) in zip(real, logged, strict=True):
        contents = [turn.content for session in sample.sessions for turn in session.turns]
        contents += [f"[--- Session {i} | {session.date} ---]" for i, session in enumerate(sample.sessions, start=1)]
        ours = (sample.id, sample.kind, len(contents), sum(map(len, contents)))
        assert ours == (question, kind, int(turns), int(characters.replace(",", "")))


@needs_data
def test_the_papers_hundred(real):
    assert [sample.id for sample in real] == paper_ids()
    assert sum(sample.abstain for sample in real) == 3
    assert Counter(sample.kind for sample in real) == {
        "single-session-user": 16,
        "single-session-assistant": 17,
        "single-session-preference": 16,
        "multi-session": 18,
        "temporal-reasoning": 17,
        "knowledge-update": 16,
    }


@needs_data
def test_every_real_history_is_dated_in_order_and_holds_its_evidence(real):
    for sample in real:
        dates = [parse_date(session.date) for session in sample.sessions]
        assert dates == sorted(dates)
        assert sample.evidence
        assert max(sample.evidence) < len(dates)


@needs_data
def test_oracle_and_s_ask_the_same(real, tmp_path):
    if not list(Path(DATA).glob("longmemeval_oracle*.json")):
        pytest.skip("no oracle file among the data")
    for few, many in zip(longmemeval.load("oracle", data_dir=DATA), real, strict=True):
        assert (few.id, few.question, few.answer) == (many.id, many.question, many.answer)
        assert len(few.sessions) <= len(many.sessions)
