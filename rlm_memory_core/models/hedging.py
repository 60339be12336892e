"""Hedging: a call that is much slower than its siblings is sent a second time, and the first good answer wins.

Siblings are the calls of one fan-out. How slow is too slow follows from those of them
that have answered; how many copies go out is bounded by a share of the calls. A copy is
sent only where there is room for it, also in the budget, which is told of it before it goes
out; and the loser is cancelled. Copies go out below
recorded calls, which would send identical requests once.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpx2

from .call_account import CLAIM, Claim
from .headers import SECONDS_HEADER
from .layer import Layer
from .pacing import ON_SENT, PATIENT, Pacing

HEDGE = 0.05
"""The usual share of extra calls."""

_ENOUGH = 3  # answers, before anything is said of how long a call takes
_SLOW, _LAST = 3.0, 1.5  # times the siblings' median
_AGAIN = 0.1  # likewise: where there is no room for a copy, after so long it is looked for again


class Siblings:
    """The calls of one fan-out: how long they took, and how many copies may still go out.

    Once half of the calls that were sent have answered, and at least three, a copy goes
    out for a call that has taken three times their median; or, where no more calls are
    out than copies are left, 1.5 times. Of `share` = 0.05 that makes 3 copies at most for
    50 calls and 25 for 500. A fan-out of fewer calls than one copy's worth (20) may send
    one as well, but for a call of three times the median alone.

    Args:
        share: Copies for each call sent; 0 for none.
        slots: Bounds the calls in flight; a copy takes a free one, and never one that a call waits for.

    `copies` counts those that were sent.

    Raises:
        ValueError: The share is not between 0 and 1.

    >>> Siblings(0.05).copies
    0
    """

    def __init__(self, share: float, slots: asyncio.Semaphore | None = None) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"the share of extra calls must be between 0 and 1, not {share}")
        self.share = share
        self.copies = 0
        self._slots = slots
        self._sent = 0
        self._answered: list[float] = []  # seconds, shortest first
        self._waiting: dict[Flight, float] = {}  # without a copy: when it was sent, oldest first
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Calls that are sent within are siblings."""
        token = _SIBLINGS.set(self)
        try:
            yield
        finally:
            _SIBLINGS.reset(token)

    def sent(self, flight: Flight, now: float) -> None:
        """A call went out for the first time."""
        self._sent += 1
        self._waiting[flight] = now

    def resent(self, flight: Flight, now: float) -> None:
        """A call went out again."""
        if flight.requests == 1:
            self._waiting[flight] = now

    def refused(self, flight: Flight) -> None:
        """A call is to go out again, and cannot be late before it does."""
        self._waiting.pop(flight, None)

    def ended(self, flight: Flight, seconds: float | None) -> None:
        """A call was answered after so many seconds, or failed (None)."""
        self._waiting.pop(flight, None)
        if seconds is not None:
            insort(self._answered, seconds)
            self._review()

    def _review(self) -> None:
        """Send the copies that are due, and come back when the next one is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        half = (self._sent - 1) // 2
        if not self._waiting or len(self._answered) < max(_ENOUGH, half + 1):
            return
        loop = asyncio.get_running_loop()
        while self._waiting and (left := self._allowance - self.copies) > 0:
            flight, sent = next(iter(self._waiting.items()))
            few = self._sent * self.share >= 1 and len(self._waiting) <= left
            due = sent + self._answered[half] * (_LAST if few else _SLOW)
            if loop.time() >= due and not flight.send_copy(self._slots):
                due = loop.time() + self._answered[half] * _AGAIN
            if loop.time() < due:
                self._timer = loop.call_at(due, self._review)
                return
            del self._waiting[flight]
            self.copies += 1

    @property
    def _allowance(self) -> int:
        return max(1, int(self._sent * self.share + 0.5)) if self.share else 0


class Flight:
    """One call on its way, with its copy where it has one.

    `requests` is 1, or 2 with a copy.
    """

    def __init__(self, pacing: Pacing, request: httpx2.Request, siblings: Siblings) -> None:
        self.requests = 1
        self._since: float | None = None  # it went out, for the last time
        self._pacing = pacing
        self._siblings = siblings
        self._request = request
        self._running: set[asyncio.Task[httpx2.Response]] = set()
        self._first: asyncio.Task[httpx2.Response] | None = None
        self._answer: asyncio.Future[asyncio.Task[httpx2.Response]] = asyncio.get_running_loop().create_future()

    async def answer(self) -> httpx2.Response:
        """Send, and wait for the first good answer; or, where there is none, for the first failure.

        Raises:
            httpx2.TransportError: The connection of the first failed, and no copy did better.
        """
        self._request.extensions = {**self._request.extensions, PATIENT: True, ON_SENT: self._was_sent}
        self._start(self._pacing.handle_async_request(self._request))
        seconds = None
        try:
            response = (await self._answer).result()
            if response.status_code == 200 and self._since is not None:
                seconds = asyncio.get_running_loop().time() - self._since
            if self.requests > 1 and seconds is not None:
                response.headers[SECONDS_HEADER] = str(seconds)  # of the call, not of the copy alone
            return response
        finally:
            losers = list(self._running)
            for loser in losers:
                loser.cancel()
            self._siblings.ended(self, seconds)
            if losers:
                await asyncio.wait(losers)  # a call that has ended leaves nothing running

    def send_copy(self, slots: asyncio.Semaphore | None) -> bool:
        """Send the request a second time; False where it would not go out at once, or there is no money for it."""
        claim: Claim | None = self._request.extensions.get(CLAIM)
        if (slots is not None and slots.locked()) or not self._pacing.has_room(self._request):
            return False
        if claim is not None and not claim.hold_again():
            return False
        self.requests += 1
        copy = httpx2.Request(
            self._request.method,
            self._request.url,
            headers=self._request.headers,
            content=self._request.content,
            extensions={name: value for name, value in self._request.extensions.items() if name != ON_SENT},
        )
        self._start(self._in_slot(slots, copy) if slots else self._pacing.handle_async_request(copy))
        return True

    async def _in_slot(self, slots: asyncio.Semaphore, copy: httpx2.Request) -> httpx2.Response:
        async with slots:
            return await self._pacing.handle_async_request(copy)

    def _was_sent(self, now: float | None) -> None:
        if now is None:
            self._siblings.refused(self)
            return
        (self._siblings.sent if self._since is None else self._siblings.resent)(self, now)
        self._since = now

    def _start(self, sending: Coroutine[Any, Any, httpx2.Response]) -> None:
        task = asyncio.create_task(sending)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[httpx2.Response]) -> None:
        """Take the first good answer, and a failure only where nothing else is on its way."""
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if self._answer.done() or task.cancelled():
            return
        good = error is None and task.result().status_code == 200
        self._first = self._first or task
        if good or not self._running:
            self._answer.set_result(task if good else self._first)


class Hedging(Layer):
    """Sends the calls of a fan-out with copies where they are due, and all others as they are.

    Args:
        pacing: What the calls and their copies are sent by.
    """

    inner: Pacing

    def __init__(self, pacing: Pacing) -> None:
        super().__init__(pacing)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request, and perhaps a copy of it."""
        siblings = _SIBLINGS.get()
        if siblings is None:
            return await self.inner.handle_async_request(request)
        await request.aread()
        if not siblings.share:
            request.extensions = {**request.extensions, PATIENT: True}
            return await self.inner.handle_async_request(request)
        return await Flight(self.inner, request, siblings).answer()


_SIBLINGS: ContextVar[Siblings | None] = ContextVar("siblings", default=None)
