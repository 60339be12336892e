"""Copies what can be read from a damaged store into a new one.

Python's `sqlite3` cannot use SQLite's own recovery, so rows are read one by one. If a page is damaged, the rows in it
are skipped, and the rows after it are looked up by their numbers.
"""

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..store.database import open_read_only
from ..store.memory_store import MemoryStore
from ..store.schema import prepare
from .json_values import HistoryFileError

_FAILURES = (sqlite3.Error, OverflowError, UnicodeError, MemoryError)  # raised for damaged pages
_SMALLEST_ROW = 20  # bytes
_SESSIONS = "SELECT number, date, title FROM sessions WHERE number"
_TURNS = "SELECT turn_index, session, role, content, timestamp, name FROM turns WHERE turn_index"


class Recovery(NamedTuple):
    """The result of a check of a store.

    Args:
        sound: Whether the store is undamaged. If so, nothing was copied.
        turns: The number of turns in the store, or the number that was copied.
        line: What to tell the user.
    """

    sound: bool
    turns: int
    line: str


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
                    return Recovery(True, turns, f"{path} is sound: {turns:,} turns")
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
        turns, missing = len(store), last - len(store)  # as far as can be seen from the numbers of the turns
        lost = f"{missing:,} could not be read" if missing else "as far as can be told, none is missing"
        return Recovery(False, turns, f"{path} is damaged: {turns:,} turns were copied to {copy}; {lost}")


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
