"""An append-only conversation history, in memory or in one SQLite file (paper Section 3.1).

A `MemoryStore` keeps turns in the order in which they were said, grouped into
sessions. It does not summarise, rewrite or forget, and it calls no model.
Ranking lives in `ranking`; what is here finds turns by keyword and by recency.

Both forms are SQLite: the file form commits every append to disk before it
returns, so that a process killed in mid-append loses nothing it was told is stored.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from .database import open_database
from .escaping import escape, label, well_formed

_T = TypeVar("_T")
_BLOCK = 1000  # rows read at once while iterating: a history of any size stays on disk

_SCHEMA = (
    "CREATE TABLE sessions (number INTEGER PRIMARY KEY, date TEXT)",
    """CREATE TABLE turns (
        turn_index INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES sessions (number),
        role TEXT NOT NULL,
        content TEXT NOT NULL,
        characters INTEGER NOT NULL,
        timestamp TEXT NOT NULL
    )""",
    "CREATE INDEX turns_by_session ON turns (session)",
)
_APPLICATION_ID = 0x524C4D31  # "RLM1": tells our file from another program's
_TURN = "SELECT turn_index, session, role, content, timestamp FROM turns"


class StoreError(Exception):
    """A history file that cannot be used; the message says why and what to do."""


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
        """What stands before the content, such as `[Turn 1][user]:`; no content can pose as it (`escaping`)."""
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
        """The turns as they are serialised, without the marker."""
        return "\n".join(map(str, self.turns))

    def __str__(self) -> str:
        heading = [] if self.date is None else [self.marker]
        return "\n".join([*heading, *map(str, self.turns)])


class _Rows(Sequence[_T], Generic[_T]):
    """A sequence that reads each item when it is asked for, so that a large history stays on disk."""

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
        if isinstance(position, slice):
            start, stop, step = position.indices(len(self))
            if step == 1:
                return list(self._fetch(start, max(start, stop)))
            return [self[i] for i in range(start, stop, step)]
        place = range(len(self))[position]
        return next(self._fetch(place, place + 1))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} items>"


class MemoryStore:
    """Append-only turns in sessions.

    Args:
        path: The history's file, made if it is not there; None keeps it in memory.

    Raises:
        StoreError: The file is not a history, or cannot be opened.

    >>> store = MemoryStore()
    >>> store.start_session(date="2023/05/20 (Sat) 02:21")
    1
    >>> store.add("user", "My cat is called Mochi.").index
    1
    >>> print(store.to_string())
    [--- Session 1 | 2023/05/20 (Sat) 02:21 ---]
    [Turn 1][user]: My cat is called Mochi.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._lock = threading.RLock()
        self._db = self._open()

    def start_session(self, date: str | None = None) -> int:
        """Begin a session; the turns that follow belong to it. Returns its number.

        Turns added before any session form an undated one of their own.
        """
        date = None if date is None else well_formed(date)
        with self.transaction():
            return _row_id(self._db.execute("INSERT INTO sessions (date) VALUES (?)", (date,)))

    def add(self, role: str, content: str, timestamp: str | None = None) -> Turn:
        """Append one turn to the current session, and return it as stored.

        Raises:
            TypeError: Role or content is not a string.
        """
        if not isinstance(role, str) or not isinstance(content, str):
            raise TypeError(
                f"a turn's role and content are strings, not {type(role).__name__} and {type(content).__name__}"
            )
        role, content = well_formed(role), well_formed(content)
        timestamp = well_formed(timestamp) if timestamp else datetime.now(UTC).isoformat(timespec="seconds")
        with self.transaction():
            (session,) = self._db.execute("SELECT max(number) FROM sessions").fetchone()
            if session is None:
                session = self.start_session()
            cursor = self._db.execute(
                "INSERT INTO turns (session, role, content, characters, timestamp) VALUES (?, ?, ?, ?, ?)",
                (session, role, content, len(content), timestamp),
            )
        return Turn(_row_id(cursor), session, role, content, timestamp)

    def extend(self, turns: Iterable[tuple[str, str]]) -> None:
        """Append (role, content) pairs in one transaction: all of them are kept, or none."""
        with self.transaction():
            for role, content in turns:
                self.add(role, content)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group appends: they are committed together at the end, or not at all if the block raises."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.rollback()
                raise
            self._db.commit()

    @property
    def turns(self) -> Sequence[Turn]:
        """All turns in order, read as they are asked for."""
        return _Rows(
            self.__len__,
            lambda start, stop: self._turns(f"{_TURN} WHERE turn_index > ? AND turn_index <= ?", start, stop),
        )

    @property
    def sessions(self) -> Sequence[Session]:
        """All sessions in order, read as they are asked for."""
        return _Rows(lambda: self._one("SELECT count(*) FROM sessions"), self._sessions)

    def search_history(self, keyword: str) -> list[Turn]:
        """The turns that contain the keyword, whatever its case, in order (paper Section 3.2)."""
        wanted = keyword.lower()
        return [turn for turn in self.turns if wanted in turn.content.lower()]

    def get_recent(self, n: int) -> list[Turn]:
        """The last n turns, in order (paper Section 3.2); [] where n is not positive."""
        return list(self.turns[-n:]) if n > 0 else []

    def to_string(self) -> str:
        """The whole history, each turn under its heading, each dated session under its marker (paper Section 3.1).

        Content that looks like a heading or a marker has a backslash before it; `escaping.unescape` takes it away.
        """
        return serialise(self.sessions)

    def characters(self) -> int:
        """Characters of all turns' content, without the prefixes that `to_string` adds."""
        return self._one("SELECT coalesce(sum(characters), 0) FROM turns")

    def close(self) -> None:
        """Close the file. A closed store cannot be used."""
        self._db.close()

    def __len__(self) -> int:
        return self._one("SELECT coalesce(max(turn_index), 0) FROM turns")

    def __enter__(self) -> MemoryStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<MemoryStore {self.path or 'in memory'}: {len(self)} turns in {len(self.sessions)} sessions>"

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run SQL on the history's own database: the seam for an index that lives beside the turns."""
        with self._lock:
            return self._db.execute(sql, parameters).fetchall()

    def _open(self) -> sqlite3.Connection:
        try:
            return open_database(self.path, "FULL", self._prepare)
        except sqlite3.Error as error:
            raise StoreError(f"cannot open {self.path} as a history ({error}); give another path") from error

    def _prepare(self, database: sqlite3.Connection) -> None:
        if database.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID:
            return
        if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise StoreError(f"{self.path} is a database of another program; give a new file for the history")
        for statement in (f"PRAGMA application_id = {_APPLICATION_ID}", *_SCHEMA):
            database.execute(statement)

    def _one(self, sql: str) -> int:
        return int(self.query(sql)[0][0])

    def _turns(self, sql: str, *parameters: int) -> Iterator[Turn]:
        for index, session, role, content, timestamp in self.query(f"{sql} ORDER BY turn_index", parameters):
            yield Turn(index, session, role, content, timestamp)

    def _sessions(self, start: int, stop: int) -> Iterator[Session]:
        rows = self.query(
            "SELECT number, date FROM sessions WHERE number > ? AND number <= ? ORDER BY number", (start, stop)
        )
        for number, date in rows:
            yield Session(number, date, tuple(self._turns(f"{_TURN} WHERE session = ?", number)))


def serialise(sessions: Iterable[Session]) -> str:
    """Sessions as one text, as `MemoryStore.to_string` gives it; an undated session without turns leaves no trace."""
    return "\n".join(str(session) for session in sessions if session.date is not None or session.turns)


def _row_id(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:
        raise StoreError("the history did not number the new row")
    return cursor.lastrowid
