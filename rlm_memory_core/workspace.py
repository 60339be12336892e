"""What the REPL holds for one question: the history's pieces, and the functions that reach it.

A piece is a session, or a part of one that is too long for one sub-agent. The code
sees pieces as `sessions`; their positions are what `rank_sessions` returns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from .prompts import session_prompt
from .ranking import rank_sessions
from .store import MemoryStore, Session, Turn, serialise

MAX_QUERY_CHARACTERS = 10_000  # of what the code searches or ranks by
MAX_PIECE_CHARACTERS = 40_000  # about 10,000 tokens: one sub-agent's reading


@dataclass(frozen=True, slots=True)
class Piece:
    """What one sub-agent reads.

    Args:
        session: Its session's number, from 1.
        date: Its session's date, or None.
        text: Its turns, serialised.
    """

    session: int
    date: str | None
    text: str


class Workspace:
    """The values and functions that the code of one question finds.

    Args:
        store: The history.
        question: What is asked.
        question_date: The day on which it is asked, or None.
        last_turn: The index of the last turn that counts; None for all.
    """

    def __init__(
        self, store: MemoryStore, question: str, question_date: str | None = None, last_turn: int | None = None
    ) -> None:
        self.store = store
        self.question = question
        self.question_date = question_date
        self.last_turn = len(store) if last_turn is None else last_turn
        self.sessions = [self._known(session) for session in store.sessions]
        self.turns = [turn for session in self.sessions for turn in session.turns]
        self.pieces = [piece for session in self.sessions for piece in split(session)]

    def values(self) -> dict[str, Any]:
        """The names the code can read."""
        return {
            "question": self.question,
            "question_date": self.question_date,
            "sessions": [piece.text for piece in self.pieces],
            "session_dates": [piece.date for piece in self.pieces],
            "history_turns": [as_dict(turn) for turn in self.turns],
            "context": serialise(self.sessions),
        }

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The names the code can call, but for the sub-agents'."""
        return {
            "search_history": self.search_history,
            "get_recent": self.get_recent,
            "rank_sessions": self.rank_sessions,
            "session_prompt": self.session_prompt,
        }

    def search_history(self, keyword: str) -> list[dict[str, Any]]:
        """The turns that contain the keyword (paper Section 3.2)."""
        _check_size("search_history", keyword)
        return [as_dict(turn) for turn in self.store.search_history(keyword) if turn.index <= self.last_turn]

    def get_recent(self, n: int) -> list[dict[str, Any]]:
        """The last n turns (paper Section 3.2)."""
        return [as_dict(turn) for turn in self.turns[-n:]] if n > 0 else []

    def rank_sessions(self, question: str | None = None, k: int | None = None) -> list[int]:
        """Positions in `sessions`, the most relevant first; k of them, or all."""
        if k is not None and k < 0:
            raise ValueError(f"k must not be negative, not {k}")
        if question != self.question:
            _check_size("rank_sessions", question)
        order = rank_sessions(self.store, question or self.question)
        place = {position: rank for rank, position in enumerate(order)}
        ranked = sorted(range(len(self.pieces)), key=lambda i: place[self.pieces[i].session - 1])
        return ranked[:k]

    def session_prompt(self, session: str, date: str | None = None, question: str | None = None) -> str:
        """The prompt that asks a sub-agent to read one session."""
        return session_prompt(session, date, question or self.question, self.question_date)

    def _known(self, session: Session) -> Session:
        return replace(session, turns=tuple(turn for turn in session.turns if turn.index <= self.last_turn))


def _check_size(function: str, text: object) -> None:
    if isinstance(text, str) and len(text) > MAX_QUERY_CHARACTERS:
        raise ValueError(
            f"{function} takes at most {MAX_QUERY_CHARACTERS:,} characters, not {len(text):,}; give it words"
        )


def split(session: Session, limit: int = MAX_PIECE_CHARACTERS) -> list[Piece]:
    """A session as pieces of at most `limit` characters, cut between turns; one turn is never cut.

    >>> [piece.text for piece in split(Session(1, None, (Turn(1, 1, "user", "Hi", ""),)))]
    ['[Turn 1][user]: Hi']
    """
    pieces: list[list[str]] = []
    length = 0
    for line in map(str, session.turns):
        if not pieces or length + len(line) > limit:
            pieces.append([])
            length = 0
        pieces[-1].append(line)
        length += len(line) + 1
    return [Piece(session.number, session.date, "\n".join(lines)) for lines in pieces]


def as_dict(turn: Turn) -> dict[str, Any]:
    """A turn as the code sees it."""
    return {"turn_index": turn.index, "role": turn.role, "content": turn.content}
