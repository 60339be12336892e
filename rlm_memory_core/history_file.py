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
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .dates import parse_date
from .layout import APPLICATION_ID
from .store import MemoryStore, StoreError

_SQLITE = b"SQLite format 3\0"
_ID_AT = 68  # where a SQLite file has its application's number
_SESSION_KEYS = ("session", "session_id", "conversation_id")
_DATE_KEYS = ("date", "timestamp", "created_at", "create_time")
_MILLISECONDS = 100_000_000_000  # a larger number of seconds would be in the year 5138


class HistoryFileError(Exception):
    """A file that is no history; one line says what is wrong, and where."""


@contextmanager
def opened(path: Path) -> Iterator[MemoryStore]:
    """The history in a file, for as long as the block lasts; the file is only read.

    Args:
        path: A store's file, or a text file as `read_messages` takes it.

    Raises:
        HistoryFileError: It is neither.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(100)
        content = b"" if head.startswith(_SQLITE) else head + file.read()
    if content or not head:
        with read_messages(content, str(path)) as store:
            yield store
        return
    if int.from_bytes(head[_ID_AT : _ID_AT + 4], "big") != APPLICATION_ID:
        raise HistoryFileError(f"{path} is a database of another program, and no history")
    with tempfile.TemporaryDirectory(prefix="rlm-memory-") as folder:
        copy = Path(folder) / "history.db"
        _copy(path, copy)
        try:
            store = MemoryStore(copy)
        except StoreError as error:
            raise HistoryFileError(str(error).replace(str(copy), str(path))) from error
        with store:
            yield store


def read_messages(content: bytes, name: str) -> MemoryStore:
    """Messages as a store in memory.

    Args:
        content: JSON in UTF-8: a list of `{"role": …, "content": …}`, an object with such a list as `messages`, a list
            of such objects, `{"sessions": [...]}` with a list for each session; or JSON lines of messages or of such
            objects. An object is a session of its own, with its `date`. A message begins a session where its
            `session` is another than that of the one before; or, where there is none, where its `date` or `timestamp`
            (a text, or seconds since 1970) is of another day. Parts of a content that are no text, and calls of
            tools, are named in brackets. Other fields are not read.
        name: What the errors call it.

    Raises:
        HistoryFileError: It is none of these, or holds no message.

    >>> store = read_messages(b'[{"role": "user", "content": "Hi", "date": "2023/05/20"}]', "a.json")
    >>> print(store.to_string())
    [--- Session 1 | 2023/05/20 ---]
    [Turn 1][user]: Hi
    """
    reader = _Reader()
    try:
        for where, value in _values(content):
            reader.read(value, where)
        if not reader.count:
            raise HistoryFileError("there is no message in it")
    except HistoryFileError as error:
        raise HistoryFileError(f"{name} cannot be read as a history: {error}") from error
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


def _values(content: bytes) -> Iterator[tuple[str, Any]]:
    """What the file holds: one JSON value, or one a line; each with the place it is at."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HistoryFileError(f"it is no text in UTF-8 (byte {error.start + 1})") from error
    if not text.strip():
        raise HistoryFileError("it is empty")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    try:
        if len(lines) > 1 and _is_whole(lines[0][1]):
            for number, line in lines:
                yield f"line {number}", _parsed(line, number)
        else:
            yield "", _parsed(text, 1)
    except RecursionError as error:
        raise HistoryFileError("its JSON is nested too deeply") from error


def _is_whole(line: str) -> bool:
    """Whether a first line is a JSON value, so that every line is one."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _parsed(text: str, first_line: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        line = first_line + error.lineno - 1 if isinstance(error, json.JSONDecodeError) else first_line
        said = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise HistoryFileError(f"line {line} is no JSON ({said})") from error


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
        self._groups: list[_Group] = []

    def read(self, value: Any, where: str = "") -> None:
        """Take a message, a conversation, or a list of these."""
        if isinstance(value, list):
            for number, each in enumerate(value, 1):
                if isinstance(each, list):
                    self._read_conversation({"messages": each}, _at(where, f"entry {number}"))
                else:
                    self.read(each, _at(where, f"entry {number}"))
        elif isinstance(value, dict) and isinstance(value.get("sessions"), list):
            for number, each in enumerate(value["sessions"], 1):
                conversation = {"messages": each} if isinstance(each, list) else each
                self._read_conversation(conversation, _at(where, f"session {number}"))
        elif isinstance(value, dict) and "messages" in value:
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
        messages = value.get("messages") if isinstance(value, dict) else None
        if not isinstance(messages, list):
            raise HistoryFileError(f"{where or 'it'} has no list of messages")
        self._groups.append(_Group(_date(value, where)))
        for number, message in enumerate(messages, 1):
            self._read_message(message, _at(where, f"message {number}"))
        self._groups.append(_Group(None))

    def _read_message(self, message: Any, where: str) -> None:
        if not isinstance(message, dict):
            raise HistoryFileError(f"{where or 'it'} is no message, but {json.dumps(message)[:60]}")
        role = message.get("role")
        if not isinstance(role, str):
            raise HistoryFileError(f"{where or 'its one message'} has no role")
        date = _date(message, where)
        key = next((message[name] for name in _SESSION_KEYS if message.get(name) is not None), None)
        if key is None and date is not None:
            key = parse_date(date) or date
        if not self._groups or (None not in (key, self._groups[-1].key) and key != self._groups[-1].key):
            self._groups.append(_Group(None))
        group = self._groups[-1]
        group.key = key if group.key is None else group.key
        group.date = group.date or date
        self.count += 1
        group.turns.append((role, _content(message, where), date))


def _content(message: dict[str, Any], where: str) -> str:
    """What a message says, as text."""
    content, calls = message.get("content"), message.get("tool_calls") or []
    if content is None and not calls:
        content = message.get("refusal")
    if isinstance(content, str):
        said = [content]
    elif isinstance(content, list):
        said = [_part(part) for part in content]
    elif content is None and calls:
        said = []
    else:
        raise HistoryFileError(f"{where or 'its one message'} has no content")
    functions = [call.get("function") or {} for call in calls if isinstance(call, dict)]
    said += [f"[tool call: {function.get('name')}({function.get('arguments', '')})]" for function in functions]
    return "\n".join(said)


def _part(part: Any) -> str:
    """A part of a content: its text, or what it is instead."""
    text = part.get("text") if isinstance(part, dict) else part
    if isinstance(text, str):
        return text
    return f"[{part.get('type') or 'part'}]" if isinstance(part, dict) else f"[{type(part).__name__}]"


def _date(value: dict[str, Any], where: str) -> str | None:
    """The date of a message or conversation, as it stands there; seconds since 1970 as a date."""
    for name in _DATE_KEYS:
        date = value.get(name)
        if isinstance(date, str) and date.strip():
            return date.strip()
        if isinstance(date, (int, float)) and not isinstance(date, bool):
            try:
                seconds = date / 1000 if abs(date) >= _MILLISECONDS else date
                return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
            except (ValueError, OverflowError, OSError) as error:
                raise HistoryFileError(f"{where or 'it'} has {date!r} for its {name}") from error
        if date not in (None, ""):
            raise HistoryFileError(f"{where or 'it'} has {json.dumps(date)[:60]} for its {name}")
    return None


def _at(where: str, place: str) -> str:
    return f"{where}, {place}" if where else place
