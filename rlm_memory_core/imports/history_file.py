"""Reading a history for a question: a store's file, or OpenAI messages as JSON or JSON lines. Writes no file given.

A store is copied to a temporary file first, so that neither an index nor an update of
its tables changes the original. Messages become turns of a store in memory: all of them
in their order, with sessions where the file shows some. What is no history is a
`HistoryFileError` of one line; nothing is left out in silence.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..store.dates import parse_date
from ..store.escaping import label
from ..store.memory_store import MemoryStore, StoreError
from ..store.schema import APPLICATION_ID
from .history_exports import from_chatgpt, from_sharegpt, is_chatgpt
from .json_values import HistoryFileError as HistoryFileError
from .json_values import values_in
from .message_fields import content_of, date_of, keys_of, within

_SQLITE = b"SQLite format 3\0"
_ID_AT = 68  # where a SQLite file has its application's number
_SESSION_KEYS = ("session", "session_id", "conversation_id")
_LIST_KEYS = ("messages", "conversations")  # the second is ShareGPT's
_WHAT_IS_ONE = "; a history is a store, or OpenAI messages (role, content) as JSON or JSON Lines"


@contextmanager
def opened(path: Path, tell: Callable[[str], None] = lambda line: None) -> Iterator[MemoryStore]:
    """The history in a file, for as long as the block lasts; the file is only read.

    Args:
        path: A store's file, or a text file as `read_messages` takes it.
        tell: As there.

    Raises:
        HistoryFileError: It is neither.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(100)
        content = b"" if head.startswith(_SQLITE) else head + file.read()
    if content or not head:
        with read_messages(content, str(path), tell) as store:
            yield store
        return
    if int.from_bytes(head[_ID_AT : _ID_AT + 4], "big") != APPLICATION_ID:
        raise HistoryFileError(f"{path} is a database of another program{_WHAT_IS_ONE}")
    with tempfile.TemporaryDirectory(prefix="rlm-memory-") as folder:
        copy = Path(folder) / "history.db"
        _copy(path, copy)
        try:
            store = MemoryStore(copy)
        except StoreError as error:
            raise HistoryFileError(str(error).replace(str(copy), str(path))) from error
        with store:
            yield store


def read_messages(content: bytes, name: str, tell: Callable[[str], None] = lambda line: None) -> MemoryStore:
    """Messages as a store in memory.

    Args:
        content: JSON in UTF-8: a list of `{"role": …, "content": …}`, an object with such a list as `messages`, a list
            of such objects, `{"sessions": [...]}` with a list for each session; or JSON lines of messages or of such
            objects. An object is a session of its own, with its `date`. A message begins a session where its
            `session` is another than that of the one before; or, where there is none, where its `date` or `timestamp`
            (a text, or seconds since 1970) is of another day. Parts of a content that are no text, and calls of
            tools, are named in brackets. Other fields are not read. The exports of `history_exports` are read too.
        name: What the errors call it.
        tell: Told in one line where dates cannot be read; such a date is kept as it stands, and no day is known.

    Raises:
        HistoryFileError: It is none of these, or holds no message.

    >>> store = read_messages(b'[{"role": "user", "content": "Hi", "date": "2023/05/20"}]', "a.json")
    >>> print(store.to_string())
    [--- Session 1 | 2023/05/20 ---]
    [Turn 1][user]: Hi
    """
    reader = _Reader()
    try:
        for where, value in values_in(content):
            reader.read(value, where)
        if not reader.count:
            raise HistoryFileError("there is no message in it")
    except HistoryFileError as error:
        raise HistoryFileError(f"{name} cannot be read as a history: {error}{_WHAT_IS_ONE}") from error
    if reader.undated:
        where, date = reader.undated[0]
        more = f", as in {len(reader.undated) - 1:,} more places" if len(reader.undated) > 1 else ""
        tell(f"{name}: {where or 'it'} has a date that cannot be read ({date[:60]!r}){more}; write 2023-05-30")
    return reader.store()


def _copy(path: Path, copy: Path) -> None:
    """Copy a database that others may be writing to, without a trace in the original or beside it."""
    # with no log beside it nobody has it open, and a reader that takes no lock makes no log either
    alone = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    try:
        with (
            closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{alone}", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise HistoryFileError(f"{path} cannot be read as a history: {error}") from error


@dataclass
class _Group:
    """Messages that become one session."""

    date: str | None
    key: object = None  # the session or the day of its messages, as the file tells it
    turns: list[tuple[str, str, str | None]] = field(default_factory=list)  # role, content, when


class _Reader:
    """Sorts messages into sessions."""

    def __init__(self) -> None:
        self.count = 0
        self.undated: list[tuple[str, str]] = []  # where a date stands that cannot be read, and that date
        self._groups: list[_Group] = []

    def read(self, value: Any, where: str = "") -> None:
        """Take a message, a conversation, or a list of these."""
        if isinstance(value, list):
            for number, each in enumerate(value, 1):
                if isinstance(each, list):
                    self._read_conversation({"messages": each}, within(where, f"entry {number}"))
                else:
                    self.read(each, within(where, f"entry {number}"))
        elif isinstance(value, dict) and isinstance(value.get("sessions"), list):
            for number, each in enumerate(value["sessions"], 1):
                conversation = {"messages": each} if isinstance(each, list) else each
                self._read_conversation(conversation, within(where, f"session {number}"))
        elif isinstance(value, dict) and (is_chatgpt(value) or any(key in value for key in _LIST_KEYS)):
            self._read_conversation(value, where)
        else:
            self._read_message(value, where)

    def store(self) -> MemoryStore:
        """All of it, in a store."""
        store = MemoryStore()
        with store.transaction():
            for group in self._groups:
                if group.turns:
                    store.start_session(group.date)
                for turn in group.turns:
                    store.add(*turn)
        return store

    def _read_conversation(self, value: Any, where: str) -> None:
        value = value if isinstance(value, dict) else {}
        if is_chatgpt(value):
            try:
                value = from_chatgpt(value)
            except ValueError as error:
                raise HistoryFileError(f"{where or 'it'} {error}") from error
        messages = next((value[key] for key in _LIST_KEYS if key in value), None)
        if not isinstance(messages, list):
            raise HistoryFileError(f"{where or 'it'} has no list of messages{keys_of(value)}")
        self._groups.append(_Group(self._date(value, where)))
        for number, message in enumerate(messages, 1):
            self._read_message(message, within(where, f"message {number}"))
        self._groups.append(_Group(None))

    def _read_message(self, message: Any, where: str) -> None:
        if not isinstance(message, dict):
            raise HistoryFileError(f"{where or 'it'} is no message, but {json.dumps(message)[:60]}")
        message = from_sharegpt(message)
        role = message.get("role")
        if not isinstance(role, str):
            raise HistoryFileError(f"{where or 'its one message'} has no role{keys_of(message)}")
        date = self._date(message, where)
        key = next((message[name] for name in _SESSION_KEYS if message.get(name) is not None), None)
        if key is None and date is not None:
            key = parse_date(date) or date
        if not self._groups or (None not in (key, self._groups[-1].key) and key != self._groups[-1].key):
            self._groups.append(_Group(None))
        group = self._groups[-1]
        group.key = key if group.key is None else group.key
        group.date = group.date or date
        self.count += 1
        group.turns.append((role, content_of(message, where), date))

    def _date(self, value: dict[str, Any], where: str) -> str | None:
        date = date_of(value, where)
        if date is not None and parse_date(date) is None:
            self.undated.append((where, label(date)))
        return date
