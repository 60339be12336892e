"""The numbers that the paper prints, as `paper.toml` lists them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Number:
    """One number of the paper.

    Args:
        id: Its name, such as "table5.rlm.em".
        value: As printed.
        digits: Digits printed after the decimal point.
        where: Table, row and column, or section.
        notebook: What produces ours.
    """

    id: str
    value: float
    digits: int
    where: str
    notebook: str


@cache
def register() -> dict[str, Number]:
    """All listed numbers, by id."""
    document = tomllib.loads(files(__package__).joinpath("paper.toml").read_text(encoding="utf-8"))
    numbers = [Number(**entry) for entry in document["number"]]
    return {number.id: number for number in numbers}


def value(name: str) -> float | None:
    """What the paper prints under an id, or None where it prints nothing.

    >>> value("table5.rlm.em")
    0.46
    """
    number = register().get(name)
    return None if number is None else number.value
