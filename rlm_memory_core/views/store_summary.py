"""What a history holds, at a glance: sizes, dates, who speaks, how its first and last sessions open.

Everything is a look-up by number, so that ten million turns are summed up as fast as ten; what would need all of
them (who speaks) is read from the first and the last thousand turns, and the summary says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..store.escaping import label
from ..store.memory_store import MemoryStore, StoreError
from .rendering import counted, in_one_line, render

_SHOWN = 3  # sessions at either end
_READ = 1000  # turns or sessions at either end
_OPENING = 100  # characters
_ROLES = 8

Query = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Line:
    """One session of the summary.

    Args:
        number: The session's number, from 1.
        date: Its date as it was given; "" for none.
        turns: How many turns it has.
        role: Who opens it; "" where it has no turn.
        opening: The first words of its first turn, in one line.
    """

    number: int
    date: str
    turns: int
    role: str
    opening: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A history at a glance.

    Args:
        place: Its file, or "in memory".
        sessions: How many sessions there are.
        turns: How many turns.
        characters: Of their content.
        dates: The first and the last date, as they were given, where the first and the last thousand sessions have one.
        roles: Who speaks, by name.
        all_roles: Whether every turn was looked at for them.
        first: The first sessions.
        last: The last sessions that are not among the first.
    """

    place: str
    sessions: int
    turns: int
    characters: int
    dates: tuple[str, ...]
    roles: tuple[str, ...]
    all_roles: bool
    first: tuple[Line, ...]
    last: tuple[Line, ...]

    @property
    def left_out(self) -> int:
        """Sessions that are in neither list."""
        return self.sessions - len(self.first) - len(self.last)

    @property
    def who(self) -> str:
        """Who speaks, in words; "" where nobody does."""
        named = ", ".join(self.roles[:_ROLES]) + (", …" if len(self.roles) > _ROLES else "")
        return named if self.all_roles or not named else f"{named} (in the first and the last {_READ:,} turns)"

    @property
    def sizes(self) -> str:
        """How much there is, in words."""
        counts = ((self.sessions, "session"), (self.turns, "turn"), (self.characters, "character"))
        return ", ".join(counted(number, noun) for number, noun in counts)

    @property
    def when(self) -> str:
        """The first and the last date, in words; "" where there is none."""
        if len(self.dates) < 2:
            return "".join(f"of {date}" for date in self.dates)
        return f"from {self.dates[0]} to {self.dates[-1]}"

    def to_html(self) -> str:
        """The summary for a notebook."""
        return render("store", summary=self)

    def __str__(self) -> str:
        lines = [f"history {self.place}: {self.sizes}"]
        if self.when:
            lines.append(self.when)
        if self.who:
            lines.append(f"who speaks: {self.who}")
        lines += map(_as_text, self.first)
        if self.left_out:
            lines.append(f"  ... {counted(self.left_out, 'session')} ...")
        return "\n".join([*lines, *map(_as_text, self.last)])


def summary_html(store: MemoryStore) -> str | None:
    """The history at a glance, for a notebook; None where its file is closed."""
    summary = _summary(store)
    return None if summary is None else summary.to_html()


def summary_text(store: MemoryStore) -> str:
    """The history at a glance, for a terminal."""
    summary = _summary(store)
    return repr(store) if summary is None else str(summary)


def _summary(store: MemoryStore) -> Summary | None:
    try:
        return summarise(str(store.path or "in memory"), store.characters(), store.query)
    except StoreError:
        return None


def summarise(place: str, characters: int, query: Query) -> Summary:
    """Sum up a history.

    Args:
        place: Its file, or "in memory".
        characters: Of all its turns' content.
        query: Runs SQL on its tables (`layout`) with parameters, and gives the rows.
    """
    [(sessions,)] = query("SELECT coalesce(max(number), 0) FROM sessions", ())
    [(turns,)] = query("SELECT coalesce(max(turn_index), 0) FROM turns", ())
    split = min(_SHOWN, sessions)
    return Summary(
        place=place,
        sessions=sessions,
        turns=turns,
        characters=characters,
        dates=_dates(query, sessions),
        roles=_roles(query, turns),
        all_roles=turns <= 2 * _READ,
        first=tuple(_line(query, number) for number in range(1, split + 1)),
        last=tuple(_line(query, number) for number in range(max(split, sessions - _SHOWN) + 1, sessions + 1)),
    )


def _dates(query: Query, sessions: int) -> tuple[str, ...]:
    ends = (("number <= ?", _READ, "ASC"), ("number > ?", sessions - _READ, "DESC"))
    found = (
        query(f"SELECT date FROM sessions WHERE date IS NOT NULL AND {part} ORDER BY number {order} LIMIT 1", (bound,))
        for part, bound, order in ends
    )
    return tuple(dict.fromkeys(label(row[0]) for rows in found for row in rows))


def _roles(query: Query, turns: int) -> tuple[str, ...]:
    rows = query("SELECT DISTINCT role FROM turns WHERE turn_index <= ? OR turn_index > ?", (_READ, turns - _READ))
    return tuple(sorted({label(role) for (role,) in rows}))


def _line(query: Query, number: int) -> Line:
    [(date,)] = query("SELECT date FROM sessions WHERE number = ?", (number,)) or [(None,)]
    [(first,)] = query("SELECT min(turn_index) FROM turns WHERE session = ?", (number,))
    if first is None:
        return Line(number, label(date or ""), 0, "", "")
    [(last,)] = query("SELECT max(turn_index) FROM turns WHERE session = ?", (number,))
    [(role, opening)] = query("SELECT role, substr(content, 1, 1000) FROM turns WHERE turn_index = ?", (first,))
    return Line(number, label(date or ""), last - first + 1, label(role), in_one_line(opening, _OPENING))


def _as_text(line: Line) -> str:
    said = f' {line.role}: "{line.opening}"' if line.turns else ""
    date = f" | {line.date}" if line.date else ""
    return f"  session {line.number}{date} | {counted(line.turns, 'turn')}{said}"
