"""An append-only conversation history, in memory or in one SQLite file (paper Section 3.1).

A `MemoryStore` keeps turns in the order in which they were said, grouped into
sessions. It does not summarise, rewrite or forget, and it calls no model.
Ranking lives in `ranking`; what is here finds turns by keyword and by recency.

Both forms are SQLite: the file form commits every append to disk before it
returns, so that a process killed in mid-append loses nothing it was told is stored.
Ten million turns open, count and append as fast as ten: what is asked of the whole
history is either kept as a running total or read block by block (`layout`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from .database import open_database
from .display import as_html, as_text
from .escaping import well_formed
from .rows import Rows
from .schema import APPLICATION_ID, LayoutError, create, update
from .substring import is_beyond_like, likeness
from .turns import Session, Turn, serialise

_SCANNED = 100_000  # turns searched at once: between two such blocks others may use the store
_TURN = "SELECT turn_index, session, role, content, timestamp FROM turns"
_INSERT = """INSERT INTO turns (turn_index, session, role, total_characters, beyond_like, timestamp, content)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""


class StoreError(Exception):
    """A history file that cannot be used; the message says why and what to do."""


class _Closed:
    """What stands in the database's place after its end."""

    def close(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        raise StoreError("the history is closed; open it again with MemoryStore(path)")


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

        Args:
            role: Who said it, such as "user"; any text.
            content: What was said.
            timestamp: When, in any form; None for now, as ISO 8601 in UTC.

        Raises:
            TypeError: Role or content is not a string.
            StoreError: Another program has been writing to the file for half a minute, or the store is closed.
        """
        role, content = _checked(role, content)
        timestamp = well_formed(timestamp) if timestamp else _now()
        with self.transaction():
            session = self._current_session()
            index = len(self) + 1
            total = self.characters() + len(content)
            self._db.execute(_INSERT, (index, session, role, total, is_beyond_like(content), timestamp, content))
        return Turn(index, session, role, content, timestamp)

    def extend(self, turns: Iterable[tuple[str, str]]) -> None:
        """Append (role, content) pairs in one transaction: all of them are kept, or none.

        Raises:
            TypeError: A role or a content is not a string.
        """
        with self.transaction():
            self._db.executemany(_INSERT, self._rows(turns))

    def _rows(self, turns: Iterable[tuple[str, str]]) -> Iterator[tuple[int, int, str, int, bool, str, str]]:
        """Pairs as the rows that are appended next."""
        session, total, index, now = 0, self.characters(), len(self), _now()
        for said in turns:
            role, content = _checked(*said)
            session = session or self._current_session()
            index, total = index + 1, total + len(content)
            yield index, session, role, total, is_beyond_like(content), now, content

    def _current_session(self) -> int:
        return len(self.sessions) or self.start_session()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group appends: they are committed together at the end, or not at all if the block raises.

        Raises:
            StoreError: Another program has been writing to the file for half a minute.
        """
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._begin()
            try:
                yield
            except BaseException:
                self._db.rollback()
                raise
            self._db.commit()

    def _begin(self) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise StoreError(
                f"another program is writing to {self.path} and has not come to an end; try again when it has"
            ) from error

    @property
    def turns(self) -> Sequence[Turn]:
        """All turns in order, read as they are asked for."""
        return Rows(
            self.__len__,
            lambda start, stop: self._turns(f"{_TURN} WHERE turn_index > ? AND turn_index <= ?", start, stop),
        )

    @property
    def sessions(self) -> Sequence[Session]:
        """All sessions in order, read as they are asked for."""
        return Rows(lambda: self._one("SELECT coalesce(max(number), 0) FROM sessions"), self._sessions)

    def search_history(self, keyword: str, limit: int | None = None) -> list[Turn]:
        """The turns that contain the keyword, whatever its case, in order (paper Section 3.2).

        Args:
            keyword: Any text; it is read literally, also as a part of a word.
            limit: At most so many, the newest ones; None for all.

        Raises:
            TypeError: The keyword is not a string.
            ValueError: The limit is negative.
        """
        if not isinstance(keyword, str):
            raise TypeError(f"a keyword is a string, not {type(keyword).__name__}")
        if limit is not None and limit < 0:
            raise ValueError(f"limit must not be negative, not {limit}")
        wanted, (condition, parameter) = keyword.lower(), likeness(well_formed(keyword))
        sql = f"{_TURN} WHERE turn_index > ? AND turn_index <= ? AND {condition} ORDER BY turn_index DESC"
        found: list[Turn] = []
        for stop in range(len(self), 0, -_SCANNED):
            for turn in self._each(sql, max(stop - _SCANNED, 0), stop, parameter):
                if limit is not None and len(found) >= limit:
                    return found[::-1]
                if wanted in turn.content.lower():
                    found.append(turn)
        return found[::-1]

    def get_recent(self, n: int) -> list[Turn]:
        """The last n turns, in order (paper Section 3.2); [] where n is not positive."""
        return list(self.turns[-n:]) if n > 0 else []

    def to_string(self) -> str:
        """The whole history, each turn under its heading, each dated session under its marker (paper Section 3.1).

        Content that looks like a heading or a marker has a backslash before it; `escaping.unescape` takes it away.
        """
        return serialise(self.sessions)

    def characters(self, turns: int | None = None) -> int:
        """Characters of all turns' content, or of the first `turns` turns', without the prefixes of `to_string`."""
        last = len(self) if turns is None else turns
        return self._one("SELECT coalesce(max(total_characters), 0) FROM turns WHERE turn_index = ?", last)

    def close(self) -> None:
        """Close the file. A closed store cannot be used: what is asked of it raises a StoreError."""
        self._db.close()
        self._db = cast(sqlite3.Connection, _Closed())

    def __len__(self) -> int:
        return self._one("SELECT coalesce(max(turn_index), 0) FROM turns")

    def __enter__(self) -> MemoryStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        place = self.path or "in memory"
        try:
            return f"<MemoryStore {place}: {len(self):,} turns in {len(self.sessions):,} sessions>"
        except StoreError:
            return f"<MemoryStore {place}: closed>"

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str | None:
        return as_html(self)

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
        try:
            if database.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
                update(database)
            else:
                create(database)
        except LayoutError as error:
            raise StoreError(f"{self.path} {error}") from error

    def _one(self, sql: str, *parameters: int) -> int:
        return int(self.query(sql, parameters)[0][0])

    def _turns(self, sql: str, *parameters: int) -> Iterator[Turn]:
        for row in self.query(f"{sql} ORDER BY turn_index", parameters):
            yield Turn(*row)

    def _each(self, sql: str, *parameters: int | str) -> Iterator[Turn]:
        """Turns one by one, none of them kept here; the store is ours until the last."""
        with self._lock:
            cursor = self._db.execute(sql, parameters)
            try:
                for row in cursor:
                    yield Turn(*row)
            finally:
                cursor.close()

    def _sessions(self, start: int, stop: int) -> Iterator[Session]:
        rows = self.query(
            "SELECT number, date FROM sessions WHERE number > ? AND number <= ? ORDER BY number", (start, stop)
        )
        for number, date in rows:
            yield Session(number, date, tuple(self._turns(f"{_TURN} WHERE session = ?", number)))


def _checked(role: str, content: str) -> tuple[str, str]:
    if not isinstance(role, str) or not isinstance(content, str):
        raise TypeError(
            f"a turn's role and content are strings, not {type(role).__name__} and {type(content).__name__}"
        )
    return well_formed(role), well_formed(content)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _row_id(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:
        raise StoreError("the history did not number the new row")
    return cursor.lastrowid
