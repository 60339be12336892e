"""MemoryChat: memory for an assistant, in place of a plain chat client (paper Section 3.1).

Short histories go to the model as they are; past a threshold, questions are answered
by MemoryRLM over the store. It adds nothing to what the model knows but the history.
What was said is kept: there is no way to clear a conversation but a new store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from numbers import Real
from pathlib import Path

from ..models import background
from ..models.budget import Budget
from ..models.llm import LLM, ModelError, connect
from ..models.pricing import cost
from ..models.streaming import Listener
from ..query.answer import Answer
from ..query.engine import MemoryRLM
from ..query.reading import Reading
from ..store.escaping import label
from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .direct import ask_directly
from .reply_stream import AsyncReplyStream, ReplyStream, Telling
from .stats import Asked, ChatStats, Mode


class MemoryChat:
    """A conversation that remembers all of itself.

    Args:
        model: A model's name, "offline", or what `connect` returned.
        threshold_chars: Above this many characters of history, MemoryRLM answers.
        store: Where the history is kept: a MemoryStore, a file's path, or None for memory. A file that holds a
            conversation is gone on with.
        system: The assistant's system prompt, or None. In normal mode it stands in the system message, after our own;
            in memory mode the root model is told to word its answer as it says. It is not part of the history.
        base_url, api_key: As for `connect`; ignored where `model` is connected already.
        budget: A limit shared by all calls, or None.
        reading: How a long history is read, such as `Reading(first=10)`; None for all sessions, as in the paper.

    Raises:
        TypeError: An argument is of another type.
        ValueError: The threshold is negative.
        StoreError: The file is not a history, or cannot be opened.

    >>> chat = MemoryChat(model="offline")
    >>> turn = chat.add_turn("user", "I adopted a parrot called Kiwi.")
    >>> print(chat.query("What is my parrot called?"))
    I adopted a parrot called Kiwi.
    """

    def __init__(
        self,
        model: str | LLM = "offline",
        threshold_chars: int = 20_000,
        store: MemoryStore | str | Path | None = None,
        *,
        system: str | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        budget: Budget | None = None,
        reading: Reading | None = None,
    ) -> None:
        _expect("model", model, (str, LLM), "a model's name, or what connect() returned")
        _expect("threshold_chars", threshold_chars, Real, "a whole number of characters (0: always answer from memory)")
        _expect(
            "store",
            store,
            (MemoryStore, str, Path, type(None)),
            "a MemoryStore, a path or None (add_turn adds messages)",
        )
        _expect("system", system, (str, type(None)), "a text or None")
        _expect("budget", budget, (Budget, type(None)), "a Budget, such as Budget(usd=0.5), or None")
        _expect("reading", reading, (Reading, type(None)), "a Reading, such as Reading(first=10), or None")
        if threshold_chars < 0:
            raise ValueError(f"threshold_chars must not be negative, not {threshold_chars}")
        self.llm = model if isinstance(model, LLM) else connect(model, base_url, api_key)
        self.threshold_chars = threshold_chars
        self.store = store if isinstance(store, MemoryStore) else MemoryStore(store)
        self.system = system
        self.budget = budget
        self._engine = MemoryRLM(self.llm, budget=budget, reading=reading)
        self._asked = Asked()
        self._turn = asyncio.Lock()  # of the background loop: what is sent at once is stored one turn after another

    @property
    def uses_memory(self) -> bool:
        """Whether the history is past the threshold, so that MemoryRLM answers."""
        return self.store.characters() > self.threshold_chars

    def stats(self) -> ChatStats:
        """Which mode answers and why, how long the history is, and what was asked and taken so far.

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
            **self._asked.figures(),
        }

    def add_turn(self, role: str, content: str) -> Turn:
        """Store a turn without asking anything.

        Args:
            role: Who said it; models are shown another role than system, user and assistant as a user's words, with
                the role before them.
            content: What was said.

        >>> print(MemoryChat().add_turn("user", "Hello."))
        [Turn 1][user]: Hello.
        """
        return self.store.add(role, content)

    async def aadd_turn(self, role: str, content: str) -> Turn:
        """`add_turn` for callers with an event loop of their own, which does not wait for the disk."""
        return await asyncio.to_thread(self.store.add, role, content)

    def query(self, question: str, question_date: str | None = None) -> Answer:
        """Ask about the history; adds no turn.

        Returns:
            The answer. Its `error` says why it is none, or a part of one, and is "" otherwise: the reply was cut off
            at the model's token limit, which leaves in `text` the part there is; or, in memory mode, the budget was
            spent, and the answer has the evidence that was found and paid for until then.

        Raises:
            ModelError: The model gave no answer.
            BudgetExceeded: In normal mode: the budget is spent, and there is nothing to show for it.
            TypeError: The question is no string.
            ValueError: The question is empty.
        """
        return background.run(self._query(question, question_date))

    async def aquery(self, question: str, question_date: str | None = None) -> Answer:
        """`query` for callers with an event loop of their own."""
        return await background.arun(self._query(question, question_date))

    def send(self, message: str) -> Answer:
        """Answer a message, then store it and the answer as two turns.

        Returns:
            The answer, as for `query`. Where its `error` is not "" (a reply that was cut off or, in memory mode, a
            spent budget), only the user's turn is stored.

        Raises:
            ModelError, BudgetExceeded: As for `query`; the user's turn is stored all the same.
            TypeError: The message is no string.
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

        In normal mode they are the model's; in memory mode, and where the call was recorded, the text comes in one
        piece. The message is sent when the first piece is asked for. When the stream has been read to its end, the
        message and the answer are stored, and the stream has its `answer`: read one stream before you begin the next.
        Where a stream is closed or given up before its end, or the reply was cut off (`answer.error` says so), only
        the user's turn is stored.

        Raises:
            TypeError: The message is no string.
            ValueError: The message is empty. While the stream is read, what `send` raises: a ModelError has in `said`
                the words that came before a reply broke off. The user's turn is stored, and nothing half-written.

        >>> chat = MemoryChat(model="offline")
        >>> for piece in chat.stream("Who am I?"):
        ...     print(piece)
        I don't know
        """
        return ReplyStream(*self._streaming(message))

    def astream(self, message: str) -> AsyncReplyStream:
        """`stream` for `async for`, on any event loop."""
        return AsyncReplyStream(*self._streaming(message))

    def close(self) -> None:
        """Close the store, after what was sent is stored; `with MemoryChat(...) as chat:` does it at the end."""
        background.run(self._settled())
        self.store.close()

    def __repr__(self) -> str:
        return f"<MemoryChat: {self.llm.label}, memory past {self.threshold_chars:,} characters; {self.store!r}>"

    def __enter__(self) -> MemoryChat:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _send(self, message: str) -> Answer:
        message = _checked(message, "message")
        async with self._turn:
            answer = None
            try:
                answer = await self._query(message, sent=True)
            finally:
                self._keep(message, answer)
        return answer

    async def _settled(self) -> None:
        """Wait for a `send` that was interrupted, or that another thread makes."""
        async with self._turn:
            pass

    def _streaming(self, message: str) -> tuple[Telling, Callable[[Answer | None], None]]:
        message = _checked(message, "message")
        return partial(self._query, message, None, True), partial(self._keep, message)

    def _keep(self, message: str, answer: Answer | None) -> None:
        """Store the user's message, and the answer if it is whole. The message was no part of the history it asks."""
        with self.store.transaction():
            self.store.add("user", message)
            if answer is not None and not answer.error:
                self.store.add("assistant", answer.text)

    async def _query(
        self,
        question: str,
        question_date: str | None = None,
        sent: bool = False,
        tell: Callable[[str], None] | None = None,
    ) -> Answer:
        question = _checked(question, "question")
        characters = self.store.characters() + len(question) * sent  # a message that is sent is part of the history
        mode: Mode = "memory" if characters > self.threshold_chars else "normal"
        listener = None if tell is None else Listener(tell)
        self._asked.queries[mode] += 1
        try:
            if mode == "normal":
                answer = await ask_directly(
                    self.llm,
                    self.store.turns,
                    question,
                    question_date,
                    system=self.system,
                    budget=self.budget,
                    listener=listener,
                )
            else:
                answer = await self._engine.aquery(self.store, question, question_date, system=self.system)
        except BaseException as error:
            self._asked.failed += 1
            if isinstance(error, ModelError):
                self._asked.add(error.usage, error.cost_usd)
            elif listener is not None and (heard := listener.unfinished):  # a stream that was given up
                self._asked.add(heard, cost(heard, self.llm.rates))
            raise
        self._asked.failed += bool(answer.error)
        self._asked.add(answer.usage, answer.cost_usd)
        if listener is not None:
            listener.end(answer.text)
        return answer


def _checked(text: str, what: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"a {what} is a string, not {type(text).__name__}")
    if not text.strip():
        raise ValueError(f"the {what} is empty")
    return text


def _expect(name: str, value: object, kinds: type | tuple[type, ...], meant: str) -> None:
    """Refuse an argument of another type at once, rather than where it is used."""
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise TypeError(f"{name} is {meant}, not {label(repr(value))[:60]}")
