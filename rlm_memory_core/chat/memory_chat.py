"""MemoryChat: memory for an assistant, in place of a plain chat client (paper Section 3.1).

A short history goes to the model as it is. Past a threshold, MemoryRLM answers from the store. The history is never
cleared; a new conversation needs a new store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from numbers import Real
from pathlib import Path
from typing import TypeVar
from weakref import WeakSet

from ..models import background
from ..models.budget import Budget
from ..models.llm import LLM, ModelError, connect
from ..models.pricing import Usage, cost
from ..models.streaming import Listener
from ..query.answer import Answer
from ..query.engine import MemoryRLM
from ..query.reading import Reading
from ..query.trace import total_cost
from ..store.escaping import label
from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .direct import ask_directly
from .reply_stream import AsyncReplyStream, ReplyStream
from .stats import ChatStats, Mode

_S = TypeVar("_S", ReplyStream, AsyncReplyStream)


class MemoryChat(AbstractContextManager["MemoryChat"]):
    """A conversation that remembers all of itself.

    Args:
        model: A model's name, "offline", or what `connect` returned.
        threshold_chars: Above this many characters of history, MemoryRLM answers.
        store: A MemoryStore, the path of its file, or None to keep the history in memory. A file that already holds
            a conversation is continued.
        system: The assistant's system prompt, or None. In normal mode it follows our own in the system message. In
            memory mode it tells the root model how to word the answer. It is not part of the history.
        base_url, api_key: As for `connect`; ignored if `model` is connected already.
        budget: A limit shared by all calls, or None.
        reading: How a long history is read, such as `Reading("paper")`; None for `Reading("search")`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The threshold is negative.
        StoreError: The file is not a history, or cannot be opened.

    >>> chat = MemoryChat(model="offline")
    >>> turn = chat.add_turn("user", "I adopted a parrot called Kiwi.")
    >>> print(chat.query("What is my parrot called?"))
    I adopted a parrot called Kiwi.
    """

    def __init__(
        self, model: str | LLM = "offline", threshold_chars: int = 20_000,
        store: MemoryStore | str | Path | None = None, *, system: str | None = None, base_url: str | None = None,
        api_key: str | None = None, budget: Budget | None = None, reading: Reading | None = None,
    ) -> None:  # fmt: skip
        for name, value, kinds, meant in (
            ("model", model, (str, LLM), "a model's name, or what connect() returned"),
            ("threshold_chars", threshold_chars, (Real,), "a whole number of characters (0: always use memory)"),
            ("store", store, (MemoryStore, str, Path, type(None)), "a MemoryStore, a path or None"),
            ("system", system, (str, type(None)), "a text or None"),
            ("budget", budget, (Budget, type(None)), "a Budget, such as Budget(usd=0.5), or None"),
            ("reading", reading, (Reading, type(None)), "a Reading, such as Reading('paper'), or None"),
        ):
            if isinstance(value, bool) or not isinstance(value, kinds):
                raise TypeError(f"{name} is {meant}, not {label(repr(value))[:60]}")
        if threshold_chars < 0:
            raise ValueError(f"threshold_chars must not be negative, not {threshold_chars}")
        self.llm = model if isinstance(model, LLM) else connect(model, base_url, api_key)
        self.threshold_chars = threshold_chars
        self.store = store if isinstance(store, MemoryStore) else MemoryStore(store)
        self.system = system
        self.budget = budget
        self._engine = MemoryRLM(self.llm, budget=budget, reading=reading)
        self._queries: dict[Mode, int] = {"normal": 0, "memory": 0}
        self._failed, self._usage = 0, Usage()
        self._cost_usd: float | None = 0.0
        self._streams: WeakSet[ReplyStream | AsyncReplyStream] = WeakSet()
        self._sending = asyncio.Lock()  # one message after another, each stored before the next is answered

    @property
    def uses_memory(self) -> bool:
        """Whether the history is longer than the threshold, so that MemoryRLM answers."""
        return self.store.characters() > self.threshold_chars

    def stats(self) -> ChatStats:
        """Which mode answers and why, how long the history is, and what the queries have cost so far.

        >>> chat = MemoryChat(model="offline", threshold_chars=10)
        >>> turn = chat.add_turn("user", "My cat is called Mochi.")
        >>> stats = chat.stats()
        >>> stats["mode"], stats["characters"], stats["threshold_chars"], stats["queries"]
        ('memory', 23, 10, {'normal': 0, 'memory': 0})
        """
        return {
            "model": self.llm.label,
            "mode": "memory" if self.uses_memory else "normal",
            "characters": self.store.characters(),
            "threshold_chars": self.threshold_chars,
            "turns": len(self.store),
            "sessions": len(self.store.sessions),
            "queries": self._queries.copy(),
            "failed": self._failed,
            "calls": self._usage.calls,
            "prompt_tokens": self._usage.prompt_tokens,
            "completion_tokens": self._usage.completion_tokens,
            "cost_usd": self._cost_usd,
        }

    def add_turn(self, role: str, content: str) -> Turn:
        """Store a turn without asking anything.

        Args:
            role: Who said it. Models see a role other than system, user and assistant as a user's message that begins
                with the role.
            content: What was said.

        >>> print(MemoryChat().add_turn("user", "Hello."))
        [Turn 1][user]: Hello.
        """
        return self.store.add(role, content)

    async def aadd_turn(self, role: str, content: str) -> Turn:
        """`add_turn` for callers with an event loop of their own; the disk does not block the loop."""
        return await asyncio.to_thread(self.store.add, role, content)

    def query(self, question: str, question_date: str | None = None) -> Answer:
        """Ask about the history; adds no turn.

        Returns:
            The answer. Its `error` is "" unless the answer is incomplete. The model's token limit may have cut the
            reply off; `text` then holds its beginning. In memory mode the budget may be spent; the answer then holds
            the evidence found so far.

        Raises:
            ModelError: The model gave no answer.
            BudgetExceeded: In normal mode, the budget is spent.
            TypeError: The question is not a string.
            ValueError: The question is empty.
        """
        return background.run(self._query(question, question_date))

    async def aquery(self, question: str, question_date: str | None = None) -> Answer:
        """`query` for callers with an event loop of their own."""
        return await background.arun(self._query(question, question_date))

    def send(self, message: str) -> Answer:
        """Answer a message, then store it and the answer as two turns.

        Returns:
            The answer, as for `query`. If its `error` is not "", only the user's turn is stored.

        Raises:
            ModelError, BudgetExceeded: As for `query`; the user's turn is stored all the same.
            TypeError: The message is not a string.
            ValueError: The message is empty.

        >>> chat = MemoryChat(model="offline")
        >>> turn = chat.add_turn("user", "I adopted a parrot called Kiwi.")
        >>> print(chat.send("What is my parrot called?"))
        I adopted a parrot called Kiwi.
        >>> len(chat.store)
        3
        """
        return background.run(self._send(message))

    async def asend(self, message: str) -> Answer:
        """`send` for callers with an event loop of their own. Several at once are answered one after another."""
        return await background.arun(self._send(message))

    def stream(self, message: str) -> ReplyStream:
        """`send`, with the answer's text in pieces as they come.

        The message is sent when the first piece is asked for. In memory mode, and if the call was recorded, the text
        comes in one piece. At the end, the message and the answer are stored, and the stream has its `answer`: read one
        stream to its end before you begin the next. If a stream is closed or given up before, or the reply was cut off
        (`answer.error` says so), only the user's turn is stored.

        Raises:
            TypeError: The message is not a string.
            ValueError: The message is empty.
            ModelError, BudgetExceeded: While the stream is read, as for `send`. If a reply breaks off, the `said` of
                the ModelError holds its beginning. Only the user's turn is stored.

        >>> chat = MemoryChat(model="offline")
        >>> for piece in chat.stream("Who am I?"):
        ...     print(piece)
        I don't know
        """
        return self._open(ReplyStream, message)

    def astream(self, message: str) -> AsyncReplyStream:
        """`stream` for `async for`, on any event loop."""
        return self._open(AsyncReplyStream, message)

    def close(self) -> None:
        """Close the store, after what was sent is stored; `with MemoryChat(...) as chat:` does it at the end."""
        background.run(self._settled())
        self.store.close()

    def __repr__(self) -> str:
        return f"<MemoryChat: {self.llm.label}, memory past {self.threshold_chars:,} characters; {self.store!r}>"

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _send(self, message: str) -> Answer:
        message = _checked(message, "message")
        async with self._sending:
            answer = None
            try:
                answer = await self._query(message, sent=True)
            finally:
                self._keep(message, answer)
        return answer

    async def _settled(self) -> None:
        """End open streams, and wait for a `send` that was interrupted or that another thread has begun."""
        for stream in list(self._streams):
            await stream.reply.close()
        async with self._sending:
            pass

    def _open(self, kind: type[_S], message: str) -> _S:
        message = _checked(message, "message")
        stream = kind(partial(self._query, message, None, True), partial(self._keep, message))
        self._streams.add(stream)
        return stream

    def _keep(self, message: str, answer: Answer | None) -> None:
        """Store the user's message, and the answer if it is complete; only now, so that no query finds its question."""
        with self.store.transaction():
            self.store.add("user", message)
            if answer is not None and not answer.error:
                self.store.add("assistant", answer.text)

    async def _query(
        self, question: str, day: str | None = None, sent: bool = False, tell: Callable[[str], None] | None = None
    ) -> Answer:
        """Answer a question; `sent` for a message, which the threshold counts; `tell` receives the answer in pieces."""
        question = _checked(question, "question")
        if sent:  # a history that cannot be written fails before a model is paid
            with self.store.transaction():
                pass
        mode: Mode = "memory" if self.store.characters() + len(question) * sent > self.threshold_chars else "normal"
        listener = None if tell is None else Listener(tell)
        self._queries[mode] += 1
        try:
            if mode == "memory":
                answer = await self._engine.aquery(self.store, question, day, system=self.system)
            else:
                answer = await ask_directly(
                    self.llm, self.store.turns, question, day, self.system, self.budget, listener
                )
        except BaseException as error:
            self._failed += 1
            if isinstance(error, ModelError):
                self._count(error.usage, error.cost_usd)
            elif listener is not None and (heard := listener.unfinished):  # a stream that was given up
                self._count(heard, cost(heard, self.llm.rates))
            raise
        self._failed += bool(answer.error)
        self._count(answer.usage, answer.cost_usd)
        if listener is not None:
            listener.end(answer.text)
        return answer

    def _count(self, usage: Usage, cost_usd: float | None) -> None:
        self._usage += usage
        self._cost_usd = total_cost((self._cost_usd, cost_usd))


def _checked(text: str, what: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"a {what} is a string, not {type(text).__name__}")
    if not text.strip():
        raise ValueError(f"the {what} is empty")
    return text
