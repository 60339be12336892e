"""Pacing: keeps as many requests in flight as the server accepts, and no more.

A request is sent at once unless a limit forbids it. When the server is busy (429, or 503 with Retry-After), pacing
pauses for as long as the server asks, continues with half as many requests in flight, and raises the limit again as
requests succeed. It respects known limits per minute. `pipeline` retries failed requests.
"""

import asyncio
import math
from bisect import insort
from contextlib import suppress

from .budget import ModelCall
from .normalise import usage_of
from .streaming import ask
from .types import Backend, Refused, Response

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0  # seconds, if the server does not name a time
PATIENCE = 120.0
"""Seconds to wait for a server that accepts nothing. If it asks for a longer wait, the request fails."""

_MINUTE = 60.0


class Window:
    """Limits an amount in any 60 seconds; None for no limit.

    An amount that is larger than the limit waits until the window is empty.

    >>> window = Window(2)
    >>> for now in (0.0, 10.0):
    ...     window.take(now, 1)
    >>> window.opens(20.0, 1), window.opens(65.0, 1)
    (60.0, 65.0)
    """

    def __init__(self, limit: float | None) -> None:
        self._limit = math.inf if limit is None else limit
        self._taken: list[tuple[float, float]] = []  # times and amounts, in order
        self._total = 0.0

    def opens(self, now: float, amount: float) -> float:
        """Return the earliest time at which the amount fits."""
        while self._taken and self._taken[0][0] + _MINUTE <= now:
            self._total -= self._taken.pop(0)[1]
        total, opens = self._total, now
        for time, taken in self._taken:
            if total + amount <= self._limit:
                break
            total -= taken
            opens = time + _MINUTE
        return opens

    def take(self, time: float, amount: float) -> None:
        """Count an amount. A negative amount corrects an earlier one with the same time."""
        insort(self._taken, (time, amount))
        self._total += amount


class Pacing:
    """Sends each request when the limits allow it. All calls to one server share one `Pacing`.

    Waiting here does not count against a request's timeout. When a busy server refuses a request, `pipeline` sends it
    again, and it waits here for its turn. Pacing gives up, and all waiting requests fail, when the server asks for a
    wait of more than two minutes. It also gives up when nothing else is in flight and the server has either accepted
    nothing for two minutes, or refused more than `max_retries` times in a row without naming a time to wait.

    Args:
        backend: Answers the requests.
        max_retries: How often to retry when a busy server does not name a time to wait.
        concurrency: Requests in flight at once; None for no limit.
        requests_per_minute: Requests in any 60 seconds; None for no limit.
        tokens_per_minute: Tokens in any 60 seconds: estimated from a request's size, then corrected by the server's
            count.

    `pipeline` uses the same `max_retries` for other failures. `in_flight` counts the requests in flight, and `limit` is
    their current limit.
    """

    def __init__(
        self, backend: Backend, max_retries: int, concurrency: int | None = None,
        requests_per_minute: float | None = None, tokens_per_minute: float | None = None,
    ) -> None:  # fmt: skip
        self.in_flight = 0
        self.limit = self._most = float(concurrency or math.inf)
        self._backend, self.max_retries = backend, max_retries
        self._requests, self._tokens = Window(requests_per_minute), Window(tokens_per_minute)
        self._new, self._again = asyncio.Lock(), asyncio.Lock()  # held by the next request to send; later ones queue
        self._changed = asyncio.Event()
        self._sends = self._lowered = 0  # the second: `_sends` when the limit was last lowered
        self._final = Refused(429, "")  # the last refusal that failed all waiting requests
        self._shut_until = -math.inf
        self._bursts, self._refusing_since = 0, math.inf  # refusals since the last success, and the time of the first

    def has_room(self, tokens: int) -> bool:
        """Return whether a request with this many tokens would be sent at once."""
        now = asyncio.get_running_loop().time()
        return not (self._new.locked() or self._again.locked()) and self._opens(now, tokens) <= now

    async def send(self, call: ModelCall, is_again: bool = False) -> Response:
        """Wait for the call's turn, send its request once, and adapt the limit to the outcome.

        Args:
            call: The call. It is notified when the request is sent, and if it fails.
            is_again: Whether this is a retry. Retries are sent before new requests.

        Raises:
            BackendError: There is no answer.
        """
        sent = await call.budget.wait_for(self._turn(call.request.tokens, is_again))
        self._sends = number = self._sends + 1
        call.went_out(sent)
        try:
            response = await ask(self._backend, call.request, call.listener)
            call.answered += 1
            self._bursts, self._refusing_since = 0, math.inf
            # one more after 8 answers; below a limit of 8, after as many as the limit
            self.limit = min(self._most, self.limit + 1 / min(self.limit, 8))
        except BaseException as error:
            call.failed(error)
            if isinstance(error, Refused) and error.is_busy and error.retryable:
                self._refused(error, number)
            raise
        finally:
            self.in_flight -= 1
            self._changed.set()
        response.seconds = response.seconds or asyncio.get_running_loop().time() - call.sent_at  # of a copy: earlier
        counted = usage_of(response.body or {}).total_tokens
        self._tokens.take(sent, counted - call.request.tokens if counted else 0)
        return response

    async def _turn(self, tokens: int, is_again: bool) -> float:
        """Wait until a request may be sent, count it as in flight, and return the time."""
        loop, final = asyncio.get_running_loop(), self._final
        try:
            async with self._again if is_again else self._new:
                await asyncio.sleep(0)  # creating all requests of a large fan-out at once would delay each answer
                while self._final is final:
                    now = loop.time()
                    opens = math.inf if self._again.locked() and not is_again else self._opens(now, tokens)
                    if opens <= now:
                        self.in_flight += 1
                        self._requests.take(now, 1)
                        self._tokens.take(now, tokens)
                        return now
                    self._changed.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout_at(opens if opens < math.inf else None):
                            await self._changed.wait()
                raise self._final
        finally:
            self._changed.set()

    def _opens(self, now: float, tokens: int) -> float:
        """Return when a request with this many tokens may be sent; infinity if another must end first."""
        if self.in_flight + 1 > self.limit:
            return math.inf
        return max(self._shut_until, self._requests.opens(now, 1), self._tokens.opens(now, tokens))

    def _refused(self, refusal: Refused, number: int) -> None:
        """Pause, and lower the limit, but only once for all requests that were in flight together."""
        now, pause = asyncio.get_running_loop().time(), refusal.retry_after
        if number > self._lowered:
            self.limit = max(1.0, min(self.limit, self.in_flight) // 2)
            self._lowered = self._sends
            self._bursts += 1
        self._refusing_since = min(self._refusing_since, now)
        self._shut_until = max(self._shut_until, now + (pause_after(self._bursts) if pause is None else pause))
        is_idle = self.in_flight == 1  # otherwise our other requests may keep the server busy
        takes_nothing = self._shut_until - self._refusing_since > PATIENCE
        is_vague = pause is None and self._bursts > self.max_retries
        if (pause or 0.0) > PATIENCE or (is_idle and (takes_nothing or is_vague)):
            refusal.retryable = False
            self._final, self._shut_until = refusal, -math.inf  # fails all waiting requests too; the next begins afresh
            self._bursts, self._refusing_since = 0, math.inf


def pause_after(failures: int) -> float:
    """Return the seconds to wait after this many failures, if the server does not name a time.

    >>> pause_after(1), pause_after(3), pause_after(10)
    (0.5, 2.0, 8.0)
    """
    return min(_FIRST_PAUSE * 2.0 ** (failures - 1), _LONGEST_PAUSE)
