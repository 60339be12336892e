"""The file of recorded calls: one SQLite table, for several threads and processes. Asks no model; `recording` does.

Each row carries a checksum over all of it: what a damaged file holds is never taken
for an answer. An answer is in the file before `put` returns, so that a process killed
after that has lost nothing. The request is kept as its hash alone: with the data and
the code at hand it can be made again, and 500,000 characters a question need not be
stored twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..store.database import open_database

_APPLICATION_ID = 0x524C4D43  # "RLMC": tells our file from another program's
_VERSION = 1
_SCHEMA = """
CREATE TABLE calls (
    key TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    response TEXT NOT NULL,
    seconds REAL NOT NULL,
    created TEXT NOT NULL,
    checksum TEXT NOT NULL
) WITHOUT ROWID
"""
_COLUMNS = "key, model, response, seconds, created, checksum"
_CHOSEN = "WHERE model = coalesce(?, model) AND created < coalesce(?, '~')"  # "~" comes after all dates
_FAILURES = (sqlite3.Error, OSError, UnicodeError, OverflowError, MemoryError)  # what SQLite makes of a damaged file


class RecordingError(Exception):
    """A file of recorded calls that cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One answer as it is kept.

    Args:
        key: The hash of its request; see `recording.call_key`.
        model: Who answered.
        response: The body of the answer, JSON.
        seconds: How long the server took.
        created: When it was stored, such as "2026-01-31 23:59:59", UTC.
    """

    key: str
    model: str
    response: str
    seconds: float
    created: str

    @property
    def checksum(self) -> str:
        """A hash over all fields."""
        return digest("\0".join((self.key, self.model, self.response, repr(self.seconds), self.created)))


class CallStore:
    """The SQLite file of recorded calls.

    Args:
        path: The file, made if it is not there.

    Raises:
        RecordingError: The file cannot be opened, is damaged, or is not one of recorded calls.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._batch: tuple[list[RecordedCall], asyncio.Task[None]] | None = None
        self._committing = asyncio.Lock()
        with self._said("cannot be opened"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._reader = open_database(path, "NORMAL", self._prepare)
            self._writer = open_database(path, "NORMAL", self._prepare)  # its own: a commit never holds up a reader

    def get(self, key: str) -> RecordedCall | None:
        """The call of a key, or None where it is not recorded.

        Raises:
            RecordingError: The file is damaged.
        """
        with self._said("cannot be read"), self._lock:
            row = self._reader.execute(f"SELECT {_COLUMNS} FROM calls WHERE key = ?", (key,)).fetchone()
        return None if row is None else self._checked(row)

    async def put(self, key: str, model: str, response: str, seconds: float) -> None:
        """Store a call; one that is there already is replaced. Returns once it is committed.

        A thread commits, because a commit now and then waits for the disk or for another
        process; what comes in meanwhile is committed together.

        Raises:
            RecordingError: It cannot be written.
        """
        if self._batch is None:
            self._batch = ([], asyncio.create_task(self._commit_batch()))
        calls, committed = self._batch
        calls.append(RecordedCall(key, model, response, float(seconds), f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"))
        await asyncio.shield(committed)  # a cancelled caller takes nobody's answer away

    def records(self, model: str | None = None) -> Iterator[RecordedCall]:
        """All calls, or those of one model, oldest first; each is checked.

        Raises:
            RecordingError: The file is damaged.
        """
        with self._said("cannot be read"), self._lock:
            keys = self._reader.execute(
                f"SELECT key FROM calls {_CHOSEN} ORDER BY created, key", (model, None)
            ).fetchall()
        for (key,) in keys:
            call = self.get(key)
            if call is not None:  # another process may have pruned it
                yield call

    def prune(self, model: str | None = None, before: str | None = None) -> int:
        """Delete calls for good, and give their room back to the disk.

        Args:
            model: Only this model's; None for every model's.
            before: Only those stored before this moment, as `RecordedCall.created` writes it; None for all.

        Returns:
            How many there were.

        Raises:
            RecordingError: The file cannot be written.
        """
        with self._said("cannot be pruned"):
            deleted = self._writer.execute(f"DELETE FROM calls {_CHOSEN}", (model, before)).rowcount
            self._writer.execute("VACUUM")
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return deleted

    def verify(self) -> None:
        """Look through the whole file, which `get` does not.

        Raises:
            RecordingError: It is damaged.
        """
        with self._said("cannot be read"):
            found = self._reader.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise self._unusable(f"is damaged ({found})")

    def count(self, model: str | None = None, before: str | None = None) -> int:
        """How many calls `prune` would delete."""
        with self._said("cannot be read"), self._lock:
            return int(self._reader.execute(f"SELECT count(*) FROM calls {_CHOSEN}", (model, before)).fetchone()[0])

    def __len__(self) -> int:
        return self.count()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()

    async def aclose(self) -> None:
        """Close the file once all that was put into it is committed."""
        if self._batch is not None:
            await asyncio.wait([self._batch[1]])
        async with self._committing:
            self.close()

    async def _commit_batch(self) -> None:
        async with self._committing:  # one commit at a time; until it is our turn, calls gather
            assert self._batch is not None
            calls, self._batch = self._batch[0], None
            await asyncio.to_thread(self._write, calls)

    def _write(self, calls: list[RecordedCall]) -> None:
        rows = [(*astuple(call), call.checksum) for call in calls]
        with self._said("cannot be written"):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                self._writer.executemany(f"INSERT OR REPLACE INTO calls ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", rows)
                self._writer.execute("COMMIT")
            except BaseException:
                self._writer.rollback()
                raise

    def _checked(self, row: tuple[object, ...]) -> RecordedCall:
        *fields, checksum = row
        call = RecordedCall(*fields)  # type: ignore[arg-type]  # of whatever types: the checksum tells
        try:
            intact = call.checksum == checksum
        except (TypeError, ValueError):  # bytes, where a flipped bit made a text into them
            intact = False
        if not intact:
            raise self._unusable("is damaged (the checksum of a call differs)")
        return call

    def _prepare(self, database: sqlite3.Connection) -> None:
        """Make a new file's table; take an older one over; refuse what is neither."""
        application, version = (
            database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if (application, version) == (_APPLICATION_ID, _VERSION) and tables == {"calls"}:
            return
        if application == _APPLICATION_ID and version > _VERSION:
            raise self._unusable("was written by a later version of this package")
        if (application, version) != (0, 0) or tables - {"calls"}:
            raise self._unusable("is damaged, or is another program's database")
        older = self._older_rows(database) if tables else []
        if tables:
            database.execute("DROP TABLE calls")
        for statement in (
            f"PRAGMA application_id = {_APPLICATION_ID}", f"PRAGMA user_version = {_VERSION}", _SCHEMA,
        ):  # fmt: skip
            database.execute(statement)
        database.executemany(
            f"INSERT INTO calls ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
            ((*astuple(call), call.checksum) for call in older),
        )

    def _older_rows(self, database: sqlite3.Connection) -> list[RecordedCall]:
        """The calls of a file of version 0, whose checksums were over the response alone."""
        rows = database.execute("SELECT key, model, response, seconds, created, checksum FROM calls").fetchall()
        if any(digest(str(row[2])) != row[5] for row in rows):
            raise self._unusable("is damaged (the checksum of a call differs)")
        return [RecordedCall(*row[:5]) for row in rows]

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        """What fails here is a RecordingError, which says what the file cannot."""
        try:
            yield
        except _FAILURES as error:
            raise self._unusable(f"{what} ({error})") from error

    def _unusable(self, why: str) -> RecordingError:
        told = " ".join(why.split())[:200]  # SQLite quotes what it found, whatever that is
        return RecordingError(f"the file of recorded calls {self.path} {told}; move it away")


def digest(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal digits.

    >>> digest("")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
