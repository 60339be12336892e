"""Opens SQLite files that several processes may use at once, explains errors, and interrupts slow statements."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from .time_limit import check_time

_PATIENCE, _PAUSE = 30.0, 0.002  # seconds to wait for another process, and between two tries
_DAMAGED = "{path} is damaged ({name}); copy out what can be read: rlm-memory check {path}"
_MEANINGS = {
    "SQLITE_BUSY": "another program keeps writing to {path}; try again when it has finished",
    "SQLITE_FULL": "the disk is full: nothing was added to {path}, what was stored before can be read; free some space",
    "SQLITE_IOERR": "the disk failed at {path} ({name}): check its free space, quota and health; what was stored stays",
    "SQLITE_READONLY": "{path} cannot be written; all that is stored can be read",
    "SQLITE_NOTADB": "{path} is not a history in SQLite, or its beginning is damaged; give another path",
    "SQLITE_CANTOPEN": "cannot open {path} as a history: no such folder, no permission, or it is a folder; name a file",
}


class _Database(sqlite3.Connection):
    """Waits while another process writes, and closes itself when it is no longer used: Python 3.13 warns otherwise.

    SQLite's own waiting makes longer and longer pauses, so that one of many processes may wait for seconds.
    """

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run a statement; try again for half a minute while the file is locked."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return super().execute(sql, parameters)
            except sqlite3.OperationalError as error:
                is_locked = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY  # the rest says by what
                if not is_locked or time.monotonic() > deadline:
                    raise
                check_time()
                time.sleep(_PAUSE)

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:  # it was never opened, or the interpreter is shutting down
            return


def open_database(
    path: Path | None, synchronous: Literal["FULL", "NORMAL"], prepare: Callable[[sqlite3.Connection], None]
) -> sqlite3.Connection:
    """Open a database in autocommit mode, with a write-ahead log, for use by any thread.

    Args:
        path: The file, created if it does not exist; None keeps the database in memory.
        synchronous: With "FULL", a commit survives a power failure. With "NORMAL", it survives only a killed process.
        prepare: Checks the file and creates its tables, in a separate transaction. If it raises, the file is unchanged.

    Raises:
        sqlite3.Error: The file is not a database, or cannot be opened.
    """
    database = sqlite3.connect(
        path or ":memory:", isolation_level=None, check_same_thread=False, timeout=0, factory=_Database
    )
    database.set_progress_handler(check_time, 10_000)
    try:
        database.execute("BEGIN IMMEDIATE")
        prepare(database)
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {synchronous}")
    except BaseException:
        database.close()
        raise
    return database


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a database without changing it or creating other files. Other processes may be writing to it."""
    # if the file has no log, no process has it open; an immutable reader creates neither a log nor a lock
    alone = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{alone}", uri=True)


def explain(error: sqlite3.Error, path: Path | None) -> str:
    """Return a line that says what went wrong with a history's file and what to do. It quotes nothing from it."""
    if isinstance(error, sqlite3.ProgrammingError):
        return "the history is closed; open it again with MemoryStore(path)"
    name = getattr(error, "sqlite_errorname", "SQLITE_CORRUPT")
    meaning = next((meaning for begin, meaning in _MEANINGS.items() if name.startswith(begin)), _DAMAGED)
    return meaning.format(path=path or "the history in memory", name=name)
