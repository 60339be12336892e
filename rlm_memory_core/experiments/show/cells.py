"""What tables and figures share: the measured numbers of `score.results`, and the paper's number for each."""

from __future__ import annotations

from ..paper import registry as paper
from ..score.results import (
    METRICS,
    OVERALL,
    PAPER_METHOD,
    as_text,
    groups,
    measured,
    paper_row,
    typed,
    with_interval,
)

__all__ = [
    "METRICS",
    "OVERALL",
    "PAPER_METHOD",
    "as_text",
    "groups",
    "measured",
    "paper_row",
    "printed",
    "typed",
    "with_interval",
]


def printed(name: str) -> str:
    """Returns the paper's number as a cell; "" if the paper prints none."""
    number = paper.register().get(name)
    return "" if number is None else number.show(number.value)
