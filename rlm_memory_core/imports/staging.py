"""Sorts the messages in a file by time before they are stored, and leaves out those that were stored before.

Messages are kept in a temporary database, so that a large file needs little memory. What was said in a conversation
without a long silence stays together. A message is identified by its id and its content. Without an id, it is
identified by its conversation's id or its time of day, and by its content; several such messages are numbered. A
message that a file lists outside a conversation is also identified by its day. If the file gives none of these, a
message is identified by everything before it in its conversation, and it counts as known only if an earlier import
ended with it or after it. So two conversations with the same beginning are both kept, and a conversation that was
edited is stored again as a whole.
"""

import json
import sqlite3
import warnings
from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from typing import Any

from more_itertools import constrained_batches

from ..store.memory_store import MemoryStore
from ..store.times import begins_session, has_clock, parse_time, written
from .formats import Conversation, Message

# `count` numbers the messages of one name; it is 0 for a message that everything before it identifies. `last` has the
# last of these in each conversation.
_TABLES = """
    PRAGMA journal_mode = OFF;
    CREATE TABLE names (name BLOB PRIMARY KEY, count INTEGER) WITHOUT ROWID;
    CREATE TABLE messages (conversation INTEGER, start REAL, time REAL, count INTEGER, key BLOB, said TEXT);
    CREATE INDEX in_time ON messages (start, conversation, time);
    CREATE INDEX without_name ON messages (conversation) WHERE count = 0;
    CREATE VIEW last AS SELECT max(rowid) FROM messages WHERE count = 0 GROUP BY conversation;
    BEGIN
"""
_COUNT = "INSERT INTO names VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET count = count + 1 RETURNING count"
_ROWS = "SELECT conversation, count OR rowid IN last, key, said FROM messages ORDER BY start, conversation, time, rowid"
_AT_ONCE, _CHARACTERS = 1000, 4_000_000  # maximum messages and characters stored in one transaction


class Staging:
    """The messages of one import: `messages` counts all of them, `known` those that were stored before.

    Args:
        store: The store that will get the messages. Its time zone and gap decide where sessions begin.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store, self.messages, self.known = store, 0, 0
        self._database = sqlite3.connect("", isolation_level=None)  # a temporary file, deleted on close
        self._database.executescript(_TABLES)
        self._latest = float("-inf")  # the last time in the file
        self._alone: dict[str, Any] = {}  # where conversations go on whose messages come separately
        store.query("CREATE TABLE IF NOT EXISTS imported_messages (key BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, conversation: Conversation, messages: list[Message]) -> None:
        """Add a conversation, or more of it if its messages come separately.

        A message without a time is sorted with the one before it, or with the first that has a time.
        """
        store, dates = self._store, [*(message.time for message in messages), conversation.date]
        first = next((when for date in dates if (when := parse_time(date or ""))), None)
        begun = self._alone.get(conversation.id) if conversation.alone else None
        number, start, time, last, chain = begun or (self.messages + 1, None, self._latest, None, b"")
        for message in messages:
            if when := parse_time(message.time or "") or last or first:
                time = self._latest = (when if when.tzinfo else when.replace(tzinfo=store.tz)).timestamp()
            if start is None or (when and (not last or begins_session(last, when, store.tz, store.gap))):
                start = time
            last = when
            count, key = self._identify(conversation, message, when, chain)
            chain = chain if count else key
            if store.query("SELECT 1 FROM imported_messages WHERE key = ?", (key,)) or (message.id and count > 1):
                before = "DELETE FROM messages WHERE conversation = ? AND count = 0"  # they are of a known beginning
                self.known += 1 + (0 if count else self._database.execute(before, (number,)).rowcount)
            else:
                day = written(when, store.tz) if when and when.tzinfo else message.time or conversation.date
                row = (number, start, time, count, key, json.dumps([day, conversation.title, message]))
                self._database.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)", row)
        self.messages += len(messages)
        if messages and conversation.alone:
            self._alone[conversation.id] = number, start, time, last, chain

    def _identify(self, talk: Conversation, message: Message, when: datetime | None, chain: bytes) -> tuple[int, bytes]:
        """Return the number of a message among those of its name, and its key; see the top of this file."""
        if not (message.id or talk.id or (when and (talk.alone or has_clock(when)))):
            return 0, _digest(chain.hex(), talk.date or "", json.dumps(message))
        name = _digest(talk.id, message.id or str(when), message.role, message.name, message.content)
        ((count,),) = self._database.execute(_COUNT, (name,))
        return count, _digest(name.hex(), str(count))

    def store(self) -> Iterator[int]:
        """Store the new messages, oldest session first. Yield the number of messages in each transaction."""
        current, new = 0, self._database.execute(_ROWS)
        for batch in constrained_batches(new, _CHARACTERS, _AT_ONCE, lambda row: len(row[-1]), strict=False):
            # the report names dates that cannot be read
            with self._store.transaction(), warnings.catch_warnings(action="ignore"):
                for number, kept, key, said in batch:
                    day, title, (role, content, name, time, _) = json.loads(said)
                    if number != current:
                        self._store.start_session(day, title)
                        current = number
                    self._store.add(role, content, time, name)
                    if kept or key == batch[-1][2]:  # without a name, only the last key is kept
                        self._store.query("INSERT OR IGNORE INTO imported_messages VALUES (?)", (key,))
            yield len(batch)

    def close(self) -> None:
        """Delete the temporary file."""
        self._database.close()


def _digest(*parts: str) -> bytes:
    return blake2b(json.dumps(parts).encode(), digest_size=16).digest()
