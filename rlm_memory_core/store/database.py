"""Opening a SQLite file that several processes may open at the same moment. Knows no table of ours."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

_PATIENCE = 30.0  # seconds to wait for another process


def open_database(
    path: Path | None, synchronous: Literal["FULL", "NORMAL"], prepare: Callable[[sqlite3.Connection], None]
) -> sqlite3.Connection:
    """A connection in autocommit mode, with write-ahead logging, for any thread.

    Args:
        path: The file, made if it is not there; None keeps it in memory.
        synchronous: "FULL" survives a power cut after each commit, "NORMAL" a killed process.
        prepare: Looks at the file and makes its tables, alone and in one transaction. Where it raises, the
            file stays as it was.

    Raises:
        sqlite3.Error: It is no database, or cannot be opened.
    """
    database = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=_PATIENCE)
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
        except sqlite3.OperationalError as error:  # SQLite itself does not wait for a lock here
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
