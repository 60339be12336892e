"""Keeps the conversations of one person: stores of each request what no request has brought before.

Clients send the whole conversation again with each message. They may also edit a message, ask for another reply, or
go on with a conversation that began elsewhere. So each stored message is known by a hash of itself and of all messages
before it in its conversation; what comes after the last known one is new. System prompts are no part of a history.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

from ..models.thoughts import split_thoughts
from ..models.types import ChatMessage
from ..query.answer import Answer
from ..store.memory_store import MemoryStore
from ..store.turns import Session
from .limits import Refusal

_INSTRUCTIONS = ("system", "developer")
_TABLE = """CREATE TABLE IF NOT EXISTS endpoint_messages
    (chain BLOB PRIMARY KEY, session INTEGER NOT NULL, at REAL NOT NULL) WITHOUT ROWID"""


@dataclass(frozen=True)
class Said:
    """A message as it is stored: who said it, what, and the speaker's name or ""."""

    role: str
    text: str
    name: str = ""

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> "Said":
        """Read a message of the chat-completions protocol.

        A call of a tool is stored as a line of the assistant's turn. What is no text is named, with a short hash.

        Raises:
            Refusal: The message has another form.

        >>> Said.of({"role": "user", "content": [{"type": "text", "text": "Who is it?"}, {"type": "image_url"}]}).text
        'Who is it?\\n[image_url 3a7af6cd]'
        """
        role, content, name = (message.get(field) for field in ("role", "content", "name"))
        parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
        calls = message.get("tool_calls") or []
        if not (isinstance(role, str) and role and isinstance(name or "", str) and isinstance(calls, list)):
            raise Refusal(400, "each message needs a `role`; its `name` is a text, and its `tool_calls` are a list")
        if not isinstance(content or "", (str, list)) or not all(isinstance(each, dict) for each in (*parts, *calls)):
            raise Refusal(400, "a message's `content` is a text or a list of objects, and its `tool_calls` are objects")
        text = "\n".join(_text(part) for part in parts)
        if role == "assistant":
            text = split_thoughts(text)[0]
            for each in calls:
                called = each.get("function")
                called = called if isinstance(called, dict) else {}
                text += f"\n[called {called.get('name')}({called.get('arguments')})]"
        return cls(role, text.strip(), name or "")


class Conversation:
    """The conversation of one request, and what the store holds of it. Its methods block; call them in a thread.

    Args:
        store: Of the person who speaks.
        messages: Those of the request.

    Raises:
        Refusal: A message has another form than the protocol's.

    >>> store = MemoryStore()
    >>> talk = Conversation(store, [{"role": "user", "content": "Hi."}])
    >>> talk.begin()
    >>> talk.end({"role": "assistant", "content": "Hello!"})
    >>> Conversation(store, [{"role": "user", "content": "Hi."}]).end({"role": "assistant", "content": "Hey!"})
    >>> [turn.content for turn in store.turns]
    ['Hi.', 'Hello!', 'Hey!']
    """

    def __init__(self, store: MemoryStore, messages: Sequence[Mapping[str, Any]]) -> None:
        self.store = self.history = store
        every = [(message, Said.of(message)) for message in messages]
        instructions = [said.text for _, said in every if said.role in _INSTRUCTIONS]
        self.system = "\n\n".join(filter(None, instructions)) or None
        self.instructions = [ChatMessage(role="system", content=self.system)] if self.system else []
        self.messages = [message for message, said in every if said.role not in _INSTRUCTIONS]
        self._said = [said for _, said in every if said.role not in _INSTRUCTIONS and said.text]
        replies = [at for at, said in enumerate(self._said, 1) if said.role == "assistant"]
        self._past = max(replies, default=0)  # what is not about this request: all up to the last reply
        self._own: set[int] = set()  # the sessions that hold the conversation

    @property
    def question(self) -> str:
        """The user's last text, "" if there is none."""
        return next((said.text for said in reversed(self._said) if said.role == "user"), "")

    @property
    def is_plain(self) -> bool:
        """Whether the last message is a text of the user, so that a text can answer it."""
        last = self.messages[-1] if self.messages else {}
        content = last.get("content")
        parts = content if isinstance(content, list) else [{"type": "text"}]
        return last.get("role") == "user" and all(part.get("type") == "text" for part in parts)

    def begin(self) -> None:
        """Store the past of the conversation, as far as it is new, and set `history` to what is stored now."""
        self._store(self._said[: self._past])
        self.history = self.store.snapshot()

    def end(self, reply: Mapping[str, Any]) -> None:
        """Store what the request asks, as far as it is new, together with the reply: both or none."""
        said = Said.of(reply)
        self._store([*self._said, *([said] if said.text else [])])

    def earlier(self) -> list[Session]:
        """The sessions of the history that hold nothing of this conversation."""
        return [session for session in self.history.sessions if session.number not in self._own]

    def tail(self, characters: int) -> list[Mapping[str, Any]]:
        """The last messages, from one of the user on, of about so many characters at most."""
        size, start = 0, len(self.messages)
        for at, message in reversed(list(enumerate(self.messages))):
            size += len(Said.of(message).text)
            if size > characters and start < len(self.messages):
                break
            start = at if message["role"] == "user" else start
        return self.messages[start:] or self.messages

    def _store(self, said: Sequence[Said]) -> None:
        chains = list(accumulate(said, _chain, initial=b""))[1:]
        if not chains:
            return
        now = time.time()
        with self.store.transaction():
            self.store.query(_TABLE)
            found = [self.store.query("SELECT session, at FROM endpoint_messages WHERE chain = ?", [chain])
                     for chain in chains]  # fmt: skip
            known = max((at for at, rows in enumerate(found, 1) if rows), default=0)
            self._own = {session for rows in found for session, _ in rows}
            session, at = found[known - 1][0] if known else (0, 0.0)
            goes_on = session == len(self.store.sessions)
            if known > self._past and not (goes_on and now - at < self.store.gap.total_seconds()):
                known = self._past  # said again later, and not a reply that is asked for again
            if known < len(chains) and not goes_on:
                self.store.start_session()
            for chain, each in zip(chains[known:], said[known:], strict=True):
                turn = self.store.add(each.role, each.text, datetime.now(UTC), each.name)
                row = (chain, turn.session, now)
                self.store.query("INSERT OR REPLACE INTO endpoint_messages VALUES (?, ?, ?)", row)
                self._own.add(turn.session)


def recollection(answer: Answer) -> ChatMessage:
    """What the memory says, as a message for the model that words the reply."""
    quotes = [f"turn {found.turn}, {found.date or 'no date'}: {found.quote}" for found in answer.standing_on()]
    return {"role": "user", "content": "\n".join(["(From earlier conversations:)", answer.text, *quotes])}


def _text(part: Mapping[str, Any]) -> str:
    if isinstance(part.get("text"), str):
        return str(part["text"])
    digest = hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()
    return f"[{part.get('type')} {digest[:8]}]"


def _chain(before: bytes, said: Said) -> bytes:
    """Identifies a message in its conversation; clients may change the blanks of what they repeat."""
    words = json.dumps([said.role, said.name, said.text.split()])
    return hashlib.sha256(before + words.encode()).digest()[:16]
