"""Turns rows into numbers: groups the rows of a run, measures each group with its interval, and formats cells."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..types import Result, Sample
from .intervals import mean_interval, wilson

PAPER_METHOD = {"truncation": "truncation", "full-context": "full-context", "rlm-sequential": "rlm"}
"""Maps our name of a method to the paper's row. The paper's RLM asked one sub-agent after another."""

OVERALL = "overall"
_NO_BREAK = "\u00a0"  # an interval stays on one line
METRICS = ("em", "f1", "em_strict", "f1_squad")


@dataclass(frozen=True)
class Asked:
    """One benchmark, answered by every method.

    Args:
        samples: The questions.
        frame: The runner's rows.
    """

    samples: Sequence[Sample]
    frame: pd.DataFrame


def groups(frame: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yields the rows of each name in a column, in the order in which the names first appear."""
    for name, rows in frame.groupby(column, sort=False):
        yield str(name), rows


def typed(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yields the rows of each question type, then all rows as "overall"."""
    yield from groups(frame, "question_type")
    yield OVERALL, frame


def paper_row(method: str) -> str:
    """Returns a method's name in ids: the paper's row, or our name if the paper has none.

    >>> paper_row("rlm-sequential"), paper_row("rlm-parallel")
    ('rlm', 'rlm-parallel')
    """
    return PAPER_METHOD.get(method, method)


def measured(name: str, values: "pd.Series[float]") -> Result:
    """Returns a mean over questions with its interval: Wilson's for a share, a bootstrap's for any other number.

    EM and the needle's score count as shares; the needle's rare fractions make its interval a little too wide.
    """
    interval = wilson(float(values.sum()), len(values)) if values.name == "em" else mean_interval(list(values))
    return Result(name, float(values.mean()), len(values), *interval)


def with_interval(result: Result) -> str:
    """Formats a number as a cell, such as "0.500 [0.09, 0.91]"."""
    return f"{result.value:.3f} [{result.low:.2f}, {result.high:.2f}]".replace(" ", _NO_BREAK)


def mean_of(values: "pd.Series[float]") -> str:
    """Formats a mean as a cell; "" if no value is known.

    >>> mean_of(pd.Series([1, 2])), mean_of(pd.Series([None]))
    ('1.5', '')
    """
    return f"{values.mean():.1f}" if values.notna().any() else ""


def as_text(rows: Mapping[Any, Mapping[str, str]], axis: str) -> pd.DataFrame:
    """Returns cells, given by row and column, as a frame."""
    return pd.DataFrame.from_dict(dict(rows), orient="index").rename_axis(axis)


def share(name: str, successes: float, n: int) -> Result:
    """Returns a share with Wilson's interval.

    >>> share("right", 5, 10).value
    0.5
    """
    return Result(name, successes / n, n, *wilson(successes, n))
