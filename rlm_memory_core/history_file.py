"""Reading a history for a question: a store's file, or OpenAI messages as JSON or JSON lines. Writes no file given.

A store is copied to a temporary file first, so that neither an index nor an update of
its tables changes the original. Messages become turns of a store in memory: all of them
in their order, with sessions where the file shows some. What is no history is a
`HistoryFileError` of one line; nothing is left out in silence.
"""

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .dates import parse_date
from .escaping import label
from .history_exports import from_chatgpt, from_sharegpt, is_chatgpt
from .layout import APPLICATION_ID
from .store import MemoryStore, StoreError

_SQLITE = b"SQLite format 3\0"
_ID_AT = 68  # where a SQLite file has its application's number
_SESSION_KEYS = ("session", "session_id", "conversation_id")
_DATE_KEYS = ("date", "timestamp", "created_at", "create_time")
_LIST_KEYS = ("messages", "conversations")  # the second is ShareGPT's
_MILLISECONDS = 100_000_000_000  # a larger number of seconds would be in the year 5138
_SECONDS = re.compile(r"-?\d{9,}(\.\d*)?")  # since 1970, as text; a shorter one may be a day, such as 20230520
_WHAT_IS_ONE = "; a history is a store, or OpenAI messages (role, content) as JSON or JSON Lines"


class HistoryFileError(Exception):
    """A file that is no history; one line says what is wrong, and where."""


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
        for where, value in _values(content):
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


def _values(content: bytes) -> Iterator[tuple[str, Any]]:
    """What the file holds: one JSON value, or one a line; each with the place it is at."""
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise HistoryFileError("it is text in UTF-16: save it as UTF-8")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HistoryFileError(f"it is no text in UTF-8 (byte {error.start + 1}): save it as UTF-8") from error
    if not text.strip():
        raise HistoryFileError("it is empty")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    try:
        if len(lines) > 1 and _is_by_line([line for _, line in lines], text):
            for number, line in lines:
                yield f"line {number}", _parsed(line, number)
        else:
            yield "", _parsed(text, 1)
    except RecursionError as error:
        raise HistoryFileError("its JSON is nested too deeply") from error


def _is_by_line(lines: list[str], text: str) -> bool:
    """Whether each line is meant to be a JSON value: the first is one, or the whole is none and most others are."""
    if _is_whole(lines[0]):
        return True
    others = lines[1:101]
    return not _is_whole(text) and 2 * sum(map(_is_whole, others)) > len(others)


def _is_whole(text: str) -> bool:
    try:
        json.loads(text)
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
        self.undated: list[tuple[str, str]] = []  # where a date stands that cannot be read, and that date
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
            raise HistoryFileError(f"{where or 'it'} has no list of messages{_keys(value)}")
        self._groups.append(_Group(self._date(value, where)))
        for number, message in enumerate(messages, 1):
            self._read_message(message, _at(where, f"message {number}"))
        self._groups.append(_Group(None))

    def _read_message(self, message: Any, where: str) -> None:
        if not isinstance(message, dict):
            raise HistoryFileError(f"{where or 'it'} is no message, but {json.dumps(message)[:60]}")
        message = from_sharegpt(message)
        role = message.get("role")
        if not isinstance(role, str):
            raise HistoryFileError(f"{where or 'its one message'} has no role{_keys(message)}")
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
        group.turns.append((role, _content(message, where), date))

    def _date(self, value: dict[str, Any], where: str) -> str | None:
        date = _date(value, where)
        if date is not None and parse_date(date) is None:
            self.undated.append((where, label(date)))
        return date


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
        raise HistoryFileError(f"{where or 'its one message'} has no content{_keys(message)}")
    functions = [call.get("function") or {} for call in calls if isinstance(call, dict)]
    said += [f"[tool call: {function.get('name')}({function.get('arguments', '')})]" for function in functions]
    return "\n".join(said)


def _part(part: Any) -> str:
    """A part of a content: its text, or what it is instead."""
    text = part.get("text") if isinstance(part, dict) else part
    if isinstance(text, str):
        return text
    return (
        f"[{part.get('type') or part.get('content_type') or 'part'}]"
        if isinstance(part, dict)
        else f"[{type(part).__name__}]"
    )


def _date(value: dict[str, Any], where: str) -> str | None:
    """The date of a message or conversation, as it stands there; seconds since 1970 as a date."""
    for name in _DATE_KEYS:
        date = value.get(name)
        if isinstance(date, str) and date.strip():
            if not _SECONDS.fullmatch(date.strip()):
                return date.strip()
            date = float(date)
        if isinstance(date, (int, float)) and not isinstance(date, bool):
            try:
                seconds = date
                for _ in range(3):  # milli-, micro- and nanoseconds
                    seconds = seconds / 1000 if abs(seconds) >= _MILLISECONDS else seconds
                return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
            except (ValueError, OverflowError, OSError) as error:
                line = f"{where or 'it'} has {str(date)[:60]} for its {name}, which is no time since 1970"
                raise HistoryFileError(line) from error
        if date not in (None, ""):
            raise HistoryFileError(f"{where or 'it'} has {json.dumps(date)[:60]} for its {name}")
    return None


def _keys(value: dict[str, Any]) -> str:
    """What there is instead of what was looked for."""
    return f" (its keys: {label(', '.join(value))[:80]})" if value else ""


def _at(where: str, place: str) -> str:
    return f"{where}, {place}" if where else place
