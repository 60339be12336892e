"""What the engine needs to know of a way of reading: `paper_way` and `search_way` are the two."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..models.types import ChatMessage
from ..search.vectors import Metered
from ..store.escaping import well_formed
from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .findings import Evidence
from .reading import Settings
from .subagents import Progress, SubAgents


class Way:
    """How one question is answered. This base class shows nothing and cites nothing.

    Args:
        engine: Its settings hold for the query.
        store: The history; what is said during the query does not count.
        question, question_date: What is asked, and the day on which it is asked, or None.
        progress: Receives the sub-agent calls, or None.

    `values`, `functions` and `asking` are the names in the REPL; those in `asking` ask `subagents`, whose system prompt
    is `agents_told`. `no_code` and `forced` are what the root model is told after a message without code, and before
    its last reply. `sessions` and `pieces` count what the history has. `embedder` compares meanings and counts its
    usage. `cited` holds what the code cited, `false_quotes` what of it was not there. After `patience` replies in a row
    without code that ran, the model is shown a `record` and asked for code no more. Where the way `runs_last`, the code
    of the last reply runs as a whole, and otherwise only its FINAL.
    """

    name = no_code = forced = agents_told = ""
    values: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]]
    asking: Mapping[str, Callable[..., Any]]
    sessions = pieces = 0
    patience = math.inf
    runs_last = False

    def __init__(
        self, engine: Settings, store: MemoryStore, question: str, question_date: str | None, progress: Progress | None
    ) -> None:
        self.engine, self.store = engine, store.snapshot()
        self.question, self.question_date = well_formed(question), question_date and well_formed(question_date)
        self.embedder = Metered(engine.reading.embedder) if engine.reading.embedder else None
        self.subagents = SubAgents(
            engine.sub_model, engine.slots, engine.budget, engine.hedge, self.agents_told, progress
        )
        self.cited: list[Evidence] = []
        self.false_quotes: list[str] = []

    async def open(self, replies: int, instructions: str | None) -> list[ChatMessage]:
        """Open the root model's conversation, in which it has so many replies."""
        raise NotImplementedError

    def prepare(self, code: str) -> str:
        """The code as it is run."""
        return code

    def printed(self, output: str) -> tuple[str, bool]:
        """Note what the root model is about to be shown. Returns it, and whether any turn is new to it."""
        return output, False

    def shown(self) -> list[Turn]:
        """The turns that the root model has seen."""
        return []

    async def record(self, room: int) -> tuple[str, list[Turn]] | None:
        """What a model that writes no code is shown, in at most so many characters, and its turns; None for nothing."""
        return None
