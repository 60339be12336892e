"""The settings of an engine, which its queries share."""

from __future__ import annotations

import asyncio
from functools import partial

from ..models.budget import Budget
from ..models.hedging import HEDGE
from ..models.llm import LLM, OFFLINE
from ..repl.limits import Limits
from .reading import Reading
from .workspace import COPY_LIMIT


class Settings:
    """What `engine.MemoryRLM` takes, checked; `slots` limits the sub-agent calls in flight."""

    def __init__(
        self, llm: LLM, sub_model: LLM | None = None, concurrency: int = 256, max_iterations: int = 8,
        budget: Budget | None = None, parallel: bool = True, hedge: float = HEDGE, copy_limit: int = COPY_LIMIT,
        limits: Limits | None = None, reading: Reading | None = None,
    ) -> None:  # fmt: skip
        if concurrency < 1 or max_iterations < 1:
            raise ValueError(f"concurrency ({concurrency}) and max_iterations ({max_iterations}) must be at least 1")
        if not 0 <= hedge <= 1:
            raise ValueError(f"hedge must be between 0 and 1, not {hedge}")
        self.llm, self.sub_model, self.reading = llm, sub_model or llm, reading or Reading()
        self.concurrency, self.max_iterations, self.parallel = concurrency, max_iterations, parallel
        self.budget, self.limits, self.copy_limit = budget, limits or Limits(), copy_limit
        asks_a_model = self.sub_model.model != OFFLINE and self.sub_model.recorded != "replay"
        self.hedge = hedge if asks_a_model else 0.0
        self.slots = asyncio.Semaphore(concurrency)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the settings only: the semaphore belongs to an event loop of this process."""
        settings = {name: value for name, value in vars(self).items() if name != "slots"}
        return partial(type(self), **settings), ()
