"""Lists the notebooks and what each asks a model, so that a run can be checked and estimated before it starts."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlm_memory_core.models.llm import OFFLINE, connect
from rlm_memory_core.search.semantic import LocalEmbedder

from .. import methods
from ..data import locomo, long_histories, longmemeval, niah, synthetic
from ..data.assets import project_root
from ..score.abstention import PREFERENCE
from ..types import Sample
from .optional import at_hand


@dataclass(frozen=True, slots=True)
class Run:
    """Some methods, each asked all of some samples.

    Args:
        methods: Their names.
        samples: The questions.
        judged: The number of answers per method that a judge reads; None for all.
    """

    methods: Sequence[str]
    samples: Sequence[Sample]
    judged: int | None = None


@dataclass(frozen=True, slots=True)
class Notebook:
    """One notebook.

    Args:
        name: The file's name without its ending, such as "01_niah".
        title: What it reproduces.
        asks: Returns what it asks a model, from its parameters; None if it asks no model and so costs nothing.
        sampled: The parameters that set how many questions it asks, each with the questions that one more of it adds.
        judged: Whether a judge can read its answers.
        judges: Whether it reads the results of the others instead of writing its own.
        timed: Whether it measures time, so that no other may run beside it.
        seconds: About how long it takes on two cores with the offline reader, to say how long a run will take.
    """

    name: str
    title: str
    asks: Callable[[Mapping[str, Any]], Iterable[Run]] | None = None
    sampled: Mapping[str, int] = field(default_factory=dict)
    judged: bool = False
    judges: bool = False
    timed: bool = False
    seconds: float = 5.0

    @property
    def path(self) -> Path:
        """The notebook's file."""
        return project_root() / "notebooks" / f"{self.name}.ipynb"


def _niah(given: Mapping[str, Any]) -> Iterator[Run]:
    yield Run(given["methods"], niah.load(given["turns"], given["runs"], given["seed"]))


def _synthetic(given: Mapping[str, Any]) -> Iterator[Run]:
    yield Run(given["methods"], synthetic.load(given["n_per_type"], given["seed"]))


def _longmemeval(given: Mapping[str, Any]) -> Iterator[Run]:
    samples = longmemeval.load(given["variant"], given["sample"], given["seed"], given["data_dir"])
    yield Run(given["methods"], samples)


def _beyond(given: Mapping[str, Any]) -> Iterator[Run]:
    """Every arm over three benchmarks, without those whose data is missing, and three arms over long histories."""
    named = given["embedding_model"] or given["local_embedder"]
    arms = methods.beyond(connect(OFFLINE), LocalEmbedder(named) if named else None)
    names = [arm.name for arm in arms]
    seed, data_dir, n_per_type = given["seed"], given["data_dir"], given["n_per_type"]
    asked = at_hand("", longmemeval.questions, given["questions"], seed, data_dir) or []
    yield Run(names, asked, sum(sample.kind == PREFERENCE for sample in asked))
    conversations, n = given["locomo_conversations"], given["locomo_questions"]
    yield Run(names, at_hand("", locomo.load, conversations, n, seed, data_dir) or [], 0)
    yield Run(names, long_histories.m_scale(given["m_sessions"], n_per_type, seed, data_dir), 0)
    for length in given["lengths"]:
        asked_of = [name for name in methods.READINGS if name != methods.FULL_SCAN or length <= given["scan_up_to"]]
        yield Run(asked_of, long_histories.load(length, n_per_type, seed), 0)


QUICKSTART = "00_quickstart"
"""A tour for people; it reproduces nothing and is no part of a run."""

NOTEBOOKS = (
    Notebook("01_niah", "Needle in a haystack: Table 2", _niah, {"runs": 4}),
    Notebook("02_synthetic_longmemeval", "Synthetic set: Tables 1, 3 and 4", _synthetic, {"n_per_type": 5}),
    Notebook("03_longmemeval_s", "LongMemEval-S: Tables 5 and 6", _longmemeval, {"sample": 1}, True, seconds=70),
    Notebook("04_published_systems", "Published systems: Table 7"),
    Notebook("05_latency_and_cost", "Latency and cost: Section 6", timed=True, seconds=15),
    Notebook("06_paper_audit", "The authors' own logs, recomputed"),
    Notebook(
        "07_beyond", "Beyond the paper: search, LoCoMo, long histories", _beyond,
        {"questions": 1, "locomo_questions": 1}, True, seconds=80,
    ),
    Notebook("99_scorecard", "Every number of the paper, and its verdict", judges=True),
)  # fmt: skip


def select(only: Sequence[str]) -> list[Notebook]:
    """Returns the notebooks whose names start with one of the given numbers or names; all if none is given.

    Raises:
        ValueError: No notebook starts with one of them.
    """
    unknown = [name for name in only if not any(book.name.startswith(name) for book in NOTEBOOKS)]
    if unknown or "" in only:
        names = ", ".join(book.name for book in NOTEBOOKS)
        raise ValueError(f"no notebook is called {', '.join(unknown) or repr('')}; there are {names}")
    return [book for book in NOTEBOOKS if not only or any(book.name.startswith(name) for name in only)]
