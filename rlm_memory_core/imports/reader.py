"""Reads a file of messages or conversations into a store, and reports what it read and what it could not read.

A bad conversation, message or line never makes the whole import fail: it is reported, counted and left out.
"""

import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from io import SEEK_END, BufferedReader
from pathlib import Path
from typing import IO, Any

from ..store.escaping import label, well_formed
from ..store.memory_store import MemoryStore
from ..store.times import parse_time
from .formats import Conversation, Message, conversations_of, message_of
from .json_values import HistoryFileError, joined, json_values
from .staging import Staging

Progress = Callable[[str, int, int], None]
"""Called with the activity ("reading" or "storing"), the amount done and the total: in bytes, then in messages."""

# raised for damaged or encrypted parts of an archive, and for unknown compression
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_NAMED = 1000  # a report keeps only so many problems, and counts the others
_READABLE = "give messages as JSON or JSON Lines in UTF-8, or an export of ChatGPT or Claude"


@dataclass
class Report:
    """The result of an import.

    Args:
        messages: The number of messages that were stored.
        known: The number of messages that an earlier import had stored.
        skipped: Counts, by kind, of what was left out, such as images and hidden messages.
        problems: What could not be read and where, one line each; at most 1,000.
        unread: The number of all problems.
    """

    messages: int = 0
    known: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    unread: int = 0

    def problem(self, place: str, what: object) -> None:
        """Note that something could not be read."""
        self.unread += 1
        if len(self.problems) < _NAMED:
            self.problems.append(f"{place or 'it'} {what}")

    def lines(self, most: int) -> list[str]:
        """Return at most so many problems, and a line that says how many more there are."""
        more = [f"{self.unread - most:,} more could not be read"] if self.unread > most else []
        return self.problems[:most] + more

    def __str__(self) -> str:
        skipped = ", ".join(f"{count:,} x {kind}" for kind, count in self.skipped.most_common())
        counts = {"already stored": f"{self.known:,}", "left out": skipped, "could not be read": f"{self.unread:,}"}
        told = [f"{name}: {count}" for name, count in counts.items() if count not in ("", "0")]
        return "; ".join([f"new messages: {self.messages:,}", *told])


def import_file(store: MemoryStore, path: str | Path, progress: Progress = lambda *done: None) -> Report:
    """Add the conversations in a file to a store, sorted by time. Each conversation gets its own sessions.

    The file may be an export of ChatGPT or Claude (the zip file or its `conversations.json`), a message list of OpenAI
    or Anthropic, ShareGPT, or JSON Lines. Lists of messages are found under the usual names. Messages that an earlier
    import has stored are not stored again, so a newer export adds only what is new or was edited. A conversation
    without ids and times is recognised if it begins with all of its stored messages. If it was edited, it is stored
    again as a whole, because it may be a different conversation with the same beginning.

    Args:
        store: The store that gets the messages. Its `tz` decides on which day a message was sent.
        path: The file. It is not changed.
        progress: Called from time to time.

    Raises:
        HistoryFileError: No part of the file can be read.
        OSError: The file cannot be opened.
        StoreError: The store cannot be written. What was stored so far is kept, and another import continues from
            there.
    """
    with Path(path).open("rb") as file:
        return import_stream(store, file, str(path), progress)


def import_stream(store: MemoryStore, file: BufferedReader, name: str, progress: Progress = lambda *_: None) -> Report:
    """Import like `import_file`, from an open file. Errors call it by this name.

    >>> from io import BytesIO
    >>> store, content = MemoryStore(), b'[{"role": "user", "content": "Hi", "date": "2023-05-20"}]'
    >>> print(import_stream(store, BufferedReader(BytesIO(content)), "hi.json"))
    new messages: 1
    >>> print(store.to_string())
    [--- Session 1 | 2023-05-20 ---]
    [Turn 1][user]: Hi
    """
    report, size = Report(), file.seek(0, SEEK_END)
    file.seek(0)
    members, opened = _members(file, name)
    with closing(Staging(store)) as staging:
        for member in members:
            try:
                for place, value in json_values(opened(member)):
                    _stage(value, joined(member, place), staging, report)
                    progress("reading", file.tell(), size)
            except _BROKEN as error:
                report.problem(member, f"cannot be read to its end ({error}); unpack it, and import its files")
        report.known = staging.known
        for count in staging.store():
            report.messages += count
            progress("storing", report.messages, staging.messages - report.known)
    if not staging.messages:
        why = "; ".join(report.problems[:3]) or "it has no message"
        raise HistoryFileError(f"{name} cannot be read as a history: {why}; {_READABLE}")
    return report


def _members(file: BufferedReader, name: str) -> tuple[list[str], Callable[[str], IO[bytes]]]:
    """Return the names of the files with conversations in an archive, and their opener; [""] for any other file."""
    if file.peek(2)[:2] != b"PK":
        return [""], lambda _: file
    try:
        archive = zipfile.ZipFile(file)
    except _BROKEN as error:
        raise HistoryFileError(f"{name} is a broken archive ({error}); unpack it, and import its files") from None
    files = [name for name in sorted(archive.namelist()) if name.endswith((".json", ".jsonl"))]
    return [name for name in files if Path(name).name.startswith("conversations")] or files, archive.open


def _stage(value: Any, where: str, staging: Staging, report: Report) -> None:
    """Add the messages in a JSON value, and report what cannot be read."""
    try:
        for conversation in conversations_of(value, where, {}):
            staging.add(conversation, list(_messages(conversation, report)))
    except RecursionError:
        report.problem(where, "is nested too deeply")


def _messages(conversation: Conversation, report: Report) -> Iterator[Message]:
    """Yield the messages of a conversation that can be read, and report what cannot be read."""
    for number, value in enumerate(conversation.messages, 1):
        place = conversation.place if conversation.alone else joined(conversation.place, f"message {number}")
        try:
            message = message_of(value, report.skipped)
        except (HistoryFileError, RecursionError) as error:
            report.problem(place, error if isinstance(error, HistoryFileError) else "is nested too deeply")
            continue
        if message is None:
            continue
        yield message
        if message.time and not parse_time(message.time):
            report.problem(place, f"has a date that cannot be read ({label(message.time)}); write 2023-05-30")
        if well_formed(message.content) != message.content:
            report.problem(place, "has bytes that are not UTF-8 text; each became the character \ufffd")
