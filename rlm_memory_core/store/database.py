"""Opens SQLite files that several processes may use at the same moment."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

_PATIENCE = 30.0  # seconds to wait for another process


class _Database(sqlite3.Connection):
    """Closes itself when nobody uses it any more; Python 3.13 warns of a connection that was not closed."""

    def __del__(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it was never opened
            self.close()


def open_database(
    path: Path | None, synchronous: Literal["FULL", "NORMAL"], prepare: Callable[[sqlite3.Connection], None]
) -> sqlite3.Connection:
    """Open a database in autocommit mode, with a write-ahead log, for use by any thread.

    Args:
        path: The file, created if it does not exist; None keeps the database in memory.
        synchronous: With "FULL" a commit survives a power cut, with "NORMAL" a killed process.
        prepare: Checks the file and creates its tables, in a transaction of its own. If it raises, the file stays as
            it was.

    Raises:
        sqlite3.Error: The file is not a database, or cannot be opened.
    """
    database = sqlite3.connect(
        path or ":memory:", isolation_level=None, check_same_thread=False, timeout=_PATIENCE, factory=_Database
    )
    try:
        database.execute("BEGIN IMMEDIATE")
        prepare(database)
        database.execute("COMMIT")
        _use_write_ahead_log(database)
        database.execute(f"PRAGMA synchronous = {synchronous}")
    except BaseException:
        database.close()
        raise
    return database


def _use_write_ahead_log(database: sqlite3.Connection) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:  # SQLite does not wait for this lock by itself
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
