"""Turns and sessions of a history, as objects and as text (paper Section 3.1), and lazy sequences of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar, overload

from .escaping import escape, label
from .times import parse_time

_T = TypeVar("_T")
_BLOCK = 1000  # items read at once while iterating


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a history.

    Args:
        index: Its number in the history, from 1, as `[Turn 1]` prints it.
        session: The number of its session, from 1.
        role: Who said it, such as "user".
        content: What was said.
        timestamp: When it was said, as the caller gave it; otherwise when it was stored, ISO 8601 in UTC.
        name: The speaker's name, if several speak in this role, or "".
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
        """The text before the content, such as `[Turn 1][user]:`. `escaping` keeps content from imitating it."""
        return f"[Turn {self.index}][{label(f'{self.role} {self.name}' if self.name else self.role)}]:"

    @property
    def time(self) -> datetime | None:
        """The timestamp as a time: with a zone if it names one, without if it does not, None if it is no time."""
        return parse_time(self.timestamp)


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation within a history.

    Args:
        number: Its number, from 1; its position in `MemoryStore.sessions` is one less.
        date: The date as it was given, or that of the first turn whose time was given, or None.
        turns: Its turns, in order.
        title: Its title, such as that of an imported conversation, or "".
    """

    number: int
    date: str | None
    turns: tuple[Turn, ...]
    title: str = ""

    @property
    def marker(self) -> str:
        """The line before a dated session, such as `[--- Session 3 | 2023/05/20 (Sat) 02:21 ---]`; a title follows."""
        return f"[--- Session {self.number} | {label(self.date or '')}{self.title and f' | {label(self.title)}'} ---]"

    @property
    def text(self) -> str:
        """The serialised turns, without the marker."""
        return "\n".join(map(str, self.turns))

    def __str__(self) -> str:
        heading = [self.marker] if self.date is not None or self.title else []
        return "\n".join([*heading, *map(str, self.turns)])


def serialise(sessions: Iterable[Session]) -> str:
    """Sessions as one text, as `MemoryStore.to_string` returns it. An undated session without turns adds nothing."""
    return "\n".join(str(session) for session in sessions if session.date is not None or session.turns)


class Rows(Sequence[_T], Generic[_T]):
    """A sequence that reads its items when they are asked for, so that a large history stays on disk.

    Args:
        count: Returns how many items there are now.
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

    @overload
    def __getitem__(self, position: int) -> _T: ...
    @overload
    def __getitem__(self, position: slice) -> list[_T]: ...
    def __getitem__(self, position: int | slice) -> _T | list[_T]:
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
