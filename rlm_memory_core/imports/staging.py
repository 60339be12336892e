"""Sorts the messages in a file by time and groups them into sessions before they are stored.

Messages are kept in a temporary database, so that a large file needs little memory. Messages that an earlier import has
stored are left out. A message is identified by its id and its content. Without an id, it is identified by its
conversation's id or its time of day, and by its content; several such messages are numbered. If the file gives none of
these, a message is identified by everything before it in its conversation, and it counts as known only if an earlier
import ended with it or after it. So two conversations with the same beginning are both kept, and a conversation that
was edited is stored again as a whole.
"""

import json
import sqlite3
import warnings
from collections.abc import Iterator
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from typing import Any

from more_itertools import constrained_batches

from ..store.escaping import well_formed
from ..store.memory_store import MemoryStore
from ..store.times import begins_session, has_clock, parse_time, written
from .formats import Conversation, Message

_TABLES = """
    PRAGMA journal_mode = OFF;
    CREATE TABLE messages (place INTEGER PRIMARY KEY, conversation INTEGER, time REAL, said TEXT);
    CREATE TABLE ranked (rank INTEGER PRIMARY KEY, place INTEGER, part INTEGER, start REAL, day TEXT,
        named BLOB, count INTEGER, key BLOB, known INTEGER);
    CREATE INDEX by_name ON ranked (named, count);
    CREATE INDEX in_time ON messages (conversation, time);
    BEGIN
"""
# if a conversation's last message is older than its first, newer messages come first, also among those of one time
_IN_TIME = """SELECT conversation, messages.time, place, said FROM messages
    JOIN (SELECT conversation, min(place), time FROM messages GROUP BY conversation) AS first USING (conversation)
    JOIN (SELECT conversation, max(place), time FROM messages GROUP BY conversation) AS last USING (conversation)
    ORDER BY conversation, messages.time, CASE WHEN last.time < first.time THEN -place ELSE place END"""
_NEW = """SELECT part, count, key, day, said FROM ranked CROSS JOIN messages USING (place)
    WHERE NOT known ORDER BY start, part, rank"""
_RANK = "INSERT INTO ranked (place, part, start, day, named, count, key, known) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_AT_ONCE, _CHARACTERS = 1000, 4_000_000  # maximum messages and characters stored in one transaction


class Staging:
    """The messages of one import.

    Args:
        store: The store that will get the messages. Its time zone and gap decide where sessions begin.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store, self.messages = store, 0
        self._database = sqlite3.connect("", isolation_level=None)  # a temporary file, deleted on close
        self._database.executescript(_TABLES)
        self._alone: dict[str, tuple[int, float]] = {}  # number and last time of those whose messages come separately
        self._latest = float("-inf")  # the last time in the file
        store.query("CREATE TABLE IF NOT EXISTS imported_messages (key BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, conversation: Conversation, messages: list[Message]) -> bool:
        """Add a conversation, or more of it if its messages come separately. Return whether it is new.

        A message without a time is sorted with the one before it, or with the first that has a time.
        """
        since = next((message.time for message in messages if parse_time(message.time or "")), conversation.date)
        about = conversation.id, conversation.title, conversation.date or "", since or ""
        begun = self._alone.get(conversation.id) if conversation.alone else None
        number, time = begun or (self.messages, self._seconds(since, self._latest))
        for message in messages:
            time = self._latest = self._seconds(message.time, time)
            row = (number, time, json.dumps([about, message]))
            self._database.execute("INSERT INTO messages (conversation, time, said) VALUES (?, ?, ?)", row)
        self.messages += len(messages)
        if messages and conversation.alone:
            self._alone[conversation.id] = number, time
        return bool(messages) and not begun

    def _seconds(self, time: str | None, otherwise: float) -> float:
        when = parse_time(time or "")
        if when is None:
            return otherwise
        return (when if when.tzinfo else when.replace(tzinfo=self._store.tz)).timestamp()

    def leave_out_known(self) -> int:
        """Divide conversations into sessions, and mark messages that were stored before. Return how many there are."""
        for _, rows in groupby(self._database.execute(_IN_TIME), itemgetter(0)):
            self._rank(rows)
        return self._one("SELECT count(*) FROM ranked WHERE known")

    def _rank(self, rows: Iterator[Any]) -> None:
        """Record the session and the key of each message in a conversation."""
        store, part, chain, last = self._store, 0, b"", None
        unsure = self._one("SELECT max(rank) FROM ranked")  # messages after this rank become known with a later one
        for _, time, place, said in rows:
            (conversation, _, date, since), values = json.loads(said)
            message = Message(*values)
            when, last = parse_time(message.time or ""), last if part else parse_time(since)
            if not part or (when and (last is None or begins_session(last, when, store.tz, store.gap))):
                part, start, day = place, time, message.time or date
                given = parse_time(day)
                day = written(given, store.tz) if given and given.tzinfo else well_formed(day) or None
            last = when or last
            if message.id or conversation or (last and has_clock(last)):
                named = _digest(conversation, message.id or str(last), message.role, message.name, message.content)
                count = 1 + self._one("SELECT max(count) FROM ranked WHERE named = ?", named)
                key = _digest(named.hex(), "1" if message.id else str(count))
            else:
                named, count, key = b"", 0, _digest(chain.hex(), json.dumps(message))
                chain = key
            is_repeated = message.id and count > 1
            known = is_repeated or bool(store.query("SELECT 1 FROM imported_messages WHERE key = ?", (key,)))
            row = (place, part, start, day, named, count, key, known)
            rank = self._database.execute(_RANK, row).lastrowid or 0
            if known and not count:
                self._database.execute("UPDATE ranked SET known = 1 WHERE rank > ? AND count = 0", (unsure,))
                unsure = rank

    def _one(self, sql: str, *parameters: Any) -> int:
        """Return the number that a query finds; 0 if it finds none."""
        row = self._database.execute(sql, parameters).fetchone()
        return (row and row[0]) or 0

    def store(self) -> Iterator[int]:
        """Store the new messages, oldest session first. Yield the number of messages in each transaction."""
        stored, new = 0, self._database.execute(_NEW)
        for batch in constrained_batches(new, _CHARACTERS, _AT_ONCE, lambda row: len(row[-1]), strict=False):
            # the report names dates that cannot be read
            with self._store.transaction(), warnings.catch_warnings(action="ignore"):
                for (part, count, key, day, said), following in zip(batch, [*batch[1:], (0, 0)], strict=True):
                    (_, title, *_), (role, content, name, time, _) = json.loads(said)
                    if part != stored:
                        self._store.start_session(day, title)
                        stored = part
                    self._store.add(role, content, time, name)
                    if count or following[:2] != (part, 0):  # without id and time, only the last key is kept
                        self._store.query("INSERT OR IGNORE INTO imported_messages VALUES (?)", (key,))
            yield len(batch)

    def close(self) -> None:
        """Delete the temporary file."""
        self._database.close()


def _digest(*parts: str) -> bytes:
    return blake2b(json.dumps(parts).encode(), digest_size=16).digest()
