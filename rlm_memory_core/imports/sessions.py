"""Groups messages into sessions, and stores them as turns."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ..store.dates import parse_date
from ..store.escaping import label
from ..store.memory_store import MemoryStore
from .message_formats import HistoryFileError, content_of, date_of, from_chatgpt, from_sharegpt, is_chatgpt, keys_of

_LIST_KEYS = ("messages", "conversations")  # the second is ShareGPT's
_SESSION_KEYS = ("session", "session_id", "conversation_id")


@dataclass
class _Session:
    """Messages that become one session; `key` is the file's name for the session, or the day of its messages."""

    date: str | None
    key: object = None
    turns: list[tuple[str, str, str | None]] = field(default_factory=list)  # role, content, timestamp


class SessionReader:
    """Reads messages and conversations, and groups them into sessions.

    A conversation is a session of its own. A message starts a session if its `session` differs from the one before;
    where messages have none, if its date is another day.

    >>> reader = SessionReader()
    >>> reader.read([{"role": "user", "content": "Hi", "date": "2023/05/20"}])
    >>> len(reader.store().sessions)
    1
    """

    def __init__(self) -> None:
        self.messages = 0
        self.unreadable_dates: list[tuple[str, str]] = []  # the place in the file, and the date
        self._sessions: list[_Session] = []

    def read(self, value: Any, where: str = "") -> None:
        """Read a message, a conversation, or a list of these.

        Args:
            value: A JSON value.
            where: Its place in the file, for errors; "" for the whole file.

        Raises:
            HistoryFileError: The value is none of these.
        """
        if isinstance(value, list):
            for number, each in enumerate(value, 1):
                place = _within(where, f"entry {number}")
                if isinstance(each, list):
                    self._read_conversation({"messages": each}, place)
                else:
                    self.read(each, place)
        elif isinstance(value, dict) and isinstance(value.get("sessions"), list):
            for number, each in enumerate(value["sessions"], 1):
                conversation = {"messages": each} if isinstance(each, list) else each
                self._read_conversation(conversation, _within(where, f"session {number}"))
        elif isinstance(value, dict) and (is_chatgpt(value) or any(key in value for key in _LIST_KEYS)):
            self._read_conversation(value, where)
        else:
            self._read_message(value, where)

    def store(self) -> MemoryStore:
        """Return everything read so far, as a store in memory."""
        store = MemoryStore()
        with store.transaction():
            for session in self._sessions:
                if session.turns:
                    store.start_session(session.date)
                for turn in session.turns:
                    store.add(*turn)
        return store

    def _read_conversation(self, value: Any, where: str) -> None:
        value = value if isinstance(value, dict) else {}
        if is_chatgpt(value):
            value = from_chatgpt(value, where)
        messages = next((value[key] for key in _LIST_KEYS if key in value), None)
        if not isinstance(messages, list):
            raise HistoryFileError(f"{where or 'it'} has no list of messages{keys_of(value)}")
        self._sessions.append(_Session(self._date(value, where)))
        for number, message in enumerate(messages, 1):
            self._read_message(message, _within(where, f"message {number}"))
        self._sessions.append(_Session(None))  # later messages do not join this conversation

    def _read_message(self, message: Any, where: str) -> None:
        if not isinstance(message, dict):
            raise HistoryFileError(f"{where or 'it'} is not a message but {json.dumps(message)[:60]}")
        message = from_sharegpt(message)
        role = message.get("role")
        if not isinstance(role, str):
            raise HistoryFileError(f"{where or 'its one message'} has no role{keys_of(message)}")
        date = self._date(message, where)
        key = next((message[name] for name in _SESSION_KEYS if message.get(name) is not None), None)
        if key is None and date is not None:
            key = parse_date(date) or date
        if not self._sessions or (None not in (key, self._sessions[-1].key) and key != self._sessions[-1].key):
            self._sessions.append(_Session(None))
        session = self._sessions[-1]
        session.key = key if session.key is None else session.key
        session.date = session.date or date
        session.turns.append((role, content_of(message, where), date))
        self.messages += 1

    def _date(self, value: dict[str, Any], where: str) -> str | None:
        date = date_of(value, where)
        if date is not None and parse_date(date) is None:
            self.unreadable_dates.append((where, label(date)))
        return date


def _within(where: str, place: str) -> str:
    """The place of a part in the file: "line 3, message 2"."""
    return f"{where}, {place}" if where else place
