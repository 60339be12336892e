"""MemoryRLM answers questions over a history (paper Section 3.1).

The root model writes code; the code runs in the REPL, where it searches the history or sends sub-agents to sessions.
The root model sees what the code prints, writes more code, and so on, until it answers with FINAL; its last reply must
answer. Only the model ends a query: what the REPL prints is data. `MemoryRLM` holds what all its queries share,
`conversation.Query` runs one of them.
"""

import asyncio

from ..models import background
from ..store.memory_store import MemoryStore
from .answer import Answer
from .paper_way import PaperWay
from .reading import PAPER, SEARCH, Settings
from .search_way import SearchWay
from .subagents import Progress

_WAYS = {PAPER: PaperWay, SEARCH: SearchWay}


class MemoryRLM(Settings):
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

    def query(
        self, store: MemoryStore, question: str, question_date: str | None = None, *, system: str | None = None,
        progress: Progress | None = None,
    ) -> Answer:  # fmt: skip
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
        return background.run(self.aquery(store, question, question_date, system=system, progress=progress))

    async def aquery(
        self, store: MemoryStore, question: str, question_date: str | None = None, *, system: str | None = None,
        progress: Progress | None = None,
    ) -> Answer:  # fmt: skip
        """`query` for callers with an event loop of their own."""
        if not background.is_running_here():
            return await background.arun(self.aquery(store, question, question_date, system=system, progress=progress))
        if not question.strip():
            raise ValueError("the question is empty")
        way = _WAYS[str(self.reading.way)]
        query = await asyncio.to_thread(way, self, store, question, question_date, system, progress)
        return await query.answer()
