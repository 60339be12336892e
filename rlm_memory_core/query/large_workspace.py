"""What the REPL holds where the history is too large to be copied into it: functions in place of lists.

The code sees how many sessions there are, and reaches each by its position; sub-agents are sent to positions, so
that what they read need not pass through the sandbox. Memory grows with what is read, not with the history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from ..repl.arguments import from_start, listed
from ..search.piece_index import PieceIndex
from ..search.pieces import Piece
from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .prompts import session_prompt
from .workspace import DATE_FUNCTIONS, Asked, Size, Workspace, as_dict, check_query, in_thread

COPY_LIMIT = 20_000_000  # characters of content: a larger history is not copied into the sandbox
MOST_AT_ONCE = 1000  # turns, positions or sub-agents that one call may ask for
_DEFAULT = 100


class LargeWorkspace(Asked):
    """The values and functions that the code of one question finds, for a large history.

    Args:
        store, question, question_date: As for `Asked`.
    """

    copied = False

    def __init__(self, store: MemoryStore, question: str, question_date: str | None = None) -> None:
        super().__init__(store, question, question_date)
        self.index = PieceIndex(store)
        self._turns = len(store)  # what is said later does not count
        self._read: dict[str, tuple[int, Piece]] = {}

    @property
    def size(self) -> Size:
        """How much there is."""
        return Size(len(self.index), self._turns, self.store.characters(self._turns))

    def session_count(self) -> int:
        """How many sessions hold a turn; a long one is in several pieces."""
        return self.index.session_count()

    def values(self) -> dict[str, Any]:
        """The names the code can read."""
        return {
            "question": self.question,
            "question_date": self.question_date,
            "session_count": len(self.index),
        }

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The names the code can call, but for the sub-agents'; each works in a thread, while other queries go on."""
        functions: dict[str, Callable[..., Any]] = {
            "get_session": self.get_session,
            "get_date": self.get_date,
            "search_history": self.search_history,
            "get_recent": self.get_recent,
            "rank_sessions": self.rank_sessions,
            "session_prompt": self.session_prompt,
        }
        return {name: in_thread(function) for name, function in functions.items()} | DATE_FUNCTIONS

    def get_session(self, position: int) -> str:
        """The text of the session at a position; -1 is the last."""
        return self._text_and_date(position)[0]

    def get_date(self, position: int) -> str | None:
        """Its date, or None."""
        return self.index.date(self._place(position))

    def search_history(self, keyword: str, limit: int = _DEFAULT) -> list[dict[str, Any]]:
        """The newest turns that contain the keyword, in order, each with the position of its session.

        Raises:
            TypeError: The keyword is no text, or the limit no whole number.
            ValueError: The keyword, or what was found, is too long, or the limit is not from 0 to `MOST_AT_ONCE`.
        """
        if not isinstance(keyword, str):
            raise TypeError(f"search_history takes a keyword, not {type(keyword).__name__}")
        check_query("search_history", keyword)
        _check_count("search_history", limit)
        turns = [turn for turn in self.store.search_history(keyword, limit) if turn.index <= self._turns]
        _check_size("search_history", sum(len(turn.content) for turn in turns))
        return self._as_dicts(turns)

    def get_recent(self, n: int) -> list[dict[str, Any]]:
        """The last n turns, each with the position of its session."""
        _check_count("get_recent", n)
        before = max(self._turns - n, 0)
        _check_size("get_recent", self.store.characters(self._turns) - self.store.characters(before))
        return self._as_dicts(self.store.turns[before : self._turns])

    def rank_sessions(self, question: str | None = None, k: int = _DEFAULT) -> list[int]:
        """The positions of the k sessions that are most relevant, the best first.

        Raises:
            TypeError: The question is no text, or k no whole number.
            ValueError: The question is too long, or k is not from 0 to `MOST_AT_ONCE`.
        """
        if not isinstance(question, str | None):
            raise TypeError(f"rank_sessions takes a question, not {type(question).__name__}")
        if question != self.question:
            check_query("rank_sessions", question)
        _check_count("rank_sessions", k)
        return self.index.rank(question or self.question, k, self.question_date)

    def session_prompt(self, session: str | int, date: str | None = None, question: str | None = None) -> str:
        """The prompt that asks a sub-agent to read the session at a position, or any text."""
        if not isinstance(session, str):
            session, known_date = self._text_and_date(session)
            date = date or known_date
        return session_prompt(session, date, question or self.question, self.question_date)

    async def to_read(
        self, sessions: Sequence[str | int], dates: Sequence[str | None] | None
    ) -> tuple[list[str], list[str | None]]:
        """Texts and dates for sub-agents, from positions or texts; where no dates are given, those of the positions."""
        what = "a list of positions first, such as rank_sessions(question, 10)"
        sessions = listed("llm_query_parallel", sessions, what)
        check_at_once("llm_query_parallel", sessions)
        read = await asyncio.to_thread(
            lambda: [(each, None) if isinstance(each, str) else self._text_and_date(each) for each in sessions]
        )
        return [text for text, _ in read], list(dates or [date for _, date in read])

    def piece_of(self, text: str) -> Piece | None:
        """The piece with this text, if it was read."""
        _, piece = self._read.get(text, (None, None))
        return piece

    async def pieces_at(self, positions: Sequence[int]) -> list[Piece]:
        """The pieces at these positions; -1 is the last."""
        return await asyncio.to_thread(
            lambda: [self._read[self._text_and_date(position)[0]][1] for position in positions]
        )

    async def session_numbers(self) -> list[int]:
        """The number of each piece's session, by position."""
        return await asyncio.to_thread(self.index.session_numbers)

    def said(self, piece: Piece) -> Sequence[Turn]:
        """The turns of a piece that was read; of its session there may be too many."""
        position, _ = self._read[piece.text]
        return self.index.turns(position)

    def _text_and_date(self, position: int) -> tuple[str, str | None]:
        number = self._place(position)
        piece = self.index.piece(number)
        self._read[piece.text] = number, piece
        return piece.text, piece.date

    def _place(self, position: int) -> int:
        """A position counted from the start."""
        return from_start(position, len(self.index))

    def _as_dicts(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        return [{**as_dict(turn), "position": self.index.position_of(turn.index)} for turn in turns]


def open_workspace(
    store: MemoryStore,
    question: str,
    question_date: str | None = None,
    copy_limit: int = COPY_LIMIT,
) -> Workspace | LargeWorkspace:
    """The workspace of a question: with copies of the texts, or with functions where they are more than a limit.

    Args:
        store: The history.
        question: What is asked.
        question_date: The day on which it is asked, or None.
        copy_limit: Characters of content.

    >>> open_workspace(MemoryStore(), "Who?").copied
    True
    """
    kind: type[Workspace | LargeWorkspace] = Workspace if store.characters() <= copy_limit else LargeWorkspace
    return kind(store, question, question_date)


def check_at_once(function: str, asked: Sequence[Any]) -> None:
    """Refuse to read more of a large history in one call than its memory is meant for.

    Raises:
        ValueError: More than MOST_AT_ONCE are asked for.
    """
    if len(asked) > MOST_AT_ONCE:
        raise ValueError(f"{function} takes at most {MOST_AT_ONCE:,} at once, not {len(asked):,}")


def _check_count(function: str, count: int) -> None:
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"{function} takes a whole number, not {type(count).__name__}")
    if not 0 <= count <= MOST_AT_ONCE:
        raise ValueError(f"{function} takes a number from 0 to {MOST_AT_ONCE:,}, not {count:,}")


def _check_size(function: str, characters: int) -> None:
    if characters > COPY_LIMIT:
        raise ValueError(f"{function}: these turns hold over {COPY_LIMIT:,} characters; ask for fewer")
