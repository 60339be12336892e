"""The notebooks there are, and what each asks: so that a run can be checked and estimated before it starts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import longmemeval, niah, synthetic
from .assets import project_root
from .types import Sample


@dataclass(frozen=True, slots=True)
class Notebook:
    """One notebook of the package.

    Args:
        name: Its file's name without the ending, such as "01_niah".
        title: What it reproduces.
        samples: Its samples, from its parameters; None where it asks no model, and so costs nothing.
        judges: Whether it reads the results of the others instead of writing its own.
    """

    name: str
    title: str
    samples: Callable[[Mapping[str, Any]], Sequence[Sample]] | None = None
    judges: bool = False

    @property
    def path(self) -> Path:
        """The notebook's file."""
        return project_root() / "notebooks" / f"{self.name}.ipynb"


def _niah(parameters: Mapping[str, Any]) -> Sequence[Sample]:
    return niah.load(parameters["turns"], parameters["runs"], parameters["seed"])


def _synthetic(parameters: Mapping[str, Any]) -> Sequence[Sample]:
    return synthetic.load(parameters["n_per_type"], parameters["seed"])


def _longmemeval(parameters: Mapping[str, Any]) -> Sequence[Sample]:
    return longmemeval.load(
        parameters["variant"],
        parameters["sample"],
        seed=parameters["seed"],
        data_dir=parameters["data_dir"] or None,
        progress=sys.stderr.isatty(),
    )


NOTEBOOKS = (
    Notebook("01_niah", "Needle in a haystack: Table 2", _niah),
    Notebook("02_synthetic_longmemeval", "Synthetic LongMemEval: Tables 1, 3 and 4", _synthetic),
    Notebook("03_longmemeval_s", "LongMemEval-S: Tables 5 and 6", _longmemeval),
    Notebook("04_published_systems", "Published systems: Table 7"),
    Notebook("05_latency_and_cost", "Latency and cost: Section 6"),
    Notebook("06_paper_audit", "The authors' own logs, recomputed"),
    Notebook("99_scorecard", "Every number of the paper, and its verdict", judges=True),
)


def select(only: Sequence[str]) -> list[Notebook]:
    """The notebooks whose names start with one of the given numbers or names; all for none.

    Raises:
        ValueError: One that no notebook starts with.
    """
    unknown = [name for name in only if not any(book.name.startswith(name) for book in NOTEBOOKS)]
    if unknown or "" in only:
        names = ", ".join(book.name for book in NOTEBOOKS)
        raise ValueError(f"no notebook is called {', '.join(unknown) or repr('')}; there are {names}")
    return [book for book in NOTEBOOKS if not only or any(book.name.startswith(name) for name in only)]
