"""A `Budget` limits the total of many calls; a `ModelCall` counts what one call uses.

Before it is sent, each call reserves the price of the longest reply that it allows. Afterwards it pays the real price.
Concurrent calls therefore cannot exceed the limit together. If too little is left, the call asks for a shorter reply.
Servers also bill requests that we gave up on, so a stopped or timed-out request is charged at an estimate.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from .pricing import Rates, Usage, cost
from .streaming import Listener
from .types import CHAT_PATH, ModelError, Request, TimedOut, check_number, count_tokens

_REPLY_TOKENS = 250  # expected length of a chat completion until longer replies arrive
GRACE = 1.0  # seconds for our own work when the budget's are over: the code in a last reply can still run and cite
_T = TypeVar("_T")
Reserved = tuple[Usage, float]  # for one request: tokens and dollars


class BudgetExceeded(Exception):
    """A call was not sent because a limit was reached. The message says which."""


@dataclass
class Budget:
    """A limit for all calls that share it. It is checked before each call.

    A call reserves the most that it may cost, and waits while other calls' reservations leave no room. If what is spent
    leaves no room, the budget ends: it refuses this call and all later ones. Replayed calls are free, never refused.

    A server that ignores `max_tokens` can break the limit: later calls reserve what its longest reply took, but those
    in flight cannot be taken back.

    Args:
        usd: Dollars; None for no limit.
        tokens: Prompt and completion tokens together; None for no limit.
        calls: Number of calls; None for no limit.
        seconds: Seconds since its first use; None for no limit. When they are over, all waiting ends: for a slot, a
            busy server, another process, a worker. Calls in flight are not stopped, except embeddings for a search.

    `spent` and `spent_usd` count what was paid for, stopped calls and timeouts at an estimate, because the server bills
    them too. `spent_usd` is None after a call of unknown price. `ended` says why no more calls are sent; "" before.

    Raises:
        ValueError: A limit is negative or not a number.

    >>> budget = Budget(usd=0.5)
    >>> budget.charge(Usage(1000, 20, 1), 0.2)
    >>> budget.spent_usd, budget.ended
    (0.2, '')
    """

    usd: float | None = None
    tokens: int | None = None
    calls: int | None = None
    seconds: float | None = None
    spent: Usage = field(default_factory=Usage, init=False)
    spent_usd: float | None = field(default=0.0, init=False)
    ended: str = field(default="", init=False)
    _longest: int = field(default=0, init=False, repr=False)  # tokens of the longest reply so far
    _started: float | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("usd", "tokens", "calls", "seconds"):
            check_number(f"{name} of a Budget", getattr(self, name))
        self._held, self._held_usd = Usage(), 0.0  # reserved by calls in flight in this process
        self._turn, self._settled = asyncio.Lock(), asyncio.Event()

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the amount spent and the age in seconds, because clocks differ. Leave out reservations."""
        kept = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**kept, "_started": None if self._started is None else self._age}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the amount spent, and set the start from the age."""
        age = state["_started"]
        vars(self).update({**vars(Budget()), **state, "_started": None if age is None else time.monotonic() - age})

    @property
    def _age(self) -> float:
        """Seconds since the first access, which starts the clock."""
        if self._started is None:
            self._started = time.monotonic()
        return time.monotonic() - self._started

    async def wait_for(self, waiting: Awaitable[_T], grace: float = 0.0) -> _T:
        """Wait for something other than an answer: a turn to send a request, a worker, a thread.

        Args:
            waiting: It is cancelled when the budget's seconds run out, but has at least `grace` seconds.

        Raises:
            BudgetExceeded: The budget's seconds ran out first.
        """
        limit = asyncio.timeout(None if self.seconds is None else max(self.seconds - self._age, grace))
        try:
            async with limit:
                return await waiting
        except TimeoutError:
            if not limit.expired():
                raise  # an error of its own
            self.ended = self.ended or f"the budget of {self.seconds:g} seconds is spent"
            raise BudgetExceeded(self.ended) from None

    @asynccontextmanager
    async def slot(self, slots: asyncio.Semaphore) -> AsyncIterator[None]:
        """Hold one of several slots. Raise BudgetExceeded if the seconds run out before one is free."""
        await self.wait_for(slots.acquire())
        try:
            yield
        finally:
            slots.release()

    async def reserve(self, estimate: Callable[[], Reserved]) -> Reserved:
        """Reserve budget for a call, and return what was reserved. Wait while other calls' reservations leave no room.

        Args:
            estimate: Returns the most that the call may use; called again after each wait.

        Raises:
            BudgetExceeded: The amount already spent leaves no room.
        """
        async with self._turn:  # first come, first served
            while not self.try_reserve(*(wanted := estimate()), is_optional=False):
                self.ended = self.ended or self._lacks(*wanted, held=False)
                if self.ended:
                    raise BudgetExceeded(self.ended)
                self._settled.clear()
                await self.wait_for(self._settled.wait())
            return wanted

    def try_reserve(self, usage: Usage, usd: float, is_optional: bool = True) -> bool:
        """Reserve budget if there is room right now, and return whether there was. `release` gives it back.

        An optional request never takes room that a call is waiting for, and never ends the budget.
        """
        is_waited_for = is_optional and self._turn.locked()
        has_room = not (is_waited_for or self.ended or self._lacks(usage, usd, held=True))
        if has_room:
            self._held += usage
            self._held_usd += usd
        return has_room

    def release(self, usage: Usage, usd: float) -> None:
        """Return the reservation of a finished call to the budget."""
        self._held -= usage
        self._held_usd = self._held_usd - usd if self._held.calls else 0.0  # drop rounding errors
        self._settled.set()

    def charge(self, usage: Usage, usd: float | None) -> None:
        """Count a call that was paid for. After the first call of unknown price, `spent_usd` stays None."""
        self.spent += usage
        self._longest = max(self._longest, usage.completion_tokens // max(usage.calls, 1))
        self.spent_usd = None if usd is None or self.spent_usd is None else self.spent_usd + usd

    def expected(self, request: Request) -> Usage:
        """Estimate the usage of one request. Only a chat completion has a reply."""
        reply = max(_REPLY_TOKENS, self.spent.completion_tokens // max(self.spent.calls, 1))
        return Usage(request.tokens, reply if request.path == CHAT_PATH else 0, 1, estimated=True)

    def at_most(self, request: Request, rates: Rates) -> Reserved:
        """Return what a request uses if its reply is as long as `max_tokens` allows and the budget can pay for.

        Args:
            request: The request. Servers may ignore its `max_tokens`, so longer replies count once one has arrived.
            rates: Dollars per prompt token and per completion token, or None.
        """
        usage = self.expected(request)
        if usage.completion_tokens:
            left = float(max(request.body.get("max_tokens", 0), self._longest))
            if self.tokens is not None:
                left = min(left, self.tokens - self.spent.total_tokens - usage.prompt_tokens)
            if self.usd is not None and rates and rates[1]:
                left = min(left, (self.usd - (self.spent_usd or 0.0) - usage.prompt_tokens * rates[0]) / rates[1])
            usage = replace(usage, completion_tokens=max(usage.completion_tokens, int(left)))
        return usage, cost(usage, rates) or 0.0

    def _lacks(self, usage: Usage, usd: float, held: bool) -> str:
        """Return one line about the limit that a call would exceed, or "". Count reservations if `held`."""
        taken = self.spent + self._held if held else self.spent
        dollars = (self.spent_usd or 0.0) + (self._held_usd if held else 0.0)
        for name, spent, next_call, limit in (
            ("usd", dollars, usd, self.usd),
            ("tokens", taken.total_tokens, usage.total_tokens, self.tokens),
            ("calls", taken.calls, usage.calls, self.calls),
        ):
            if limit is not None and spent + next_call > limit:
                more = f", and the next call takes about {next_call:.2g}" if spent < limit else ""
                return f"the budget of {limit:g} {name} is spent ({spent:.4g}{more})"
        if self.seconds is not None and self._age >= self.seconds:
            return f"the budget of {self.seconds:g} seconds is spent ({self._age:.4g})"
        return ""


class ModelCall(ExitStack):
    """Reserves budget for one call and counts its requests, so that each is charged once. Leaving it releases all.

    A server also bills stopped and late requests, which are charged at an estimate. It also bills an unreadable answer,
    which is charged like the readable one that follows, or at an estimate if none follows.

    Args:
        request: The request to send.
        budget: Checked before the request is sent; None for no limit.
        rates: Dollars per prompt token and per completion token; None if they are unknown.
        listener: Receives the answer in pieces; None to wait for the whole answer.

    Raises:
        ModelError: The budget limits dollars, and the price is unknown.

    `sent_at` is the loop's time when the current attempt was sent, or infinity before that. `copies` counts second
    copies, `answered` all answers. `charged` is what the budget paid.
    """

    def __init__(
        self, request: Request, budget: Budget | None = None, rates: Rates = None, listener: Listener | None = None
    ) -> None:
        super().__init__()
        self.request, self.listener = request, listener
        self.sent_at = math.inf
        self.copies = self.answered = 0
        self.budget, self._rates = budget or Budget(), rates
        if self.budget.usd is not None and rates is None:
            raise ModelError(
                f"the price of {request.body.get('model')} is not known, so that a budget in dollars cannot be held: "
                "give connect() its rates, or limit tokens"
            )
        self._reserved = 0  # requests that the server may bill
        self._was_sent = False  # whether any of them was sent
        self._lost = Usage()  # estimates for late or broken answers
        self.charged = Usage()  # what the budget paid

    async def reserve(self) -> None:
        """Reserve budget for the request. If the budget cannot pay for a long reply, ask for a shorter one.

        Raises:
            BudgetExceeded: The budget has no room for the request.
        """
        usage, usd = await self.budget.reserve(lambda: self.budget.at_most(self.request, self._rates))
        self._hold(usage, usd)
        if usage.completion_tokens < self.request.body.get("max_tokens", 0):
            self.request = Request(self.request.path, {**self.request.body, "max_tokens": usage.completion_tokens})

    def reserve_again(self) -> bool:
        """Reserve budget for another request like this one. Return False if there is no room right now."""
        reserved = self.budget.at_most(self.request, self._rates)
        has_room = self.budget.try_reserve(*reserved)
        if has_room:
            self._hold(*reserved)
        return has_room

    def _hold(self, usage: Usage, usd: float) -> None:
        self._reserved += 1
        self.callback(self.budget.release, usage, usd)

    def went_out(self, now: float) -> None:
        """Note that a request was sent: the first one of an attempt, or its copy."""
        self._was_sent, self.sent_at = True, min(self.sent_at, now)

    def failed(self, error: BaseException) -> None:
        """Note that a request ended without an answer. Servers do not bill their own failures."""
        if self.listener and (heard := self.listener.received):
            self._lost += Usage(self.request.tokens, count_tokens("".join(heard)), 1, estimated=True)
        elif isinstance(error, (TimedOut, asyncio.CancelledError)):
            self._lost += self.budget.expected(self.request)

    def taken(self, answer: Usage = Usage()) -> Usage:  # noqa: B008  # immutable
        """Return what all requests of this call used. `answer` is the server's count for the answer that was read."""
        if not self._was_sent:
            return Usage()
        like = answer if answer.total_tokens else self.budget.expected(self.request)
        taken = answer + like * max(self.answered - answer.calls, 0) + self._lost
        return taken + Usage(calls=max(self._reserved - taken.calls, 0))

    def charge(self, usage: Usage, is_free: bool = False) -> float | None:
        """Charge the budget unless the call is free. Return the dollars, or None if the price is unknown."""
        dollars = cost(usage, self._rates)
        if not is_free:
            self.charged = usage
            self.budget.charge(usage, dollars)
        return dollars
