"""The search reading: the code searches the history by itself, and sends sub-agents only where it asks for them.

The first message to the root model already shows a search with the question.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

from ..models.types import ChatMessage
from ..repl.hostcalls import listed
from ..search.pieces import Piece, split
from ..search.word_index import piece_number
from ..store.memory_store import MemoryStore
from ..store.turns import Session, Turn
from .echo import with_echo
from .excerpts import one_line
from .prompts.record import session_prompt
from .prompts.search import FORCED, NO_CODE, SEARCH_SUBAGENT_SYSTEM, search_messages
from .reading import SEARCH, Settings
from .search_tools import SearchTools
from .subagents import Call, Progress
from .unaided import record
from .way import Way

_READ_TOKENS = 3_000  # what a sub-agent that reads one session costs, about
_ASSISTANT = 600  # characters that it sees of the assistant's turns, where it is not asked what the assistant said
_OF_ASSISTANT = re.compile(r"\b(?:you|your|assistant)\b", re.I)
_MOST_CHARACTERS = 2_000_000  # of one session


class SearchWay(Way):
    """The tools of one query: the free ones and `read`.

    Args:
        engine, store, question, question_date, progress: As for `Way`.
    """

    name, no_code, forced, agents_told = SEARCH, NO_CODE, FORCED, SEARCH_SUBAGENT_SYSTEM
    patience, runs_last = 2, True

    def __init__(
        self, engine: Settings, store: MemoryStore, question: str, question_date: str | None, progress: Progress | None
    ) -> None:
        super().__init__(engine, store, question, question_date, progress)
        self.tools = SearchTools(store, question, question_date, self.embedder, engine.budget)
        self.cited, self.false_quotes = self.tools.cited, self.tools.false_quotes
        self.values = self.tools.values()
        self.functions = self.tools.functions()
        self.asking = {"read": self.read}
        self.sessions = len(self.tools.store.sessions)
        self._was_read: set[tuple[int, str]] = set()

    async def open(self, replies: int, instructions: str | None) -> list[ChatMessage]:
        """Show the root model what a first search finds."""
        tools, opening = self.tools, await self.tools.opening()
        self.pieces = piece_number(tools.store, len(tools.store))
        return search_messages(
            tools.question,
            tools.question_date,
            sessions=self.sessions,
            turns=len(tools.store),
            last_date=tools.listing.date(self.sessions) if self.sessions else None,
            opening=opening,
            replies=replies,
            read_tokens=_READ_TOKENS,
            instructions=instructions,
        )

    def prepare(self, code: str) -> str:
        """The code with what its tools return printed."""
        return with_echo(code, (*self.functions, *self.asking))

    def printed(self, output: str) -> tuple[str, bool]:
        """Mark the turns that are in the output as shown; none is repeated in it."""
        return self.tools.listing.printed(output)

    def shown(self) -> list[Turn]:
        """The turns that the root model has seen."""
        return [self.tools.turn(number) for number in sorted(self.tools.listing.shown)]

    async def record(self, room: int) -> tuple[str, list[Turn]]:
        """The turns that fit the question best, in at most `room` characters."""
        return await record(self.tools, room)

    async def read(self, sessions: int | Sequence[int], ask: str | None = None) -> str:
        """What sub-agents find in sessions on a question, under the headings of the sessions, in order.

        A session that was read for the same question is not read again.

        Raises:
            TypeError: The sessions are not a list of numbers.
            ValueError: There is no such session, or one is too long.
        """
        tools, asked = self.tools, str(ask or self.tools.question)
        numbers = [sessions] if isinstance(sessions, int) else listed("read", sessions, "session numbers")
        wanted = sorted(set(map(tools.session, numbers)))
        new = [number for number in wanted if (number, asked) not in self._was_read]
        with self.subagents.batch():
            pieces = await asyncio.to_thread(lambda: [piece for number in new for piece in self._pieces(number, asked)])
            prompts = [session_prompt(piece.text, piece.date, asked, tools.question_date) for piece in pieces]
            calls = await self.subagents.ask_all(list(zip(prompts, pieces, strict=True)))
        failed = sorted({call.number for call in calls if call.error and call.number})
        self._was_read |= {(number, asked) for number in new if number not in failed}
        lines: list[str] = []
        for number in new:
            found = [line for call in calls if call.number == number and call.found for line in _findings(call)]
            lines += [tools.listing.heading(number), *map(tools.listing.note, found)] if found else []
        lines = lines or ["nothing found"]
        lines += [f"(session {number} was read for this before)" for number in wanted if number not in new]
        return "\n".join([*lines, *(f"(session {number} could not be read)" for number in failed)])

    def _pieces(self, number: int, asked: str) -> list[Piece]:
        """A session as sub-agents read it; quotes are looked up in its turns as they are."""
        whole: dict[int, Turn] = {}
        size = 0
        for turn in self.tools.listing.session(number):
            whole[turn.index] = turn
            size += len(turn.content)
            if size > _MOST_CHARACTERS:
                raise ValueError(f"session {number} is too long to be read as a whole; use find and look(around=turn)")
        turns = tuple(whole.values())
        if not _OF_ASSISTANT.search(f"{asked} {self.tools.question}"):
            turns = tuple(_shortened(turn) for turn in turns)
        pieces = split(Session(number, self.tools.listing.date(number), turns))
        return [replace(piece, turns=tuple(whole[turn.index] for turn in piece.turns)) for piece in pieces]


def _shortened(turn: Turn) -> Turn:
    if turn.role != "assistant" or len(turn.content) <= _ASSISTANT:
        return turn
    return replace(turn, content=f"{turn.content[:_ASSISTANT]} …")


def _findings(call: Call) -> list[str]:
    """What a sub-agent found, one line each: the turn, the quote, and what it says."""
    if not call.extract.findings:
        return [one_line(call.extract.text)]
    return [f'{each.turn} "{one_line(each.quote)}": {one_line(each.text)}' for each in call.extract.findings]
