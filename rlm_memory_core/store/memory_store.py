"""An append-only conversation history, in memory or in one SQLite file (paper Section 3.1).

A `MemoryStore` keeps turns in the order in which they were said, grouped into sessions. It does not summarise,
rewrite or forget, and it calls no model. It finds turns by keyword and by recency; `search` ranks them.

Both forms use SQLite. Every append to a file is on disk before it returns, so a killed process loses nothing that was
stored. Opening, counting and appending are as fast with ten million turns as with ten, because totals are stored with
each turn. Searches read block by block.
"""

import copy
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import starmap
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from .database import explain, open_database
from .display import as_html, as_text
from .escaping import well_formed
from .schema import StoreError, prepare
from .sessions import SessionWriter
from .substring import LONGEST, MAY_HOLD, comparable
from .time_limit import check_time
from .times import GAP, check_date, parse_time
from .turns import Rows, Session, Turn, serialise

__all__ = ["MemoryStore", "StoreError"]

_SCANNED = 10_000  # turns searched at once; between two such blocks, other threads may use the store
COLUMNS = "turn_index, session, role, content, timestamp, name"
"""The columns of the table `turns` that are the fields of a `Turn`."""
_LAST = "SELECT turn_index, total_characters FROM turns ORDER BY turn_index DESC LIMIT 1"
_INSERT = """INSERT INTO turns (turn_index, session, role, total_characters, timestamp, name, content, folded)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


class MemoryStore(AbstractContextManager["MemoryStore"]):
    """A chat history: turns in sessions. You can only append to it.

    `start_session` begins a session. A turn also begins one if its time is on a different day from the last turn's, or
    at least `gap` later. The session then has a date. Each open store writes its own sessions: if another program has
    begun a session in the same file, the next turn here begins a new one.

    Args:
        path: The history's file, created if it does not exist. None keeps the history in memory.
        tz: The user's time zone, such as "America/Los_Angeles"; None means this machine's. It decides which day a time
            with a zone belongs to. A time without a zone is what the user's clock showed. The two kinds of times cannot
            be compared, so a turn begins a session if the one before has the other kind. See `times.parse_time`.
        gap: The silence after which a new session begins.

    Raises:
        StoreError: The file is not a history, or cannot be opened. Also raised by any method if the file is damaged,
            the disk is full, or another program has been writing for half a minute.
        KeyError: The time zone is unknown.

    >>> store = MemoryStore()
    >>> store.start_session(date="2023/05/20 (Sat) 02:21")
    1
    >>> store.add("user", "My cat is called Mochi.").index
    1
    >>> print(store.to_string())
    [--- Session 1 | 2023/05/20 (Sat) 02:21 ---]
    [Turn 1][user]: My cat is called Mochi.
    """

    def __init__(self, path: str | Path | None = None, *, tz: str | tzinfo | None = None, gap: timedelta = GAP) -> None:
        self.path = None if path is None else Path(path)
        self.gap, self.tz = gap, ZoneInfo(tz) if isinstance(tz, str) else tz
        self._lock = threading.RLock()
        self._writer = SessionWriter(self.query, self.tz, gap)
        self._end: tuple[int, int] | None = None  # last turn and session of a snapshot
        try:
            self._db = open_database(self.path, "FULL", lambda database: prepare(database, self.path))
        except sqlite3.Error as error:
            raise StoreError(explain(error, self.path)) from None

    def start_session(self, date: str | None = None, title: str = "") -> int:
        """Begin a session and return its number. The turns that you add next belong to it.

        Turns that you add before any session form a session without a date, unless they have a timestamp.

        Args:
            date: The session's date. None means the date of the first turn with a timestamp. If `times.parse_time`
                cannot read the date, it is shown, but nothing is found by it, and a warning says so.
            title: The session's title, or "".
        """
        check_date(date)
        with self.transaction():
            return self._writer.begin(None if date is None else well_formed(date), well_formed(title))

    def add(self, role: str, content: str, timestamp: str | datetime | None = None, name: str = "") -> Turn:
        """Append one turn to the current session, and return it as stored.

        Args:
            role: Who said it, such as "user". Any text is allowed.
            content: What was said.
            timestamp: When it was said. If it is None, the turn joins the current session and gets the present time,
                as ISO 8601 in UTC. If `times.parse_time` cannot read it, the turn joins the session, with a warning.
            name: The speaker's name, if there are several speakers with this role.

        Raises:
            TypeError: An argument has the wrong type.

        >>> print(MemoryStore().add("user", "Hello.", "2023-05-20T02:21:00-07:00", name="Ada"))
        [Turn 1][user Ada]: Hello.
        """
        timestamp = timestamp.isoformat() if isinstance(timestamp, datetime) else timestamp
        for value in (role, content, name, timestamp or ""):
            if not isinstance(value, str):
                raise TypeError(f"a turn's role, content, name and timestamp are strings, not {type(value).__name__}")
        check_date(timestamp)
        with self.transaction():
            session = self._writer.of_turn(parse_time(timestamp or ""))
            now = datetime.now(UTC).isoformat(timespec="seconds")
            return self.insert(session, role, content, timestamp or now, name)

    def insert(self, session: int, role: str, content: str, timestamp: str, name: str) -> Turn:
        """Append a turn to a given session, within a transaction. This is for `imports` and `experiments`."""
        ((last, total),) = self.query(_LAST) or [(0, 0)]
        turn = Turn(last + 1, session, *map(well_formed, (role, content, timestamp, name)))
        total += len(turn.content)
        folded = None if turn.content.isascii() else comparable(turn.content)
        self.query(_INSERT, (turn.index, session, turn.role, total, turn.timestamp, turn.name, turn.content, folded))
        return turn

    def extend(self, turns: Iterable[tuple[str, str]]) -> None:
        """Append (role, content) pairs in one transaction, which stores all of them or none.

        Raises:
            TypeError: A role or a content is not a string.
        """
        with self.transaction():
            for role, content in turns:
                self.add(role, content)

    @contextmanager
    def transaction(self, derived: bool = False) -> Iterator[None]:
        """Group appends, and store them together at the end of the block. If the block raises, none are stored.

        Args:
            derived: Whether the block only writes data that can be rebuilt, such as an index. It then does not wait for
                the disk. A power failure may undo it, but not the turns.

        Raises:
            StoreError: This is a snapshot, and `derived` is false.
        """
        if self._end is not None and not derived:
            raise StoreError("a snapshot can only be read; add turns to the store that it was taken of")
        with self._lock:
            self.query("SELECT 1")  # fails if the store is closed
            if self._db.in_transaction:
                yield
                return
            self.query(f"PRAGMA synchronous = {'NORMAL' if derived else 'FULL'}")
            self.query("BEGIN IMMEDIATE")
            try:
                yield
                self.query("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # the store was closed meanwhile
                    self._db.rollback()
                raise

    def snapshot(self) -> "MemoryStore":
        """Return a read-only view of the history as it is now. It does not change when the store grows."""
        with self._lock:
            view = copy.copy(self)
            view._end = (len(self), len(self.sessions))
        return view

    @property
    def turns(self) -> Sequence[Turn]:
        """All turns in order. Each is read when it is accessed."""
        return Rows(self.__len__, lambda start, stop: self._turns("turn_index > ? AND turn_index <= ?", start, stop))

    @property
    def sessions(self) -> Sequence[Session]:
        """All sessions in order. Each is read when it is accessed."""
        return Rows(self._session_count, self._sessions)

    def search_history(self, keyword: str, limit: int | None = None) -> list[Turn]:
        """Find the turns that contain the keyword in any letter case, oldest first (paper Section 3.2).

        Args:
            keyword: Any text. It is searched for literally, also within words.
            limit: The maximum number of turns to return. The newest ones are kept. None means all.

        Raises:
            TypeError: The keyword is not a string.
            ValueError: The limit is negative.
        """
        if not isinstance(keyword, str):
            raise TypeError(f"a keyword is a string, not {type(keyword).__name__}")
        if limit is not None and limit < 0:
            raise ValueError(f"limit must not be negative, not {limit}")
        wanted = comparable(well_formed(keyword))
        condition = f"turn_index > ? AND turn_index <= ? AND {MAY_HOLD}"
        found: list[Turn] = []
        for stop in range(len(self), 0, -_SCANNED):
            turns = self._turns(condition, stop - _SCANNED, stop, wanted[:LONGEST])
            found = [turn for turn in turns if wanted in comparable(turn.content)] + found
            if limit is not None and len(found) >= limit:
                return found[len(found) - limit :]
        return found

    def get_recent(self, n: int) -> list[Turn]:
        """Return the last n turns, in order (paper Section 3.2); [] if n is not positive."""
        return list(self.turns[-n:]) if n > 0 else []

    def to_string(self) -> str:
        """Return the whole history as text, with a heading before each turn and a marker before each dated session.

        This is the form of the paper's Section 3.1. Content that looks like a heading or a marker gets a backslash
        before it. `escaping.unescape` removes the backslash.
        """
        return serialise(self.sessions)

    def characters(self, turns: int | None = None) -> int:
        """Count the characters in the content of all turns, or of the first `turns` turns. Headings do not count."""
        last = len(self) if turns is None else turns
        return self._one("SELECT coalesce(max(total_characters), 0) FROM turns WHERE turn_index = ?", last)

    def close(self) -> None:
        """Close the file. Any later use of the store raises a StoreError."""
        with suppress(StoreError):
            self._writer.release()
        self._db.close()

    def __len__(self) -> int:
        return self._end[0] if self._end else self._one("SELECT coalesce(max(turn_index), 0) FROM turns")

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        size = "closed"
        with suppress(StoreError):
            size = f"{len(self):,} turns in {len(self.sessions):,} sessions"
        return f"<MemoryStore {self.path or 'in memory'}: {size}>"

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str | None:
        return as_html(self)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run SQL on the history's database. `search` keeps its indexes there.

        A snapshot uses the same database, so SQL for a snapshot must ignore turns after `len(store)`.
        """
        check_time()
        with self._lock:
            try:
                return self._db.execute(sql, parameters).fetchall()
            except sqlite3.Error as error:
                check_time()
                raise StoreError(explain(error, self.path)) from None

    def _one(self, sql: str, *parameters: int) -> int:
        return int(self.query(sql, parameters)[0][0])

    def _session_count(self) -> int:
        return self._end[1] if self._end else self._one("SELECT coalesce(max(number), 0) FROM sessions")

    def _turns(self, condition: str, *parameters: int | str) -> Iterator[Turn]:
        sql = f"SELECT {COLUMNS} FROM turns WHERE {condition} ORDER BY turn_index"
        return starmap(Turn, self.query(sql, parameters))

    def _sessions(self, start: int, stop: int) -> Iterator[Session]:
        sql = "SELECT number, date, title FROM sessions WHERE number > ? AND number <= ? ORDER BY number"
        end = len(self)
        for number, date, title in self.query(sql, (start, stop)):
            turns = tuple(self._turns("session = ? AND turn_index <= ?", number, end))
            yield Session(number, date, turns, title)
