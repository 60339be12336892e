"""The settings of an engine, including how it reads a history.

A `Reading` says whether the root model searches by itself, or sends sub-agents to sessions as in the paper. `prompts`
explains it to the root model; `search_way` and `paper_way` implement it.
"""

import asyncio
from dataclasses import dataclass

from ..models.budget import Budget
from ..models.hedging import HEDGE
from ..models.llm import LLM, OFFLINE
from ..repl.limits import Limits
from ..search.semantic import Embedder

SEARCH, PAPER = "search", "paper"


@dataclass(frozen=True, slots=True)
class Reading:
    """How the root model reads a history.

    - `Reading("search")`, the default: the root model searches single turns, looks at sessions, and cites the turns
      that its answer is based on. Sub-agents read only what it asks them to read.
    - `Reading("paper")`: sub-agents read all sessions at once, as in Section 3.1 of the paper. The REPL has a copy of
      the history, which may have at most 30,000,000 characters.
    - `Reading(first=10)`: sub-agents read the ten best-ranked sessions first.

    Args:
        way: "search" or "paper". None means "paper" if `first` is given, and otherwise "search".
        first: How many of the best-ranked sessions sub-agents read first. They read more, in waves, only if the
            findings do not answer the question. None means all sessions at once.
        embedder: Makes rankings and searches compare meanings too. Its calls count in the answer's usage and cost, and
            towards the engine's budget. None compares only words and dates.

    Raises:
        ValueError: The way is unknown, `first` is below 1, or `first` is given with "search".

    >>> Reading().way, Reading(first=10).way
    ('search', 'paper')
    """

    way: str | None = None
    first: int | None = None
    embedder: Embedder | None = None

    def __post_init__(self) -> None:
        if self.way is None:
            object.__setattr__(self, "way", SEARCH if self.first is None else PAPER)
        if self.way not in (SEARCH, PAPER):
            raise ValueError(f'way must be "{SEARCH}" or "{PAPER}", not {self.way!r}; write Reading(first=10) for ten')
        if self.first is not None and self.way == SEARCH:
            raise ValueError(f'first belongs to Reading("{PAPER}"): Reading("{SEARCH}") searches by itself')
        if self.first is not None and self.first < 1:
            raise ValueError(f"first must be at least 1 session, not {self.first}; None reads all of them")


class Settings:
    """The arguments of `engine.MemoryRLM`, checked. The semaphore `slots` limits the sub-agent calls in flight."""

    def __init__(
        self, llm: LLM, sub_model: LLM | None = None, concurrency: int = 256, max_iterations: int = 8,
        budget: Budget | None = None, parallel: bool = True, hedge: float = HEDGE,
        limits: Limits | None = None, reading: Reading | None = None,
    ) -> None:  # fmt: skip
        for name, model in (("llm", llm), ("sub_model", sub_model)):
            if isinstance(model, str):
                raise TypeError(f"{name} is what connect() returns; write connect({model!r}), not {model!r}")
        if concurrency < 1 or max_iterations < 1:
            raise ValueError(f"concurrency ({concurrency}) and max_iterations ({max_iterations}) must be at least 1")
        if not 0 <= hedge <= 1:
            raise ValueError(f"hedge must be between 0 and 1, not {hedge}")
        self.llm, self.sub_model, self.reading = llm, sub_model or llm, reading or Reading()
        self.concurrency, self.max_iterations, self.parallel = concurrency, max_iterations, parallel
        self.budget, self.limits = budget or Budget(), limits or Limits()
        asks_a_model = self.sub_model.model != OFFLINE and self.sub_model.recorded != "replay"
        self.hedge = hedge if asks_a_model else 0.0
        self.slots = asyncio.Semaphore(concurrency)

    def __getstate__(self) -> dict[str, object]:
        """Pickle a new semaphore: the one in use belongs to an event loop of this process."""
        return {**vars(self), "slots": asyncio.Semaphore(self.concurrency)}
