"""An append-only conversation history, in memory or in one SQLite file (paper Section 3.1).

A `MemoryStore` keeps turns in the order in which they were said, grouped into sessions. It does not summarise,
rewrite or forget, and it calls no model. It finds turns by keyword and by recency; `search` ranks them.

Both forms are SQLite. Every append to a file is on disk before it returns, so that a killed process loses nothing
that was stored. Ten million turns open, count and append as fast as ten: figures about the whole history are running
totals or are read block by block.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from .database import open_database
from .display import as_html, as_text
from .escaping import well_formed
from .schema import StoreError, prepare
from .substring import comparable, is_beyond_like, substring_condition
from .turns import Rows, Session, Turn, serialise

__all__ = ["MemoryStore", "StoreError"]

_SCANNED = 100_000  # turns searched at once; between two such blocks other threads may use the store
_TURN = "SELECT turn_index, session, role, content, timestamp FROM turns"
_INSERT = """INSERT INTO turns (turn_index, session, role, total_characters, beyond_like, timestamp, content)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
_Row = tuple[int, int, str, int, bool, str, str]


class _Closed:
    """Takes the database's place after `MemoryStore.close`."""

    def close(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        raise StoreError("the history is closed; open it again with MemoryStore(path)")


class MemoryStore:
    """Append-only turns in sessions.

    Args:
        path: The history's file, created if it does not exist; None keeps the history in memory.

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
        try:
            self._db = open_database(self.path, "FULL", lambda database: prepare(database, self.path))
        except sqlite3.Error as error:
            raise StoreError(f"cannot open {self.path} as a history ({error}); give another path") from error

    def start_session(self, date: str | None = None) -> int:
        """Begin a session and return its number; the turns that follow belong to it.

        Turns added before any session form an undated session of their own.
        """
        date = None if date is None else well_formed(date)
        with self.transaction():
            number = len(self.sessions) + 1
            self._db.execute("INSERT INTO sessions (number, date) VALUES (?, ?)", (number, date))
        return number

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
        with self.transaction():
            (row,) = self._rows([(role, content)], timestamp)
            self._db.execute(_INSERT, row)
        index, session, role, _, _, timestamp, content = row
        return Turn(index, session, role, content, timestamp)

    def extend(self, turns: Iterable[tuple[str, str]]) -> None:
        """Append (role, content) pairs in one transaction: all of them are stored, or none.

        Raises:
            TypeError: A role or a content is not a string.
        """
        with self.transaction():
            self._db.executemany(_INSERT, self._rows(turns))

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
            try:
                self._db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                said = f"another program keeps writing to {self.path}; try again when it has finished"
                raise StoreError(said) from error
            try:
                yield
            except BaseException:
                self._db.rollback()
                raise
            self._db.commit()

    def _rows(self, turns: Iterable[tuple[str, str]], timestamp: str | None = None) -> Iterator[_Row]:
        """The rows to insert next; begins a session if there is none."""
        timestamp = well_formed(timestamp or datetime.now(UTC).isoformat(timespec="seconds"))
        index, total, session = len(self), self.characters(), len(self.sessions)
        for role, content in turns:
            if not isinstance(role, str) or not isinstance(content, str):
                kinds = f"{type(role).__name__} and {type(content).__name__}"
                raise TypeError(f"a turn's role and content are strings, not {kinds}")
            session = session or self.start_session()
            content = well_formed(content)
            index, total = index + 1, total + len(content)
            yield index, session, well_formed(role), total, is_beyond_like(content), timestamp, content

    @property
    def turns(self) -> Sequence[Turn]:
        """All turns in order, each read when it is asked for."""
        return Rows(self.__len__, lambda start, stop: self._turns("turn_index > ? AND turn_index <= ?", start, stop))

    @property
    def sessions(self) -> Sequence[Session]:
        """All sessions in order, each read when it is asked for."""
        return Rows(lambda: self._one("SELECT coalesce(max(number), 0) FROM sessions"), self._sessions)

    def search_history(self, keyword: str, limit: int | None = None) -> list[Turn]:
        """Find the turns that contain the keyword in any letter case, oldest first (paper Section 3.2).

        Args:
            keyword: Any text; it is searched literally, also within words.
            limit: The most turns to return, the newest ones; None for all.

        Raises:
            TypeError: The keyword is not a string.
            ValueError: The limit is negative.
        """
        if not isinstance(keyword, str):
            raise TypeError(f"a keyword is a string, not {type(keyword).__name__}")
        if limit is not None and limit < 0:
            raise ValueError(f"limit must not be negative, not {limit}")
        wanted, (condition, parameter) = comparable(well_formed(keyword)), substring_condition(well_formed(keyword))
        sql = f"{_TURN} WHERE turn_index > ? AND turn_index <= ? AND {condition} ORDER BY turn_index DESC"
        found: list[Turn] = []
        for stop in range(len(self), 0, -_SCANNED):
            for turn in self._each(sql, max(stop - _SCANNED, 0), stop, parameter):
                if limit is not None and len(found) >= limit:
                    return found[::-1]
                if wanted in comparable(turn.content):
                    found.append(turn)
        return found[::-1]

    def get_recent(self, n: int) -> list[Turn]:
        """The last n turns, in order (paper Section 3.2); [] if n is not positive."""
        return list(self.turns[-n:]) if n > 0 else []

    def to_string(self) -> str:
        """The whole history as text: a heading before each turn, a marker before each dated session (Section 3.1).

        Content that looks like a heading or a marker gets a backslash before it; `escaping.unescape` removes it.
        """
        return serialise(self.sessions)

    def characters(self, turns: int | None = None) -> int:
        """Characters of all turns' content, or of the first `turns` turns', without the prefixes of `to_string`."""
        last = len(self) if turns is None else turns
        return self._one("SELECT coalesce(max(total_characters), 0) FROM turns WHERE turn_index = ?", last)

    def close(self) -> None:
        """Close the file. Any later use of the store raises a StoreError."""
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
        """Run SQL on the history's database; `search` keeps its indexes there."""
        with self._lock:
            return self._db.execute(sql, parameters).fetchall()

    def _one(self, sql: str, *parameters: int) -> int:
        return int(self.query(sql, parameters)[0][0])

    def _turns(self, condition: str, *parameters: int) -> Iterator[Turn]:
        for row in self.query(f"{_TURN} WHERE {condition} ORDER BY turn_index", parameters):
            yield Turn(*row)

    def _each(self, sql: str, *parameters: int | str) -> Iterator[Turn]:
        """Turns one by one, none of them kept in memory; other threads wait until the last one."""
        with self._lock, closing(self._db.execute(sql, parameters)) as cursor:
            for row in cursor:
                yield Turn(*row)

    def _sessions(self, start: int, stop: int) -> Iterator[Session]:
        sql = "SELECT number, date FROM sessions WHERE number > ? AND number <= ? ORDER BY number"
        for number, date in self.query(sql, (start, stop)):
            yield Session(number, date, tuple(self._turns("session = ?", number)))
