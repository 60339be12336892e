"""MemoryChat: memory for an assistant, in place of a plain chat client (paper Section 3.1).

Short histories go to the model as they are; past a threshold, questions are answered
by MemoryRLM over the store. It adds nothing to what the model knows but the history.
"""

from __future__ import annotations

import time
from pathlib import Path

from . import background
from .answer import Answer, Step, Trace
from .budget import Budget
from .engine import MemoryRLM
from .escaping import label
from .llm import LLM, connect
from .prompts import CHAT_SYSTEM, ChatMessage
from .reading import Reading
from .store import MemoryStore, Turn


class MemoryChat:
    """A conversation that remembers all of itself.

    Args:
        model: A model's name, "offline", or what `connect` returned.
        threshold_chars: Above this many characters of history, MemoryRLM answers.
        store: Where the history is kept: a MemoryStore, a file's path, or None for memory.
        base_url, api_key: As for `connect`; ignored where `model` is connected already.
        budget: A limit shared by all calls, or None.
        reading: How a long history is read, such as `Reading(first=10)`; None for all sessions, as in the paper.

    Raises:
        ValueError: The threshold is negative.

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
        base_url: str | None = None,
        api_key: str | None = None,
        budget: Budget | None = None,
        reading: Reading | None = None,
    ) -> None:
        if threshold_chars < 0:
            raise ValueError(f"threshold_chars must not be negative, not {threshold_chars}")
        self.llm = model if isinstance(model, LLM) else connect(model, base_url, api_key)
        self.threshold_chars = threshold_chars
        self.store = store if isinstance(store, MemoryStore) else MemoryStore(store)
        self.budget = budget
        self._engine = MemoryRLM(self.llm, budget=budget, reading=reading)

    @property
    def uses_memory(self) -> bool:
        """Whether the history is past the threshold, so that MemoryRLM answers."""
        return self.store.characters() > self.threshold_chars

    def add_turn(self, role: str, content: str) -> Turn:
        """Store a turn without asking anything."""
        return self.store.add(role, content)

    def query(self, question: str, question_date: str | None = None) -> Answer:
        """Ask about the history; adds no turn.

        Raises:
            ModelError: The model gave no answer.
            ValueError: The question is empty.
        """
        return background.run(self._query(question, question_date))

    async def aquery(self, question: str, question_date: str | None = None) -> Answer:
        """`query` for callers with an event loop of their own."""
        return await background.arun(self._query(question, question_date))

    def send(self, message: str) -> Answer:
        """A turn of the conversation: the message is stored, answered, and the answer stored.

        Raises:
            ModelError: The model gave no answer; the user's turn is kept, and nothing else.
            ValueError: The message is empty.
        """
        return background.run(self._send(message))

    async def asend(self, message: str) -> Answer:
        """`send` for callers with an event loop of their own."""
        return await background.arun(self._send(message))

    async def _send(self, message: str) -> Answer:
        if not message.strip():
            raise ValueError("the message is empty")
        self.store.add("user", message)
        answer = await self._query(message, asked_already=True)
        if not answer.error:
            self.store.add("assistant", answer.text)
        return answer

    async def _query(self, question: str, question_date: str | None = None, asked_already: bool = False) -> Answer:
        if self.uses_memory:
            last_turn = len(self.store) - asked_already  # the question itself is no evidence
            return await self._engine.aquery(self.store, question, question_date, last_turn)
        return await self._ask_directly(question, question_date, asked_already)

    async def _ask_directly(self, question: str, question_date: str | None, asked_already: bool) -> Answer:
        """The whole history in the model's context, as a chat."""
        if not question.strip():
            raise ValueError("the question is empty")
        messages: list[ChatMessage] = [{"role": "system", "content": CHAT_SYSTEM}]
        turns = self.store.turns[: len(self.store) - asked_already]
        messages += [{"role": turn.role, "content": turn.content} for turn in turns]
        asked = f"{question} (Asked on {label(question_date)}.)" if question_date else question
        messages.append({"role": "user", "content": asked})
        started = time.perf_counter()
        reply = await self.llm.complete(messages, self.budget)
        step = Step(reply.text, (), "", (), reply.usage, reply.cost_usd, reply.seconds, reply.recorded)
        return Answer(
            text=reply.text.strip(),
            usage=reply.usage,
            cost_usd=reply.cost_usd,
            seconds=time.perf_counter() - started,
            trace=Trace((step,)),
        )
