"""The notebooks there are, and what each asks: so that a run can be checked and estimated before it starts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlm_memory_core.models.llm import OFFLINE, connect
from rlm_memory_core.search.semantic import LocalEmbedder

from .. import methods
from ..data import locomo, long_histories, longmemeval, niah, synthetic
from ..data.assets import DataBroken, DataUnavailable, project_root
from ..score import abstention
from ..show import beyond
from ..types import Sample


@dataclass(frozen=True, slots=True)
class Run:
    """Some methods, each of which is asked all of some samples.

    Args:
        methods: Their names.
        samples: What they are asked.
        judged: How many answers of each method a judge reads; None for all.
    """

    methods: Sequence[str]
    samples: Sequence[Sample]
    judged: int | None = None


@dataclass(frozen=True, slots=True)
class Notebook:
    """One notebook of the package.

    Args:
        name: Its file's name without the ending, such as "01_niah".
        title: What it reproduces.
        asks: What it asks a model, from its parameters; None where it asks none, and so costs nothing.
        judges: Whether it reads the results of the others instead of writing its own.
    """

    name: str
    title: str
    asks: Callable[[Mapping[str, Any]], Iterable[Run]] | None = None
    judges: bool = False

    @property
    def path(self) -> Path:
        """The notebook's file."""
        return project_root() / "notebooks" / f"{self.name}.ipynb"


def _niah(parameters: Mapping[str, Any]) -> Iterator[Run]:
    samples = niah.load(parameters["turns"], parameters["runs"], parameters["seed"])
    yield Run(parameters["methods"], samples)


def _synthetic(parameters: Mapping[str, Any]) -> Iterator[Run]:
    yield Run(parameters["methods"], synthetic.load(parameters["n_per_type"], parameters["seed"]))


def _longmemeval(parameters: Mapping[str, Any]) -> Iterator[Run]:
    samples = longmemeval.load(
        parameters["variant"],
        parameters["sample"],
        seed=parameters["seed"],
        data_dir=parameters["data_dir"] or None,
        progress=sys.stderr.isatty(),
    )
    yield Run(parameters["methods"], samples)


def _beyond(parameters: Mapping[str, Any]) -> Iterator[Run]:
    """Every arm over three benchmarks, of which those that are not at hand are left out; and the curve."""
    named = parameters["embedding_model"] or parameters["local_embedder"]
    arms = methods.beyond(connect(OFFLINE), LocalEmbedder(named) if named else None)
    names = [arm.name for arm in arms]
    seed, data_dir = parameters["seed"], parameters["data_dir"]
    asked = _at_hand(beyond.questions, parameters["questions"], seed, data_dir)
    yield Run(names, asked, sum(sample.kind == abstention.PREFERENCE for sample in asked))
    conversations, n = parameters["locomo_conversations"], parameters["locomo_questions"]
    yield Run(names, _at_hand(locomo.load, conversations, n, None, seed, data_dir or None), 0)
    yield Run(names, beyond.m_scale(parameters["m_sessions"], parameters["n_per_type"], seed, data_dir), 0)
    for length in parameters["lengths"]:
        scan = [beyond.FULL_SCAN] if length <= parameters["scan_up_to"] else []
        yield Run([*scan, beyond.RANKED], long_histories.load(length, parameters["n_per_type"], seed), 0)


def _at_hand(load: Callable[..., list[Sample]], *args: Any) -> list[Sample]:
    """Samples, or none where their file is not at hand: the notebook says so."""
    try:
        return load(*args)
    except DataBroken:
        raise
    except DataUnavailable:
        return []


QUICKSTART = "00_quickstart"
"""A tour for people, which reproduces nothing: it is no part of a run."""

NOTEBOOKS = (
    Notebook("01_niah", "Needle in a haystack: Table 2", _niah),
    Notebook("02_synthetic_longmemeval", "Synthetic LongMemEval: Tables 1, 3 and 4", _synthetic),
    Notebook("03_longmemeval_s", "LongMemEval-S: Tables 5 and 6", _longmemeval),
    Notebook("04_published_systems", "Published systems: Table 7"),
    Notebook("05_latency_and_cost", "Latency and cost: Section 6"),
    Notebook("06_paper_audit", "The authors' own logs, recomputed"),
    Notebook("07_beyond", "Beyond the paper: ranked reading, LoCoMo, long histories", _beyond),
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
