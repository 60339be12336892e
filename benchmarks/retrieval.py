"""LongMemEval's measures of a ranking of sessions: `recall_any@k`, `recall_all@k` and `ndcg_any@k`."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence


def retrieval_recall(ranked: Sequence[int], evidence: Collection[int], k: int) -> tuple[float, float]:
    """Returns LongMemEval's `recall_any@k` and `recall_all@k` of one ranking, each 0.0 or 1.0.

    Args:
        ranked: Session positions, best first.
        evidence: Session positions that hold the answer.
        k: The number of best positions that count.

    Raises:
        ValueError: There is no evidence, so that recall is undefined, or `k` < 1.

    Example:
        >>> retrieval_recall([4, 2, 9], evidence=[2, 7], k=2)
        (1.0, 0.0)
    """
    _check_retrieval(evidence, k)
    found = set(ranked[:k]).intersection(evidence)
    return float(bool(found)), float(len(found) == len(set(evidence)))


def ndcg(ranked: Sequence[int], evidence: Collection[int], k: int) -> float:
    """Returns LongMemEval's `ndcg_any@k` of one ranking, in 0..1.

    The gain is LongMemEval's, rel_1 + sum over i >= 2 of rel_i / log2(i): unlike the usual 1 / log2(i + 1) it does not
    discount the second place.

    Args:
        ranked: Session positions, best first.
        evidence: Session positions that hold the answer.
        k: The number of best positions that count.

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
