"""Sub-agents: each reads one piece of the history in a fresh context (paper Section 3.1).

`SubAgents` makes the calls, all at once up to a limit, and records each as a `Call`. A late call may be sent a second
time (`models.hedging`). A failed call is recorded with its reason; its error text is never a finding.
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
from ..search.pieces import Piece
from .coverage import Call, Coverage, is_not_found
from .findings import Extract, check_reply
from .prompts import CUT_OFF, NOT_FOUND, subagent_messages

_NO_USAGE = Usage()

NO_PIECE = Piece(0, None, "")
"""What a sub-agent reads that is sent a prompt of the model's own."""

STOPPED = "stopped before it answered"
"""The error of a call that was cancelled."""


class Progress(Protocol):
    """Receives the sub-agent calls of a query while it runs. Its methods must not block or raise."""

    def asked(self) -> None:
        """One more call is about to be made."""

    def answered(self, call: Call) -> None:
        """A call has ended, with or without a reply."""


class SubAgents:
    """The sub-agents of one query.

    Args:
        llm: The model that reads.
        slots: Limits the calls in flight; all queries of an engine share it.
        budget: Checked before each call, or None.
        hedge: Second copies of late calls, as a share of the calls of a fan-out; see `hedging.Siblings`.
        facts: Whether sub-agents are asked for a day and a value with each quote.
        progress: Receives the calls, or None.

    `calls` holds all calls so far, in the order in which they ended.

    Raises:
        ValueError: The share is not between 0 and 1.
    """

    def __init__(
        self,
        llm: LLM,
        slots: asyncio.Semaphore,
        budget: Budget | None = None,
        hedge: float = 0.0,
        facts: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.calls: list[Call] = []
        self._llm = llm
        self._slots = slots
        self._budget = budget
        self._hedge = hedge
        self._facts = facts
        self._progress = progress
        self._created = time.perf_counter()
        self._batches = self._open = 0
        self._replied = True

    def replied(self) -> None:
        """Note that the code has seen replies: its next calls may depend on them, so they begin a new batch."""
        self._replied = True

    def coverage(self, since: int = 0) -> Coverage:
        """Counts the calls, from the given one on."""
        return Coverage.of(self.calls[since:])

    @contextmanager
    def batch(self) -> Iterator[int]:
        """Give the calls made within the block one batch number, which is that of other blocks open now."""
        if self._replied and not self._open:
            self._batches += 1
        self._replied = False
        self._open += 1
        try:
            yield self._batches
        finally:
            self._open -= 1

    async def ask_all(self, assignments: Sequence[tuple[str, Piece]]) -> list[Call]:
        """Ask one sub-agent for each (prompt, piece), all at once. Returns the calls in this order."""
        with self.batch(), Siblings(self._hedge, self._slots).together():
            return await background.gather(self.ask(prompt, piece) for prompt, piece in assignments)

    async def ask(self, prompt: str, piece: Piece = NO_PIECE) -> Call:
        """Ask one sub-agent.

        Args:
            prompt: What it is told.
            piece: What the prompt asks it to read. If it has turns, the reply's quotes are looked up in them.

        Returns:
            The call; its `error` says why there is no reply. Only cancellation raises.
        """
        if self._progress is not None:
            self._progress.asked()
        taken = _Taken()
        with self.batch() as batch:
            started = time.perf_counter()
            try:
                async with self._slots:
                    started = time.perf_counter()
                    messages = subagent_messages(prompt, self._facts)
                    reply = await self._llm.complete(messages, self._budget, stopped=taken.stopped)
            except asyncio.CancelledError:  # still counted, and paid for if it was sent
                self._record(piece, batch, started, usage=taken.usage, cost_usd=taken.cost_usd, error=STOPPED)
                raise
            except BudgetExceeded as error:
                return self._record(piece, batch, started, seconds=0.0, error=str(error))
            except ModelError as error:
                return self._record(piece, batch, started, usage=error.usage, cost_usd=error.cost_usd, error=str(error))
            return self._record(
                piece,
                batch,
                started,
                reply=_text(reply.text, reply.cut),
                usage=reply.usage,
                cost_usd=reply.cost_usd,
                seconds=reply.seconds,
                recorded=reply.recorded,
                cut=reply.cut,
            )

    def _record(
        self,
        piece: Piece,
        batch: int,
        started: float,
        *,
        reply: str = "",
        usage: Usage = _NO_USAGE,
        cost_usd: float | None = 0.0,
        seconds: float | None = None,
        recorded: bool = False,
        error: str = "",
        cut: bool = False,
    ) -> Call:
        call = Call(
            piece.text,
            reply,
            usage,
            cost_usd,
            started - self._created,
            time.perf_counter() - started if seconds is None else seconds,
            recorded,
            error,
            cut,
            batch,
            piece.session or None,
            piece.date if piece.session else None,
            check_reply(reply, piece.turns) if piece.turns else Extract(reply),
        )
        self.calls.append(call)
        if self._progress is not None:
            self._progress.answered(call)
        return call


class _Taken:
    """The tokens and dollars of a call that was cancelled."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.cost_usd: float | None = 0.0

    def stopped(self, usage: Usage, cost_usd: float | None) -> None:
        self.usage, self.cost_usd = usage, cost_usd


def _text(reply: str, cut: bool) -> str:
    if is_not_found(reply):
        return NOT_FOUND
    return f"{reply.strip()} {CUT_OFF}" if cut else reply.strip()  # half an extract may still hold the answer
