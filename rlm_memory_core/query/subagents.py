"""Sub-agents: each reads one piece of the history in a fresh context (paper Section 3.1).

`SubAgents` makes the calls, all at once up to a limit, and records each as a `Call`. A late call may be sent a second
time (`models.hedging`). A failed call is recorded with its reason; its error text is never a finding.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

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


@dataclass(eq=False, repr=False)
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

    llm: LLM
    slots: asyncio.Semaphore
    budget: Budget | None = None
    hedge: float = 0.0
    facts: bool = False
    progress: Progress | None = None
    calls: list[Call] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._created = time.perf_counter()
        self._batches = self._open = 0
        self._replied = True

    def replied(self) -> None:
        """Note that the code has seen replies: its next calls may depend on them, so they begin a new batch."""
        self._replied = True

    def coverage(self) -> Coverage:
        """Counts the calls."""
        return Coverage.of(self.calls)

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
        siblings = Siblings(self.hedge, self.slots)
        with self.batch():
            return await background.gather(self.ask(prompt, piece, siblings) for prompt, piece in assignments)

    async def ask(self, prompt: str, piece: Piece = NO_PIECE, siblings: Siblings | None = None) -> Call:
        """Ask one sub-agent.

        Args:
            prompt: What it is told.
            piece: What the prompt asks it to read. If it has turns, the reply's quotes are looked up in them.
            siblings: The fan-out that the call belongs to, or None.

        Returns:
            The call; its `error` says why there is no reply. Only cancellation raises.
        """
        if self.progress is not None:
            self.progress.asked()
        taken = _Taken()
        with self.batch() as batch:
            started = time.perf_counter()
            try:
                async with self.slots:
                    started = time.perf_counter()
                    messages = subagent_messages(prompt, self.facts)
                    reply = await self.llm.complete(messages, self.budget, None, taken.stopped, siblings)
            except asyncio.CancelledError:  # still counted, and paid for if it was sent
                self._record(piece, batch, started, "", taken.usage, taken.cost_usd, error=STOPPED)
                raise
            except BudgetExceeded as error:
                return self._record(piece, batch, started, seconds=0.0, error=str(error))
            except ModelError as error:
                return self._record(piece, batch, started, "", error.usage, error.cost_usd, error=str(error))
            text = _text(reply.text, reply.cut)
            took = {"seconds": reply.seconds, "recorded": reply.recorded, "cut": reply.cut}
            return self._record(piece, batch, started, text, reply.usage, reply.cost_usd, **took)

    def _record(
        self,
        piece: Piece,
        batch: int,
        started: float,
        reply: str = "",
        usage: Usage = _NO_USAGE,
        cost_usd: float | None = 0.0,
        **outcome: Any,
    ) -> Call:
        outcome = {"seconds": time.perf_counter() - started, "recorded": False} | outcome
        call = Call(
            session=piece.text,
            reply=reply,
            usage=usage,
            cost_usd=cost_usd,
            started=started - self._created,
            batch=batch,
            number=piece.session or None,
            date=piece.date,
            extract=check_reply(reply, piece.turns) if piece.turns else Extract(reply),
            **outcome,
        )
        self.calls.append(call)
        if self.progress is not None:
            self.progress.answered(call)
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
