"""`read`, the tool of the search reading that costs: sub-agents read sessions that the root model names."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

from ..repl.hostcalls import listed
from ..search.pieces import Piece, split
from ..store.turns import Session, Turn
from .excerpts import one_line
from .prompts import session_prompt
from .search_tools import SearchTools
from .subagents import Call, SubAgents

READ_TOKENS = 3_000  # what a sub-agent that reads one session costs, about
_ASSISTANT = 600  # characters of the assistant's turns, where it is not asked what the assistant said
_OF_ASSISTANT = re.compile(r"\b(?:you|your|assistant)\b", re.I)
_MOST_CHARACTERS = 2_000_000  # of one session


class SearchReader:
    """The reading tool of one query.

    Args:
        tools: The other tools; they know the history.
        subagents: They read.
    """

    def __init__(self, tools: SearchTools, subagents: SubAgents) -> None:
        self._tools, self._subagents = tools, subagents
        self._read: set[tuple[int, str]] = set()

    async def read(self, sessions: int | Sequence[int], ask: str | None = None) -> str:
        """What sessions say on a question: findings under the headings of their sessions, in order.

        A session that was read for the same question is not read again.

        Raises:
            TypeError: The sessions are not a list of numbers.
            ValueError: There is no such session, or one is too long.
        """
        asked = str(ask or self._tools.question)
        numbers = [sessions] if isinstance(sessions, int) else listed("read", sessions, "session numbers")
        wanted = sorted({self._tools.session(number) for number in numbers})
        new = [number for number in wanted if (number, asked) not in self._read]
        with self._subagents.batch():
            pieces = await asyncio.to_thread(lambda: [piece for number in new for piece in self._pieces(number, asked)])
            date = self._tools.question_date
            prompts = [(session_prompt(piece.text, piece.date, asked, date), piece) for piece in pieces]
            calls = await self._subagents.ask_all(prompts)
        self._read |= {(call.number, asked) for call in calls if call.number and not call.error}
        lines: list[str] = []
        for number in new:
            found = [line for call in calls if call.number == number and call.found for line in _findings(call)]
            lines += [self._tools.listing.heading(number), *map(self._tools.listing.note, found)] if found else []
        failed = sorted({call.number for call in calls if call.error and call.number})
        left = [f"session {number} was read for this before" for number in wanted if number not in new]
        left += [f"session {number} could not be read" for number in failed]
        return "\n".join([*(lines or ["nothing found"]), *([f"({'; '.join(left)})"] if left else [])])

    def _pieces(self, number: int, asked: str) -> list[Piece]:
        """A session as sub-agents read it; quotes are looked up in its turns as they are."""
        whole: dict[int, Turn] = {}
        size = 0
        for turn in self._tools.listing.session(number):
            whole[turn.index] = turn
            size += len(turn.content)
            if size > _MOST_CHARACTERS:
                raise ValueError(f"session {number} is too long to be read as a whole; use find and look(around=turn)")
        turns = tuple(whole.values())
        if not _OF_ASSISTANT.search(f"{asked} {self._tools.question}"):
            turns = tuple(
                replace(turn, content=f"{turn.content[:_ASSISTANT]} …")
                if turn.role == "assistant" and len(turn.content) > _ASSISTANT
                else turn
                for turn in turns
            )
        pieces = split(Session(number, self._tools.listing.date(number), turns))
        return [replace(piece, turns=tuple(whole[turn.index] for turn in piece.turns)) for piece in pieces]


def _findings(call: Call) -> list[str]:
    """What a sub-agent found, one line each: the turn, the quote, and what it says."""
    if not call.extract.findings:
        return [one_line(call.extract.text)]
    return [f'{each.turn} "{one_line(each.quote)}": {one_line(each.text)}' for each in call.extract.findings]
