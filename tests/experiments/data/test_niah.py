import random
import re
from statistics import mean

import pytest

from rlm_memory_core.experiments.data import niah
from rlm_memory_core.experiments.data.smalltalk import FILLER, SENTENCES

NEEDLES = SENTENCES["needles"]

# Paper, Table 2: pairs -> mean content characters over five runs.
TABLE_2 = {20: 1545, 50: 3682, 100: 7213, 200: 14398}


@pytest.fixture(scope="module")
def samples():
    return niah.load()


def texts(sample, role="user"):
    return [turn.content for turn in sample.sessions[0].turns if turn.role == role]


@pytest.mark.parametrize(("length", "printed"), TABLE_2.items())
def test_mean_lengths_are_the_papers(samples, length, printed):
    lengths = [niah.content_characters(sample) for sample in samples if niah.pairs(sample) == length]
    assert len(lengths) == 5
    assert mean(lengths) == pytest.approx(printed, rel=0.05)


def test_serialised_200_pairs_leave_the_truncation_window_though_their_content_fits(samples):
    longest = samples[-1]
    assert niah.content_characters(longest) < 16_000 < len(longest.store().to_string())


def test_turns_alternate_and_every_reply_is_the_same(samples):
    for sample in samples:
        roles = [turn.role for turn in sample.sessions[0].turns]
        assert roles == ["user", "assistant"] * niah.pairs(sample)
        assert len(set(texts(sample, "assistant"))) == 1


def test_three_facts_are_hidden_and_the_earliest_is_asked_for(samples):
    for sample in samples:
        said = texts(sample)
        facts = [text for text in said if text not in FILLER]
        assert len(facts) == 3
        assert sample.answer in facts[0]
        assert sum(sample.answer in text for text in said) == 1


def test_no_fact_could_be_mistaken_for_filler():
    filler = " ".join(FILLER).lower()
    assert len(set(FILLER)) == 15
    for values in (needle["values"] for needle in NEEDLES):
        values = [value for value in values if not value.startswith(("{", "$"))]
        assert len(set(values)) == len(values)
        assert not [value for value in values if re.search(rf"\b{re.sub(' {.*', '', value.lower())}\b", filler)]
    assert not re.search(r"\d", filler)


def test_all_ten_kinds_occur_and_each_question_fits_its_fact():
    assert len(NEEDLES) == 10
    many = niah.load(turns=[5], runs=200)
    assert {sample.question for sample in many} == {needle["asked"] for needle in NEEDLES}
    for sample in many:
        told = next(needle["told"] for needle in NEEDLES if needle["asked"] == sample.question)
        assert told.format(sample.answer) in texts(sample)


def test_a_home_town_is_told_without_its_name():
    (told,) = (needle["told"] for needle in NEEDLES if "home town" in needle["asked"])
    assert "grew up" in told
    assert "town" not in told


def test_labels(samples):
    sample = samples[7]
    assert (sample.id, sample.kind, sample.evidence, sample.abstain) == ("niah-50-3", "50 pairs", (0,), False)
    assert (sample.question_date, sample.sessions[0].date) == (None, None)
    assert len({each.id for each in samples}) == len(samples) == 20


def test_the_share_in_the_window_is_what_truncation_can_find_at_best(samples):
    long = [sample for sample in samples if niah.pairs(sample) == 200]
    assert niah.share_in_window(long, 16_000) == 0.2  # as the paper's Table 2 has it
    assert niah.share_in_window(long, 1_000_000) == 1.0


def test_the_history_is_one_session(samples):
    assert len(samples[0].store().sessions) == 1


def test_seeds_make_runs():
    assert niah.load() == niah.load()
    assert niah.load(turns=[20], runs=2)[1] == niah.load(turns=[50, 20], runs=5)[6]  # whatever else is drawn
    places = random.Random(3 * 100 + 50)  # run 3 at 50 pairs
    places.sample(range(10), 3)  # the kinds come first
    facts = [i for i, text in enumerate(texts(niah.load()[7])) if text not in FILLER]
    assert facts == sorted(places.sample(range(50), 3))
    first, second = niah.load(turns=[20], runs=2)
    assert first.sessions != second.sessions
    assert niah.load(turns=[20], runs=1, seed=7)[0].sessions != first.sessions


@pytest.mark.parametrize("arguments", [{"turns": [2]}, {"turns": []}, {"runs": 0}])
def test_impossible_sizes_are_refused(arguments):
    with pytest.raises(ValueError, match="at least"):
        niah.load(**arguments)
