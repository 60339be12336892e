"""MemoryRLM: the engine that answers questions over histories (paper Section 3.1).

The root model never sees the history. What an engine is made of stands here, and is
shared by its queries; how one of them gets from its question to an Answer, in `query`.
"""

from __future__ import annotations

import asyncio

from ..models import background
from ..models.budget import Budget
from ..models.hedging import HEDGE
from ..models.llm import LLM, OFFLINE
from ..repl.limits import Limits
from ..store.memory_store import MemoryStore
from .answer import Answer
from .large_workspace import COPY_LIMIT, open_workspace
from .loop import Query
from .reading import Reading
from .subagents import Progress, SubAgents


class MemoryRLM:
    """The engine: a root model in a REPL, with sub-agents that read.

    Args:
        llm: The root model.
        sub_model: The model of the sub-agents; None for the same one.
        concurrency: Sub-agent calls in flight at once, over all queries of this engine.
        max_iterations: Replies of the root model; the last one must answer.
        budget: A limit shared by all queries of this engine, or None.
        parallel: Offer `llm_query_parallel`; without it the code asks one sub-agent after another.
        hedge: Late sub-agent calls are sent a second time, the first answer wins, and both are paid for; this is the
            share of extra calls in a fan-out, see `hedging.Siblings`. 0 for none, as with the offline reader and in
            replays.
        copy_limit: A history of more characters is not copied into the REPL, but reached through functions.
        limits: What the code of a query may take; None for the defaults of `Limits`.
        reading: How histories are read, such as `Reading(first=10)`; None for all sessions at once, as in the paper.

    Raises:
        ValueError: Concurrency or max_iterations below 1, or hedge not between 0 and 1.

    >>> from rlm_memory_core import connect
    >>> store = MemoryStore()
    >>> turn = store.add("user", "My cat is called Mochi.")
    >>> print(MemoryRLM(connect("offline", recorded="off")).query(store, "What is my cat called?"))
    My cat is called Mochi.
    """

    def __init__(
        self,
        llm: LLM,
        sub_model: LLM | None = None,
        concurrency: int = 256,
        max_iterations: int = 8,
        budget: Budget | None = None,
        parallel: bool = True,
        hedge: float = HEDGE,
        copy_limit: int = COPY_LIMIT,
        limits: Limits | None = None,
        reading: Reading | None = None,
    ) -> None:
        if concurrency < 1 or max_iterations < 1:
            raise ValueError(f"concurrency ({concurrency}) and max_iterations ({max_iterations}) must be at least 1")
        if not 0 <= hedge <= 1:
            raise ValueError(f"hedge must be between 0 and 1, not {hedge}")
        self.llm = llm
        self.sub_model = sub_model or llm
        self.concurrency = concurrency
        self.max_iterations = max_iterations
        self.budget = budget
        self.parallel = parallel
        asks_a_model = self.sub_model.model != OFFLINE and self.sub_model.recorded != "replay"
        self.hedge = hedge if asks_a_model else 0.0
        self.copy_limit = copy_limit
        self.limits = limits or Limits()
        self.reading = reading or Reading()
        self._slots = asyncio.Semaphore(concurrency)

    def __reduce__(self) -> tuple[object, ...]:
        """Another process makes slots of its own: these belong to an event loop of this one."""
        return MemoryRLM, (
            self.llm, self.sub_model, self.concurrency, self.max_iterations, self.budget, self.parallel, self.hedge,
            self.copy_limit, self.limits, self.reading,
        )  # fmt: skip

    def query(
        self,
        store: MemoryStore,
        question: str,
        question_date: str | None = None,
        *,
        system: str | None = None,
        progress: Progress | None = None,
    ) -> Answer:
        """Answer a question over a history.

        Args:
            store: The history; it is only read.
            question: What is asked.
            question_date: The day on which it is asked, in any form, or None.
            system: An assistant's system prompt: the answer is worded as it says. Sub-agents are not told of it.
            progress: Is told of the sub-agent calls, on the background loop; None for nobody.

        Returns:
            The answer. Where the budget ended the query, or the root model's last reply was cut off, its `error`
            says so.

        Raises:
            QueryFailed: The root model gave no answer (a ModelError); it carries what the query found and took.
            ValueError: The question is empty.
        """
        return background.run(self._query(store, question, question_date, system, progress))

    async def aquery(
        self,
        store: MemoryStore,
        question: str,
        question_date: str | None = None,
        *,
        system: str | None = None,
        progress: Progress | None = None,
    ) -> Answer:
        """`query` for callers with an event loop of their own."""
        return await background.arun(self._query(store, question, question_date, system, progress))

    async def _query(
        self,
        store: MemoryStore,
        question: str,
        question_date: str | None,
        system: str | None,
        progress: Progress | None,
    ) -> Answer:
        if not question.strip():
            raise ValueError("the question is empty")
        limit = self.copy_limit
        workspace = await asyncio.to_thread(open_workspace, store, question, question_date, limit)
        subagents = SubAgents(
            self.sub_model, self._slots, self.budget, workspace.question_date, self.hedge, self.reading.facts
        )
        subagents.progress = progress
        query = Query(
            workspace,
            self.llm,
            subagents,
            reading=self.reading,
            limits=self.limits,
            max_iterations=self.max_iterations,
            parallel=self.parallel,
            budget=self.budget,
            system=system,
        )
        return await query.answer()
