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

Warn = Callable[[str], None]
"""Called with a line about each part that cannot be read."""

_TOLD = 3  # problems that are reported one by one
# counting visits each page that holds turns: SQLite reports a damaged one, in a small part of the time of its own check
_VISITED = ("turns NOT INDEXED", "turns INDEXED BY turns_by_session", "sessions")


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
