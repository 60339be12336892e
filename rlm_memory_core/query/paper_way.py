"""The paper's way, and the ranked reading built on it: the code sends sub-agents to sessions.

Its functions make a prompt for each session that the code names, ask a sub-agent, and return the replies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from ..models.budget import Budget
from ..models.types import ChatMessage
from ..search.ranking import arank_sessions
from ..search.vectors import Metered
from ..store.memory_store import MemoryStore
from .large_workspace import LargeWorkspace
from .prompts.paper import FORCED, NO_CODE, root_messages
from .prompts.record import NOT_READ
from .reading import PAPER, Reading
from .subagents import NO_PIECE, Call, SubAgents
from .way import Way
from .workspace import Workspace, check_query


class PaperWay(Way):
    """The reading functions of one query, and what the REPL holds beside them.

    Args:
        store, question, question_date: As for `MemoryRLM.query`.
        subagents: They read the sessions.
        reading, parallel, budget: As for `MemoryRLM`.
        is_large: Whether the history is reached through functions, not copied into the REPL.

    `embedder` ranks by meaning and counts its usage; None to rank by words and dates alone.
    """

    name, no_code, forced = PAPER, NO_CODE, FORCED

    def __init__(
        self, store: MemoryStore, question: str, question_date: str | None, subagents: SubAgents, reading: Reading,
        parallel: bool, budget: Budget | None, is_large: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        kind = LargeWorkspace if is_large else Workspace
        self.workspace = kind(store, question, question_date)
        self.subagents, self._reading, self._parallel, self._budget = subagents, reading, parallel, budget
        self.embedder = Metered(reading.embedder) if reading.embedder else None
        self.values, self.functions = self.workspace.values(), self.workspace.functions()
        if self.embedder:
            self.functions["rank_sessions"] = self.rank_sessions
        self.asking = {"llm_query": self.llm_query}
        if parallel:
            self.asking["llm_query_parallel"] = self.llm_query_parallel
        self.sessions, self.pieces = self.workspace.session_count(), self.workspace.size.sessions

    async def open(self, replies: int, instructions: str | None) -> list[ChatMessage]:
        """Tell the root model how large the history is; it sees nothing of it."""
        workspace = self.workspace
        return root_messages(
            workspace.question,
            workspace.question_date,
            **asdict(workspace.size),
            parallel=self._parallel,
            copied=workspace.copied,
            first=self._reading.first,
            instructions=instructions,
        )

    async def llm_query(self, prompt: str) -> str:
        """Ask one sub-agent with any prompt (the paper's `llm_query`)."""
        if not isinstance(prompt, str):
            raise TypeError(f"llm_query takes one string, not {type(prompt).__name__}")
        with self.subagents.batch():
            piece = await self._in_thread(self.workspace.recognise, prompt)
            return _told(await self.subagents.ask(prompt, piece or NO_PIECE))

    async def llm_query_parallel(
        self, sessions: Sequence[Any], session_dates: Sequence[str | None] | None = None, question: str | None = None
    ) -> list[str]:
        """Ask one sub-agent a session, all at once; returns their replies in order (the paper's `llm_query_parallel`).

        A reply is an extract, `NOT_FOUND`, or `NOT_READ` if the call failed.
        """
        if question is not None:
            check_query("llm_query_parallel", "a question", question)  # each prompt holds it
        with self.subagents.batch():
            assignments = await self._in_thread(self.workspace.assignments, sessions, session_dates, question)
            return list(map(_told, await self.subagents.ask_all(assignments)))

    async def rank_sessions(self, question: str | None = None, k: int | None = None) -> list[int]:
        """Positions, the most relevant first, by words, dates and meaning; k of them, or all.

        Raises:
            ValueError: k is negative, or the question is too long.
        """
        if k is not None and k < 0:
            raise ValueError(f"k must not be negative, not {k}")
        workspace, question = self.workspace, self.workspace.question_to_rank(question)
        order = await arank_sessions(
            workspace.store, question, workspace.question_date, self.embedder, None, self._budget
        )
        positions: dict[int, list[int]] = {}
        for position, session in enumerate(await asyncio.to_thread(workspace.session_numbers)):
            positions.setdefault(session - 1, []).append(position)
        return [position for session in order for position in positions.get(session, ())][:k]

    async def _in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        """The result of a function of the history; one that may read its file works in a thread."""
        return function(*args) if self.workspace.copied else await asyncio.to_thread(function, *args)


def _told(call: Call) -> str:
    """What the code is given of a call."""
    return NOT_READ if call.error else call.extract.text
