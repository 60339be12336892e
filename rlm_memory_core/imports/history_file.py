"""Opens a history file without changing it: a store, or messages that are read into a store in memory.

A store is first copied to a temporary file, so that search can create its indexes there. A file that is not a history
raises a `HistoryFileError` with a one-line message.
"""

import io
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ..store.database import explain, open_read_only
from ..store.memory_store import MemoryStore, StoreError
from .json_values import HistoryFileError
from .reader import import_stream

_SQLITE = b"SQLite format 3\0"
_TOLD = 3  # problems that are reported one by one


@contextmanager
def open_history(path: Path, warn: Callable[[str], None] = lambda line: None) -> Iterator[MemoryStore]:
    """Open the history in a file for the duration of a `with` block. The file is not changed.

    Args:
        path: A store, or a file that `import_file` can read.
        warn: Called with a line about each part that cannot be read.

    Raises:
        HistoryFileError: The file is neither of these, or the store cannot be read.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        if file.peek(len(_SQLITE))[: len(_SQLITE)] != _SQLITE:
            with _read(file, str(path), warn) as store:
                yield store
            return
    with tempfile.TemporaryDirectory(prefix="rlm-memory-") as folder:
        copy = Path(folder) / "history.db"
        _copy_store(path, copy)
        try:
            with MemoryStore(copy) as store:
                yield store
        except StoreError as error:
            raise HistoryFileError(str(error).replace(str(copy), str(path))) from None


def read_messages(content: bytes, name: str, warn: Callable[[str], None] = lambda line: None) -> MemoryStore:
    """Read messages into a store in memory.

    Args:
        content: The content of a file that `import_file` can read.
        name: The file's name, for errors.
        warn: Called with a line about each part that cannot be read.

    Raises:
        HistoryFileError: No part of the content can be read.

    >>> store = read_messages(b'[{"role": "user", "content": "Hi", "date": "2023/05/20"}]', "a.json")
    >>> print(store.to_string())
    [--- Session 1 | 2023/05/20 ---]
    [Turn 1][user]: Hi
    """
    return _read(io.BufferedReader(io.BytesIO(content)), name, warn)


def _read(file: io.BufferedReader, name: str, warn: Callable[[str], None]) -> MemoryStore:
    store = MemoryStore()
    try:
        report = import_stream(store, file)
    except HistoryFileError as error:
        raise HistoryFileError(f"{name} cannot be read as a history: {error}") from None
    for line in report.lines(_TOLD):
        warn(f"{name}: {line}")
    return store


def _copy_store(path: Path, copy: Path) -> None:
    """Copy a database that other processes may be writing to, without changing it or creating files next to it."""
    try:
        with closing(open_read_only(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            damage = target.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise HistoryFileError(explain(error, path)) from None
    if damage != "ok":
        raise HistoryFileError(f"{path} is damaged; copy out what can be read: rlm-memory check {path}")
