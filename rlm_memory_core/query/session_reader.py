"""The functions of the REPL that send sub-agents to sessions.

They make a prompt for each session that the code names, ask a sub-agent, check its quotes, and return the replies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..models.budget import Budget
from ..repl.hostcalls import from_start, listed
from ..search.pieces import Piece
from ..search.ranking import arank_sessions
from ..search.vectors import Metered
from .findings import Finding
from .large_workspace import check_at_once
from .prompts import NOT_READ
from .reading import Reading
from .subagents import NO_PIECE, Call, SubAgents
from .workspace import Workspace, check_query


@dataclass(eq=False, repr=False)
class SessionReader:
    """The reading functions of one query.

    Args:
        workspace: Where the sessions are.
        subagents: They read the sessions.
        reading: In what form findings come.
        parallel: Whether sub-agents read at once.
        budget: For the embedder's calls, or None.

    `embedder` ranks by meaning and counts its usage; None to rank by words and dates alone.
    """

    workspace: Workspace
    subagents: SubAgents
    reading: Reading
    parallel: bool = True
    budget: Budget | None = None

    def __post_init__(self) -> None:
        self.embedder = Metered(self.reading.embedder) if self.reading.embedder else None

    def asking(self) -> dict[str, Callable[..., object]]:
        """The functions that ask sub-agents."""
        functions: dict[str, Callable[..., object]] = {"llm_query": self.llm_query}
        if self.reading.facts:
            functions["read_facts"] = self.read_facts
        elif self.reading.recency:
            functions["read_sessions"] = self.read_sessions
        elif self.parallel:
            functions["llm_query_parallel"] = self.llm_query_parallel
        return functions

    def ranking(self) -> dict[str, Callable[..., object]]:
        """The functions that replace those of the workspace."""
        return {"rank_sessions": self.rank_sessions} if self.embedder else {}

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

    async def read_sessions(self, positions: Sequence[int], question: str | None = None) -> list[dict[str, Any]]:
        """What the sessions at these positions say about the question: one dict for each that says something, in order.

        Keys: `position`, `session` (its number), `date`, `text` (the sub-agent's reply).
        """
        return [
            {"position": position, "session": call.number, "date": call.date, "text": call.extract.text}
            for position, call in await self._read("read_sessions", positions, question)
        ]

    async def read_facts(self, positions: Sequence[int], question: str | None = None) -> list[dict[str, Any]]:
        """The facts about the question in the sessions at these positions, in the order in which they were said.

        Keys: `position`, `session`, `said` (the session's date), `turn`, `quote` (verbatim), `date` (of the fact; the
        session's if the sub-agent gave none), `value`, `text`, `notes` (what the sub-agent adds of its own; mostly
        ""). A reply that quotes nothing is one fact, its `quote` "" and its `turn` None.
        """
        facts: list[dict[str, Any]] = []
        for position, call in await self._read("read_facts", positions, question):
            place = {"position": position, "session": call.number, "said": call.date}
            found = sorted(call.extract.findings, key=lambda each: each.turn or 0)
            if not found and not call.extract.false_quotes:
                found = [Finding("", call.reply)]
            facts += [place | asdict(each) | {"date": each.date or call.date} for each in found]
        return facts

    async def rank_sessions(self, question: str | None = None, k: int | None = None) -> list[int]:
        """Positions, the most relevant first, by words, dates and meaning; k of them, or all.

        Raises:
            ValueError: k is negative, or the question is too long.
        """
        if k is not None and k < 0:
            raise ValueError(f"k must not be negative, not {k}")
        workspace, question = self.workspace, self.workspace.question_to_rank(question)
        order = await arank_sessions(
            workspace.store, question, workspace.question_date, self.embedder, None, self.budget
        )
        positions: dict[int, list[int]] = {}
        for position, session in enumerate(await asyncio.to_thread(workspace.session_numbers)):
            positions.setdefault(session - 1, []).append(position)
        return [position for session in order for position in positions.get(session, ())][:k]

    async def _read(self, function: str, positions: Sequence[int], question: str | None) -> list[tuple[int, Call]]:
        """The calls that found something, oldest session first, each with the position that it read."""
        what = "a list of positions first, such as rank_sessions(question)[:10]"
        positions = listed(function, positions, what)
        if question is not None:
            check_query(function, "a question", question)
        if any(isinstance(position, str) for position in positions):
            raise TypeError(f"{function} takes {what}, not texts")
        if not self.workspace.copied:
            check_at_once(function, positions)
        count = self.workspace.size.sessions
        places = sorted({from_start(position, count) for position in positions})
        with self.subagents.batch():
            assignments = await self._in_thread(self._assignments, places, question)
            if self.parallel:
                calls = await self.subagents.ask_all(assignments)
            else:
                calls = [await self.subagents.ask(prompt, piece) for prompt, piece in assignments]
        return [each for each in zip(places, calls, strict=True) if each[1].found]

    def _assignments(self, places: Sequence[int], question: str | None) -> list[tuple[str, Piece]]:
        pieces = map(self.workspace.piece, places)
        return [(self.workspace.prompt(piece.text, piece.date, question), piece) for piece in pieces]

    async def _in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        """The result of a function of the history; one that may read its file works in a thread."""
        return function(*args) if self.workspace.copied else await asyncio.to_thread(function, *args)


def _told(call: Call) -> str:
    """What the code is given of a call."""
    return NOT_READ if call.error else call.extract.text
