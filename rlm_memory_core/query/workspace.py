"""What the REPL holds for one question: the history's pieces, and the functions that reach it.

Here all texts are copied; `large_workspace` is for a history that is too large for it. The code
sees pieces (`pieces`) as `sessions`; their positions are what `rank_sessions` returns.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..repl.arguments import from_start
from ..repl.date_functions import days_between, parse_date
from ..repl.lazy_values import ValuesWhenRead
from ..search.pieces import Piece, split
from ..search.ranking import rank_pieces
from ..store.escaping import well_formed
from ..store.memory_store import MemoryStore
from ..store.turns import Turn, serialise
from .prompts import session_prompt

MAX_QUERY_CHARACTERS = 10_000  # of what the code searches or ranks by

DATE_FUNCTIONS: dict[str, Callable[..., Any]] = {"parse_date": parse_date, "days_between": days_between}


@dataclass(frozen=True, slots=True)
class Size:
    """How much a workspace holds.

    Args:
        sessions: Its pieces.
        turns: Its turns.
        characters: Of their content.
    """

    sessions: int
    turns: int
    characters: int


class Asked:
    """One question over a history: what both kinds of workspace begin with.

    Args:
        store: The history.
        question: What is asked.
        question_date: The day on which it is asked, or None.
    """

    def __init__(self, store: MemoryStore, question: str, question_date: str | None = None) -> None:
        self.store = store
        self.question = well_formed(question)
        self.question_date = question_date and well_formed(question_date)


class Workspace(Asked):
    """The values and functions that the code of one question finds.

    Args:
        store, question, question_date: As for `Asked`.
    """

    copied = True

    def __init__(self, store: MemoryStore, question: str, question_date: str | None = None) -> None:
        super().__init__(store, question, question_date)
        self.sessions = list(store.sessions)
        self.turns = [turn for session in self.sessions for turn in session.turns]
        self.pieces = [piece for session in self.sessions for piece in split(session)]
        self._by_text = {piece.text: piece for piece in self.pieces}

    @property
    def size(self) -> Size:
        """How much there is."""
        return Size(len(self.pieces), len(self.turns), sum(len(turn.content) for turn in self.turns))

    def session_count(self) -> int:
        """How many sessions hold a turn; a long one is in several pieces."""
        return len({piece.session for piece in self.pieces})

    def values(self) -> ValuesWhenRead:
        """The names the code can read; most programs read few of them, and `context` is as long as the history."""
        return ValuesWhenRead(
            {
                "question": lambda: self.question,
                "question_date": lambda: self.question_date,
                "sessions": lambda: [piece.text for piece in self.pieces],
                "session_dates": lambda: [piece.date for piece in self.pieces],
                "history_turns": lambda: [as_dict(turn) for turn in self.turns],
                "context": lambda: serialise(self.sessions),
            }
        )

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The names the code can call, but for the sub-agents'; what reads the history's file works in a thread."""
        return {
            "search_history": in_thread(self.search_history),
            "get_recent": self.get_recent,
            "rank_sessions": in_thread(self.rank_sessions),
            "session_prompt": self.session_prompt,
            **DATE_FUNCTIONS,
        }

    def search_history(self, keyword: str) -> list[dict[str, Any]]:
        """The turns that contain the keyword (paper Section 3.2)."""
        check_query("search_history", keyword)
        return [as_dict(turn) for turn in self.store.search_history(keyword) if turn.index <= len(self.turns)]

    def get_recent(self, n: int) -> list[dict[str, Any]]:
        """The last n turns (paper Section 3.2)."""
        return [as_dict(turn) for turn in self.turns[-n:]] if n > 0 else []

    def rank_sessions(self, question: str | None = None, k: int | None = None) -> list[int]:
        """Positions in `sessions`, the most relevant first; k of them, or all."""
        if question != self.question:
            check_query("rank_sessions", question)
        ranked = rank_pieces(self.store, question or self.question, self.question_date, k)
        return [position for position in ranked if position < len(self.pieces)]  # others came after the question

    def session_prompt(self, session: str, date: str | None = None, question: str | None = None) -> str:
        """The prompt that asks a sub-agent to read one session."""
        return session_prompt(session, date, question or self.question, self.question_date)

    def said(self, piece: Piece) -> Sequence[Turn]:
        """The turns of a piece's session."""
        return self.sessions[piece.session - 1].turns

    async def to_read(
        self, sessions: Sequence[str], dates: Sequence[str | None] | None
    ) -> tuple[Sequence[str], Sequence[str | None] | None]:
        """Texts and dates for sub-agents: as they came."""
        return sessions, dates

    def piece_of(self, text: str) -> Piece | None:
        """The piece with this text."""
        return self._by_text.get(text)

    async def pieces_at(self, positions: Sequence[int]) -> list[Piece]:
        """The pieces at these positions; -1 is the last."""
        return [self.pieces[from_start(position, len(self.pieces))] for position in positions]

    async def session_numbers(self) -> list[int]:
        """The number of each piece's session, by position."""
        return [piece.session for piece in self.pieces]


def check_query(function: str, text: object) -> None:
    """Refuse a text that is too long to search or to rank by: either would take long.

    Raises:
        ValueError: It is longer than MAX_QUERY_CHARACTERS.
    """
    if isinstance(text, str) and len(text) > MAX_QUERY_CHARACTERS:
        raise ValueError(
            f"{function} takes at most {MAX_QUERY_CHARACTERS:,} characters, not {len(text):,}; give it words"
        )


def in_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that works in a thread, while other queries go on."""

    @functools.wraps(function)
    async def threaded(*args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(function, *args, **kwargs)

    return threaded


def as_dict(turn: Turn) -> dict[str, Any]:
    """A turn as the code sees it."""
    return {"turn_index": turn.index, "role": turn.role, "content": turn.content}
