"""The systems of the paper's Table 7: what each published figure is, and where it was read.

Reads and checks `published.toml`, which holds the facts; `published_tables` shows them. Runs no other system.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from . import registry as paper
from .checks import KINDS

CHECKED = ("full text", "own page", "third party", "not verified")
AVERAGED = ("questions", "types")


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of Table 7, as its source prints it.

    Args:
        id: In the register.
        system: Its name.
        value, digits: What the source prints, in percent.
        model: The model that answers, and where it matters the one that writes the memory.
        metric: "judged accuracy" or "containment EM".
        judge: The model that judged.
        questions: How many questions the figure covers.
        averaged: Whether it is the mean of "questions", or of the six question "types".
        ticked: Whether the paper's table ticks training.
        training: The training that the source describes.
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
        system, model: Who answered.
        overall: The overall score printed beside them, in percent.
        url: The source.
        scores: In percent, by question type.
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
    """Another figure that the paper cites.

    Args:
        id: In the register.
        finding: What its source says.
        url: The source.
        checked: One of `CHECKED`.
        value: The figure that the source prints, if any, in the register's unit.
    """

    id: str
    finding: str
    url: str
    checked: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """The content of `published.toml`.

    Args:
        figures: Table 7, in its order.
        questions: Questions of LongMemEval-S, by type.
        types: Scores by question type.
        facts: The other figures that the paper cites.
    """

    figures: tuple[Figure, ...]
    questions: Mapping[str, int]
    types: tuple[TypeScores, ...]
    facts: tuple[Fact, ...]

    def scores(self, system: str, model: str) -> TypeScores:
        """One system's scores by type.

        Raises:
            KeyError: `published.toml` does not list them.
        """
        found = next((each for each in self.types if (each.system, each.model) == (system, model)), None)
        if found is None:
            raise KeyError(f"published.toml has no scores of {system} with {model}")
        return found


@cache
def load() -> Published:
    """The facts about the published systems.

    Example:
        >>> load().scores("Full context", "gpt-4o-mini").scores["single-session-user"]
        81.4
    """
    return parse(files(__package__).joinpath("published.toml").read_text(encoding="utf-8"))


def parse(text: str) -> Published:
    """Reads and checks the facts.

    Args:
        text: The content of a file like `published.toml`.

    Raises:
        ValueError: An entry is wrong; the message says in one line which, and how.
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
    entries: list[Figure | Fact] = [*found.figures, *found.facts]
    for entry in entries:
        if entry.id not in paper.register():
            raise ValueError(f"published.toml: {entry.id} is not in the register")
        if entry.checked not in CHECKED:
            raise ValueError(f"published.toml: {entry.id} was checked {entry.checked!r}, which is none of {CHECKED}")
    for figure in found.figures:
        if figure.averaged not in AVERAGED:
            raise ValueError(f"published.toml: {figure.id} is averaged over {figure.averaged!r}, none of {AVERAGED}")
    typed = {"types.questions": found.questions.keys(), **{each.name: each.scores.keys() for each in found.types}}
    for name, kinds in typed.items():
        if kinds != set(KINDS):
            raise ValueError(f"published.toml: {name} does not have the six question types")
