"""Copies what can be read from a damaged store into a new one.

Python's `sqlite3` cannot use SQLite's own recovery, so rows are read one by one. If a page is damaged, the rows in it
are skipped, and the rows after it are looked up by their numbers.
"""

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..store.database import open_read_only
from ..store.memory_store import MemoryStore
from ..store.schema import prepare
from .json_values import HistoryFileError

_FAILURES = (sqlite3.Error, OverflowError, UnicodeError, MemoryError)  # raised for damaged pages
_SMALLEST_ROW = 20  # bytes
_SESSIONS = "SELECT number, date, title FROM sessions WHERE number"
_TURNS = "SELECT turn_index, session, role, content, timestamp, name FROM turns WHERE turn_index"


@dataclass(frozen=True, slots=True)
class Recovery:
    """The result of a check of a store.

    Args:
        path: The store.
        sound: Whether the store is undamaged. If so, nothing was copied.
        turns: The number of turns in the store, or the number that was copied.
        missing: The number of turns that could not be read, as far as can be seen from their numbers.
        copy: The new store.
    """

    path: Path
    sound: bool
    turns: int
    missing: int
    copy: Path

    def __str__(self) -> str:
        if self.sound:
            return f"{self.path} is sound: {self.turns:,} turns"
        lost = f"{self.missing:,} could not be read" if self.missing else "as far as can be told, none is missing"
        return f"{self.path} is damaged: {self.turns:,} turns were copied to {self.copy}; {lost}"


def recover(path: Path, copy: Path) -> Recovery:
    """Check a store. If it is damaged, copy what can be read to a new one.

    Args:
        path: The store. It is not changed.
        copy: The path of the new store, which is created if the store is damaged. The file must not exist.

    Raises:
        HistoryFileError: The file is not a store, no turn in it can be read, or the copy exists already.
        StoreError: Another program or another version of the package created the database.
    """
    try:
        with closing(open_read_only(path)) as source:
            source.text_factory = lambda text: text.decode("utf-8", "replace")
            with suppress(*_FAILURES):  # a damaged store raises one of these, or is not "ok"
                if source.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
                    prepare(source, path)
                    ((turns,),) = source.execute("SELECT count(*) FROM turns")
                    return Recovery(path, True, turns, 0, copy)
            if copy.exists():
                raise HistoryFileError(f"{path} is damaged, and {copy} exists already; name another file with --to")
            source.execute("PRAGMA writable_schema = ON")  # makes SQLite read a file that was cut off, too
            return _copied(source, path, copy)
    except sqlite3.Error as error:
        raise HistoryFileError(f"{path} cannot be read as a store ({error})") from None


def _copied(source: sqlite3.Connection, path: Path, copy: Path) -> Recovery:
    """Copy what can be read to a new store."""
    most = path.stat().st_size // _SMALLEST_ROW
    sessions = {number: about for number, *about in _rows(source, _SESSIONS, most)}
    if next(_rows(source, "SELECT turn_index FROM turns WHERE turn_index", most), None) is None:
        raise HistoryFileError(f"{path} is not a store, or it is damaged, and no turn of it can be read")
    session, last = None, 0
    with MemoryStore(copy) as store, store.transaction(), warnings.catch_warnings(action="ignore"):
        for last, of, role, content, timestamp, name in _rows(source, _TURNS, most):  # noqa: B007
            if of != session:
                date, title = sessions.get(of, (None, ""))
                store.start_session(date and str(date), str(title))
                session = of
            if isinstance(content, str):
                store.insert(len(store.sessions), str(role), content, str(timestamp), str(name))
        return Recovery(path, False, len(store), last - len(store), copy)


def _rows(source: sqlite3.Connection, sql: str, most: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows in the order of their numbers, up to `most`. If one cannot be read, try the next number."""
    number = 1
    while number <= most:
        try:
            for row in source.execute(f"{sql} >= ? ORDER BY 1", (number,)):
                if number <= row[0] <= most:  # a damaged page may contain any number
                    number = row[0] + 1
                    yield row
            return
        except _FAILURES:
            number += 1
