"""Reads a file of messages or conversations into a store, and reports what it read and what it could not read.

A bad conversation, message or line never makes the whole import fail: it is reported, counted and left out.
"""

import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from io import SEEK_END, BufferedReader
from pathlib import Path
from typing import Any

from ..store.escaping import label, well_formed
from ..store.memory_store import MemoryStore
from ..store.times import parse_time
from .formats import Conversation, Message, conversations_of, message_of, with_replies
from .json_values import HistoryFileError, joined, json_values
from .staging import Staging

Progress = Callable[[str, int, int], None]
"""Called with the activity ("reading" or "storing"), the amount done and the total: in bytes, then in messages."""

# raised for damaged or encrypted parts of an archive, and for unknown compression
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_NAMED = 1000  # a report keeps only so many problems, and counts the others
_READABLE = "give messages as JSON or JSON Lines, or an export of ChatGPT or Claude"


@dataclass
class Report:
    """The result of an import.

    Args:
        messages: The number of messages that were stored.
        known: The number of messages that an earlier import had stored.
        conversations: The number of conversations in the file that could be read.
        skipped: Counts, by kind, of what was left out: images, hidden messages, rejected answers, repeated lists.
        problems: What could not be read and where, one line each; at most 1,000.
        unread: The number of all problems.
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

    def lines(self, most: int) -> list[str]:
        """Return at most so many problems, and a line that says how many more there are."""
        more = [f"{self.unread - most:,} more could not be read"] if self.unread > most else []
        return self.problems[:most] + more

    def __str__(self) -> str:
        skipped = ", ".join(f"{count:,} x {kind}" for kind, count in self.skipped.most_common())
        parts = [f"{_counted(self.messages, 'new message')} of {_counted(self.conversations, 'conversation')}"]
        parts += [f"already stored: {self.known:,}"] if self.known else []
        parts += [f"left out: {skipped}"] if skipped else []
        return "; ".join([*parts, f"could not be read: {self.unread:,}"] if self.unread else parts)


def import_file(store: MemoryStore, path: str | Path, progress: Progress = lambda *done: None) -> Report:
    """Add the conversations in a file to a store, sorted by time. Each conversation gets its own sessions.

    The file may be an export of ChatGPT or Claude (the zip file or its `conversations.json`), of DeepSeek, Grok, AI
    Studio, Open WebUI, LibreChat, Teams, Matrix, Telegram, Discord, Slack or SillyTavern, a message list of OpenAI or
    Anthropic, ShareGPT, or JSON Lines. Lists of messages are found under any name. A list that a record holds under two
    known names is stored once. Of preference data, the prompt and `chosen` are stored, and the report counts
    `rejected`. Messages that an earlier import has stored are not stored again, so a newer export adds only what is new
    or was edited. A conversation without ids and times is recognised if it begins with all of its stored messages. If
    it was edited, it is stored again as a whole, because it may be a different conversation with the same beginning.

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
    1 new message of 1 conversation
    >>> print(store.to_string())
    [--- Session 1 | 2023-05-20 ---]
    [Turn 1][user]: Hi
    """
    report, size = Report(), file.seek(0, SEEK_END)
    file.seek(0)
    with closing(Staging(store)) as staging:
        for member, opened in _members(file, name):
            try:
                for place, value in json_values(opened(), lambda at, what: report.problem(joined(member, at), what)):  # noqa: B023
                    _read(value, joined(member, place), staging, report)
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


def _members(file: BufferedReader, name: str) -> list[tuple[str, Callable[[], Any]]]:
    """Return a name and an opener for the file itself, or for each file in an archive that contains conversations."""
    if file.peek(2)[:2] != b"PK":
        return [("", lambda: file)]
    try:
        archive = zipfile.ZipFile(file)
    except _BROKEN as error:
        raise HistoryFileError(f"{name} is a broken archive ({error}); unpack it, and import its files") from None
    files = [name for name in sorted(archive.namelist()) if not name.startswith("__MACOSX")]
    names = [name for name in files if name.lower().endswith((".json", ".jsonl", ".ndjson"))]
    chosen = [name for name in names if name.lower().rpartition("/")[2].startswith("conversations")] or names
    return [(name, partial(archive.open, name)) for name in chosen]


def _read(value: Any, where: str, staging: Staging, report: Report) -> None:
    """Add the messages in a JSON value, and report what cannot be read."""
    try:
        for conversation in conversations_of(value, where, report.skipped):
            messages = list(_messages(conversation, report))
            report.conversations += staging.add(conversation, messages)
            if not (messages or conversation.alone):
                report.skipped["empty conversation"] += 1
    except RecursionError:
        report.problem(where, "is nested too deeply")


def _messages(conversation: Conversation, report: Report) -> Iterator[Message]:
    """Yield the messages of a conversation that can be read, and report what cannot be read."""
    titled = conversation.place + (f' ("{label(conversation.title)}")' if conversation.title else "")
    for number, value in enumerate(with_replies(conversation.messages), 1):
        place = conversation.place if conversation.alone else joined(titled, f"message {number}")
        try:
            message = message_of(value, report.skipped)
        except (HistoryFileError, RecursionError) as error:
            report.problem(place, str(error) if isinstance(error, HistoryFileError) else "is nested too deeply")
            continue
        if message is None:
            continue
        yield message
        if message.time and not parse_time(message.time):
            report.problem(place, f"has a date that cannot be read ({label(message.time)}); write 2023-05-30")
        if well_formed(message.content) != message.content:
            report.problem(place, "has bytes that are not UTF-8 text; each became the character \ufffd")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
