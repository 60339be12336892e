"""Opens a history file without changing it: a store, or messages as JSON or JSON Lines.

A store is copied to a temporary file first, so that neither an index nor a migration changes the original. Messages
become turns of a store in memory, in order. A file that is not a history raises a `HistoryFileError` of one line.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ..store.memory_store import MemoryStore, StoreError
from ..store.schema import APPLICATION_ID
from .message_formats import HistoryFileError
from .sessions import SessionReader

_SQLITE = b"SQLite format 3\0"
_ID_AT = 68  # the byte at which SQLite keeps the application's id
_EXPECTED = "; a history is a store, or OpenAI messages (role, content) as JSON or JSON Lines"


@contextmanager
def open_history(path: Path, warn: Callable[[str], None] = lambda line: None) -> Iterator[MemoryStore]:
    """Open the history in a file for the time of a `with` block; the file is only read.

    Args:
        path: A store, or a text file that `read_messages` can read.
        warn: Called with one line if some dates cannot be read.

    Raises:
        HistoryFileError: The file is neither.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(100)
        content = b"" if head.startswith(_SQLITE) else head + file.read()
    if content or not head:
        with read_messages(content, str(path), warn) as store:
            yield store
        return
    if int.from_bytes(head[_ID_AT : _ID_AT + 4], "big") != APPLICATION_ID:
        raise HistoryFileError(f"{path} is a database of another program{_EXPECTED}")
    with tempfile.TemporaryDirectory(prefix="rlm-memory-") as folder:
        copy = Path(folder) / "history.db"
        _copy(path, copy)
        try:
            store = MemoryStore(copy)
        except StoreError as error:
            raise HistoryFileError(str(error).replace(str(copy), str(path))) from error
        with store:
            yield store


def read_messages(content: bytes, name: str, warn: Callable[[str], None] = lambda line: None) -> MemoryStore:
    """Read messages into a store in memory.

    Args:
        content: JSON or JSON Lines in UTF-8. As JSON: a list of messages `{"role": …, "content": …}`; an object with
            such a list as `messages`, which is one session with its `date`; a list of such objects; or
            `{"sessions": [...]}` with a list for each session. As JSON Lines: messages or such objects. ChatGPT's
            `conversations.json` and ShareGPT's form are read too. `SessionReader` says where a session starts.
        name: The file's name, for errors.
        warn: Called with one line if some dates cannot be read. Such a date is kept as text, but ranking cannot use it.

    Raises:
        HistoryFileError: The content has another form, or no message.

    >>> store = read_messages(b'[{"role": "user", "content": "Hi", "date": "2023/05/20"}]', "a.json")
    >>> print(store.to_string())
    [--- Session 1 | 2023/05/20 ---]
    [Turn 1][user]: Hi
    """
    reader = SessionReader()
    try:
        for where, value in _json_values(content):
            reader.read(value, where)
        if not reader.messages:
            raise HistoryFileError("it has no message")
    except HistoryFileError as error:
        raise HistoryFileError(f"{name} cannot be read as a history: {error}{_EXPECTED}") from error
    if reader.unreadable_dates:
        where, date = reader.unreadable_dates[0]
        others = len(reader.unreadable_dates) - 1
        more = f", and so have {others:,} more places" if others else ""
        warn(f"{name}: {where or 'it'} has a date that cannot be read ({date[:60]!r}){more}; write 2023-05-30")
    return reader.store()


def _copy(path: Path, copy: Path) -> None:
    """Copy a database that other processes may be writing to, without leaving a trace in or beside the original."""
    # without a log beside it no process has it open, and an immutable reader takes no lock and creates no log
    alone = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    try:
        with (
            closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{alone}", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise HistoryFileError(f"{path} cannot be read as a history: {error}") from error


def _json_values(content: bytes) -> Iterator[tuple[str, Any]]:
    """The file's one JSON value, or one for each line; each with its place, which is "" for the whole file."""
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise HistoryFileError("it is UTF-16 text; save it as UTF-8")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HistoryFileError(f"it is not UTF-8 text (byte {error.start + 1}); save it as UTF-8") from error
    if not text.strip():
        raise HistoryFileError("it is empty")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    try:
        if len(lines) > 1 and _is_json_lines([line for _, line in lines], text):
            for number, line in lines:
                yield f"line {number}", _parsed(line, number)
        else:
            yield "", _parsed(text, 1)
    except RecursionError as error:
        raise HistoryFileError("its JSON is nested too deeply") from error


def _is_json_lines(lines: list[str], text: str) -> bool:
    """Whether each line is meant as a JSON value: the first is one, or the whole text is not but most lines are."""
    if _is_json(lines[0]):
        return True
    others = lines[1:101]
    return not _is_json(text) and 2 * sum(map(_is_json, others)) > len(others)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _parsed(text: str, first_line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise HistoryFileError(f"line {first_line + error.lineno - 1} is not JSON ({error.msg})") from error
    except ValueError as error:  # a number with too many digits
        raise HistoryFileError(f"line {first_line} is not JSON ({error})") from error
