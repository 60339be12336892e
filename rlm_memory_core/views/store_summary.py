"""Summarises a history: its size, dates and speakers, and how its first and last sessions begin.

It reads a fixed number of rows, so ten million turns are summarised as fast as ten. The speakers are those of the first
and the last thousand turns; if there are more turns, the summary says so.
"""

from dataclasses import dataclass

from ..store.escaping import label
from ..store.memory_store import MemoryStore, StoreError
from .rendering import counted, in_one_line, render

_SHOWN = 3  # sessions shown at each end
_READ = 1000  # turns or sessions read at each end
_OPENING = 100  # maximum characters
_ROLES = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One session of the summary.

    Args:
        number: The session's number, from 1.
        date: The date as it was given, or "".
        turns: How many turns the session has.
        role: Who speaks first, or "" in an empty session.
        opening: The beginning of the first turn, on one line.
    """

    number: int
    date: str
    turns: int
    role: str = ""
    opening: str = ""

    def __str__(self) -> str:
        opening = f' {self.role}: "{self.opening}"' if self.turns else ""
        date = f" | {self.date}" if self.date else ""
        return f"  session {self.number}{date} | {counted(self.turns, 'turn')}{opening}"


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of a history.

    Args:
        place: The history's file, or "in memory".
        sizes: The numbers of sessions, turns and characters, in words.
        dates: The first and the last date, in words, or "".
        speakers: Who speaks, in words, or "".
        first: The first sessions.
        last: The last sessions that are not among the first.
        left_out: How many sessions are between the first and the last ones.
    """

    place: str
    sizes: str
    dates: str
    speakers: str
    first: tuple[Row, ...]
    last: tuple[Row, ...]
    left_out: int

    def __str__(self) -> str:
        speakers = f"who speaks: {self.speakers}" if self.speakers else ""
        gap = f"  ... {counted(self.left_out, 'session')} ..." if self.left_out else ""
        lines = [f"history {self.place}: {self.sizes}", self.dates, speakers, *self.first, gap, *self.last]
        return "\n".join(str(line) for line in lines if line)


def summary_html(store: MemoryStore) -> str | None:
    """Return the summary for a notebook, or None if the store is closed."""
    try:
        return render("store", summary=summarise(store))
    except StoreError:
        return None


def summary_text(store: MemoryStore) -> str:
    """Return the summary for a terminal, or the store's `repr` if it is closed."""
    try:
        return str(summarise(store))
    except StoreError:
        return repr(store)


def summarise(store: MemoryStore) -> Summary:
    """Summarise a history.

    Raises:
        StoreError: The store is closed or cannot be read.

    >>> store = MemoryStore()
    >>> turn = store.add("user", "My cat is called Mochi.")
    >>> print(summarise(store))
    history in memory: 1 session, 1 turn, 23 characters
    who speaks: user
      session 1 | 1 turn user: "My cat is called Mochi."
    """
    sessions, turns = len(store.sessions), len(store)
    sizes = ((sessions, "session"), (turns, "turn"), (store.characters(), "character"))
    split = min(_SHOWN, sessions)
    first = tuple(row(store, number) for number in range(1, split + 1))
    last = tuple(row(store, number) for number in range(max(split, sessions - _SHOWN) + 1, sessions + 1))
    return Summary(
        place=str(store.path or "in memory"),
        sizes=", ".join(counted(number, noun) for number, noun in sizes),
        dates=_dates(store, sessions),
        speakers=_speakers(store, turns),
        first=first,
        last=last,
        left_out=sessions - len(first) - len(last),
    )


def _dates(store: MemoryStore, sessions: int) -> str:
    """Return the first and the last date, as found in the first and the last thousand sessions."""
    dated = "SELECT date FROM sessions WHERE date IS NOT NULL AND number"
    rows = store.query(f"{dated} <= ? ORDER BY number LIMIT 1", (_READ,))
    rows += store.query(f"{dated} > ? ORDER BY number DESC LIMIT 1", (sessions - _READ,))
    dates = list(dict.fromkeys(label(date) for (date,) in rows))
    if len(dates) < 2:
        return "".join(f"of {date}" for date in dates)
    return f"from {dates[0]} to {dates[1]}"


def _speakers(store: MemoryStore, turns: int) -> str:
    ends = "turn_index <= ? OR turn_index > ?"
    rows = store.query(f"SELECT DISTINCT role FROM turns WHERE {ends}", (_READ, turns - _READ))
    roles = sorted({label(role) for (role,) in rows})
    names = ", ".join(roles[:_ROLES]) + (", …" if len(roles) > _ROLES else "")
    return f"{names} (in the first and the last {_READ:,} turns)" if turns > 2 * _READ else names


def row(store: MemoryStore, number: int) -> Row:
    """Return the row of one session."""
    [(date,)] = store.query("SELECT date FROM sessions WHERE number = ?", (number,)) or [(None,)]
    date = label(date or "")
    ends = "SELECT {}(turn_index) FROM turns WHERE session = ?1"  # one end per query, so that SQLite uses the index
    [(first, last)] = store.query(f"SELECT ({ends.format('min')}), ({ends.format('max')})", (number,))
    if first is None:
        return Row(number, date, 0)
    [(role, opening)] = store.query("SELECT role, substr(content, 1, 1000) FROM turns WHERE turn_index = ?", (first,))
    return Row(number, date, last - first + 1, label(role), in_one_line(opening, _OPENING))
