"""Sub-agents: each reads one piece of the history in a fresh context (paper Section 3.1).

`SubAgents` sends the calls, all at once and bounded, and keeps count of every one. Late
ones may be sent a second time (`hedging`).
A call that fails is counted with its reason; its error text is never a finding.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from ..models import background
from ..models.budget import Budget, BudgetExceeded
from ..models.hedging import Siblings
from ..models.llm import LLM, ModelError
from ..models.pricing import Usage
from ..repl.arguments import listed
from .coverage import Call, Coverage, is_not_found
from .prompts import CUT_OFF, NOT_FOUND, NOT_READ, session_in, session_prompt, subagent_messages

STOPPED = "stopped before it answered"
"""The error of a call that nobody waits for any more."""


class Progress(Protocol):
    """Is told of the sub-agent calls of a query while they are made. Its methods must not wait or raise."""

    def asked(self) -> None:
        """One more call is to be made."""

    def answered(self, call: Call) -> None:
        """A call has ended, with or without an answer."""


class SubAgents:
    """The sub-agents of one query.

    Args:
        llm: The model that reads.
        slots: Bounds the calls in flight; shared by all queries of an engine.
        budget: Checked before each call, or None.
        question_date: The day on which the query's question is asked, or None.
        hedge: Second copies of late calls, as a share of the calls of a fan-out; see `hedging.Siblings`.
        facts: Whether they are asked for a day and a value with each quote.

    `progress` is told of the calls, where it is set.

    Raises:
        ValueError: The share is not between 0 and 1.
    """

    def __init__(
        self,
        llm: LLM,
        slots: asyncio.Semaphore,
        budget: Budget | None = None,
        question_date: str | None = None,
        hedge: float = 0.0,
        facts: bool = False,
    ) -> None:
        self.calls: list[Call] = []
        self.progress: Progress | None = None
        self._llm = llm
        self._slots = slots
        self._budget = budget
        self._question_date = question_date
        self._hedge = hedge
        self._facts = facts
        self._created = time.perf_counter()
        self._batches = self._open = 0
        self._replied = True

    def replied(self) -> None:
        """The code is given what calls said: what it asks from now on may depend on that, and cannot be at once."""
        self._replied = True

    async def query(self, prompt: str) -> str:
        """One call with any prompt; `NOT_READ` where it fails.

        Raises:
            TypeError: The prompt is not a string.
        """
        if not isinstance(prompt, str):
            raise TypeError(f"llm_query takes one string, not {type(prompt).__name__}")
        with self.batch() as batch:
            return await self._ask(prompt, batch)

    async def query_parallel(
        self, sessions: Sequence[str], session_dates: Sequence[str | None] | None, question: str
    ) -> list[str]:
        """One call a session, all at once (the repository's `llm_query_parallel`).

        Args:
            sessions: What each is to read.
            session_dates: The date of each session, or None where there is none; None for no dates at all.
            question: What is asked of all of them.

        Returns:
            One reply a session, in order: an extract, `NOT_FOUND`, or `NOT_READ` where the call failed.

        Raises:
            TypeError: The sessions are not a list of strings.
            ValueError: There is not one date a session.
        """
        what = "a list of session texts first, such as `sessions`"
        sessions = listed("llm_query_parallel", sessions, what)
        if not all(isinstance(session, str) for session in sessions):
            raise TypeError(f"llm_query_parallel takes {what}")
        dates = listed("llm_query_parallel", session_dates or [None] * len(sessions), "a list of dates second")
        if len(dates) != len(sessions):
            raise ValueError(f"llm_query_parallel got {len(sessions)} sessions but {len(dates)} dates")
        prompts = [
            session_prompt(session, date, question, self._question_date)
            for session, date in zip(sessions, dates, strict=True)
        ]
        siblings = Siblings(self._hedge, self._slots)
        with self.batch() as batch:
            return await background.gather(self._ask(prompt, batch, siblings) for prompt in prompts)

    def coverage(self, since: int = 0) -> Coverage:
        """What became of the calls, from the given one on."""
        return Coverage.of(self.calls[since:])

    @contextmanager
    def batch(self) -> Iterator[int]:
        """The number of the batch that calls within belong to. Replayed calls end at once, and tell by themselves
        nothing of which of them would have been in flight together."""
        if self._replied and not self._open:
            self._batches += 1
        self._replied = False
        self._open += 1
        try:
            yield self._batches
        finally:
            self._open -= 1

    async def _ask(self, prompt: str, batch: int, siblings: Siblings | None = None) -> str:
        if self.progress is not None:
            self.progress.asked()
        taken = _Taken()
        started = time.perf_counter()
        try:
            async with self._slots:
                started = time.perf_counter()
                call = await self._call(prompt, batch, taken, siblings)
        except asyncio.CancelledError:  # nobody waits for it any more; it is counted, and paid for where it was sent
            after, seconds = started - self._created, time.perf_counter() - started
            call = Call(
                session_in(prompt), "", taken.usage, taken.cost_usd, after, seconds, False, STOPPED, batch=batch
            )
            self._count(call)
            raise
        self._count(call)
        return NOT_READ if call.error else call.reply

    def _count(self, call: Call) -> None:
        self.calls.append(call)
        if self.progress is not None:
            self.progress.answered(call)

    async def _call(self, prompt: str, batch: int, taken: _Taken, siblings: Siblings | None) -> Call:
        session, started = session_in(prompt), time.perf_counter()
        after = started - self._created
        try:
            reply = await self._llm.complete(
                subagent_messages(prompt, self._facts), self._budget, stopped=taken.stopped, siblings=siblings
            )
        except ModelError as error:
            seconds = time.perf_counter() - started
            return Call(session, "", error.usage, error.cost_usd, after, seconds, False, str(error), batch=batch)
        except BudgetExceeded as error:  # stopped before it went out
            return Call(session, "", Usage(), 0.0, after, 0.0, False, str(error), batch=batch)
        text = NOT_FOUND if is_not_found(reply.text) else reply.text.strip()
        if reply.cut and text != NOT_FOUND:  # half an extract may still hold the answer
            text = f"{text} {CUT_OFF}"
        return Call(
            session, text, reply.usage, reply.cost_usd, after, reply.seconds, reply.recorded, cut=reply.cut, batch=batch
        )


class _Taken:
    """What a call took that was stopped."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.cost_usd: float | None = 0.0

    def stopped(self, usage: Usage, cost_usd: float | None) -> None:
        self.usage, self.cost_usd = usage, cost_usd
