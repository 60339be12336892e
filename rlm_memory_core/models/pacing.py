"""Pacing: as many requests in flight as the server takes, and no more.

A request goes out at once unless a limit forbids it. When the server is busy (429, or 503
with Retry-After), pacing stops for as long as it is told to, goes on with half as many
requests in flight, and climbs back as requests succeed. Known limits per minute are kept.
`pipeline` retries other failures.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass

from .budget import ModelCall
from .normalise import usage_of
from .streaming import hear
from .types import Backend, Refused, Response, TimedOut

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0  # seconds, where the server names none
_ROUNDS_BACK = 8  # of requests, until as many may be in flight as when the server refused
PATIENCE = 120.0
"""Seconds to wait for a server that takes nothing; one that asks to wait longer is given up."""

_MINUTE = 60.0
_MOST_REFUSALS = 16  # of one request; halving the limit from 256 to 1 takes 8

_REPEATED, _NORMAL, _PATIENT = range(3)  # ranks in the queue

OnSent = Callable[[float | None], None]
"""Called with the loop's time when a request goes out, and with None when it has to go out again."""


@dataclass(frozen=True)
class Pace:
    """The limits that the user knows of; None for no limit.

    Args:
        concurrency: Requests in flight at once.
        requests_per_minute: Requests in any 60 seconds.
        tokens_per_minute: Tokens in any 60 seconds: estimated from a request's size, then corrected by the server's
            count.

    Raises:
        ValueError: A limit is below 1.
    """

    concurrency: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    def __post_init__(self) -> None:
        for name, limit in vars(self).items():
            if limit is not None and not limit >= 1:
                raise ValueError(f"{name} must be at least 1, not {limit}")


class Window:
    """A limit on an amount in any 60 seconds; None for no limit.

    An amount above the limit itself waits until the window is empty.

    >>> window = Window(2)
    >>> for now in (0.0, 10.0):
    ...     window.take(now, 1)
    >>> window.opens(20.0, 1), window.opens(65.0, 1)
    (60.0, 65.0)
    """

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._taken: list[tuple[float, float]] = []  # times and amounts, in order
        self._total = 0.0

    def opens(self, now: float, amount: float) -> float:
        """Return the time from which the amount fits."""
        if self._limit is None:
            return now
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
        """Count an amount; a negative one corrects an earlier one of the same time."""
        if self._limit is not None:
            insort(self._taken, (time, amount))
            self._total += amount


