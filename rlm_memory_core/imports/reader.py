"""Reads a file of messages or conversations into a store, and reports what it read and what it could not read.

One odd conversation, message or line never refuses the file: it is named, counted and left out.
"""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..store.escaping import label
from ..store.memory_store import MemoryStore
from ..store.times import parse_time
from .formats import Conversation, Message, conversation_of, message_of
from .json_values import HistoryFileError, json_values
from .staging import Staged, Staging

Progress = Callable[[str, int, int], None]
"""Called with what is done ("reading" or "storing"), how much of it, and how much there is: bytes, then messages."""

_SESSIONS = ("session", "session_id", "conversation_id")
_NAMED = 1000  # problems kept in a report; the others are counted


@dataclass
class Report:
    """What an import has done.

    Args:
        messages: How many messages it stored.
        known: How many were stored before.
        conversations: How many conversations the file holds that could be read.
        skipped: What was left out because it is not text or was not shown, by kind.
        problems: What could not be read, each in one line with its place; at most 1,000.
        unread: How many problems there were.
    """

    messages: int = 0
    known: int = 0
    conversations: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    unread: int = 0

    def problem(self, place: str, what: str) -> None:
        """Note that something could not be read."""
        self.unread += 1
        if len(self.problems) < _NAMED:
            self.problems.append(f"{place or 'it'} {what}")

    def __str__(self) -> str:
        skipped = ", ".join(f"{count:,} x {kind}" for kind, count in self.skipped.most_common())
        parts = [f"{self.messages:,} new messages of {self.conversations:,} conversations"]
        parts += [f"{self.known:,} were there already"] if self.known else []
        parts += [f"left out as not text: {skipped}"] if skipped else []
        return "; ".join([*parts, f"{self.unread:,} could not be read"] if self.unread else parts)


def import_file(store: MemoryStore, path: str | Path, progress: Progress = lambda *done: None) -> Report:
    """Add the conversations of a file to a store: sorted by time, each in sessions of its own.

    Reads exports of ChatGPT and Claude (the zip file or its `conversations.json`), message lists of OpenAI and
    Anthropic, ShareGPT, and JSON Lines. What an earlier import has stored is not stored again, so that a newer export
    adds only what is new.

    Args:
        store: Where the messages go. Its `tz` is the zone of the user's days.
        path: The file; it is only read.
        progress: Called now and then.

    Raises:
        HistoryFileError: Nothing of the file can be read.
        OSError: The file cannot be opened.
        StoreError: The store cannot be written; what was stored before stays, and another import goes on from there.
    """
    path = Path(path)
    with path.open("rb") as file:
        return import_stream(store, file, path.stat().st_size, progress)


def import_stream(
    store: MemoryStore, file: io.BufferedReader, size: int = 0, progress: Progress = lambda *done: None
) -> Report:
    """`import_file` for an open file of so many bytes.

    >>> store, content = MemoryStore(), b'[{"role": "user", "content": "Hi", "date": "2023-05-20"}]'
    >>> print(import_stream(store, io.BufferedReader(io.BytesIO(content))))
    1 new messages of 1 conversations
    >>> print(store.to_string())
    [--- Session 1 | 2023-05-20 ---]
    [Turn 1][user]: Hi
    """
    report = Report()
    with closing(Staging(store)) as staging:
        reader = _Reader(staging, report)
        for part, place in _members(file, report):
            before = f"{place}, " if place else ""
            told = lambda done: progress("reading", done, size)  # noqa: E731
            for where, value in json_values(part, lambda at, what: report.problem(f"{before}{at}", what), told):  # noqa: B023
                reader.read(value, f"{before}{where}" if where else place)
        report.known = staging.leave_out_known()
        for count in staging.store():
            report.messages += count
            progress("storing", report.messages, reader.messages - report.known)
    if not reader.messages:
        raise HistoryFileError("; ".join(report.problems[:3]) or "it has no message")
    return report


def _members(file: io.BufferedReader, report: Report) -> Iterator[tuple[Any, str]]:
    """The file itself, or the files of an archive that hold conversations, each with its name."""
    if file.peek(2)[:2] != b"PK":
        yield file, ""
        return
    try:
        with ExitStack() as opened:
            archive = opened.enter_context(zipfile.ZipFile(file))
            kinds, files = (".json", ".jsonl", ".ndjson"), archive.namelist()
            names = [name for name in files if name.lower().endswith(kinds) and not name.startswith("__MACOSX")]
            chosen = [name for name in names if _has_conversations(name)] or names
            for name in sorted(chosen):
                yield opened.enter_context(archive.open(name)), name
            if not chosen:
                raise HistoryFileError("the archive holds no conversations.json")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        report.problem("the archive", f"cannot be read ({error}); unpack it, and import conversations.json")


class _Reader:
    """Takes values apart into messages."""

    def __init__(self, staging: Staging, report: Report) -> None:
        self.messages = 0
        self._staging, self._report = staging, report
        self._loose: dict[str, Staged] = {}  # conversations whose messages come one by one, by the file's name for them

    def read(self, value: Any, where: str) -> None:
        """Read a message, a conversation, or an object with `sessions`."""
        if isinstance(value, dict) and isinstance(value.get("sessions"), list):
            for number, each in enumerate(value["sessions"], 1):
                self.read(each, f"{where}, session {number}".removeprefix(", "))
            return
        try:
            conversation = conversation_of(value)
            if conversation is not None:
                self._read_conversation(conversation, where)
            elif message := message_of(value, self._report.skipped):
                key = next((str(value[name]) for name in _SESSIONS if value.get(name) is not None), "")
                if key not in self._loose:
                    self._loose[key] = self._staging.begin(Conversation(key, "", None, []))
                    self._report.conversations += 1
                self._add(self._loose[key], message, where)
        except HistoryFileError as error:
            self._report.problem(where, str(error))

    def _read_conversation(self, conversation: Conversation, where: str) -> None:
        messages: list[tuple[Message, str]] = []
        named = f'{where} ("{label(conversation.title)}")' if conversation.title else where
        for number, each in enumerate(conversation.messages, 1):
            place = f"{named}, message {number}".removeprefix(", ")
            try:
                if message := message_of(each, self._report.skipped):
                    messages.append((message, place))
            except HistoryFileError as error:
                self._report.problem(place, str(error))
        if not messages:
            self._report.skipped["empty conversation"] += 1
            return
        self._report.conversations += 1
        first = next((message.time for message, _ in messages if parse_time(message.time or "")), None)
        staged = self._staging.begin(conversation, first)
        for message, place in messages:
            self._add(staged, message, place)

    def _add(self, staged: Staged, message: Message, place: str) -> None:
        self.messages += 1
        if not self._staging.add(staged, message):
            self._report.problem(
                place, f"has a date that cannot be read ({label(message.time or '')}); write 2023-05-30"
            )


def _has_conversations(name: str) -> bool:
    """Whether a file of an archive is one of an export's files with conversations, by its name."""
    base = name.rpartition("/")[2].lower()
    return base.startswith("conversations") and base.endswith(".json")
