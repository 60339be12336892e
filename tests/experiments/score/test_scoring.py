import math
import os
import re
import string
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from rlm_memory_core.experiments.score.answers import (
    alternatives,
    exact_match,
    f1_set,
    f1_squad,
    normalize,
    normalize_squad,
    strict_match,
)
from rlm_memory_core.experiments.score.intervals import mcnemar_exact, mean_interval, wilson
from rlm_memory_core.experiments.score.scoring import is_abstention, needle, score
from rlm_memory_core.experiments.types import Sample

DATA = os.environ.get("RLM_MEMORY_DATA", "")
LOGS = Path(DATA).parent / "paper" / "logs"
needs_logs = pytest.mark.skipif(
    not DATA or not (LOGS / "run_100_log.txt").is_file(), reason="RLM_MEMORY_DATA names no data with the authors' logs"
)


# The authors' own scores


class Row(NamedTuple):
    question: str
    arm: str
    gold: str
    em: float
    f1: float
    said: str

    @property
    def whole(self):
        return len(self.said) < 80


def logged(name):
    """Rows of an authors' log: question, arm, gold, EM, F1 and the first 80 characters of the prediction."""
    text = (LOGS / name).read_text(encoding="utf-8")
    rows = []
    for block in re.split(r"^(?=\[\d+/100\] id=)", text, flags=re.M)[1:]:
        question = re.match(r"\[\d+/100\] id=(\S+)", block)[1]
        gold = re.search(r"^  A: (.*?)\n  (?:RLM|RAG)", block, re.S | re.M)[1]
        arm = r"^  (RLM|Truncation|RAG)[^:\n]*:\s+EM=([\d.]+) F1=([\d.]+)[^'\n]*\| '(.*?)'\n(?=\n|  Truncation|=|\Z)"
        rows += [
            Row(question, found[1], gold, float(found[2]), float(found[3]), found[4])
            for found in re.finditer(arm, block + "\n", re.S | re.M)
        ]
    return rows


@needs_logs
@pytest.mark.parametrize(
    ("name", "rows", "whole"),
    [("run_100_log.txt", 200, 168), ("adaptive_100_log.txt", 200, 169), ("rag_100_log.txt", 100, 61)],
)
def test_the_papers_scorer_gives_every_logged_score_of_an_uncut_prediction(name, rows, whole):
    read = logged(name)
    assert (len(read), sum(row.whole for row in read)) == (rows, whole)
    for row in read:
        if row.whole:
            ours = exact_match(row.said, row.gold, "paper"), round(f1_set(row.said, row.gold, "paper"), 4)
            assert ours == (row.em, row.f1), row


@needs_logs
@pytest.mark.parametrize("name", ["run_100_log.txt", "adaptive_100_log.txt", "rag_100_log.txt"])
def test_where_the_beginning_of_a_prediction_matches_the_log_counts_a_match(name):
    cut = [row for row in logged(name) if not row.whole and exact_match(row.said, row.gold, "paper")]
    assert cut
    assert all(row.em == 1.0 for row in cut)


# Text


