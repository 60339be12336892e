"""Opens a history file without changing it, and copies what can be read from a damaged store into a new one.

A history file is a store, or messages that are read into a store in memory. A store is first copied to a temporary
file, so that search can create its indexes there. A file that is not a history raises a `HistoryFileError` with a
one-line message.

Python's `sqlite3` cannot use SQLite's own recovery, so rows are read one by one. If a page is damaged, the rows in it
are skipped, and the rows after it are looked up by their numbers.
"""

import io
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..store.database import explain, open_read_only
from ..store.memory_store import MemoryStore, StoreError
from ..store.schema import prepare
from .json_values import HistoryFileError
from .reader import import_stream

Warn = Callable[[str], None]
"""Called with a line about each part that cannot be read."""

_TOLD = 3  # problems that are reported one by one
# counting visits each page that holds turns: SQLite reports a damaged one, in a small part of the time of its own check
_VISITED = ("turns NOT INDEXED", "turns INDEXED BY turns_by_session", "sessions")
_FAILURES = (sqlite3.Error, OverflowError, UnicodeError, MemoryError)  # raised for damaged pages
_SMALLEST_ROW = 20  # bytes
_SESSIONS = "SELECT number, date, title FROM sessions WHERE number"
_TURNS = "SELECT turn_index, session, role, content, timestamp, name FROM turns WHERE turn_index"


def is_store(path: Path) -> bool:
    """Return whether a file is an SQLite database, as stores are. A file that does not exist is not one."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


@contextmanager
def open_history(path: Path, warn: Warn = lambda line: None) -> Iterator[MemoryStore]:
    """Open the history in a file for the duration of a `with` block. The file is not changed.

    Args:
        path: A store, or a file that `import_file` can read.
        warn: See `Warn`.

    Raises:
        HistoryFileError: The file is neither of these, or the store cannot be read.
        OSError: The file cannot be read.
    """
    if not is_store(path):
        with path.open("rb") as file, read_messages(file, str(path), warn) as store:
            yield store
        return
    with tempfile.TemporaryDirectory(prefix="rlm-memory-") as folder:
        copy = Path(folder) / "history.db"
        try:
            with closing(open_read_only(path)) as source, closing(sqlite3.connect(copy)) as target:
                source.backup(target)  # other processes may be writing to the source
            with MemoryStore(copy) as store:
                for each in _VISITED:
                    store.query(f"SELECT count(*) FROM {each}")
                yield store
        except sqlite3.Error as error:
            raise HistoryFileError(explain(error, path)) from None
        except StoreError as error:
            raise HistoryFileError(str(error).replace(str(copy), str(path))) from None


def read_messages(content: bytes | io.BufferedReader, name: str, warn: Warn = lambda line: None) -> MemoryStore:
    """Read messages into a store in memory.

    Args:
        content: A file that `import_file` can read, or its content.
        name: The file's name, for errors.
        warn: See `Warn`.

    Raises:
        HistoryFileError: No part of the content can be read.

    >>> store = read_messages(b'[{"role": "user", "content": "Hi", "date": "2023/05/20"}]', "a.json")
    >>> print(store.to_string())
    [--- Session 1 | 2023/05/20 ---]
    [Turn 1][user]: Hi
    """
    store = MemoryStore()
    file: io.BufferedReader = io.BufferedReader(io.BytesIO(content)) if isinstance(content, bytes) else content
    for line in import_stream(store, file, name).lines(_TOLD):
        warn(f"{name}: {line}")
    return store


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
