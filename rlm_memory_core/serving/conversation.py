"""Stores the new messages of each request, once.

Clients send the conversation again with each message: all of it, or only its last messages. They may also edit a
message, ask for another reply, or continue a conversation that began elsewhere. So each stored message has three keys:
hashes of the whole conversation up to it, of it with the message before it, and of it alone. We look for the first key.
If a client leaves out earlier messages, or changes its first one, we look for the second key, and of the first message
of the request for the third. Every message after a run of known ones is new. System prompts are never stored.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate, chain, takewhile
from typing import Any

from ..models.thoughts import split_thoughts
from ..models.types import ChatMessage
from ..query.answer import Answer
from ..query.listing import head
from ..store.memory_store import COLUMNS, MemoryStore
from ..store.turns import Session, Turn

_INSTRUCTIONS = ("system", "developer")
_TABLE = "CREATE TABLE IF NOT EXISTS endpoint_messages (key BLOB PRIMARY KEY, turn INTEGER NOT NULL) WITHOUT ROWID"
_STORED = f"SELECT {COLUMNS} FROM endpoint_messages JOIN turns ON turn_index = turn WHERE key = ?"
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

        >>> Said.of({"role": "user", "content": [{"type": "text", "text": "Who is it?"}, {"type": "image_url"}]}).text
        'Who is it?\\n[image_url 3a7af6cd]'
        """
        content, calls = message.get("content") or "", message.get("tool_calls") or []
        text = "\n".join(map(_text, content if isinstance(content, list) else [{"text": content}]))
        if message["role"] == "assistant":
            text = split_thoughts(text)[0]
            for called in (each.get("function") or {} for each in calls):
                text += f"\n[called {called.get('name')}({called.get('arguments')})]"
        return cls(message["role"], text.strip(), message.get("name") or "")


class Conversation:
    """The conversation of one request. Creating it stores the messages up to the last reply.

    The constructor and the methods block, so call them in a thread.

    Args:
        store: The person's store.
        messages: The messages of the request.

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
        sessions = {turn.session for turn in self._own}
        first = min((turn.index for turn in self._own), default=0)
        for session in self.history.sessions:
            is_own = session.number in sessions
            yield replace(session, turns=tuple(each for each in session.turns if not is_own or each.index < first))

    def _store(self, said: Sequence[Said], stop: int | None = None) -> list[Turn]:
        """Store the new ones of the messages before `stop`; return the turns of the conversation."""
        digests = [each.digest for each in said]
        whole = list(accumulate(digests, _key, initial=b"whole"))[1:]  # of each message with all before it
        pairs = list(map(_key, [b"", *digests], digests))  # of each message with the one before it
        with self.store.transaction():
            self.store.query(_TABLE)
            count, own = self._stored(whole, pairs)
            if said[count:stop] and (not own or own[-1].session != len(self.store.sessions)):
                self.store.start_session()
            for at in range(len(said))[count:stop]:
                own.append(self.store.add(said[at].role, said[at].text, datetime.now(UTC), said[at].name))
                for key in (whole[at], pairs[at], _key(b"", digests[at])):
                    self.store.query("INSERT OR REPLACE INTO endpoint_messages VALUES (?, ?)", (key, own[-1].index))
        return own

    def _stored(self, whole: Sequence[bytes], pairs: Sequence[bytes]) -> tuple[int, list[Turn]]:
        """Return how many of the messages are stored, and their turns, without those that have changed."""
        soon, sessions = (datetime.now(UTC) - self.store.gap).isoformat(), len(self.store.sessions)
        known: list[list[Turn]] = []
        for at, key in enumerate(whole, 1):
            turns = [Turn(*row) for row in self.store.query(_STORED, [key])]
            if at > self._settled:  # the same words hours later are new; soon after, they ask for another reply
                turns = [turn for turn in turns if turn.session == sessions and turn.timestamp > soon]
            if not turns and at <= (self._settled or len(self._said) - 1):
                turns = [Turn(*row) for row in self.store.query(_STORED, [pairs[at - 1]])]
            known.append(turns)
        # the first message may have changed, and then the second one does not follow on it
        runs = [(start, list(chain(*takewhile(bool, known[start:])))) for start in range(3)]
        start, own = max(runs, key=lambda run: run[0] + len(run[1]) if run[1] else 0)
        return start + len(own), own


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


def _key(before: bytes, digest: bytes) -> bytes:
    """Return the key of a conversation that ends with the message of this hash."""
    return hashlib.sha256(before + digest).digest()[:16]
