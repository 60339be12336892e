"""What the code of one question reads with: sub-agents for sessions, and the order in which to read them.

These are the functions of the REPL that cost something. It checks what sub-agents quote, and puts
findings in order; it asks no model by itself and decides nothing about what is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from ..models.budget import Budget
from ..repl.arguments import from_start, listed
from ..search.pieces import Piece
from ..search.ranking import arank_sessions
from ..search.vectors import Metered
from .coverage import is_not_found
from .evidence import Evidence
from .findings import Finding, checked, parse_findings, without_false_quotes
from .large_workspace import LargeWorkspace, check_at_once
from .prompts import NOT_READ, session_in
from .reading import Reading
from .subagents import SubAgents
from .workspace import Workspace, check_query


class SessionReader:
    """The reading functions of one query.

    Args:
        workspace: Where the sessions are.
        subagents: Who reads them.
        reading: In what form findings come.
        parallel: Whether sub-agents read at once.
        budget: For the embedder's calls, or None.
    """

    def __init__(
        self,
        workspace: Workspace | LargeWorkspace,
        subagents: SubAgents,
        reading: Reading,
        parallel: bool = True,
        budget: Budget | None = None,
    ) -> None:
        self._workspace = workspace
        self._subagents = subagents
        self._reading = reading
        self._parallel = parallel
        self._budget = budget
        self._embedder = Metered(reading.embedder) if reading.embedder else None

    @property
    def embedder(self) -> Metered | None:
        """What the ranking embeds with, and has taken so far."""
        return self._embedder

    def asking(self) -> dict[str, Callable[..., object]]:
        """The functions that ask sub-agents."""
        functions: dict[str, Callable[..., object]] = {"llm_query": self.llm_query}
        if self._reading.facts:
            functions["read_facts"] = self.read_facts
        elif self._reading.recency:
            functions["read_sessions"] = self.read_sessions
        elif self._parallel:
            functions["llm_query_parallel"] = self.llm_query_parallel
        return functions

    def ranking(self) -> dict[str, Callable[..., object]]:
        """The functions that stand in for the workspace's own."""
        return {"rank_sessions": self.rank_sessions} if self._embedder else {}

    async def llm_query(self, prompt: str) -> str:
        """One sub-agent with any prompt."""
        reply = await self._subagents.query(prompt)
        return self._without_false_quotes(session_in(prompt), reply)

    async def llm_query_parallel(
        self, sessions: Sequence[Any], session_dates: Sequence[str | None] | None = None, question: str | None = None
    ) -> list[str]:
        """One sub-agent a session, all at once; their replies, in the order of the sessions."""
        with self._subagents.batch():  # from here on: another fan-out may have been answered when the texts are there
            texts, dates = await self._workspace.to_read(sessions, session_dates)
            replies = await self._subagents.query_parallel(texts, dates, question or self._workspace.question)
        return [self._without_false_quotes(*each) for each in zip(texts, replies, strict=True)]

    async def read_sessions(self, positions: Sequence[int], question: str | None = None) -> list[dict[str, Any]]:
        """What the sessions at these positions say on the question: one dict for each that says something, in order.

        Keys: `position`, `session` (its number), `date`, `text` (the sub-agent's reply).
        """
        return [
            {"position": position, "session": piece.session, "date": piece.date,
             "text": self._without_false_quotes(piece.text, reply)}
            for position, piece, reply in await self._read("read_sessions", positions, question)
        ]  # fmt: skip

    async def read_facts(self, positions: Sequence[int], question: str | None = None) -> list[dict[str, Any]]:
        """The facts on the question in the sessions at these positions, in the order in which they were said.

        Keys: `position`, `session`, `said` (the session's date), `turn`, `quote` (verbatim), `date` (of the fact; the
        session's where the sub-agent gave none), `value`, `text`, `notes` (what the sub-agent adds of its own; mostly
        ""). A reply that quotes nothing is one fact, its `quote` "" and its `turn` None.
        """
        facts: list[dict[str, Any]] = []
        for position, piece, reply in await self._read("read_facts", positions, question):
            place = {"position": position, "session": piece.session, "said": piece.date}
            turns = self._workspace.said(piece)
            findings = parse_findings(reply, turns)
            found, _ = checked(findings, turns)
            if not findings:
                found = [Finding("", reply)]
            found.sort(key=lambda each: each.turn or 0)
            facts += [place | asdict(each) | {"date": each.date or piece.date} for each in found]
        return facts

    async def rank_sessions(self, question: str | None = None, k: int | None = None) -> list[int]:
        """Positions, the most relevant first, by words, dates and meaning; k of them, or all.

        Raises:
            ValueError: k is negative, or the question too long.
        """
        if k is not None and k < 0:
            raise ValueError(f"k must not be negative, not {k}")
        space = self._workspace
        if question != space.question:
            check_query("rank_sessions", question)
        asked, date = question or space.question, space.question_date
        order = await arank_sessions(space.store, asked, date, self._embedder, None, self._budget)
        places: dict[int, list[int]] = {}
        for position, session in enumerate(await space.session_numbers()):
            places.setdefault(session - 1, []).append(position)
        return [position for session in order for position in places.get(session, ())][:k]

    def sessions_read(self) -> tuple[int, ...]:
        """The numbers of the sessions that sub-agents read and replied on, in order."""
        pieces = (self._workspace.piece_of(call.session) for call in self._subagents.calls if not call.error)
        return tuple(sorted({piece.session for piece in pieces if piece}))

    def session_count(self) -> int:
        """How many sessions there are to be read: those that hold a turn."""
        return self._workspace.session_count()

    def evidence(self) -> tuple[tuple[Evidence, ...], int]:
        """What was found, in the order of the history; and how many quotes are not there."""
        evidence: list[Evidence] = []
        false_quotes = 0
        for call in filter(lambda call: call.found, self._subagents.calls):
            piece = self._workspace.piece_of(call.session)
            turns = self._workspace.said(piece) if piece else ()
            findings = parse_findings(call.reply, turns) if piece else []
            if piece is None:
                evidence.append(Evidence(None, None, None, "", call.reply))
            elif not findings:
                evidence.append(Evidence(piece.session, piece.date, None, "", call.reply))
            else:
                found, lost = checked(findings, turns)
                evidence += [
                    Evidence(piece.session, piece.date, each.turn, each.quote, each.text, each.date, each.value)
                    for each in found
                ]
                false_quotes += lost
        evidence.sort(key=lambda each: (each.session is None, each.session or 0, each.turn or 0))
        return tuple(evidence), false_quotes

    async def _read(
        self, function: str, positions: Sequence[int], question: str | None
    ) -> list[tuple[int, Piece, str]]:
        """(position, piece, reply) of those that were read and say something, oldest first."""
        what = "a list of positions first, such as rank_sessions(question)[:10]"
        positions = listed(function, positions, what)
        if any(isinstance(position, str) for position in positions):
            raise TypeError(f"{function} takes {what}, not texts")
        if not self._workspace.copied:
            check_at_once(function, positions)
        count = self._workspace.size.sessions
        places = sorted({from_start(position, count) for position in positions})
        asked = question or self._workspace.question
        if self._parallel:
            with self._subagents.batch():
                pieces = await self._workspace.pieces_at(places)
                texts, dates = [piece.text for piece in pieces], [piece.date for piece in pieces]
                replies = await self._subagents.query_parallel(texts, dates, asked)
        else:
            pieces = await self._workspace.pieces_at(places)
            prompts = [self._workspace.session_prompt(piece.text, piece.date, asked) for piece in pieces]
            replies = [await self._subagents.query(prompt) for prompt in prompts]
        read = zip(places, pieces, replies, strict=True)
        return [each for each in read if each[2] != NOT_READ and not is_not_found(each[2])]

    def _without_false_quotes(self, session: str, reply: str) -> str:
        piece = self._workspace.piece_of(session)
        return reply if piece is None else without_false_quotes(reply, self._workspace.said(piece))