def squad_f1(prediction, gold):
    """SQuAD's F1 from its description: bags of words, punctuation and articles removed."""

    def words(text):
        text = "".join(character for character in text.lower() if character not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    said, wanted = words(prediction), words(gold)
    shared = sum((Counter(said) & Counter(wanted)).values())
    if shared == 0:
        return 0.0
    precision, recall = shared / len(said), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


PAIRS = [
    ("5.5 weeks", "5.5 weeks"),
    ("the cat sat on the mat", "a cat on a mat"),
    ("It's Dr. Ada Quill.", "Dr. Ada Quill"),
    ("that that is is", "that is not that"),
    ("nothing shared", "elsewhere"),
    ("", "gold"),
    ("$3,750", "3750"),
]


@pytest.mark.parametrize(("prediction", "gold"), PAIRS)
def test_f1_squad_is_squads(prediction, gold):
    assert f1_squad(prediction, gold) == pytest.approx(squad_f1(prediction, gold))


@pytest.mark.parametrize(
    ("prediction", "gold", "expected"),
    [
        ("5.5 weeks", "5.5 weeks", 2 / 3),  # shares {5, weeks}; both have three words
        ("6:15 pm, 7:00 pm, 7:15 pm, or 8:15 pm", "6:15 pm", 0.375),  # 3 shared; 13 and 3 words
        ("a blue car", "The blue house", 0.5),
        ("Nairobi", "nairobi!", 1.0),
        ("", "Nairobi", 0.0),
    ],
)
def test_f1_set_counts_shared_words_once_over_full_lengths(prediction, gold, expected):
    assert f1_set(prediction, gold) == pytest.approx(expected)


def test_exact_match_is_containment_and_strict_match_is_not():
    assert exact_match("I believe it was the Blue Heron project", "blue heron.") == 1.0
    assert strict_match("I believe it was the Blue Heron project", "blue heron.") == 0.0
    assert strict_match("The Blue Heron!", "blue heron.") == 1.0
    assert exact_match("blue", "blue heron") == 0.0
    assert exact_match("May 22nd", "2") == 1.0  # the paper's rule, with its fault


@pytest.mark.parametrize("gold", ["", "  ", "the", "?!", "The."])
@pytest.mark.parametrize("metric", [exact_match, strict_match, f1_set, f1_squad, needle])
def test_an_empty_gold_never_matches(metric, gold):
    assert metric("", gold) == 0.0
    assert metric("anything", gold) == 0.0


def test_normal_forms_differ_in_what_punctuation_becomes():
    assert normalize("An e.g., the  U_1\n") == "e g u_1"
    assert normalize_squad("An e.g., the  U_1\n") == "eg u1"


@pytest.mark.parametrize(
    ("gold", "accepted"),
    [
        ("31 days. 32 days (with the last day) is also acceptable.", ["31 days", "32 days"]),
        ("40 days ago. 41 days (with the last day) is also acceptable.", ["40 days ago", "41 days"]),
        ("2 hours; 120 minutes are also acceptable", ["2 hours", "120 minutes"]),
        ("tea or coffee", ["tea", "coffee"]),
        ("Either tea or coffee.", ["tea", "coffee"]),
        ("5 or 6 days", ["5 days", "6 days"]),
        ("a sedan (or saloon)", ["a sedan", "saloon"]),
        ("three or more", []),
        ("Mindful.org.", []),
        ("Go, Rust, or C", []),
        ("We spoke of Go, Rust, or C as the next language for you to learn.", []),
        ("They may not prefer general tips or advice unrelated to the trip that they are planning.", []),
        ("for Oregon", []),
    ],
)
def test_fixed_alternatives(gold, accepted):
    assert alternatives(gold) == [gold, *accepted]


def test_the_papers_alternatives_keep_their_faults():
    assert "g." in alternatives("Mindful.org.", "paper")
    assert exact_match("Mindful", "Mindful.org.", "paper") == 1.0
    assert exact_match("Mindful", "Mindful.org.") == 0.0
    gold = "31 days. 32 days (with the last day) is also acceptable."
    assert exact_match("It took 32 days.", gold, "paper") == 0.0
    assert exact_match("It took 32 days.", gold) == 1.0
    assert exact_match("It took 31 days.", gold, "paper") == exact_match("It took 31 days.", gold) == 1.0


def test_an_unknown_scorer_is_refused():
    with pytest.raises(ValueError, match="fixed, paper"):
        exact_match("a", "b", "papr")


# Abstention, needle, the whole score


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.",
        "I don’t know",
        "FINAL: I DO NOT KNOW",
        "That was never mentioned in our chats.",
        "There is no information about that.",
        "I cannot\nfind any such thing",
        "You did not mention a tank.",
    ],
)
def test_uncertainty_is_heard(text):
    assert is_abstention(text)


@pytest.mark.parametrize("text", ["", "Nairobi", "You know I do: it is teal.", "She mentioned a tank.", "42"])
def test_answers_are_not_abstentions(text):
    assert not is_abstention(text)


