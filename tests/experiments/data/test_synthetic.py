import random
import re
from itertools import chain, pairwise

import pytest

from rlm_memory_core.experiments.data import niah, synthetic
from rlm_memory_core.experiments.data.smalltalk import FILLER, SENTENCES
from rlm_memory_core.experiments.methods import SYNTHETIC_WINDOW
from rlm_memory_core.experiments.score.scoring import score, score_synthetic


@pytest.fixture(scope="module")
def samples():
    return synthetic.load()


def said(sample):
    """What the user says, session by session."""
    return [[turn.content for turn in session.turns if turn.role == "user"] for session in sample.sessions]


def facts(sample):
    """The places of what is no small talk, over all sessions, and what is said there."""
    return [(i, text) for i, text in enumerate(chain(*said(sample))) if text not in FILLER]


def of(kind, samples):
    return [sample for sample in samples if sample.kind == kind]


def test_ten_of_each_of_table_1s_kinds(samples):
    kinds = ["single-session-user", "multi-session-user", "temporal-reasoning", "knowledge-update", "abstention"]
    assert list(synthetic.TYPES) == kinds
    assert [sample.kind for sample in samples] == [kind for kind in kinds for _ in range(10)]
    assert len({sample.id for sample in samples}) == 50


def test_histories_have_the_papers_50_to_130_turns(samples):
    assert all(50 <= 2 * niah.pairs(sample) <= 130 for sample in samples)


def test_the_window_of_16000_characters_holds_every_history(samples):
    """So truncation loses nothing, and answers as full context does: both have EM .940 in the paper's Table 3."""
    assert max(len(sample.store().to_string()) for sample in samples) < SYNTHETIC_WINDOW


@pytest.mark.parametrize(
    ("kind", "count", "shape"),
    [
        ("single-session-user", 1, [(5, 15), (20, 50)]),
        ("temporal-reasoning", 2, [(0, 0), (10, 25), (10, 25)]),
        ("knowledge-update", 2, [(5, 10), (15, 30), (10, 20)]),
        ("multi-session-user", 3, [(0, 0), (8, 15), (8, 15), (8, 15)]),
        ("abstention", 0, [(30, 60)]),
    ],
)
def test_small_talk_around_the_facts_is_as_much_as_in_the_paper(kind, count, shape, samples):
    for sample in of(kind, samples):
        places = [place for place, _ in facts(sample)]
        assert len(places) == count
        ends = [-1, *places, sum(map(len, said(sample)))]
        talk = [after - before - 1 for before, after in pairwise(ends)]
        assert all(low <= length <= high for length, (low, high) in zip(talk, shape, strict=True))


def test_the_answer_is_told_and_asked_for(samples):
    for sample in of("single-session-user", samples):
        told, _, values = next(each for each in synthetic.FACTS if each[1] == sample.question)
        assert facts(sample)[0][1] == told.format(sample.answer)
        assert sample.answer in values


def test_three_sessions_name_one_project(samples):
    for sample in of("multi-session-user", samples):
        assert [sample.answer in session[0] for session in said(sample)] == [True] * 3
        assert sample.evidence == (0, 1, 2)


def test_a_code_is_told_before_the_event_that_the_question_names(samples):
    for sample in of("temporal-reasoning", samples):
        (_, code), (_, event) = facts(sample)
        assert re.search(r"\bref_\d{3}\b", code)[0] == sample.answer
        assert sample.question.partition(" before ")[2].rstrip("?") in event


def test_an_update_ends_with_another_value(samples):
    for sample in of("knowledge-update", samples):
        (_, first), (_, later) = facts(sample)
        assert sample.answer in later
        assert sample.answer not in first


def test_abstention_asks_for_what_no_sentence_says(samples):
    for sample in of("abstention", samples):
        assert sample.abstain
        assert sample.evidence == ()
    words = {word for question in synthetic.NEVER_SAID for word in re.findall(r"\w{5,}", question.lower())}
    spoken = " ".join(FILLER).lower()
    asked_about = words - {"which", "number", "finish", "colour", "licence", "support"}
    assert not [word for word in asked_about if word in spoken]


def test_some_facts_are_told_without_the_words_of_their_question():
    told = {asked: told for told, asked, _ in synthetic.FACTS}
    assert "town" not in told["What is my home town?"]
    assert "grew up" in told["What is my home town?"]
    assert "profession" not in told["What is my profession?"]


def test_values_do_not_occur_in_small_talk_or_in_one_another():
    spoken = " ".join(FILLER)
    for *_, values in (*synthetic.FACTS, *synthetic.UPDATES, (SENTENCES["synthetic"]["projects"],)):
        assert len(set(values)) == len(values) > 1
        assert not [value for value in values if value in spoken]
        assert not [one for one in values for other in values if one != other and one in other]


def test_seeds_make_samples(samples):
    assert synthetic.load() == samples
    assert synthetic.load(3)[:3] == samples[:3]  # however many are drawn
    assert synthetic.load(seed=43) != samples
    fourth = random.Random(42 + 37 * 3)
    assert of("temporal-reasoning", samples)[3].answer == f"ref_{fourth.randint(100, 999)}"


def test_at_least_one_of_each_type_is_made():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        synthetic.load(n_per_type=0)


@pytest.mark.parametrize("text", ["I don't know.", "You never mentioned it.", "The history does not mention this."])
def test_abstention_is_scored_by_what_admits_ignorance(samples, text):
    scores = score_synthetic(samples[-1], text)
    assert (scores["em"], scores["f1"]) == (1.0, 1.0)


def test_a_guess_is_worth_nothing_where_nothing_is_to_be_found(samples):
    scores = score_synthetic(samples[-1], "Your blood type is 0.")
    assert (scores["em"], scores["f1"]) == (0.0, 0.0)


def test_other_questions_are_scored_as_ever(samples):
    for text in (f"It is {samples[0].answer}.", "I don't know", ""):
        assert score_synthetic(samples[0], text) == score(samples[0], text)
