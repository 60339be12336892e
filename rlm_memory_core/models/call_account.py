"""One call's hold on a budget, and what it has sent that no answer has told the price of.

`Claim` stands around a call; two transports, above pacing and below it, tell it what happens
to its requests. What is charged for a call is decided in `model_call`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar, Token

import httpx2

from .budget import Budget, BudgetExceeded
from .headers import OVER_BUDGET, OVER_BUDGET_CODE, REQUESTS_HEADER, SECONDS_HEADER, refusal
from .layer import Layer
from .pricing import Usage, cost

CLAIM = "rlm_memory_claim"
"""An extension of a request: the `Claim` of the call that it is sent for."""
_NO_LIMIT = Budget()


class Claim:
    """One call's hold on a budget: `with Claim(budget, rates) as claim:` around the call, `claim.charge` within.

    `BudgetTransport` makes the hold when the request is really sent, so that a replay
    makes none; leaving the block gives it back. `further` counts the requests that went out
    beside the one that a call is: second copies, and repeats of answers that broke on their way.

    A server bills also what nobody waits for any more. What a call has sent and no answer has told the price of is
    estimated as what is held: `unanswered` for a call that is stopped, `timed_out` for tries that took too long. Calls
    that share a request pay for it once: `pays_for` says whose requests a claim answers for.

    Args:
        budget: None for no limit.
        rates: Dollars per prompt and per completion token, or None.
        heard: What a streamed reply has taken so far; None where none is on its way.
    """

    def __init__(
        self,
        budget: Budget | None,
        rates: tuple[float, float] | None,
        heard: Callable[[], Usage | None] = lambda: None,
    ) -> None:
        self._budget = budget
        self._rates = rates
        self._heard = heard
        self._estimate = Usage()  # of one request
        self._was_sent = False
        self._open = 0  # requests that went out, and may be billed as far as is known
        self._too_late = 0  # requests that timed out
        self._payer: Claim | None = self
        self._held: list[tuple[Usage, float]] = []  # for the request, and for each further one
        self._left = False
        self.further = 0
        self._token: Token[Claim | None] | None = None

    def __enter__(self) -> Claim:
        self._token = _CLAIM.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _CLAIM.reset(self._token)
        if self._budget is not None:
            for held in self._held:
                self._budget.release(*held)
        self._budget, self._left = None, True  # a request that goes on for others holds nothing more for us

    async def hold(self, request_bytes: int, replies: bool) -> None:
        """Set aside what the request may take; a second try holds no more than the first.

        Raises:
            BudgetExceeded: There is no room for it.
        """
        usage = self._estimate = (self._budget or _NO_LIMIT).expected(request_bytes, replies)
        if self._budget is None or self._held:
            return
        usd = cost(usage, self._rates) or 0.0
        await (budget := self._budget).hold(usage, usd)
        if self._budget is None:  # who asked is gone by now, and the request goes on for others
            budget.release(usage, usd)
        else:
            self._held.append((usage, usd))

    def hold_again(self) -> bool:
        """Set aside as much once more for a further request, and count it; False where there is no room right now."""
        if self._left:
            return False
        if self._budget is not None and self._held:
            if not self._budget.hold_now(*self._held[0]):
                return False
            self._held.append(self._held[0])
        self.further += 1
        return True

    def went_out(self) -> None:
        """A request was sent."""
        self._was_sent = True
        self._open += 1

    def came_to_nothing(self, too_late: bool = False) -> None:
        """A request that was sent failed. Failures are not billed, but those where the server was only too slow."""
        self._open -= 1
        if too_late:
            self._too_late += 1
            if self._budget is not None and self._held and self._budget.hold_now(*self._held[0]):
                self._held.append(self._held[0])

    @property
    def tries(self) -> int:
        """Requests that timed out so far."""
        return self._too_late

    def answered_after(self, tries: int) -> None:
        """A copy was answered: those that timed out meanwhile are counted with it, as all copies are."""
        self._too_late = tries

    def pays_for(self, other: Claim | None) -> None:
        """Answer for what another call has sent, as it has left; or for nothing (None), as another call pays."""
        self._payer = other

    @property
    def pays(self) -> bool:
        """Whether it answers for a request at all."""
        return self._payer is not None

    @property
    def heard(self) -> Usage | None:
        """An estimate of a streamed reply that broke off; None where none did, or another call pays for it."""
        return None if self._payer is None else self._payer._heard()

    @property
    def timed_out(self) -> Usage:
        """An estimate of the tries that timed out: the server is at work on them, and may well bill them."""
        payer = self._payer
        return payer._many(payer._too_late) if payer is not None else Usage()

    @property
    def unanswered(self) -> Usage:
        """An estimate of what a call has taken that is stopped: of nothing, where nothing was sent."""
        payer = self._payer
        if payer is None or not payer._was_sent:
            return Usage()
        first = payer._heard() if payer._open else None
        taken = payer._many(payer._open + payer._too_late - (first is not None)) + (first or Usage())
        return taken + Usage(calls=max(1 + payer.further - taken.calls, 0))

    def _many(self, requests: int) -> Usage:
        return sum([self._estimate] * requests, Usage())

    def charge(self, usage: Usage, usd: float | None) -> None:
        """Count what the call was paid for; dollars are None where nobody knows them."""
        if self._budget is not None:
            self._budget.charge(usage, usd)


_CLAIM: ContextVar[Claim | None] = ContextVar("claim", default=None)


def current_claim() -> Claim | None:
    """The claim of the call that is being made, or None."""
    return _CLAIM.get()


class BudgetTransport(Layer):
    """Sends a request once the budget of its call has room for it; stands below recorded calls.

    A request that is held back for good is answered with the status `OVER_BUDGET`. An answer
    says how many requests were paid for it, where there were more than one.
    """

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Hold, then forward."""
        claim = _CLAIM.get()
        if claim is None:
            return await self.inner.handle_async_request(request)
        arrived = time.perf_counter()
        try:
            await claim.hold(len(await request.aread()), request.url.path.endswith("/completions"))
        except BudgetExceeded as error:
            return refusal(OVER_BUDGET, str(error), OVER_BUDGET_CODE)
        request.extensions = {**request.extensions, CLAIM: claim}
        sent, before, tries = time.perf_counter(), claim.further, claim.tries
        response = await self.inner.handle_async_request(request)
        if response.status_code == 200 and claim.further > before:
            response.headers[REQUESTS_HEADER] = str(1 + claim.further - before)
            claim.answered_after(tries)
        if sent - arrived > 0.1:  # a wait for the budget is none for the server
            response.headers.setdefault(SECONDS_HEADER, str(time.perf_counter() - sent))
        return response


class OutgoingTransport(Layer):
    """Tells the claim of each request when it goes out, and what becomes of it; no request waits any more below it."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request. One that is cancelled, or answered, stays open until its call counts it."""
        claim: Claim | None = request.extensions.get(CLAIM)
        if claim is None:
            return await self.inner.handle_async_request(request)
        claim.went_out()
        try:
            response = await self.inner.handle_async_request(request)
        except Exception as error:
            claim.came_to_nothing(too_late=isinstance(error, httpx2.TimeoutException))
            raise
        if response.status_code != 200:
            claim.came_to_nothing()
        return response
