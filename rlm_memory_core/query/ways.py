"""The two ways of reading, as the engine sees them: what the REPL holds, what the root model is told, what was cited.

`PaperWay` puts the history into the REPL and has sub-agents read sessions. `SearchWay` gives the code tools that
search, and shows the root model a first search with the question.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from ..models.budget import Budget
from ..search.vectors import Metered
from ..search.word_index import piece_number
from ..store.escaping import well_formed
from ..store.memory_store import MemoryStore
from . import prompts
from .echo import with_echo
from .evidence import Evidence
from .large_workspace import LargeWorkspace
from .reading import PAPER, SEARCH, Reading
from .search_reader import READ_TOKENS, SearchReader
from .search_tools import SearchTools
from .session_reader import SessionReader
from .subagents import SubAgents
from .workspace import Workspace


class Way:
    """How one question is answered. This base class shows nothing and cites nothing.

    `values`, `functions` and `asking` are the names in the REPL; those in `asking` ask sub-agents. `no_code` and
    `forced` are what the root model is told after a message without code, and before its last reply. `sessions` and
    `pieces` count what the history has. `cited` holds what the code cited, `false_quotes` what of it was not there;
    `used` counts calls of the tools.
    """

    name = no_code = forced = ""
    embedder: Metered | None = None
    values: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]]
    asking: Mapping[str, Callable[..., Any]]
    sessions = pieces = used = 0

    def __init__(self) -> None:
        self.cited: list[Evidence] = []
        self.false_quotes: list[str] = []

    async def open(self, replies: int, instructions: str | None) -> list[prompts.ChatMessage]:
        """Open the root model's conversation, in which it has so many replies."""
        raise NotImplementedError

    def prepare(self, code: str) -> str:
        """The code as it is run."""
        return code

    def printed(self, output: str) -> bool:
        """Note what the root model is about to be shown. Returns whether anything of the history is new to it."""
        return False


class PaperWay(Way):
    """The paper's way, and the ranked readings built on it.

    Args:
        reading, parallel, budget, copy_limit: As for `MemoryRLM`.
        store, question, question_date: As for its `query`.
        subagents: They read sessions.
    """

    name, no_code, forced = PAPER, prompts.NO_CODE, prompts.FORCED

    def __init__(
        self, reading: Reading, parallel: bool, budget: Budget | None, copy_limit: int, store: MemoryStore,
        question: str, question_date: str | None, subagents: SubAgents,
    ) -> None:  # fmt: skip
        super().__init__()
        kind = LargeWorkspace if store.characters() > copy_limit else Workspace
        self._reading, self._parallel, self._workspace = reading, parallel, kind(store, question, question_date)
        reader = SessionReader(self._workspace, subagents, reading, parallel, budget)
        self.embedder, self.asking = reader.embedder, reader.asking()
        self.values, self.functions = self._workspace.values(), self._workspace.functions() | reader.ranking()
        self.sessions, self.pieces = self._workspace.session_count(), self._workspace.size.sessions

    async def open(self, replies: int, instructions: str | None) -> list[prompts.ChatMessage]:
        """Tell the root model how large the history is; it sees nothing of it."""
        reading, workspace = self._reading, self._workspace
        return prompts.root_messages(
            workspace.question,
            workspace.question_date,
            **asdict(workspace.size),
            parallel=self._parallel,
            copied=workspace.copied,
            first=reading.first,
            facts=reading.facts,
            recency=reading.recency,
            instructions=instructions,
        )


class SearchWay(Way):
    """The search reading.

    Args:
        reading, budget: As for `MemoryRLM`.
        store, question, question_date: As for its `query`.
        subagents: They read what the root model asks them to.
    """

    name, no_code, forced = SEARCH, prompts.SEARCH_NO_CODE, prompts.SEARCH_FORCED

    def __init__(
        self, reading: Reading, budget: Budget | None, store: MemoryStore, question: str, question_date: str | None,
        subagents: SubAgents,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embedder = Metered(reading.embedder) if reading.embedder else None
        day = question_date and well_formed(question_date)
        self.tools = SearchTools(store, well_formed(question), day, self.embedder, budget)
        self.cited, self.false_quotes = self.tools.cited, self.tools.false_quotes
        self.values = self.tools.values()
        self.functions = {name: self._counted(function) for name, function in self.tools.functions().items()}
        self.asking = {"read": self._counted(SearchReader(self.tools, subagents).read)}
        self.sessions = self.tools.listing.sessions

    async def open(self, replies: int, instructions: str | None) -> list[prompts.ChatMessage]:
        """Show the root model what a first search finds."""
        tools = self.tools
        opening = await tools.opening()
        self.pieces = piece_number(tools.listing.store, tools.listing.turns)
        return prompts.search_messages(
            tools.question,
            tools.question_date,
            sessions=self.sessions,
            turns=tools.listing.turns,
            last_date=tools.listing.date(self.sessions) if self.sessions else None,
            opening=opening,
            replies=replies,
            read_tokens=READ_TOKENS,
            instructions=instructions,
        )

    def prepare(self, code: str) -> str:
        """The code with what its tools return printed."""
        return with_echo(code, (*self.functions, *self.asking))

    def printed(self, output: str) -> bool:
        """Mark the turns that are in the output as shown."""
        return self.tools.listing.printed(output)

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def counted(*args: Any, **kwargs: Any) -> Any:
            self.used += 1
            value = function(*args, **kwargs)
            return await value if inspect.isawaitable(value) else value

        return counted
