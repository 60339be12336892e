"""`statistics`: means, medians, modes, spread. Sums are exact, as in CPython; no distributions."""

import math
from decimal import Decimal, getcontext

StatisticsError = ValueError
_DIGITS = 120


def _values(data, least, what):
    values = list(data)
    if len(values) < least:
        raise ValueError(what)
    return values


def _exactly(work):
    """What `work` gives with many digits, rounded once at its end."""
    context = getcontext()
    digits = context.prec
    context.prec = _DIGITS
    try:
        return work()
    finally:
        context.prec = digits


def _number(value, like):
    """An exact value in the type that CPython gives: int where it is one and the data was, else float."""
    if all(type(item) is Decimal for item in like):
        return value
    if all(isinstance(item, int) for item in like) and value == int(value):
        return int(value)
    return float(value)


def mean(data):
    values = _values(data, 1, "mean requires at least one data point")
    return _exactly(lambda: _number(sum(Decimal(value) for value in values) / len(values), values))


def fmean(data, weights=None):
    values = _values(data, 1, "fmean requires at least one data point")
    if weights is None:
        return math.fsum(values) / len(values)
    weights = list(weights)
    if len(weights) != len(values):
        raise ValueError("data and weights must be the same length")
    return math.fsum(v * w for v, w in zip(values, weights)) / math.fsum(weights)


def geometric_mean(data):
    values = _values(data, 1, "Must have a non-empty dataset")
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))


def harmonic_mean(data):
    values = _values(data, 1, "harmonic_mean requires at least one data point")
    return 0 if 0 in values else len(values) / math.fsum(1 / value for value in values)


def median(data):
    values = sorted(_values(data, 1, "no median for empty data"))
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def median_low(data):
    values = sorted(_values(data, 1, "no median for empty data"))
    return values[(len(values) - 1) // 2]


def median_high(data):
    values = sorted(_values(data, 1, "no median for empty data"))
    return values[len(values) // 2]


def multimode(data):
    counts = {}
    for value in data:
        counts[value] = counts.get(value, 0) + 1
    most = max(counts.values(), default=0)
    return [value for value, count in counts.items() if count == most]


def mode(data):
    found = multimode(data)
    if not found:
        raise ValueError("no mode for empty data")
    return found[0]


def _spread(values, centre, divisor):
    exact = [Decimal(value) for value in values]
    middle = sum(exact) / len(exact) if centre is None else Decimal(centre)
    return sum((value - middle) * (value - middle) for value in exact) / divisor


def variance(data, xbar=None):
    values = _values(data, 2, "variance requires at least two data points")
    return _exactly(lambda: _number(_spread(values, xbar, len(values) - 1), values))


def pvariance(data, mu=None):
    values = _values(data, 1, "pvariance requires at least one data point")
    return _exactly(lambda: _number(_spread(values, mu, len(values)), values))


def stdev(data, xbar=None):
    values = _values(data, 2, "stdev requires at least two data points")
    return _exactly(lambda: float(_spread(values, xbar, len(values) - 1).sqrt()))


def pstdev(data, mu=None):
    values = _values(data, 1, "pstdev requires at least one data point")
    return _exactly(lambda: float(_spread(values, mu, len(values)).sqrt()))


def quantiles(data, *, n=4, method="exclusive"):
    if n < 1:
        raise ValueError("n must be at least 1")
    values = sorted(_values(data, 2, "must have at least two data points"))
    m = len(values) + 1 if method == "exclusive" else len(values) - 1
    found = []
    for i in range(1, n):
        j = i * m // n
        if method == "exclusive":
            j = min(max(j, 1), len(values) - 1)
            delta = i * m - j * n
            found.append((values[j - 1] * (n - delta) + values[j] * delta) / n)
        else:
            delta = i * m - j * n
            found.append((values[j] * (n - delta) + values[min(j + 1, len(values) - 1)] * delta) / n)
    return found
