"""The paper's way, and the ranked reading built on it: the code sends sub-agents to sessions.

Its functions make a prompt for each session that the code names, ask a sub-agent, and return the replies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ..models.types import ChatMessage
from ..search.ranking import arank_sessions
from ..store.memory_store import MemoryStore
from .prompts.paper import FORCED, NO_CODE, root_messages
from .prompts.record import NOT_READ, SUBAGENT_SYSTEM
from .reading import PAPER
from .settings import Settings
from .subagents import NO_PIECE, Call, Progress
from .way import Way
from .workspace import Workspace, check_query


class PaperWay(Way):
    """The reading functions of one query, and what the REPL holds beside them.

    Args:
        engine, progress: As for `Way`.
        store, question, question_date: As for `MemoryRLM.query`.
    """

    name, no_code, forced, agents_told = PAPER, NO_CODE, FORCED, SUBAGENT_SYSTEM

    def __init__(
        self, engine: Settings, progress: Progress | None, store: MemoryStore, question: str, question_date: str | None
    ) -> None:
        super().__init__(engine, progress)
        copied = store.characters() <= engine.copy_limit and len(store.sessions) <= engine.limits.run_subcalls
        self.workspace = Workspace(store, question, question_date, copied)
        self.values, self.functions = self.workspace.values(), self.workspace.functions()
        if self.embedder:
            self.functions["rank_sessions"] = self.rank_sessions
        self.asking = {"llm_query": self.llm_query}
        if engine.parallel:
            self.asking["llm_query_parallel"] = self.llm_query_parallel
        self.sessions, self.pieces = self.workspace.session_count(), self.workspace.piece_count

    async def open(self, replies: int, instructions: str | None) -> list[ChatMessage]:
        """Tell the root model how large the history is; it sees nothing of it."""
        workspace = self.workspace
        return root_messages(
            workspace.question,
            workspace.question_date,
            **workspace.size(),
            parallel=self.engine.parallel,
            copied=workspace.copied,
            first=self.engine.reading.first,
            instructions=instructions,
        )

    async def llm_query(self, prompt: str) -> str:
        """Ask one sub-agent with any prompt (the paper's `llm_query`)."""
        if not isinstance(prompt, str):
            raise TypeError(f"llm_query takes one string, not {type(prompt).__name__}")
        with self.subagents.batch():
            piece = await asyncio.to_thread(self.workspace.recognise, prompt)
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
            assignments = await asyncio.to_thread(self.workspace.assignments, sessions, session_dates, question)
            return list(map(_told, await self.subagents.ask_all(assignments)))

    async def rank_sessions(self, question: str | None = None, k: int | None = None) -> list[int]:
        """Positions, the most relevant first, by words, dates and meaning; k of them, or all.

        Raises:
            ValueError: k is negative, or the question is too long.
        """
        if k is not None and k < 0:
            raise ValueError(f"k must not be negative, not {k}")
        workspace, budget = self.workspace, self.engine.budget
        question = workspace.question_to_rank(question)
        order = await arank_sessions(workspace.store, question, workspace.question_date, self.embedder, None, budget)
        positions: dict[int, list[int]] = {}
        for position, session in enumerate(await asyncio.to_thread(workspace.session_numbers)):
            positions.setdefault(session - 1, []).append(position)
        return [position for session in order for position in positions.get(session, ())][:k]


def _told(call: Call) -> str:
    """What the code is given of a call."""
    return NOT_READ if call.error else call.extract.text
