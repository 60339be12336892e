"""Gives the code of one question access to a history that is copied into the REPL as a whole.

The code sees pieces (`search.pieces`) as `sessions`; `rank_sessions` returns their positions. `large_workspace` is for
a history that is too large to be copied. Both show the history as it was when the query began.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..repl.date_functions import days_between, parse_date
from ..repl.hostcalls import listed
from ..search.pieces import Piece, split
from ..search.ranking import rank_pieces
from ..store.escaping import well_formed
from ..store.memory_store import MemoryStore
from ..store.turns import Turn, serialise
from .prompts.record import session_prompt

MAX_QUERY_CHARACTERS = 10_000  # of a text to search or to rank by

DATE_FUNCTIONS: dict[str, Callable[..., Any]] = {"parse_date": parse_date, "days_between": days_between}


@dataclass(frozen=True, slots=True)
class Size:
    """How much a history holds.

    Args:
        sessions: Its pieces, which the code calls sessions.
        turns: Its turns.
        characters: Of the content of its turns.
    """

    sessions: int
    turns: int
    characters: int


class Workspace:
    """A history whose texts are all copied into the REPL.

    Args:
        store: The history.
        question: The user's question.
        question_date: The day on which it is asked, or None.
    """

    copied = True
    takes = "a list of session texts first, such as `sessions`"  # for `llm_query_parallel`

    def __init__(self, store: MemoryStore, question: str, question_date: str | None = None) -> None:
        self.store = store.snapshot()  # what is said during the query does not count
        self.question = well_formed(question)
        self.question_date = question_date and well_formed(question_date)
        self._positions: dict[int, int] = {}  # of pieces, by the hash of their text or of a prompt that holds it
        self._open()

    def _open(self) -> None:
        self.sessions = list(self.store.sessions)
        self.turns = [turn for session in self.sessions for turn in session.turns]
        self.pieces = [piece for session in self.sessions for piece in split(session)]
        self._positions = {hash(piece.text): position for position, piece in enumerate(self.pieces)}

    @property
    def size(self) -> Size:
        """How much the history holds."""
        return Size(len(self.pieces), len(self.turns), sum(len(turn.content) for turn in self.turns))

    def session_count(self) -> int:
        """How many sessions hold a turn. A long session is several pieces."""
        return len(set(self.session_numbers()))

    def session_numbers(self) -> list[int]:
        """The number of each piece's session, by position."""
        return [piece.session for piece in self.pieces]

    def piece(self, position: int) -> Piece:
        """The piece at a position, counted from 0."""
        return self.pieces[position]

    def recognise(self, text: str) -> Piece | None:
        """The piece whose text this is, or which this prompt asks about; None for any other text.

        The code passes free text. A prompt is recognised if `session_prompt` made it from the text of a piece.
        """
        position = self._positions.get(hash(text))
        return None if position is None else self.piece(position)

    def prompt(self, text: str, date: str | None, question: str | None) -> str:
        """The prompt that asks a sub-agent to read a text."""
        return session_prompt(text, date, question or self.question, self.question_date)

    def assignments(
        self, sessions: Sequence[Any], dates: Sequence[str | None] | None, question: str | None
    ) -> list[tuple[str, Piece]]:
        """The prompt and the piece of each sub-agent of a fan-out.

        Args:
            sessions: As the code gave them: texts, or positions of a history that is not copied.
            dates: One date a session, or None: a position then has its session's date, a text has none.
            question: What is asked; None for the user's question.

        Raises:
            TypeError: The sessions are not a list of these.
            ValueError: There are more or fewer dates than sessions.
        """
        sessions = listed("llm_query_parallel", sessions, self.takes)
        self.check_sessions(sessions)
        pieces = [
            (self.recognise(each) or Piece(0, None, each)) if isinstance(each, str) else self.piece(each)
            for each in sessions
        ]
        known = [None if isinstance(each, str) else piece.date for each, piece in zip(sessions, pieces, strict=True)]
        dates = listed("llm_query_parallel", dates or known, "a list of dates second")
        if len(dates) != len(sessions):
            raise ValueError(f"llm_query_parallel got {len(sessions)} sessions but {len(dates)} dates")
        return [(self.prompt(piece.text, date, question), piece) for piece, date in zip(pieces, dates, strict=True)]

    def check_sessions(self, sessions: Sequence[Any]) -> None:
        """Refuse what `llm_query_parallel` cannot read.

        Raises:
            TypeError: A session is not a text.
        """
        if not all(isinstance(each, str) for each in sessions):
            raise TypeError(f"llm_query_parallel takes {self.takes}")

    def values(self) -> dict[str, Any]:
        """The names that the code can read. The REPL calls a function when the code first reads its name."""
        return {
            "question": self.question,
            "question_date": self.question_date,
            "sessions": [piece.text for piece in self.pieces],
            "session_dates": [piece.date for piece in self.pieces],
            "history_turns": lambda: [as_dict(turn) for turn in self.turns],
            "context": lambda: serialise(self.sessions),
        }

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The names that the code can call. What reads the history's file works in a thread."""
        return {
            "search_history": in_thread(self.search_history),
            "get_recent": self.get_recent,
            "rank_sessions": in_thread(self.rank_sessions),
            "session_prompt": self.session_prompt,
            **DATE_FUNCTIONS,
        }

    def session_prompt(self, session: Any, date: str | None = None, question: str | None = None) -> str:
        """The prompt that asks a sub-agent to read one session, for the code to send by `llm_query`."""
        prompt = self.prompt(session, date, question)
        if isinstance(session, str) and (position := self._positions.get(hash(session))) is not None:
            self._positions[hash(prompt)] = position
        return prompt

    def search_history(self, keyword: str) -> list[dict[str, Any]]:
        """The turns that contain the keyword (paper Section 3.2)."""
        check_query("search_history", "a keyword", keyword)
        return [as_dict(turn) for turn in self.store.search_history(keyword)]

    def get_recent(self, n: int) -> list[dict[str, Any]]:
        """The last n turns (paper Section 3.2)."""
        return [as_dict(turn) for turn in self.turns[-n:]] if n > 0 else []

    def rank_sessions(self, question: str | None = None, k: int | None = None) -> list[int]:
        """Positions in `sessions`, the most relevant first; k of them, or all."""
        ranked = rank_pieces(self.store, self.question_to_rank(question), self.question_date, k)
        return [position for position in ranked if position < len(self.pieces)]

    def question_to_rank(self, question: str | None) -> str:
        """The question that the code ranks by, checked; the user's if it gives none."""
        if question is not None and question != self.question:
            check_query("rank_sessions", "a question", question)
        return question or self.question


def check_query(function: str, what: str, text: object) -> None:
    """Refuse a value that cannot be searched or ranked by, or would take long.

    Raises:
        TypeError: It is not a string.
        ValueError: It is longer than MAX_QUERY_CHARACTERS.
    """
    if not isinstance(text, str):
        raise TypeError(f"{function} takes {what}, not {type(text).__name__}")
    if len(text) > MAX_QUERY_CHARACTERS:
        raise ValueError(
            f"{function} takes at most {MAX_QUERY_CHARACTERS:,} characters, not {len(text):,}; give it words"
        )


def in_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    """A coroutine function that runs a function in a thread, so that other queries go on."""

    @functools.wraps(function)
    async def threaded(*args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(function, *args, **kwargs)

    return threaded


def as_dict(turn: Turn) -> dict[str, Any]:
    """A turn as the code sees it."""
    shown = {"turn_index": turn.index, "role": turn.role, "content": turn.content}
    return {**shown, "name": turn.name} if turn.name else shown
