"""The systems of the paper's Table 7: what each published figure really is, and where it was read.

Reads and checks `published.toml`, which holds the facts; `published_tables.py` shows
them. No other system is run here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from . import registry as paper
from .audit_tables import KINDS

CHECKED = ("full text", "own page", "third party", "not verified")
AVERAGED = ("questions", "types")


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of Table 7, as its source has it.

    Args:
        id: In the register.
        system: Its name.
        value, digits: What the source prints, in percent.
        model: That answers, and where it matters that writes the memory.
        metric: "judged accuracy" or "containment EM".
        judge: Who judged.
        questions: Over how many.
        averaged: The mean of "questions", or of the six question "types".
        ticked: Whether the paper's table ticks training.
        training: What the source describes.
        url: The source.
        checked: One of `CHECKED`.
        how: Where it was read, and what remains open.
    """

    id: str
    system: str
    value: float
    digits: int
    model: str
    metric: str
    judge: str
    questions: int
    averaged: str
    ticked: bool
    training: str
    url: str
    checked: str
    how: str

    @property
    def name(self) -> str:
        """System and model, such as "Full context, gpt-4o"."""
        return f"{self.system}, {self.model.partition(';')[0]}"


@dataclass(frozen=True, slots=True)
class TypeScores:
    """A system's scores by question type.

    Args:
        system, model: Whose.
        overall: Printed beside them, in percent.
        url: The source.
        scores: Percent, by question type.
    """

    system: str
    model: str
    overall: float
    url: str
    scores: Mapping[str, float]

    @property
    def name(self) -> str:
        """System and model, such as "Zep, gpt-4o"."""
        return f"{self.system}, {self.model}"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something else that the paper cites.

    Args:
        id: In the register.
        finding: What its source says.
        url: The source.
        checked: One of `CHECKED`.
        value: What the source prints, where it does, in the register's unit.
    """

    id: str
    finding: str
    url: str
    checked: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """All of `published.toml`.

    Args:
        figures: Table 7, in its order.
        questions: Questions of LongMemEval-S, by type.
        types: Scores by type.
        facts: What else the paper cites.
    """

    figures: tuple[Figure, ...]
    questions: Mapping[str, int]
    types: tuple[TypeScores, ...]
    facts: tuple[Fact, ...]

    def scores(self, system: str, model: str) -> TypeScores:
        """One system's scores by type.

        Raises:
            KeyError: They are not listed.
        """
        found = next((each for each in self.types if (each.system, each.model) == (system, model)), None)
        if found is None:
            raise KeyError(f"published.toml has no scores of {system} with {model}")
        return found


@cache
def load() -> Published:
    """What the systems published.

    Example:
        >>> load().scores("Full context", "gpt-4o-mini").scores["single-session-user"]
        81.4
    """
    return parse(files(__package__).joinpath("published.toml").read_text(encoding="utf-8"))


def parse(text: str) -> Published:
    """Read and check the facts.

    Args:
        text: In the format of `published.toml`.

    Raises:
        ValueError: One line that says which entry is wrong, and how.
    """
    read = tomllib.loads(text)
    try:
        found = Published(
            figures=tuple(Figure(**entry) for entry in read["figure"]),
            questions=read["types"]["questions"],
            types=tuple(TypeScores(**entry) for entry in read["types"]["scores"]),
            facts=tuple(Fact(**entry) for entry in read["fact"]),
        )
    except (TypeError, KeyError) as error:
        raise ValueError(f"published.toml: {error}") from error
    _check(found)
    return found


def _check(found: Published) -> None:
    register = paper.register()
    entries: list[Figure | Fact] = [*found.figures, *found.facts]
    for entry in entries:
        if entry.id not in register:
            raise ValueError(f"published.toml: {entry.id} is not in the register")
        if entry.checked not in CHECKED:
            raise ValueError(f"published.toml: {entry.id} was checked {entry.checked!r}, which is none of {CHECKED}")
    for figure in found.figures:
        if figure.averaged not in AVERAGED:
            raise ValueError(f"published.toml: {figure.id} is averaged over {figure.averaged!r}, none of {AVERAGED}")
    named: list[tuple[str, Mapping[str, Any]]] = [("types.questions", found.questions)]
    named += [(each.name, each.scores) for each in found.types]
    for name, typed in named:
        if set(typed) != set(KINDS):
            raise ValueError(f"published.toml: {name} does not have the six question types")
