"""Stores the new messages of each request, once.

Clients send the conversation again with each message: all of it, or only its last messages. They may also edit a
message, ask for another reply, or continue a conversation that began elsewhere. So each stored message has a key: a
hash of the message and of the key before it. We follow a request along these keys from the beginning of a stored
conversation. If that does not reach the last reply, we start wherever the first or second message of the request was
stored. Every message after the last one found is new. System prompts are never stored.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..models.thoughts import split_thoughts
from ..models.types import ChatMessage
from ..query.answer import Answer
from ..query.listing import head
from ..store.memory_store import MemoryStore
from ..store.turns import Session
from .replies import Refusal

_INSTRUCTIONS = ("system", "developer")
_TABLE = """CREATE TABLE IF NOT EXISTS endpoint_turns (said BLOB, before BLOB, turn INTEGER NOT NULL,
    session INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (said, before)) WITHOUT ROWID"""
_NEXT = "SELECT turn, session, at FROM endpoint_turns WHERE said = ? AND before = ?"
_PLACES = "SELECT before FROM endpoint_turns WHERE said = ? ORDER BY at DESC LIMIT 20"
_CONTEXT = 4  # messages that the search is told besides the user's last one
_HELPS = "What do earlier conversations hold that helps to answer the last message of this one? It ends:"


@dataclass(frozen=True)
class Said:
    """One message as it is stored: the role, the text, and the speaker's name or ""."""

    role: str
    text: str
    name: str = ""

    @property
    def digest(self) -> bytes:
        """A hash of the message. It ignores whitespace, which clients may change when they repeat a message."""
        return hashlib.sha256(json.dumps([self.role, self.name, self.text.split()]).encode()).digest()[:16]

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> "Said":
        """Read a message of the chat-completions protocol.

        A tool call becomes a line of the assistant's turn. A part that is not text becomes its type and a short hash.

        Raises:
            Refusal: The message does not follow the protocol.

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


class _Stored(NamedTuple):
    """A stored message: the key of the conversation up to it, its turn and session, and the time it was stored."""

    key: bytes
    turn: int = 0
    session: int = 0
    at: float = 0.0


class Conversation:
    """The conversation of one request. Creating it stores the messages up to the last reply.

    The constructor and the methods block, so call them in a thread.

    Args:
        store: The person's store.
        messages: The messages of the request.

    Raises:
        Refusal: A message does not follow the protocol.

    `history` is the person's whole history, with this conversation.

    >>> store = MemoryStore()
    >>> talk = Conversation(store, [{"role": "user", "content": "Hi."}])
    >>> talk.end({"role": "assistant", "content": "Hello!"})
    >>> Conversation(store, [{"role": "user", "content": "Hi."}]).end({"role": "assistant", "content": "Hey!"})
    >>> [turn.content for turn in store.turns]
    ['Hi.', 'Hello!', 'Hey!']
    """

    def __init__(self, store: MemoryStore, messages: Sequence[Mapping[str, Any]]) -> None:
        self.store = store
        every = [said for said in map(Said.of, messages) if said.text]
        self.system = "\n\n".join(said.text for said in every if said.role in _INSTRUCTIONS) or None
        self.instructions = [ChatMessage(role="system", content=self.system)] if self.system else []
        self.messages = [message for message in messages if message["role"] not in _INSTRUCTIONS]
        self._said = [said for said in every if said.role not in _INSTRUCTIONS]
        self._settled = max((at for at, said in enumerate(self._said, 1) if said.role == "assistant"), default=0)
        self.is_too_long = False  # does not fit into the model's context
        self._own = self._store(self._said, self._settled)  # its stored messages
        self.history = store.snapshot()
        own = sum(len(said.text) for said in self._said[: self._settled])
        self.characters = self.history.characters() - own  # of the history outside this request

    @property
    def question(self) -> str:
        """The question for the memory: the user's last message with a few before it; "" if the user says nothing."""
        asked = max((at for at, said in enumerate(self._said, 1) if said.role == "user"), default=0)
        *context, last = self._said[max(asked - 1 - _CONTEXT, 0) : asked] or [Said("user", "")]
        before = [f"{said.role}: {head(said.text, 500)}" for said in context]
        return "\n".join([_HELPS, *before, f"user: {last.text}"]) if before else last.text

    def end(self, reply: Mapping[str, Any]) -> None:
        """Store the new messages of the request and the reply, all or none."""
        said = Said.of(reply)
        self._store([*self._said, said] if said.text else self._said)

    def earlier(self) -> Iterator[Session]:
        """Yield the sessions of the history without this conversation; earlier turns of its session stay in."""
        sessions = {stored.session for stored in self._own}
        first = min((stored.turn for stored in self._own), default=0)
        for session in self.history.sessions:
            is_own = session.number in sessions
            yield replace(session, turns=tuple(each for each in session.turns if not is_own or each.index < first))

    def tail(self, characters: float) -> list[Mapping[str, Any]]:
        """Return the last messages, at most about `characters` long, beginning with one of the user."""
        size, start = 0, len(self.messages)
        for at, message in reversed(list(enumerate(self.messages))):
            size += len(Said.of(message).text)
            if size > characters and start < len(self.messages):
                break
            start = at if message["role"] == "user" else start
        return self.messages[start:] or self.messages

    def _store(self, said: Sequence[Said], stop: int | None = None) -> list[_Stored]:
        """Store the new ones of the messages before `stop`; return every stored message of the conversation."""
        now = time.time()
        with self.store.transaction():
            self.store.query(_TABLE)
            start, path = self._found(said)
            last, sessions = path[-1], len(self.store.sessions)
            is_soon = last.session == sessions and now - last.at < self.store.gap.total_seconds()
            if start + len(path) - 1 > self._settled and not is_soon:
                # the same words hours later are a new message; soon after, they ask for another reply
                path = path[: max(self._settled - start, 0) + 1]
            new = said[start + len(path) - 1 : stop]
            if new and path[-1].session != sessions:
                self.store.start_session()
            for each in new:
                before = path[-1].key
                turn = self.store.add(each.role, each.text, datetime.now(UTC), each.name)
                path.append(_Stored(_key(before, each), turn.index, turn.session, now))
                row = (each.digest, before, *path[-1][1:])
                self.store.query("INSERT OR REPLACE INTO endpoint_turns VALUES (?, ?, ?, ?, ?)", row)
        return path[1:]

    def _found(self, said: Sequence[Said]) -> tuple[int, list[_Stored]]:
        """Return where in the request the stored run begins, and the run: the key before it, then its messages."""
        whole = self._follow(said, b"")
        runs = [(0, whole)]
        if len(whole) <= max(self._settled, 1):
            for start, each in enumerate(said[:2]):
                for (before,) in self.store.query(_PLACES, [each.digest]):
                    run = self._follow(said[start:], before)
                    # one message is too little to go by, unless it was said last and others follow
                    is_latest = run[-1].turn >= len(self.store) - 1 and start + 1 < len(said)
                    if len(run) > 2 or is_latest:
                        runs.append((start, run))
        return max(runs, key=lambda each: len(each[1]))

    def _follow(self, said: Sequence[Said], before: bytes) -> list[_Stored]:
        """Return the longest stored run of these messages that continues the key `before`."""
        path = [_Stored(before)]
        for each in said:
            rows = self.store.query(_NEXT, (each.digest, path[-1].key))
            if not rows:
                break
            path.append(_Stored(_key(path[-1].key, each), *rows[0]))
        return path


def recollection(answer: Answer) -> ChatMessage:
    """Turn the memory's answer into a message for the model that writes the reply. It contains the quotes found.

    >>> from rlm_memory_core import Evidence
    >>> evidence = Evidence(1, None, 3, "My cat Mochi sleeps."), Evidence(2, None, None, "", "It is Mochi.")
    >>> print(recollection(Answer("Mochi", evidence))["content"])
    (From earlier conversations:)
    Mochi
    turn 3, no date: My cat Mochi sleeps.
    """
    found = [each for each in answer.standing_on() if each.quote]
    quotes = [f"turn {each.turn}, {each.date or 'no date'}: {each.quote}" for each in found]
    return {"role": "user", "content": "\n".join(["(From earlier conversations:)", answer.text, *quotes])}


def _text(part: Mapping[str, Any]) -> str:
    if isinstance(part.get("text"), str):
        return str(part["text"])
    digest = hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()
    return f"[{part.get('type')} {digest[:8]}]"


def _key(before: bytes, said: Said) -> bytes:
    """Return the key of a conversation that ends with this message."""
    return hashlib.sha256(before + said.digest).digest()[:16]
