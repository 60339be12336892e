"""The file of recorded calls: one SQLite table that several threads and processes can share.

Each row has a checksum over all its fields, so that a damaged file never returns a wrong answer. `put` returns once the
answer is in the file, so a process that is killed later loses nothing. Only a hash of the request is stored, because
the data and the code can recreate it, and a question may take 500,000 characters.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import user_cache_path

from ..store.database import open_database
from .types import RecordingError as RecordingError

_MARK = 0x524C4D43  # "RLMC": identifies the file as ours
_SCHEMA = """
CREATE TABLE calls (key TEXT PRIMARY KEY, model TEXT NOT NULL, response TEXT NOT NULL, seconds REAL NOT NULL,
                    created TEXT NOT NULL, checksum TEXT NOT NULL) WITHOUT ROWID
"""
_CHOSEN = "WHERE model = coalesce(?, model) AND created < coalesce(?, '~')"  # "~" sorts after all dates


def cache_path() -> Path:
    """Return the folder for recorded calls and downloads: $RLM_MEMORY_CACHE, or else the user's cache folder."""
    return Path(os.environ.get("RLM_MEMORY_CACHE") or user_cache_path("rlm-memory"))


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One stored answer.

    Args:
        key: The hash of its request; see `recorded_calls.call_key`.
        model: The model that answered.
        response: The body of the answer, as JSON.
        seconds: How long the server took.
        created: The UTC time at which it was stored, such as "2026-01-31 23:59:59".
    """

    key: str
    model: str
    response: str
    seconds: float
    created: str

    @property
    def checksum(self) -> str:
        """A hash over all fields."""
        fields = "\0".join(map(str, astuple(self)))
        return hashlib.sha256(fields.encode("utf-8", "surrogatepass")).hexdigest()


class CannotRecord(RecordingError):
    """The file cannot be created, read or written, for example because of a full disk or no home folder."""


class CallStore:
    """The SQLite file of recorded calls.

    Args:
        path: The file. It is created if it does not exist.

    Raises:
        RecordingError: The file cannot be opened, is damaged, or belongs to another program.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._reporting("cannot be opened"):
            if path.parts[:1] == ("~",):
                raise FileNotFoundError("there is no home folder")
            if not path.exists():  # only the user may read the file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch(mode=0o600)
            self._database = open_database(path, "NORMAL", self._prepare)  # a commit takes 50 microseconds

    def get(self, key: str) -> RecordedCall | None:
        """Return the call with this key, or None if it is not recorded.

        Raises:
            RecordingError: The file is damaged.
        """
        return next(self._read("WHERE key = ?", (key,)), None)

    def records(self, model: str | None = None) -> Iterator[RecordedCall]:
        """Yield all calls, or those of one model, oldest first. Check the checksum of each.

        Raises:
            RecordingError: The file is damaged.
        """
        return self._read(f"{_CHOSEN} ORDER BY created, key", (model, None))

    def _read(self, chosen: str, values: tuple[str | None, ...]) -> Iterator[RecordedCall]:
        with self._reporting("cannot be read"):
            for *fields, checksum in self._database.execute(f"SELECT * FROM calls {chosen}", values):
                call = RecordedCall(*fields)
                if call.checksum != checksum:
                    raise self._unusable("is damaged (the checksum of a call differs)")
                yield call

    def put(self, key: str, model: str, response: str, seconds: float) -> None:
        """Store or replace a call, and return once it is committed.

        Raises:
            RecordingError: The file cannot be written.
        """
        call = RecordedCall(key, model, response, float(seconds), f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}")
        values = (*astuple(call), call.checksum)
        with self._reporting("cannot be written"):
            self._database.execute("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?)", values)

    def prune(self, model: str | None = None, before: str | None = None) -> int:
        """Delete calls and shrink the file.

        Args:
            model: Only calls of this model; None for all.
            before: Only calls stored before this time, written as in `RecordedCall.created`; None for all.

        Returns:
            The number of deleted calls.

        Raises:
            RecordingError: The file cannot be written.
        """
        with self._reporting("cannot be pruned"):
            deleted = self._database.execute(f"DELETE FROM calls {_CHOSEN}", (model, before)).rowcount
            self._database.execute("VACUUM")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return deleted

    def count(self, model: str | None = None, before: str | None = None) -> int:
        """Return the number of calls that `prune` would delete."""
        with self._reporting("cannot be read"):
            return int(self._database.execute(f"SELECT count(*) FROM calls {_CHOSEN}", (model, before)).fetchone()[0])

    __len__ = count

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _prepare(self, database: sqlite3.Connection) -> None:
        """Create the table in a new file. Refuse a file that does not hold recorded calls."""
        (mark,) = database.execute("PRAGMA application_id").fetchone()
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if not (mark or tables):
            database.execute(f"PRAGMA application_id = {_MARK}")
            database.execute(_SCHEMA)
        elif (mark, tables) != (_MARK, ["calls"]):
            raise self._unusable("is damaged, or was written by another program or another version of this one")

    @contextmanager
    def _reporting(self, what: str) -> Iterator[None]:
        """Turn failures into a RecordingError that says what failed."""
        try:
            yield
        except (OSError, sqlite3.OperationalError) as error:
            raise CannotRecord(f"the file of recorded calls {self.path} {what} ({error})") from error
        except (sqlite3.Error, UnicodeError, OverflowError, MemoryError) as error:  # of a damaged file
            raise self._unusable(f"{what} ({error})") from error

    def _unusable(self, why: str) -> RecordingError:
        reason = " ".join(why.split())[:200]  # SQLite may quote long contents
        return RecordingError(f"the file of recorded calls {self.path} {reason}; move it away")
