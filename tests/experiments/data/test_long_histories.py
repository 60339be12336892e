import re

import pytest

from rlm_memory_core.experiments.data import long_histories, synthetic
from rlm_memory_core.query.prompts import UNKNOWN
from rlm_memory_core.store.dates import parse_date


@pytest.fixture(scope="module")
def samples():
    return long_histories.load(sessions=100, n_per_type=5)


def of(kind, samples):
    return [sample for sample in samples if sample.kind == kind]


def told(sample):
    """The first sentence of each turn of the user's in the evidence that is no small talk."""
    everything = [turn.content for at in sample.evidence for turn in sample.sessions[at].turns if turn.role == "user"]
    return " ".join(everything)


def test_every_type_over_one_shared_history(samples):
    assert [sample.kind for sample in samples] == [kind for kind in long_histories.TYPES for _ in range(5)]
    assert len({id(sample.sessions) for sample in samples}) == 1
    assert {len(sample.sessions) for sample in samples} == {100}
    assert len({sample.id for sample in samples}) == len({sample.question for sample in samples}) == 25


def test_sessions_are_dated_in_order_and_asked_about_after_the_last(samples):
    dates = [parse_date(session.date) for session in samples[0].sessions]
    assert dates == sorted(dates)
    assert len(set(dates)) > 50
    assert parse_date(samples[0].question_date) > dates[-1]


def test_each_fact_has_a_session_of_its_own_and_its_answer_stands_there(samples):
    places = [at for sample in samples for at in sample.evidence]
    assert len(set(places)) == len(places)
    for sample in of("single-session-user", samples):
        assert re.search(rf"\b{re.escape(sample.answer)}\b", told(sample))
        rest = [session for at, session in enumerate(sample.sessions) if at not in sample.evidence]
        assert not [turn for session in rest for turn in session.turns if sample.answer in turn.content.split()]


def test_the_newer_value_is_told_later(samples):
    for sample in of("knowledge-update", samples):
        first, later = (
            " ".join(turn.content for turn in sample.sessions[at].turns if turn.role == "user")
            for at in sample.evidence
        )
        old, new = next(each[:2] for each in synthetic.UPDATES if each[2] == sample.question)
        assert old.partition("{")[0] in first
        assert new.format(sample.answer) in later


def test_events_are_counted_over_their_sessions(samples):
    for sample in of("multi-session", samples):
        assert sample.answer == str(len(sample.evidence))
        assert 2 <= len(sample.evidence) <= 4


def test_days_are_those_between_the_sessions(samples):
    for sample in of("temporal-reasoning", samples):
        first, last = (parse_date(sample.sessions[at].date) for at in sample.evidence)
        assert sample.answer == str((last - first).days)
        one, other = re.fullmatch(r".*when I (.*) and the day when I (.*)\?", sample.question).groups()
        assert f"I {one} today. " in told(sample)
        assert f"I {other} today. " in told(sample)


def test_what_was_never_said_wants_an_abstention(samples):
    for sample in of("abstention", samples):
        assert (sample.abstain, sample.answer, sample.evidence) == (True, UNKNOWN, ())
    assert not any(sample.abstain for sample in samples if sample.kind != "abstention")


def test_the_same_seed_asks_the_same_at_every_length():
    short, long = long_histories.load(50), long_histories.load(300)
    assert [sample.question for sample in short] == [sample.question for sample in long]
    undated = [at for at, sample in enumerate(short) if sample.kind != "temporal-reasoning"]
    assert [short[at].answer for at in undated] == [long[at].answer for at in undated]
    assert len(long[0].sessions) == 300


def test_seeds_make_histories():
    assert long_histories.load(50) == long_histories.load(50)
    assert long_histories.load(50)[0].sessions != long_histories.load(50, seed=43)[0].sessions


def test_a_session_is_about_half_as_long_as_longmemevals(samples):
    assert 4_000 < samples[0].store().characters() / 100 < 6_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sessions": 10, "n_per_type": 5}, "10 sessions cannot hold"),
        ({"sessions": 0}, "0 sessions cannot hold"),
        ({"n_per_type": 6}, "n_per_type must be 1 to 5"),
    ],
)
def test_what_cannot_be_made_is_said(options, said):
    with pytest.raises(ValueError, match=said):
        long_histories.load(**options)
