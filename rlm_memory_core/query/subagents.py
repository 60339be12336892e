"""Sub-agents: each reads one piece of the history in a fresh context (paper Section 3.1).

`SubAgents` makes the calls, all at once up to a limit, and records each as a `Call`. A late call may be sent a second
time (`models.hedging`). A failed call is recorded with its reason; its error text is never a finding.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..models import background
from ..models.budget import Budget, BudgetExceeded
from ..models.hedging import Siblings
from ..models.llm import LLM, ModelError
from ..models.pricing import Usage
from ..models.types import ContextExceeded, Reply
from ..search.pieces import Piece
from .findings import Evidence, Extract, check_reply, is_not_found
from .halves import halves, joined
from .prompts.record import CUT_OFF, NOT_FOUND, SUBAGENT_SYSTEM, subagent_messages

Paid = tuple[Usage, float | None]
"""What one request took: tokens, and dollars or None."""

_REASONS = 3  # named in a line: a server may word every failure differently

NO_PIECE = Piece(0, None, "")
"""What a sub-agent reads that is sent a prompt of the model's own."""

STOPPED = "stopped before it answered"
"""The error of a call that was cancelled."""


@dataclass(frozen=True, slots=True)
class Call:
    """One sub-agent call.

    Args:
        session: The text that the sub-agent read; "" for a prompt that the model wrote itself.
        reply: What the sub-agent replied; "" for a call that failed.
        usage: Its tokens; an estimate for a call that was stopped or timed out.
        cost_usd: Its dollars; None if the price is not known.
        started: Seconds from the start of the query to the start of the call.
        seconds: How long it took.
        recorded: Whether the reply was replayed.
        error: Why the call failed, in one line; "" if it did not.
        cut: Whether the model's token limit cut the reply off; the reply then says so.
        batch: The number of its batch. The calls of a batch went out at once; a batch begins after the code has seen
            the replies to the one before.
        number: The number of the session that it read, from 1; None if the text is not part of the history.
        date: The date of that session, or None.
        thoughts: What the sub-agent thought before it replied, where its server shows it.
        extract: What the reply quotes, looked up in the session.
    """

    session: str = field(repr=False)
    reply: str
    usage: Usage
    cost_usd: float | None
    started: float
    seconds: float
    recorded: bool
    error: str = ""
    cut: bool = False
    batch: int = 0
    number: int | None = None
    date: str | None = None
    thoughts: str = ""
    extract: Extract = field(default=Extract(), repr=False, compare=False)

    @property
    def found(self) -> bool:
        """Whether the reply says anything about the question."""
        return not self.error and not is_not_found(self.reply)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What it found, without quotes that are not in the session; all of a reply that quotes nothing."""
        if not self.found or self.extract.findings or self.extract.false_quotes:
            return self.extract.findings
        return (Evidence(self.number, self.date, None, "", self.reply),)

    @property
    def copies(self) -> int:
        """How many further requests were sent because the reply was late or broke off; `usage` includes them."""
        return max(self.usage.calls - 1, 0)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts what became of the calls of a query: asked = found + not_found + failed.

    Args:
        asked: All calls.
        found: Calls that found something.
        not_found: Calls that found nothing.
        failed: Calls without a reply, counted by reason.
        cut: How many of the calls that found something were cut off at the model's token limit.
        copies: Further requests, sent because a reply was late or broke off. The text does not mention them, so that
            the root model's prompt does not depend on the server's speed.

    >>> print(Coverage(asked=3, found=1, not_found=1, failed={"no answer within 120 s": 1}))
    asked 3 sub-agents: 1 found something, 1 found nothing, 1 failed (1x no answer within 120 s)
    """

    asked: int
    found: int
    not_found: int
    failed: dict[str, int]
    cut: int = 0
    copies: int = 0

    @classmethod
    def of(cls, calls: Sequence[Call]) -> "Coverage":
        """Count calls, such as those of a query or of one of its steps."""
        failed = Counter(call.error for call in calls if call.error)
        found = [call for call in calls if call.found]
        not_found = len(calls) - len(found) - failed.total()
        cut, copies = sum(call.cut for call in found), sum(call.copies for call in calls)
        return cls(len(calls), len(found), not_found, dict(failed.most_common()), cut, copies)

    @property
    def share(self) -> float | None:
        """Answered over asked; None if nothing was asked."""
        return (self.found + self.not_found) / self.asked if self.asked else None

    @property
    def failures(self) -> int:
        """Calls without a reply."""
        return sum(self.failed.values())

    @property
    def reasons(self) -> str:
        """Why calls failed, the most frequent reasons first; "" if none failed."""
        named = [f"{count}x {reason}" for reason, count in self.failed.items()][:_REASONS]
        others = sum([*self.failed.values()][_REASONS:])
        return "; ".join([*named, f"{others}x for other reasons"] if others else named)

    def __str__(self) -> str:
        cut = f" ({self.cut} of them cut off)" if self.cut else ""
        agents = "sub-agent" if self.asked == 1 else "sub-agents"
        text = f"asked {self.asked} {agents}: {self.found} found something{cut}, {self.not_found} found nothing"
        return f"{text}, {self.failures} failed ({self.reasons})" if self.failed else text


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
        system: Their system prompt, which says in what form they reply.
        progress: Receives the calls, or None.

    `calls` holds all calls so far, in the order in which they ended; `began` is when the query did, by the clock
    `time.perf_counter`.
    """

    llm: LLM
    slots: asyncio.Semaphore
    budget: Budget | None = None
    hedge: float = 0.0
    system: str = SUBAGENT_SYSTEM
    progress: Progress | None = None
    calls: list[Call] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.began = time.perf_counter()
        self._batches = self._open = 0
        self._replied = True
        self._too_long = math.inf  # characters of the shortest text that did not fit the model's context window

    def replied(self) -> None:
        """Note that the code has seen replies: its next calls may depend on them, so they begin a new batch."""
        self._replied = True

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Put the calls made within the block into one batch, which is that of other blocks open now."""
        if self._replied and not self._open:
            self._batches += 1
        self._replied = False
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    def ask_all(self, assignments: Sequence[tuple[str, Piece]]) -> Coroutine[Any, Any, list[Call]]:
        """Ask one sub-agent for each (prompt, piece), all at once. Awaiting it gives the calls in this order."""
        siblings = Siblings(self.hedge, self.slots)
        return background.gather(self.ask(prompt, piece, siblings) for prompt, piece in assignments)

    async def ask(self, prompt: str, piece: Piece = NO_PIECE, siblings: Siblings | None = None) -> Call:
        """Ask one sub-agent.

        Args:
            prompt: The message to it.
            piece: What the prompt asks it to read. If it has turns, the reply's quotes are looked up in them.
            siblings: The fan-out that the call belongs to, or None.

        Returns:
            The call; its `error` says why there is no reply. Only cancellation raises.
        """
        if self.progress is not None:
            self.progress.asked()
        paid: list[Paid] = []
        batch, started, reply, error = self._batches, time.perf_counter(), None, STOPPED
        try:
            async with self.slots:
                started = time.perf_counter()
                reply, error = await self._read(prompt, piece, siblings, paid), ""
        except (BudgetExceeded, ModelError) as failed:
            error = str(failed)
        finally:  # one that is cancelled is counted too, and paid for if it was sent
            reply = reply or Reply("", Usage(), 0.0, time.perf_counter() - started)
            call = self._record(piece, batch, started, reply, paid, error)
        return call

    async def _read(self, prompt: str, piece: Piece, siblings: Siblings | None, paid: list[Paid]) -> Reply:
        """The reply on a piece; `paid` takes what each request cost. What the context window cannot hold is halved."""
        parts = halves(prompt, piece) if len(piece.text) >= self._too_long else []
        if not parts:
            messages = subagent_messages(prompt, self.system)
            try:
                reply = await self.llm.complete(messages, self.budget, None, lambda *took: paid.append(took), siblings)
                paid.append((reply.usage, reply.cost_usd))
                return reply
            except ModelError as error:
                paid.append((error.usage, error.cost_usd))
                parts = halves(prompt, piece) if isinstance(error, ContextExceeded) else []
                if not parts:
                    raise
                self._too_long = min(self._too_long, len(piece.text))
        return joined([await self._read(*part, None, paid) for part in parts])

    def _record(self, piece: Piece, batch: int, started: float, reply: Reply, paid: Sequence[Paid], error: str) -> Call:
        text, costs = _text(reply), [cost for _, cost in paid]
        call = Call(
            session=piece.text,
            reply=text,
            usage=sum((usage for usage, _ in paid), Usage()),
            cost_usd=None if None in costs else sum(filter(None, costs), 0.0),
            started=started - self.began,
            seconds=reply.seconds,
            recorded=reply.recorded,
            error=error,
            cut=reply.cut,
            batch=batch,
            number=piece.session or None,
            date=piece.date,
            thoughts=reply.thoughts,
            extract=check_reply(text, piece.turns, piece.date) if piece.turns else Extract(text),
        )
        self.calls.append(call)
        if self.progress is not None:
            self.progress.answered(call)
        return call


def _text(reply: Reply) -> str:
    if is_not_found(reply.text):
        return NOT_FOUND
    said = reply.text.strip()
    return f"{said} {CUT_OFF}" if reply.cut else said  # half an extract may still hold the answer