@pytest.mark.parametrize(
    ("answer", "value", "expected"),
    [
        ("Its name is blue heron.", "Blue Heron", 1.0),
        ("It was blue.", "Blue Heron", 0.5),
        ("It was red.", "Blue Heron", 0.0),
        ("$38,861", "$38,861", 1.0),
        ("", "teal", 0.0),
    ],
)
def test_needle(answer, value, expected):
    assert needle(answer, value) == expected


def sample(answer, abstain=False):
    return Sample("q", "kind", "?", answer, sessions=(), abstain=abstain)


def test_score_of_an_answer():
    assert score(sample("Nairobi"), "You grew up in Nairobi") == {
        "em": 1.0,
        "em_strict": 0.0,
        "f1": pytest.approx(1 / 3),
        "f1_squad": pytest.approx(1 / 3),
        "abstained": 0.0,
    }


def test_an_abstention_is_seen_but_em_compares_with_the_gold_text():
    found = score(sample("Not enough information: you never told me.", abstain=True), "I don't know")
    assert (found["abstained"], found["em"]) == (1.0, 0.0)


def test_score_uses_its_scorer():
    gold = sample("31 days. 32 days is also acceptable.")
    assert (score(gold, "32 days")["em"], score(gold, "32 days", "paper")["em"]) == (1.0, 0.0)


# Intervals. Published: the audit's Wilson intervals of Tables 5 and 6.


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (46, 100, 0.37, 0.56),
        (43, 100, 0.34, 0.53),
        (5, 100, 0.02, 0.11),
        (14, 16, 0.64, 0.97),
        (11, 17, 0.41, 0.83),
        (4, 18, 0.09, 0.45),
        (3, 16, 0.07, 0.43),
        (0, 16, 0.0, 0.19),
        (0, 18, 0.0, 0.18),
    ],
)
def test_wilson_gives_published_intervals(successes, n, low, high):
    assert [round(end, 2) for end in wilson(successes, n)] == [low, high]


@pytest.mark.parametrize(("successes", "n"), [(3, 10), (46, 100), (1, 1)])
def test_wilson_inverts_the_score_test(successes, n):
    """Each end is the share from which the observed one lies 1.96 standard errors away."""
    for end in wilson(successes, n):
        if 0 < end < 1:
            assert abs(successes / n - end) / math.sqrt(end * (1 - end) / n) == pytest.approx(1.959964, abs=1e-5)


def test_wilson_is_symmetric_and_exact_at_the_ends():
    low, high = wilson(3, 10)
    assert wilson(7, 10) == pytest.approx((1 - high, 1 - low))
    assert wilson(0, 5)[0] == 0.0
    assert wilson(5, 5)[1] == 1.0


@pytest.mark.parametrize("arguments", [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_has_no_meaning(arguments):
    with pytest.raises(ValueError, match="wilson needs"):
        wilson(*arguments)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [(13, 10, 0.6776), (10, 13, 0.6776), (0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 7, 18 / 256), (0, 2000, 0.0)],
)
def test_mcnemar_by_hand(b, c, p):
    assert mcnemar_exact(b, c) == pytest.approx(p, abs=5e-5)


def test_mcnemar_refuses_negative_counts():
    with pytest.raises(ValueError, match="counts"):
        mcnemar_exact(-1, 2)


def test_mean_interval_is_near_the_normal_one_and_repeats():
    values = [0.0] * 54 + [1.0] * 46
    low, high = mean_interval(values)
    assert (low, high) == pytest.approx((0.46 - 0.0977, 0.46 + 0.0977), abs=0.015)
    assert mean_interval(values) == (low, high)


def test_mean_interval_stays_within_the_values():
    low, high = mean_interval([0.0, 0.0, 0.0, 1.0])
    assert low == 0.0
    assert high <= 1.0


def test_mean_interval_refuses_nothing():
    with pytest.raises(ValueError, match="at least one"):
        mean_interval([])
