"""The measures that the benchmarks compute."""

import math

import pytest
from retrieval import ndcg, retrieval_recall


@pytest.mark.parametrize(
    ("k", "expected"), [(1, (0.0, 0.0)), (2, (1.0, 0.0)), (3, (1.0, 0.0)), (4, (1.0, 1.0)), (50, (1.0, 1.0))]
)
def test_retrieval_recall(k, expected):
    assert retrieval_recall([9, 4, 7, 2], [2, 4], k) == expected


def test_retrieval_recall_counts_evidence_once():
    assert retrieval_recall([4, 4], (4, 4), 1) == (1.0, 1.0)


def test_ndcg_by_hand():
    # Found at places 1 and 3 of two: (1 + 1/log2(3)) / (1 + 1/log2(2)).
    assert ndcg([4, 9, 2], [2, 4], 3) == pytest.approx((1 + 1 / math.log2(3)) / 2)
    assert ndcg([9, 4], [4], 2) == 1.0  # LongMemEval does not discount the second place
    assert ndcg([9, 8, 7, 4], [4], 4) == pytest.approx(0.5)
    assert ndcg([9, 8], [4], 2) == 0.0
    assert ndcg([4], [2, 4], 1) == 1.0


@pytest.mark.parametrize("metric", [retrieval_recall, ndcg])
def test_retrieval_without_evidence_has_no_score(metric):
    with pytest.raises(ValueError, match="no evidence"):
        metric([1, 2], [], 5)
    with pytest.raises(ValueError, match="k must"):
        metric([1, 2], [1], 0)
