"""Turns and sessions of a history, as objects and as text (paper Section 3.1), and lazy sequences of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from .escaping import escape, label
from .times import parse_time

_T = TypeVar("_T")
_BLOCK = 1000  # items read at once while iterating


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a history.

    Args:
        index: The number of the turn in the history, from 1, as in `[Turn 1]`.
        session: The number of the session, from 1.
        role: Who said it, such as "user".
        content: What was said.
        timestamp: When it was said, as given by the caller; otherwise when it was stored, as ISO 8601 in UTC.
        name: The speaker's name, if there are several speakers with this role, or "".
    """

    index: int
    session: int
    role: str
    content: str
    timestamp: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.heading} {escape(self.content)}"

    @property
    def heading(self) -> str:
        """The text before the content, such as `[Turn 1][user]:`. `escaping` prevents content from imitating it."""
        return f"[Turn {self.index}][{label(f'{self.role} {self.name}' if self.name else self.role)}]:"

    @property
    def time(self) -> datetime | None:
        """The timestamp as a datetime, with a zone only if the timestamp names one. None if it is not a time."""
        return parse_time(self.timestamp)


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation within a history.

    Args:
        number: The number, from 1. The position in `MemoryStore.sessions` is one less.
        date: The date as it was given, or the date of the first turn with a timestamp, or None.
        turns: The turns, in order.
        title: The title, such as that of an imported conversation, or "".
    """

    number: int
    date: str | None
    turns: tuple[Turn, ...]
    title: str = ""

    @property
    def marker(self) -> str:
        """The line before a dated session, such as `[--- Session 3 | 2023/05/20 (Sat) 02:21 ---]`, with any title."""
        return f"[--- Session {self.number} | {label(self.date or '')}{self.title and f' | {label(self.title)}'} ---]"

    @property
    def text(self) -> str:
        """The serialised turns, without the marker."""
        return "\n".join(map(str, self.turns))

    def __str__(self) -> str:
        heading = [self.marker] if self.date is not None or self.title else []
        return "\n".join([*heading, *map(str, self.turns)])


def serialise(sessions: Iterable[Session]) -> str:
    """Return sessions as text, in the form of `MemoryStore.to_string`. Undated sessions without turns are left out."""
    return "\n".join(str(session) for session in sessions if session.date is not None or session.turns)


class Rows(Sequence[_T], Generic[_T]):
    """A sequence that reads its items when they are accessed, so that a large history stays on disk.

    Args:
        count: Returns the current number of items.
        fetch: Returns the items from one position up to another.

    >>> squares = Rows(lambda: 100, lambda start, stop: iter([number**2 for number in range(start, stop)]))
    >>> squares[3], squares[-2:], len(squares)
    (9, [9604, 9801], 100)
    """

    def __init__(self, count: Callable[[], int], fetch: Callable[[int, int], Iterator[_T]]) -> None:
        self._count = count
        self._fetch = fetch

    def __len__(self) -> int:
        return self._count()

    def __iter__(self) -> Iterator[_T]:
        count = len(self)
        for start in range(0, count, _BLOCK):
            yield from self._fetch(start, min(start + _BLOCK, count))

    def __getitem__(self, position: int | slice) -> Any:
        places = range(len(self))[position]
        if isinstance(places, int):
            return next(self._fetch(places, places + 1))
        if places.step == 1:
            return list(self._fetch(places.start, max(places.start, places.stop)))
        return [self[place] for place in places]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} items>"