class Pacing:
    """Sends requests when they may be sent; one for all calls to a server.

    Waiting here does not count against a request's timeout. A refused request goes out
    again before any other, up to 16 times; it is given up at once where no waiting helps,
    such as for a spent quota. All that wait are given up when the server asks to wait for
    more than two minutes, or when nothing is in flight and it has taken no request for two
    minutes, or has refused `max_retries` times over without naming a time to wait. A
    success whose body is no JSON object is sent once more if the budget has room for it.

    Args:
        backend: Answers the requests.
        pace: Known limits.
        max_retries: For a server that refuses without naming a time to wait.

    `pipeline` makes as many further attempts after other failures. `limit` is the present limit on `in_flight`, the
    requests in flight.
    """

    def __init__(self, backend: Backend, pace: Pace, max_retries: int) -> None:
        self.in_flight = 0
        self.limit = self._most = float(pace.concurrency or math.inf)
        self._backend, self.max_retries = backend, max_retries
        self._requests, self._tokens = Window(pace.requests_per_minute), Window(pace.tokens_per_minute)
        self._queue: list[tuple[int, int, int, asyncio.Future[float]]] = []  # rank, order, tokens
        self._arrivals = 0
        self._shut_until = -math.inf
        self._sends = self._lowered = 0  # how many were sent, and how many when the limit was lowered
        self._refusing_since = math.inf  # the first refusal since the last success
        self._bursts, self._step = 0, 1.0  # refusals since the last success; how fast the limit climbs back
        self._timer: asyncio.TimerHandle | None = None

    def has_room(self, tokens: int) -> bool:
        """Say whether a request of so many tokens would go out at once."""
        now = asyncio.get_running_loop().time()
        return not self._queue and self.in_flight + 1 <= self.limit and self._opens(now, tokens) <= now

    async def send(self, call: ModelCall, is_patient: bool = False, on_sent: OnSent = lambda sent: None) -> Response:
        """Send a call's request in its turn, and again where the server is busy.

        Args:
            call: Is told of each request that goes out or fails.
            is_patient: Whether others go first where not all can go at once.
            on_sent: See `OnSent`.

        Raises:
            BackendError: There is no answer.
        """
        loop = asyncio.get_running_loop()
        rank = _PATIENT if is_patient else _NORMAL
        refusals, is_repeated = 0, False
        while True:
            sent = await self._turn(rank, call.request.tokens)
            on_sent(sent)
            try:
                response = await self._attempt(call)
            except Refused as refusal:
                refusals += 1
                self._check_patience(refusal, refusals)
            else:
                if response.body is not None or is_repeated or not call.reserve_extra():
                    if response.seconds is None:
                        response.seconds = loop.time() - sent
                    counted = usage_of(response.body or {}).total_tokens
                    self._tokens.take(sent, counted - call.request.tokens if counted else 0)
                    return response
                is_repeated = True
            rank = _REPEATED
            on_sent(None)

    async def _attempt(self, call: ModelCall) -> Response:
        """Send one request, and learn from its outcome before the next may go out."""
        self._sends = number = self._sends + 1
        call.sent += 1
        try:
            request, listener = call.request, call.listener
            response = await (hear(self._backend, request, listener) if listener else self._backend.send(request))
            self._took()
            return response
        except Exception as error:
            call.failed(timed_out=isinstance(error, TimedOut))
            if isinstance(error, Refused):
                if not error.is_busy:
                    self._took()
                elif error.retryable:
                    self._refused(number, error.retry_after)
            raise
        finally:
            self.in_flight -= 1
            self._admit()

    async def _turn(self, rank: int, tokens: int) -> float:
        """Wait until a request may go out, take its place, and return the time."""
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._queue, (rank, self._arrivals, tokens, turn))
        self._admit()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # its turn came in the same moment
                self.in_flight -= 1
            turn.cancel()
            self._admit()
            raise

    def _admit(self) -> None:
        """Let out those who may go, and set a timer for the next."""
        loop = asyncio.get_running_loop()
        while self._queue and self.in_flight + 1 <= self.limit:
            *_, tokens, turn = self._queue[0]
            now = loop.time()
            opens = self._opens(now, tokens)
            if opens > now and not turn.done():
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = loop.call_at(opens, self._admit)
                return
            heapq.heappop(self._queue)
            if not turn.done():  # by cancelling
                self.in_flight += 1
                self._requests.take(now, 1)
                self._tokens.take(now, tokens)
                turn.set_result(now)

    def _opens(self, now: float, tokens: int) -> float:
        """Return when a request of so many tokens may go out."""
        return max(self._shut_until, self._requests.opens(now, 1), self._tokens.opens(now, tokens))

    def _took(self) -> None:
        """Raise the limit: the server took a request."""
        self._bursts, self._refusing_since = 0, math.inf
        self.limit = min(self._most, self.limit + self._step / self.limit)

    def _refused(self, number: int, pause: float | None) -> None:
        """Stop for a while, and lower the limit once for all requests that were out together."""
        now = asyncio.get_running_loop().time()
        self._refusing_since = min(self._refusing_since, now)
        if number > self._lowered:
            self.limit = max(1.0, min(self.limit, self.in_flight) // 2)
            self._step = max(1.0, self.limit / _ROUNDS_BACK)
            self._lowered = self._sends
            self._bursts += 1
        if pause is None:
            pause = pause_after(self._bursts - 1)
        self._shut_until = max(self._shut_until, now + pause)

    def _check_patience(self, refusal: Refused, refusals: int) -> None:
        """Raise a refusal where waiting does not help; give up all that wait where the server takes nothing."""
        if not refusal.is_busy:
            raise refusal
        is_hopeless = self._is_hopeless(refusal.retry_after)
        if is_hopeless:
            for *_, turn in self._queue:
                if not turn.done():
                    turn.set_exception(Refused(refusal.status, str(refusal), refusal.retry_after))
            self._queue.clear()
            self._bursts, self._refusing_since, self._shut_until = 0, math.inf, -math.inf  # begin afresh
        if is_hopeless or refusals == _MOST_REFUSALS or not refusal.retryable:
            refusal.retryable = False
            raise refusal

    def _is_hopeless(self, pause: float | None) -> bool:
        if self.in_flight or (pause or 0.0) > PATIENCE:  # the server may be busy with those in flight
            return (pause or 0.0) > PATIENCE
        now = asyncio.get_running_loop().time()
        waited = max(now, self._shut_until) - min(self._refusing_since, now)
        return waited > PATIENCE or (pause is None and self._bursts > self.max_retries)


def pause_after(failures: int) -> float:
    """Return the seconds to wait, where the server names none, after so many earlier failures.

    >>> pause_after(0), pause_after(2), pause_after(9)
    (0.5, 2.0, 8.0)
    """
    return min(_FIRST_PAUSE * 2.0**failures, _LONGEST_PAUSE)
