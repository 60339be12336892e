"""MemoryChat: a chat client with memory, which replaces a plain chat client (paper Section 3.1).

A short history is sent to the model as a whole. If it is longer than a threshold, MemoryRLM answers from the store.
The history is never cleared. To start over, use a new store.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, cast
from weakref import WeakSet

from ..models import background
from ..models.budget import Budget
from ..models.llm import LLM, connect
from ..models.pricing import Usage
from ..models.streaming import Listener
from ..models.types import ContextExceeded, paid_before
from ..query.answer import Answer, total_cost
from ..query.engine import MemoryRLM, checked
from ..query.reading import Reading
from ..store.memory_store import MemoryStore
from ..store.times import check_date, written
from ..store.turns import Turn
from .direct import ask_directly
from .reply_stream import ReplyStream


class MemoryChat(AbstractContextManager["MemoryChat"]):
    """A conversation with an assistant that remembers everything that was said.

    In *normal mode* the model gets the whole history. In *memory mode*, for a long history, MemoryRLM answers. `send`
    and `stream` answer a message and store both; `query` answers a question and stores nothing.

    Args:
        model: A model's name, or the result of `connect`. The default, "offline", is not a model: it only quotes.
        threshold_chars: The longest history for normal mode, in characters; 0 to always use memory mode. If a history
            does not fit the model's context, the chat also answers in memory mode.
        store: A MemoryStore, the path of its file, or None to keep the history in memory. If the file already holds a
            conversation, the chat continues it.
        system: The assistant's system prompt, or None. In normal mode it follows our own in the system message. In
            memory mode it tells the root model how to word the answer. It is not part of the history.
        base_url, api_key: As for `connect`; ignored if `model` is connected already.
        budget: A limit for all calls together, or None.
        reading: How to read a long history, such as `Reading("paper")`; None for `Reading("search")`.
        clock: Returns the current time; for tests. The chat stores it with each turn and tells models the day.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The threshold is negative.
        StoreError: The file does not contain a history, or cannot be opened.

    >>> chat = MemoryChat(model="offline")
    >>> turn = chat.add_turn("user", "I adopted a parrot called Kiwi.")
    >>> print(chat.query("What is my parrot called?"))
    I adopted a parrot called Kiwi.
    """

    def __init__(
        self, model: str | LLM = "offline", threshold_chars: int = 20_000,
        store: MemoryStore | str | Path | None = None, *, system: str | None = None, base_url: str | None = None,
        api_key: str | None = None, budget: Budget | None = None, reading: Reading | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:  # fmt: skip
        for name, value, kinds, meant in (
            ("model", model, (str, LLM), "a model's name, or what connect() returned"),
            ("threshold_chars", threshold_chars, (int, float), "a whole number of characters (0: always use memory)"),
            ("store", store, (MemoryStore, str, Path, type(None)), "a MemoryStore, a path or None"),
            ("system", system, (str, type(None)), "a text or None"),
            ("budget", budget, (Budget, type(None)), "a Budget, such as Budget(usd=0.5), or None"),
            ("reading", reading, (Reading, type(None)), "a Reading, such as Reading('paper'), or None"),
        ):
            if isinstance(value, bool) or not isinstance(value, kinds):
                raise TypeError(f"{name} is {meant}, not {value!r:.60}")
        if threshold_chars < 0:
            raise ValueError(f"threshold_chars must not be negative, not {threshold_chars}")
        self.llm = model if isinstance(model, LLM) else connect(model, base_url, api_key)
        self.threshold_chars, self.system, self.budget = threshold_chars, system, budget
        self.store = store if isinstance(store, MemoryStore) else MemoryStore(store)
        self.clock = clock or partial(datetime.now, UTC)
        self._engine = MemoryRLM(self.llm, budget=budget, reading=reading)
        self._queries = {"normal": 0, "memory": 0}
        self._failed, self._fits = 0, float("inf")  # characters; a longer history does not fit the model's context
        self._usage, self._cost_usd = Usage(), cast("float | None", 0.0)
        self._streams: WeakSet[ReplyStream] = WeakSet()
        self._sending = asyncio.Lock()  # one message at a time, each stored before the next is answered

    @property
    def uses_memory(self) -> bool:
        """Whether the chat is in memory mode: the history is longer than the threshold or the model's context."""
        return self.store.characters() > min(self.threshold_chars, self._fits)

    def stats(self) -> dict[str, Any]:
        """Return the current mode, the length of the history, and what the queries have cost so far.

        `mode` says who answers the next question: the model with the whole history ("normal"), or MemoryRLM ("memory").
        `queries` counts questions by mode. `failed` counts those that raised an error or have an `error` in their
        answer, and streams that were closed early. `calls`, tokens and `cost_usd` are totals, with replayed calls;
        `cost_usd` is None if a price is unknown.

        >>> chat = MemoryChat(model="offline", threshold_chars=10)
        >>> turn = chat.add_turn("user", "My cat is called Mochi.")
        >>> stats = chat.stats()
        >>> stats["mode"], stats["characters"], stats["threshold_chars"], stats["queries"]
        ('memory', 23, 10, {'normal': 0, 'memory': 0})
        """
        return {
            "model": self.llm.label, "mode": "memory" if self.uses_memory else "normal",
            "characters": self.store.characters(), "threshold_chars": self.threshold_chars, "turns": len(self.store),
            "sessions": len(self.store.sessions), "queries": self._queries.copy(), "failed": self._failed,
            "calls": self._usage.calls, "prompt_tokens": self._usage.prompt_tokens,
            "completion_tokens": self._usage.completion_tokens, "cost_usd": self._cost_usd,
        }  # fmt: skip

    def add_turn(self, role: str, content: str, timestamp: str | datetime | None = None, name: str = "") -> Turn:
        """Store a turn without asking the model.

        Args:
            role: Who said it: "system", "user" or "assistant". Models see a turn with any other role as a user message
                that begins with the role.
            content: What was said.
            timestamp: When it was said, as for `MemoryStore.add`; None for now.
            name: The speaker's name, if several speak in this role.

        >>> print(MemoryChat().add_turn("user", "Hello."))
        [Turn 1][user]: Hello.
        """
        return self.store.add(role, content, timestamp or self.clock(), name)

    async def aadd_turn(self, role: str, content: str, timestamp: str | datetime | None = None, name: str = "") -> Turn:
        """Like `add_turn`, for callers with their own event loop. Writing to disk does not block the loop."""
        return await asyncio.to_thread(self.add_turn, role, content, timestamp, name)

    def query(self, question: str, question_date: str | None = None) -> Answer:
        """Ask a question about the history without adding a turn.

        Args:
            question: The question.
            question_date: The day on which it is asked, in any format; None for today.

        Returns:
            The answer. If it is incomplete, its `error` says why; otherwise `error` is "". If the model's token limit
            cut the reply off, `text` is the beginning. If the budget ended a query in memory mode, the answer has the
            evidence found so far.

        Raises:
            ModelError: The model gave no answer.
            BudgetExceeded: The budget is spent (only in normal mode).
            TypeError: The question is not a string.
            ValueError: The question is empty, or the history is too large for `Reading("paper")`.
        """
        return background.run(self._query(question, check_date(question_date)))

    async def aquery(self, question: str, question_date: str | None = None) -> Answer:
        """Like `query`, for callers with their own event loop."""
        return await background.arun(self._query(question, check_date(question_date)))

    def send(self, message: str) -> Answer:
        """Store a message, answer it from the history before it, and store the answer.

        Returns:
            The answer, as for `query`. If its `error` is not "", only the user's turn is stored.

        Raises:
            ModelError, BudgetExceeded: As for `query`. The user's turn is still stored.
            TypeError: The message is not a string.
            ValueError: The message is empty.

        >>> chat = MemoryChat(model="offline")
        >>> turn = chat.add_turn("user", "I adopted a parrot called Kiwi.")
        >>> print(chat.send("What is my parrot called?"))
        I adopted a parrot called Kiwi.
        >>> len(chat.store)
        3
        """
        return background.run(self.asend(message))

    async def asend(self, message: str) -> Answer:
        """Like `send`, for callers with their own event loop. Concurrent messages are answered one at a time."""
        before = self._before(message)
        try:
            return await background.arun(self._send(message, before))
        finally:
            before()  # store it even if this was cancelled while waiting

    def stream(self, message: str) -> ReplyStream:
        """Like `send`, but yield the answer's text in pieces as they arrive, to `for` or `async for` on any event loop.

        The stream stores and sends the message when you read the first piece. In memory mode, or if the call was
        recorded, there is only one piece. At the end, the stream stores the answer and sets `answer`. Read a stream to
        its end before you start another. If you close it early or the reply is cut off, only the user turn is stored.

        Raises:
            TypeError: The message is not a string.
            ValueError: The message is empty.
            ModelError, BudgetExceeded: As for `send`, while you read the stream. Only the user's turn is stored. If a
                reply breaks off, the `said` of the ModelError is its beginning.

        >>> chat = MemoryChat(model="offline")
        >>> for piece in chat.stream("Who am I?"):
        ...     print(piece)
        I don't know
        """
        before = self._before(message)
        stream = ReplyStream(lambda tell: self._query(message, None, before(), tell), self._reply)
        self._streams.add(stream)
        return stream

    astream = stream
    """The same, under the name that async callers look for."""

    def close(self) -> None:
        """Finish storing messages and close the store. Leaving `with MemoryChat(...) as chat:` does the same."""
        background.run(self._settled())
        self.store.close()

    def __repr__(self) -> str:
        return f"<MemoryChat: {self.llm.label}, memory past {self.threshold_chars:,} characters; {self.store!r}>"

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _send(self, message: str, before: Callable[[], MemoryStore]) -> Answer:
        async with self._sending:
            answer = await self._query(message, history=before())
            self._reply(answer)
        return answer

    async def _settled(self) -> None:
        """Close open streams, and wait for a `send` that was interrupted or is running in another thread."""
        for stream in list(self._streams):
            await stream.aclose()
        async with self._sending:
            pass

    def _before(self, message: str) -> Callable[[], MemoryStore]:
        """Return a function that stores the user's message once and returns the history before it."""
        message, lock, history = checked(message, "message"), Lock(), list[MemoryStore]()

        def before() -> MemoryStore:
            with lock:
                if not history:
                    with self.store.transaction():
                        view = self.store.snapshot()
                        self.store.add("user", message, self.clock())
                    history.append(view)
                return history[0]

        return before

    def _reply(self, answer: Answer) -> None:
        """Store the answer to a message if it is complete."""
        if not answer.error:
            self.store.add("assistant", answer.text, self.clock())

    async def _query(
        self, question: str, day: str | None = None, history: MemoryStore | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> Answer:  # fmt: skip
        """Answer a question, or a message if `history` is what came before it. `tell` receives the pieces."""
        question = checked(question, "question")
        characters = 0 if history is None else len(question)
        history = self.store.snapshot() if history is None else history
        length = history.characters()
        mode = "normal" if length + characters <= self.threshold_chars and length <= self._fits else "memory"
        today = written(self.clock(), self.store.tz, clock=False)
        try:
            if mode == "normal":
                try:
                    answer = await ask_directly(
                        self.llm, history.sessions, question, day, self.system, self.budget,
                        tell and Listener(tell), today,
                    )  # fmt: skip
                except ContextExceeded as error:
                    mode, self._fits = "memory", min(self._fits, max(length - 1, len(question)))
                    self._count(error.usage, error.cost_usd)
            if mode == "memory":
                answer = await self._engine.aquery(history, question, day or today, system=self.system)
                if tell is not None:
                    tell(answer.text)
        except BaseException as error:
            self._failed += 1
            self._count(*paid_before(error))
            raise
        finally:
            self._queries[mode] += 1
        self._failed += bool(answer.error)
        self._count(answer.usage, answer.cost_usd)
        return answer

    def _count(self, usage: Usage, cost_usd: float | None) -> None:
        self._usage += usage
        self._cost_usd = total_cost((self._cost_usd, cost_usd))
