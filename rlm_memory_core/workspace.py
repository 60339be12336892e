"""What the REPL holds for one question: the history's pieces, and the functions that reach it.

Here all texts are copied; `large_workspace` is for a history that is too large for it.
A piece is a session, or a part of one that is too long for one sub-agent. The code
sees pieces as `sessions`; their positions are what `rank_sessions` returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .escaping import well_formed
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


class Workspace:
    """The values and functions that the code of one question finds.

    Args:
        store: The history.
        question: What is asked.
        question_date: The day on which it is asked, or None.
        last_turn: The index of the last turn that counts; None for all.
    """

    copied = True

    def __init__(
        self, store: MemoryStore, question: str, question_date: str | None = None, last_turn: int | None = None
    ) -> None:
        self.store = store
        self.question = well_formed(question)
        self.question_date = question_date and well_formed(question_date)
        self.last_turn = len(store) if last_turn is None else last_turn
        self.sessions = [self._known(session) for session in store.sessions]
        self.turns = [turn for session in self.sessions for turn in session.turns]
        self.pieces = [piece for session in self.sessions for piece in split(session)]
        self._by_text = {piece.text: piece for piece in self.pieces}

    @property
    def size(self) -> Size:
        """How much there is."""
        return Size(len(self.pieces), len(self.turns), sum(len(turn.content) for turn in self.turns))

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
        check_query("search_history", keyword)
        return [as_dict(turn) for turn in self.store.search_history(keyword) if turn.index <= self.last_turn]

    def get_recent(self, n: int) -> list[dict[str, Any]]:
        """The last n turns (paper Section 3.2)."""
        return [as_dict(turn) for turn in self.turns[-n:]] if n > 0 else []

    def rank_sessions(self, question: str | None = None, k: int | None = None) -> list[int]:
        """Positions in `sessions`, the most relevant first; k of them, or all."""
        if k is not None and k < 0:
            raise ValueError(f"k must not be negative, not {k}")
        if question != self.question:
            check_query("rank_sessions", question)
        order = rank_sessions(self.store, question or self.question, self.question_date)
        place = {position: rank for rank, position in enumerate(order)}
        ranked = sorted(range(len(self.pieces)), key=lambda i: place[self.pieces[i].session - 1])
        return ranked[:k]

    def session_prompt(self, session: str, date: str | None = None, question: str | None = None) -> str:
        """The prompt that asks a sub-agent to read one session."""
        return session_prompt(session, date, question or self.question, self.question_date)

    def said(self, piece: Piece) -> Sequence[Turn]:
        """The turns of a piece's session that count for this question."""
        return self._known(self.store.sessions[piece.session - 1]).turns

    def to_read(
        self, sessions: Sequence[str], dates: Sequence[str | None] | None
    ) -> tuple[Sequence[str], Sequence[str | None] | None]:
        """Texts and dates for sub-agents: as they came."""
        return sessions, dates

    def piece_of(self, text: str) -> Piece | None:
        """The piece with this text."""
        return self._by_text.get(text)

    def _known(self, session: Session) -> Session:
        return replace(session, turns=tuple(turn for turn in session.turns if turn.index <= self.last_turn))


def check_query(function: str, text: object) -> None:
    """Refuse a text that is too long to search or to rank by: either would take long.

    Raises:
        ValueError: It is longer than MAX_QUERY_CHARACTERS.
    """
    if isinstance(text, str) and len(text) > MAX_QUERY_CHARACTERS:
        raise ValueError(
            f"{function} takes at most {MAX_QUERY_CHARACTERS:,} characters, not {len(text):,}; give it words"
        )


def split(session: Session, limit: int = MAX_PIECE_CHARACTERS) -> list[Piece]:
    """A session as pieces of at most `limit` characters, cut between turns.

    A turn that is longer is cut into parts, each under its heading, at the end of a line, a sentence or a word.

    >>> [piece.text for piece in split(Session(1, None, (Turn(1, 1, "user", "Hi", ""),)))]
    ['[Turn 1][user]: Hi']
    """
    pieces: list[list[str]] = []
    length = 0
    for line in (str(part) for turn in session.turns for part in _parts(turn, limit)):
        if not pieces or length + len(line) > limit:
            pieces.append([])
            length = 0
        pieces[-1].append(line)
        length += len(line) + 1
    return [Piece(session.number, session.date, "\n".join(lines)) for lines in pieces]


def _parts(turn: Turn, limit: int) -> Iterator[Turn]:
    """A turn as turns of the same number that are each serialised to at most `limit` characters."""
    if len(str(turn)) <= limit:
        yield turn
        return
    room = max(limit - len(turn.heading) - 1, 1)
    start = 0
    while start < len(turn.content):
        part = replace(turn, content=turn.content[start : start + room])
        while len(part.content) > 1 and (excess := len(str(part)) - limit) > 0:  # its escapes take room as well
            part = replace(part, content=part.content[: max(len(part.content) - excess, 1)])
        stop = start + len(part.content)
        if stop < len(turn.content):
            stop = _end(turn.content, start, stop)
        yield replace(turn, content=turn.content[start:stop])
        start = stop


def _end(text: str, start: int, stop: int) -> int:
    """The last good place to cut before `stop`: after a line, a sentence or a word, if one ends in the last fifth."""
    earliest = stop - (stop - start) // 5
    for mark in ("\n", ". ", " "):
        place = text.rfind(mark, earliest, stop)
        if place >= 0:
            return place + len(mark)
    return stop


def as_dict(turn: Turn) -> dict[str, Any]:
    """A turn as the code sees it."""
    return {"turn_index": turn.index, "role": turn.role, "content": turn.content}
