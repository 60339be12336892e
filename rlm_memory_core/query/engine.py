"""MemoryRLM answers questions over a history (paper Section 3.1).

The root model writes code; the code runs in the REPL, where it searches the history or sends sub-agents to sessions.
The root model sees what the code prints, writes more code, and so on, until it answers with FINAL; its last reply must
answer. Only the model ends a query: what the REPL prints is data. `MemoryRLM` holds what all its queries share,
`conversation.Query` runs one of them.
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
from .conversation import Query
from .large_workspace import COPY_LIMIT
from .paper_way import PaperWay
from .prompts.record import SUBAGENT_SYSTEM
from .prompts.search import SEARCH_SUBAGENT_SYSTEM
from .reading import SEARCH, Reading
from .search_way import SearchWay
from .subagents import Progress, SubAgents
from .way import Way


class MemoryRLM:
    """The engine: a root model in a REPL, with sub-agents that read.

    Args:
        llm: The root model.
        sub_model: The model of the sub-agents; None for the same one.
        concurrency: Sub-agent calls in flight at once, over all queries of this engine.
        max_iterations: Replies of the root model; the last one must answer.
        budget: A limit shared by all queries of this engine, or None.
        parallel: Offer `llm_query_parallel`; without it the code asks one sub-agent after another.
        hedge: The share of sub-agent calls in a fan-out that may be sent a second time because they are late. The first
            answer wins, both are paid for; see `hedging.Siblings`. Always 0 for the offline reader and in replays.
        copy_limit: Characters; a longer history is not copied into the REPL, but reached through functions.
        limits: Limits on the code of a query; None for the defaults of `Limits`.
        reading: How histories are read, such as `Reading("paper")`; None for `Reading("search")`.

    Raises:
        ValueError: Concurrency or max_iterations is below 1, or hedge is not between 0 and 1.

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
        """Pickle the settings only: the semaphore belongs to an event loop of this process."""
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
            system: An assistant's system prompt that says how the answer is worded, or None. Sub-agents do not see it.
            progress: Receives the sub-agent calls, on the background loop, or None.

        Returns:
            The answer. Its `error` says so if the budget ended the query or the root model's last reply was cut off.

        Raises:
            QueryFailed: The root model gave no answer (a ModelError). It carries what the query found and cost.
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
        self, store: MemoryStore, question: str, date: str | None, system: str | None, progress: Progress | None
    ) -> Answer:
        if not question.strip():
            raise ValueError("the question is empty")
        searches = self.reading.way == SEARCH
        form = SEARCH_SUBAGENT_SYSTEM if searches else SUBAGENT_SYSTEM
        agents = SubAgents(self.sub_model, self._slots, self.budget, self.hedge, form, progress)
        asked = (store, question, date, agents, self.reading)
        is_large = store.characters() > self.copy_limit or len(store.sessions) > self.limits.run_subcalls
        way: Way = (
            await asyncio.to_thread(SearchWay, *asked, self.budget)
            if searches
            else await asyncio.to_thread(PaperWay, *asked, self.parallel, self.budget, is_large)
        )
        query = Query(
            self.llm, way, agents, question, date, system, self.max_iterations, self.budget, self.limits, self.parallel
        )
        return await query.answer()
