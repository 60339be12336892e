"""Puts the messages of a file into sessions and into the order of time before they are stored.

Messages wait in a temporary database, so that a large file needs little memory. What an earlier import has stored is
left out: a message with an id is known by it, one without by the whole conversation up to it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter

from ..store.batching import batched
from ..store.escaping import well_formed
from ..store.memory_store import MemoryStore
from ..store.times import begins_session, parse_time, written
from .formats import Conversation, Message

_IMPORTED = "CREATE TABLE IF NOT EXISTS imported (key BLOB PRIMARY KEY, run INTEGER NOT NULL) WITHOUT ROWID"
_TABLES = """
    PRAGMA journal_mode = OFF;
    CREATE TABLE conversations (conversation INTEGER PRIMARY KEY, id TEXT, title TEXT, backwards INTEGER);
    CREATE TABLE parts (part INTEGER PRIMARY KEY, conversation INTEGER, start REAL, date TEXT);
    CREATE TABLE messages (place INTEGER PRIMARY KEY, part INTEGER, time REAL, message TEXT);
    CREATE TABLE new (conversation INTEGER, rank INTEGER, place INTEGER, key BLOB, PRIMARY KEY (conversation, rank));
    CREATE INDEX new_by_key ON new (key);
    BEGIN
"""
_IN_TIME = "time, CASE backwards WHEN 1 THEN -place ELSE place END"
_ALL = "messages CROSS JOIN parts USING (part) CROSS JOIN conversations USING (conversation)"
_BY_CONVERSATION = f"SELECT conversation, id, place, message FROM {_ALL} ORDER BY conversation, {_IN_TIME}"
_BY_TIME = f"""SELECT part, title, date, key, message FROM new CROSS JOIN messages USING (place)
    CROSS JOIN parts USING (part) CROSS JOIN conversations ON conversations.conversation = parts.conversation
    ORDER BY start, part, {_IN_TIME}"""
_AT_ONCE, _CHARACTERS = 1000, 4_000_000  # stored in one transaction
_Row = tuple[int, str, str | None, bytes, str]


@dataclass(eq=False, slots=True)
class Staged:
    """A conversation while its messages come.

    Args:
        number: Its number in the file.
        date: Its date as the file gives it.
        last: The last time that is known.
        first: The first time of a message, in seconds.
        backwards: Whether its messages go back in time, so far.
        part: The part that its last message belongs to, which becomes a session; 0 before the first.
    """

    number: int
    date: str | None
    last: datetime | None
    first: float | None = None
    part: int = 0
    backwards: bool = False


class Staging:
    """The messages of one import.

    Args:
        store: Where they will be stored; its time zone and gap decide where sessions begin.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._database = sqlite3.connect("", isolation_level=None)  # a temporary file, gone when it is closed
        self._database.executescript(_TABLES)
        self._conversations = self._parts = self._places = 0
        self._latest = float("-inf")  # the last time that is known, in seconds
        store.query(_IMPORTED)
        ((self._run,),) = store.query("SELECT coalesce(max(run), 0) + 1 FROM imported")

    def begin(self, conversation: Conversation, first: str | None = None) -> Staged:
        """Begin a conversation; `first` is the time of its first message that has one."""
        self._conversations += 1
        row = (self._conversations, well_formed(conversation.id), well_formed(conversation.title))
        self._database.execute("INSERT INTO conversations VALUES (?, ?, ?, 0)", row)
        return Staged(self._conversations, conversation.date, parse_time(first or conversation.date or ""))

    def add(self, staged: Staged, message: Message) -> bool:
        """Take a message of a conversation; returns whether its time can be read, if it has one."""
        when, last, store = parse_time(message.time or ""), staged.last, self._store
        begins = when is not None and (last is None or begins_session(last, when, store.tz, store.gap))
        staged.last = when or last
        if staged.last is not None:
            here = staged.last if staged.last.tzinfo or store.tz is None else staged.last.replace(tzinfo=store.tz)
            self._latest = here.timestamp()
        if when is not None and staged.first is None:
            staged.first = self._latest
        if begins or not staged.part:
            self._parts += 1
            staged.part, date = self._parts, message.time or staged.date
            given = parse_time(date or "")
            if given and given.tzinfo:
                date = written(given, store.tz)
            date = date and well_formed(date)
            self._database.execute(
                "INSERT INTO parts VALUES (?, ?, ?, ?)", (staged.part, staged.number, self._latest, date)
            )
        self._places += 1
        row = (self._places, staged.part, self._latest, json.dumps(message))
        self._database.execute("INSERT INTO messages VALUES (?, ?, ?, ?)", row)
        backwards = staged.first is not None and self._latest < staged.first
        if backwards != staged.backwards:
            staged.backwards = backwards
            sql = "UPDATE conversations SET backwards = ? WHERE conversation = ?"
            self._database.execute(sql, (backwards, staged.number))
        return when is not None or not message.time

    def leave_out_known(self) -> int:
        """Leave out what earlier imports have stored; returns how many messages that is."""
        known = 0
        for number, rows in groupby(self._database.execute(_BY_CONVERSATION), itemgetter(0)):
            chain, until = b"", -1
            for rank, (_, conversation, place, said) in enumerate(rows):
                chain = key = _digest(chain or conversation.encode(), said)
                if name := json.loads(said)[-1]:
                    key = _digest(conversation.encode(), name)
                runs = self._store.query("SELECT run FROM imported WHERE key = ?", (key,))
                if name and (runs or self._database.execute("SELECT 1 FROM new WHERE key = ?", (key,)).fetchone()):
                    known += 1
                    continue
                if runs:
                    until = rank
                self._database.execute("INSERT INTO new VALUES (?, ?, ?, ?)", (number, rank, place, key))
            sql = "DELETE FROM new WHERE conversation = ? AND rank <= ?"
            known += self._database.execute(sql, (number, until)).rowcount
        return known

    def store(self) -> Iterator[int]:
        """Store the messages, the oldest session first; gives the number of messages of each transaction."""
        stored = 0
        rows: Iterator[_Row] = self._database.execute(_BY_TIME)
        for batch in batched(rows, lambda row: len(row[-1]), _AT_ONCE, _CHARACTERS):
            with self._store.transaction():
                for row, following in zip(batch, [*batch[1:], (0,)], strict=True):
                    part, title, date, key, said = row
                    role, content, name, time, known_by = json.loads(said)
                    if part != stored:
                        self._store.start_session(date, title)
                        stored = part
                    self._store.add(role, content, time, name)
                    if known_by or following[0] != part:
                        self._store.query("INSERT OR REPLACE INTO imported VALUES (?, ?)", (key, self._run))
            yield len(batch)

    def close(self) -> None:
        """Delete the temporary file."""
        self._database.close()


def _digest(before: bytes, text: str) -> bytes:
    return blake2b(before + b"\0" + text.encode(), digest_size=16).digest()
