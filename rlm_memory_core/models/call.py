"""One call on its way through the pipeline: its request, its reservation, and what it has taken so far.

A server also bills requests that nobody waits for any more. What a call has sent without
getting the price back is estimated: every open request of a stopped call, and every
attempt that timed out.
"""

from __future__ import annotations

from .budget import Budget
from .pricing import Usage, cost
from .streaming import Listener
from .types import CHAT_PATH, Request

_NO_LIMIT = Budget()


class ModelCall:
    """Reserves budget for one call and tracks requests whose cost is still unknown.

    Use it as `with ModelCall(...) as call:`; leaving the block gives reservations back.

    Args:
        request: What is asked.
        budget: Checked before the request is sent; None for no limit.
        rates: Dollars per prompt token and per completion token; None where they are not known.
        listener: Hears the answer while it comes; None to wait for the whole.

    `extra` counts requests beside the first one of an attempt: second copies, and repeats of unreadable answers.
    """

    def __init__(
        self,
        request: Request,
        budget: Budget | None = None,
        rates: tuple[float, float] | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.request = request
        self.listener = listener
        self.extra = 0
        self._budget = budget
        self._rates = rates
        self._estimate = Usage()  # of one request
        self._reserved: list[tuple[Usage, float]] = []  # for the first request, and for each extra one
        self._was_sent = self._has_left = False
        self._open = 0  # requests that did not fail so far
        self._timed_out = 0
        self._earlier = (0, 0)  # extra requests and timeouts of earlier attempts
        self._payer: ModelCall | None = self

    def __enter__(self) -> ModelCall:
        return self

    def __exit__(self, *_: object) -> None:
        if self._budget is not None:
            for reserved in self._reserved:
                self._budget.release(*reserved)
        self._budget, self._has_left = None, True  # the request may go on for other callers

    async def reserve(self) -> None:
        """Reserve budget for the request.

        Raises:
            BudgetExceeded: There is no room for it.
        """
        budget = self._budget
        usage = (budget or _NO_LIMIT).expected(self.request.tokens, self.request.path == CHAT_PATH)
        self._estimate = usage
        if budget is None:
            return
        usd = cost(usage, self._rates) or 0.0
        await budget.reserve(usage, usd)
        if self._has_left:
            budget.release(usage, usd)
        else:
            self._reserved.append((usage, usd))

    def reserve_extra(self) -> bool:
        """Reserve as much again for an extra request and count it; False where there is no room right now."""
        if self._has_left or not self._reserve_again():
            return False
        self.extra += 1
        return True

    def begin_attempt(self) -> None:
        """Start an attempt: extra requests and timeouts so far belong to earlier ones."""
        self._earlier = (self.extra, self._timed_out)

    def sent(self) -> None:
        """Count a request that goes out."""
        self._was_sent = True
        self._open += 1

    def failed(self, timed_out: bool = False) -> None:
        """Count a request that failed. Servers bill no failures, but they bill what came too late for us."""
        self._open -= 1
        if timed_out:
            self._timed_out += 1
            if self._reserved:
                self._reserve_again()

    def paid_by(self, payer: ModelCall | None) -> None:
        """Name the call whose requests this one pays for; None where another caller pays."""
        self._payer = payer

    def taken(self, answer: Usage) -> Usage:
        """Return what an answered call took: each extra request of the last attempt costs as much as its answer.

        Extra requests of earlier attempts failed: they are counted without tokens.
        """
        extra, timed_out = self._earlier
        return answer * (1 + self.extra - extra) + Usage(calls=extra) + self._estimate * timed_out

    def taken_without_answer(self, stopped: bool = False) -> Usage:
        """Estimate what a call took that failed, or that its caller stopped."""
        payer = self._payer
        if payer is None or (stopped and not payer._was_sent):
            return Usage()
        heard = payer.listener.unfinished if payer.listener else None
        requests = payer._timed_out
        if stopped:
            requests += payer._open - (heard is not None)
        taken = payer._estimate * requests + (heard or Usage())
        return taken + Usage(calls=max(1 + payer.extra - taken.calls, 0))

    def charge(self, usage: Usage, usd: float | None) -> None:
        """Charge the budget; dollars are None where the price is not known."""
        if self._budget is not None:
            self._budget.charge(usage, usd)

    def _reserve_again(self) -> bool:
        if self._budget is None or not self._reserved:
            return True
        if not self._budget.try_reserve(*self._reserved[0]):
            return False
        self._reserved.append(self._reserved[0])
        return True
