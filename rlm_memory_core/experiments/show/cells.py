"""What tables and figures are made of: groups of rows, measured numbers, and the paper's number for each.

A number is measured here once, with its interval, and then printed or drawn. Which
numbers make a table is the table's affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from ..paper import registry as paper
from ..run.results import Result
from ..score.intervals import mean_interval, wilson

PAPER_METHOD = {"truncation": "truncation", "full-context": "full-context", "rlm-sequential": "rlm"}
"""Our name of a method -> the paper's row. Its RLM asked one sub-agent after another."""

OVERALL = "overall"
_NO_BREAK = "\u00a0"  # an interval stays on one line
METRICS = ("em", "f1", "em_strict", "f1_squad")


def groups(frame: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """The frame by a column of names, in the order in which they first appear."""
    for name, rows in frame.groupby(column, sort=False):
        yield str(name), rows


def typed(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The frame by question type, then all of it as "overall"."""
    yield from groups(frame, "question_type")
    yield OVERALL, frame


def paper_row(method: str) -> str:
    """A method in ids: the paper's row, or our name where the paper has none.

    >>> paper_row("rlm-sequential"), paper_row("rlm-parallel")
    ('rlm', 'rlm-parallel')
    """
    return PAPER_METHOD.get(method, method)


def measured(name: str, values: pd.Series[float]) -> Result:
    """A mean over questions under its id: a share's with Wilson's interval, any other's with a bootstrap's.

    EM and the needle's score count as shares; the needle's few parts of 1 make its interval a little too wide.
    """
    interval = wilson(float(values.sum()), len(values)) if values.name == "em" else mean_interval(list(values))
    return Result(name, float(values.mean()), len(values), *interval)


def printed(name: str) -> str:
    """The paper's number as a cell; "" where it prints none."""
    number = paper.register().get(name)
    return "" if number is None else number.show(number.value)


def with_interval(result: Result) -> str:
    """Our number as a cell, such as "0.500 [0.09, 0.91]"."""
    return f"{result.value:.3f} [{result.low:.2f}, {result.high:.2f}]".replace(" ", _NO_BREAK)


def as_text(rows: Mapping[Any, Mapping[str, str]], axis: str) -> pd.DataFrame:
    """Cells by row and column as a frame."""
    return pd.DataFrame.from_dict(dict(rows), orient="index").rename_axis(axis)
