"""Scores one answer as a flat dictionary of numbers.

`answers` compares texts, `intervals` says how certain a share is. `judge` asks a model instead.
"""

import re
from importlib.resources import files

from rlm_memory_core.query.prompts import UNKNOWN

from ..types import Sample
from .answers import Scorer, exact_match, f1_set, f1_squad, normalize, strict_match

UNCERTAIN = tuple(files(__package__).joinpath("uncertain.txt").read_text(encoding="utf-8").splitlines())
"""Phrases of uncertainty in lower case: general English that a confident answer would hardly use."""

_ABSTENTION = re.compile(r"\b(?:" + "|".join(map(re.escape, UNCERTAIN)) + r")\b")


def score(sample: Sample, prediction_text: str, scorer: Scorer = "fixed") -> dict[str, float]:
    """Scores one answer.

    Args:
        sample: The question with its gold answer.
        prediction_text: The method's answer; "" if it failed.
        scorer: How to read alternatives in the gold answer; see `answers.alternatives`.

    Returns:
        Numbers in 0..1: `em` (containment) and `f1`, both the paper's; `em_strict` and `f1_squad`, both SQuAD's; and
        `abstained`. On questions without an answer `em` and `f1` still compare with the gold text, as in the paper.

    Example:
        >>> nairobi = Sample("1", "city", "Where did I grow up?", "Nairobi", sessions=())
        >>> score(nairobi, "You grew up in Nairobi.")["em"]
        1.0
    """
    return {
        "em": exact_match(prediction_text, sample.answer, scorer),
        "em_strict": strict_match(prediction_text, sample.answer, scorer),
        "f1": f1_set(prediction_text, sample.answer, scorer),
        "f1_squad": f1_squad(prediction_text, sample.answer, scorer),
        "abstained": float(is_abstention(prediction_text)),
    }


def score_needle(sample: Sample, prediction_text: str) -> dict[str, float]:
    """Scores as `score` does, but with `needle` as `em`: the rule of Table 2 (paper, Section 5.1)."""
    return {**score(sample, prediction_text), "em": needle(prediction_text, sample.answer)}


def score_synthetic(sample: Sample, prediction_text: str) -> dict[str, float]:
    """Scores as `score` does, but if there is no answer, `em` and `f1` are 1.0 for saying so (paper, Section 4.3).

    Example:
        >>> nothing = Sample("1", "abstention", "What is my blood type?", "I don't know", sessions=(), abstain=True)
        >>> score_synthetic(nothing, "You never mentioned it.")["f1"]
        1.0
    """
    scores = score(sample, prediction_text)
    return {**scores, "em": scores["abstained"], "f1": scores["abstained"]} if sample.abstain else scores


def score_by_gold(sample: Sample, prediction_text: str) -> dict[str, float]:
    """Scores as `score_synthetic` does if the gold answer is that one does not know, else as `score` does.

    LongMemEval's unanswerable questions have an explanation as their gold answer: their EM is the paper's, and
    `abstention` scores them.
    """
    return (score_synthetic if sample.answer == UNKNOWN else score)(sample, prediction_text)


def is_abstention(text: str) -> bool:
    """Tells whether an answer says that it does not know: it contains one of about forty phrases of uncertainty.

    A heuristic: an answer that hedges in passing counts too. An empty answer is a failure, not an abstention.

    Example:
        >>> is_abstention("I don’t know.")
        True

    Source:
        Paper, Section 4.3 (the idea; the list is our own).
    """
    return bool(_ABSTENTION.search(" ".join(text.lower().replace("’", "'").split())))


def needle(answer: str, value: str) -> float:
    """Scores a needle in a haystack: 1.0 if the answer contains the value, else the share of its words.

    Args:
        answer: The method's answer.
        value: The needle; without words it scores 0.0.

    Example:
        >>> needle("It was project blue something", "Blue Heron")
        0.5

    Source:
        Paper, Section 5.1.
    """
    wanted, said = normalize(value), normalize(answer)
    if not wanted:
        return 0.0
    if wanted in said:
        return 1.0
    words = wanted.split()
    return sum(word in said.split() for word in words) / len(words)
