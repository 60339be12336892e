"""One call's hold on a budget, and what it has sent that no answer has told the price of.

`Claim` stands around a call; two transports tell it what happens to its requests. What an answer
costs, and what is charged for a call that has none, is decided in `model_call`.
"""

from __future__ import annotations

import time
from contextvars import ContextVar, Token
from types import TracebackType

import httpx2

from .budget import Budget, BudgetExceeded
from .headers import OVER_BUDGET, OVER_BUDGET_CODE, REQUESTS_HEADER, SECONDS_HEADER, refusal
from .pricing import Usage, cost

CLAIM = "rlm_memory_claim"
"""An extension of a request: the `Claim` of the call that it is sent for."""


class Claim:
    """One call's hold on a budget: `with Claim(budget, rates) as claim:` around the call, `claim.charge` within.

    `BudgetTransport` makes the hold when the request is really sent, so that a replay
    makes none; leaving the block gives it back. `further` counts the requests that went out
    beside the one that a call is: second copies, and repeats of answers that broke on their way.

    Args:
        budget: None for no limit.
        rates: Dollars per prompt and per completion token, or None.
    """

    def __init__(self, budget: Budget | None, rates: tuple[float, float] | None) -> None:
        self._budget = budget
        self._rates = rates
        self._held: list[tuple[Usage, float]] = []  # for the request, and for each further one
        self._left = False
        self.further = 0
        self._token: Token[Claim | None] | None = None

    def __enter__(self) -> Claim:
        self._token = _CLAIM.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        if self._budget is None or self._held:
            return
        usage = self._budget.expected(request_bytes, replies)
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

    def charge(self, usage: Usage, usd: float | None) -> None:
        """Count what the call was paid for; dollars are None where nobody knows them."""
        if self._budget is not None:
            self._budget.charge(usage, usd)


_CLAIM: ContextVar[Claim | None] = ContextVar("claim", default=None)


class BudgetTransport(httpx2.AsyncBaseTransport):
    """Sends a request once the budget of its call has room for it; stands below recorded calls.

    A request that is held back for good is answered with the status `OVER_BUDGET`. An answer
    says how many requests were paid for it, where there were more than one.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self.inner = inner

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
        sent, before = time.perf_counter(), claim.further
        response = await self.inner.handle_async_request(request)
        if response.status_code == 200 and claim.further > before:
            response.headers[REQUESTS_HEADER] = str(1 + claim.further - before)
        if sent - arrived > 0.1:  # a wait for the budget is none for the server
            response.headers.setdefault(SECONDS_HEADER, str(time.perf_counter() - sent))
        return response

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self.inner.aclose()
