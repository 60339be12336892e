"""Scoring a prediction: one flat dictionary of numbers per question, and the scores of retrieval.

How texts compare lives in `answers`, how sure a share is in `intervals`; both are
offered here too, so that this is the one place to import scores from. No LLM judges
an answer here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence

from ..types import Sample
from .answers import Scorer, alternatives, exact_match, f1_set, f1_squad, normalize, normalize_squad, strict_match
from .intervals import mcnemar_exact, mean_interval, wilson

__all__ = [
    "UNCERTAIN",
    "Scorer",
    "alternatives",
    "exact_match",
    "f1_set",
    "f1_squad",
    "is_abstention",
    "mcnemar_exact",
    "mean_interval",
    "ndcg",
    "needle",
    "normalize",
    "normalize_squad",
    "retrieval_recall",
    "score",
    "score_needle",
    "score_synthetic",
    "strict_match",
    "wilson",
]

# Sought in lower case with plain apostrophes. General English, kept to phrases that
# a confident answer would hardly use.
UNCERTAIN = (
    "i don't know",
    "i do not know",
    "don't have any record",
    "don't have enough information",
    "do not have enough information",
    "not enough information",
    "is not enough",
    "insufficient information",
    "no information",
    "don't have information",
    "do not have information",
    "don't have any information",
    "do not have any information",
    "not mentioned",
    "never mentioned",
    "no mention",
    "did not mention",
    "didn't mention",
    "haven't mentioned",
    "have not mentioned",
    "doesn't mention",
    "does not mention",
    "not specified",
    "not stated",
    "not provided",
    "no record of",
    "no evidence",
    "cannot find",
    "can't find",
    "could not find",
    "couldn't find",
    "cannot determine",
    "can't determine",
    "cannot be determined",
    "unable to find",
    "unable to determine",
    "not sure",
    "unknown",
)
_ABSTENTION = re.compile(r"\b(?:" + "|".join(map(re.escape, UNCERTAIN)) + r")\b")


def score(sample: Sample, prediction_text: str, scorer: Scorer = "fixed") -> dict[str, float]:
    """Every score of one answer, each in 0..1 but for the length.

    Args:
        sample: The question with its gold answer.
        prediction_text: What the method answered; "" where it failed.
        scorer: How alternatives in the gold answer are read; see `answers.alternatives`.

    Returns:
        `em` (containment, the paper's), `em_strict` and `f1_squad` (SQuAD's), `f1` (the
        paper's), `abstained`, `correct_abstention` (abstained, and rightly), and
        `answer_words`, a count. On questions with nothing to find `em` and `f1` still
        compare with the gold text, as the paper did; `correct_abstention` is the fair score.

    Example:
        >>> nairobi = Sample("1", "city", "Where did I grow up?", "Nairobi", sessions=())
        >>> score(nairobi, "You grew up in Nairobi.")["em"]
        1.0
    """
    abstained = is_abstention(prediction_text)
    return {
        "em": exact_match(prediction_text, sample.answer, scorer),
        "em_strict": strict_match(prediction_text, sample.answer, scorer),
        "f1": f1_set(prediction_text, sample.answer, scorer),
        "f1_squad": f1_squad(prediction_text, sample.answer, scorer),
        "abstained": float(abstained),
        "correct_abstention": float(abstained and sample.abstain),
        "answer_words": float(len(prediction_text.split())),
    }


def score_needle(sample: Sample, prediction_text: str) -> dict[str, float]:
    """`score`, with the needle's score in the place of `em`: Table 2's rule (paper, Section 5.1)."""
    return {**score(sample, prediction_text), "em": needle(prediction_text, sample.answer)}


def score_synthetic(sample: Sample, prediction_text: str) -> dict[str, float]:
    """`score`, but where nothing is to be found `em` and `f1` are 1.0 for an answer that says so (paper, Section 4.3).

    Example:
        >>> nothing = Sample("1", "abstention", "What is my blood type?", "I don't know", sessions=(), abstain=True)
        >>> score_synthetic(nothing, "You never mentioned it.")["f1"]
        1.0
    """
    scores = score(sample, prediction_text)
    return {**scores, "em": scores["abstained"], "f1": scores["abstained"]} if sample.abstain else scores


def is_abstention(text: str) -> bool:
    """Whether an answer says that it does not know: it holds one of about forty phrases of uncertainty.

    A heuristic: an answer that hedges in passing counts too. An empty answer is a
    failure, not an abstention.

    Example:
        >>> is_abstention("I don’t know.")
        True

    Source:
        Paper, Section 4.3 (the idea; the list is our own).
    """
    return bool(_ABSTENTION.search(" ".join(text.lower().replace("’", "'").split())))


def needle(answer: str, value: str) -> float:
    """The score of the needle in a haystack: 1.0 if the answer contains the value, else the share of its words.

    Args:
        answer: What the method answered.
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


def retrieval_recall(ranked: Sequence[int], evidence: Collection[int], k: int) -> tuple[float, float]:
    """LongMemEval's `recall_any@k` and `recall_all@k` of one ranking, each 0.0 or 1.0.

    Args:
        ranked: Session positions, best first.
        evidence: Session positions that hold the answer.
        k: How many of the best count.

    Raises:
        ValueError: There is no evidence, so that recall has no meaning, or `k` < 1.

    Example:
        >>> retrieval_recall([4, 2, 9], evidence=[2, 7], k=2)
        (1.0, 0.0)
    """
    _check_retrieval(evidence, k)
    found = set(ranked[:k]).intersection(evidence)
    return float(bool(found)), float(len(found) == len(set(evidence)))


def ndcg(ranked: Sequence[int], evidence: Collection[int], k: int) -> float:
    """LongMemEval's `ndcg_any@k` of one ranking, in 0..1.

    With its own gain, rel_1 + sum over i >= 2 of rel_i / log2(i): the second place is
    not discounted, unlike in the usual 1 / log2(i + 1).

    Args:
        ranked: Session positions, best first.
        evidence: Session positions that hold the answer.
        k: How many of the best count.

    Raises:
        ValueError: There is no evidence, or `k` < 1.

    Example:
        >>> ndcg([4, 2, 9], evidence=[2], k=3)
        1.0
    """
    _check_retrieval(evidence, k)
    wanted = set(evidence)
    return _gain([session in wanted for session in ranked[:k]]) / _gain([True] * min(k, len(wanted)))


def _gain(relevances: Sequence[bool]) -> float:
    return sum(1 / math.log2(max(2, place)) for place, relevant in enumerate(relevances, start=1) if relevant)


def _check_retrieval(evidence: Collection[int], k: int) -> None:
    if not evidence:
        raise ValueError("there is no evidence to recall: leave out the questions without any")
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
