"""MemoryRLM answers questions over a history (paper Section 3.1).

The root model writes code. The code runs in the REPL, where it searches the history or sends sub-agents to sessions.
The root model sees what the code prints and writes more code, until it answers with FINAL. Its last reply must answer.
Only the model ends a query: what the REPL prints is data. `MemoryRLM` keeps what its queries share, and
`conversation.Query` runs one query.
"""

import asyncio

from ..models import background
from ..store.memory_store import MemoryStore
from ..store.times import check_date
from .answer import Answer
from .paper_way import PaperWay
from .reading import PAPER, SEARCH, Settings
from .search_way import SearchWay

_WAYS = {PAPER: PaperWay, SEARCH: SearchWay}


class MemoryRLM(Settings):
    """Answers questions about a history. A root model writes code that searches it, or sends sub-agents to read it.

    Args:
        llm: The root model.
        sub_model: The model for sub-agents; None uses `llm`.
        concurrency: The maximum number of sub-agent calls at once, across all queries of this engine.
        max_iterations: The maximum number of replies by the root model to one question. The last one must answer. In
            the search reading, a short call may follow each of the others, to check its answer.
        budget: A limit for all queries of this engine together, or None.
        parallel: Whether the code may send sub-agents all at once (`llm_query_parallel`), or only one after another.
        hedge: The share of late sub-agent calls that may be sent a second time, 0 to 1. The first answer wins, and you
            pay for both; see `hedging.Siblings`. Always 0 for the offline reader and in replays.
        limits: Limits on the code of a query; None uses the defaults of `Limits`.
        reading: How to read histories, such as `Reading("paper")`; None means `Reading("search")`.

    Raises:
        TypeError: A model was given as a name. Pass what `connect` returns for it.
        ValueError: `concurrency` or `max_iterations` is below 1, or `hedge` is not between 0 and 1.

    >>> from rlm_memory_core import connect
    >>> store = MemoryStore()
    >>> turn = store.add("user", "My cat is called Mochi.")
    >>> print(MemoryRLM(connect("offline", recorded="off")).query(store, "What is my cat called?"))
    My cat is called Mochi.
    """

    def query(
        self, store: MemoryStore, question: str, question_date: str | None = None, *, system: str | None = None
    ) -> Answer:
        """Answer a question over a history.

        Args:
            store: The history. It is not changed.
            question: The question.
            question_date: The day on which it is asked, in any form, or None.
            system: An assistant's system prompt that says how to word the answer, or None. Sub-agents do not see it.

        Returns:
            The answer. If the budget ended the query, or the root model's last reply was cut off, its `error` says so.

        Raises:
            QueryFailed: The root model gave no answer. This is a ModelError; it carries what the query found and cost.
            TypeError: The store is not a MemoryStore, or the question is not a string.
            ValueError: The question is empty, or the history is too large for `Reading("paper")`.
        """
        return background.run(self.aquery(store, question, check_date(question_date), system=system))

    async def aquery(
        self, store: MemoryStore, question: str, question_date: str | None = None, *, system: str | None = None
    ) -> Answer:
        """Answer a question like `query`, for callers with their own event loop."""
        if not isinstance(store, MemoryStore):
            raise TypeError(f"store is a MemoryStore, such as MemoryStore('history.db'), not {store!r:.60}")
        question, day = checked(question, "question"), check_date(question_date)
        query = await asyncio.to_thread(_WAYS[str(self.reading.way)], self, store, question, day, system)
        return await background.arun(query.answer())


def checked(text: str, what: str) -> str:
    """Return a question or message unchanged, or raise an error if it is not a string or is empty."""
    if not isinstance(text, str):
        raise TypeError(f"a {what} is a string, not {type(text).__name__}")
    if not text.strip():
        raise ValueError(f"the {what} is empty")
    return text
