"""Intervals and paired tests for small samples.

Wilson's interval for a share, McNemar's exact test for two methods on the same questions, a seeded bootstrap for a
mean. No corrections for multiple comparisons. statsmodels has the first two, but is a heavy dependency.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

_LEVEL = 0.95  # confidence
_RESAMPLES = 10_000


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Returns Wilson's 95% score interval for a share.

    Unlike the textbook interval it stays inside [0, 1] and does not shrink to a point at 0 or n.

    Args:
        successes: Successes among `n`.
        n: The number of trials.

    Returns:
        The lower and the upper end, as shares.

    Raises:
        ValueError: `n` is not positive, or `successes` is not in 0..n.

    Example:
        >>> low, high = wilson(46, 100)
        >>> f"{low:.2f} {high:.2f}"
        '0.37 0.56'

    Source:
        E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"wilson needs n >= 1 and successes in 0..n, not {successes} of {n}")
    z = NormalDist().inv_cdf((1 + _LEVEL) / 2)
    share = successes / n
    centre = share + z * z / (2 * n)
    margin = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else (centre - margin) / scale  # exactly, where rounding would leave 1e-17
    high = 1.0 if successes == n else (centre + margin) / scale
    return low, high


def mcnemar_exact(b: int, c: int) -> float:
    """Returns McNemar's exact two-sided p-value for two methods on the same questions.

    Args:
        b: Questions that only the first method got right.
        c: Questions that only the second got right.

    Returns:
        The probability of a split at least as uneven if both were equally good; 1.0 if they never differ.

    Raises:
        ValueError: A count is negative.

    Example:
        >>> round(mcnemar_exact(13, 10), 2)
        0.68
    """
    if b < 0 or c < 0:
        raise ValueError(f"mcnemar_exact needs counts, not {b} and {c}")
    tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1))  # exact integers
    return min(1.0, 2 * tail / (1 << (b + c)))


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Returns a 95% percentile bootstrap interval for a mean: 10,000 resamples, always with the same seed.

    Suits F1 and other scores that cluster at 0 and 1, where a normal interval would leave [0, 1].

    Args:
        values: One score per question; the same values give the same interval.

    Returns:
        The lower and the upper end, in the values' own unit.

    Raises:
        ValueError: There are no values.

    Example:
        >>> mean_interval([0.5, 0.5, 0.5])
        (0.5, 0.5)
    """
    if not len(values):
        raise ValueError("mean_interval needs at least one value")
    sample = np.asarray(values, dtype=float)
    draws = np.random.default_rng(0).integers(len(sample), size=(_RESAMPLES, len(sample)))
    means = sample[draws].mean(axis=1)
    low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)
