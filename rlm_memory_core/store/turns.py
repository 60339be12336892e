"""Turns and sessions of a history, and how they are written as text (paper Section 3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .escaping import escape, label


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a history.

    Args:
        index: Its number in the history, from 1, as `[Turn 1]` prints it.
        session: The number of its session, from 1.
        role: Who said it, such as "user".
        content: What was said.
        timestamp: When it was stored, ISO 8601 in UTC, unless the caller gave another.
    """

    index: int
    session: int
    role: str
    content: str
    timestamp: str

    def __str__(self) -> str:
        return f"{self.heading} {escape(self.content)}"

    @property
    def heading(self) -> str:
        """The text before the content, such as `[Turn 1][user]:`. `escaping` keeps content from imitating it."""
        return f"[Turn {self.index}][{label(self.role)}]:"


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation within a history.

    Args:
        number: Its number, from 1; its position in `MemoryStore.sessions` is one less.
        date: The date as it was given, or None.
        turns: Its turns, in order.
    """

    number: int
    date: str | None
    turns: tuple[Turn, ...]

    @property
    def marker(self) -> str:
        """The line before a dated session, such as `[--- Session 3 | 2023/05/20 (Sat) 02:21 ---]`."""
        return f"[--- Session {self.number} | {label(self.date or '')} ---]"

    @property
    def text(self) -> str:
        """The serialised turns, without the marker."""
        return "\n".join(map(str, self.turns))

    def __str__(self) -> str:
        heading = [] if self.date is None else [self.marker]
        return "\n".join([*heading, *map(str, self.turns)])


def serialise(sessions: Iterable[Session]) -> str:
    """Sessions as one text, as `MemoryStore.to_string` returns it. An undated session without turns adds nothing."""
    return "\n".join(str(session) for session in sessions if session.date is not None or session.turns)
