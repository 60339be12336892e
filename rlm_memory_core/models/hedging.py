"""Hedging: a call that is much slower than its siblings is sent a second time, and the first good answer wins.

Siblings are the calls of one fan-out. A call is late if it takes a multiple of the median
of the answered ones. Only a small share may be copied, and only while concurrency and
budget allow it. The loser is cancelled.
"""

from __future__ import annotations

import asyncio
import math
from bisect import insort
from collections.abc import Coroutine
from contextlib import nullcontext
from functools import partial
from typing import Any

from .budget import ModelCall
from .pacing import Pacing
from .types import Response

HEDGE = 0.05
"""The usual share of extra calls."""

_ENOUGH = 3  # answers, before a call counts as slow
_SLOW, _LAST = 3.0, 1.5  # times the siblings' median
_AGAIN = 0.1  # times the median, until a copy without room is tried again


class Siblings:
    """The calls of one fan-out: how long they took, and how many copies may still go out.

    Once half of the calls that were sent are answered, and at least three, a call gets a
    copy when it has taken three times their median; or 1.5 times, where no more calls are
    out than copies are left. A share of 0.05 makes at most 3 copies for 50 calls and 25
    for 500. A fan-out of fewer calls than one copy's worth (20) may also send one copy,
    but only for a call of three times the median.

    Args:
        share: Copies for each call sent, between 0 and 1; 0 for none.
        slots: Bounds the calls in flight; a copy takes only a slot that no call waits for.

    `copies` counts the copies that were sent. `door` lets one call start in each turn of the event loop.

    Raises:
        ValueError: The share is not between 0 and 1.

    >>> Siblings(0.05).copies
    0
    """

    def __init__(self, share: float, slots: asyncio.Semaphore | None = None) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"the share of extra calls must be between 0 and 1, not {share}")
        self.share, self.slots = share, slots
        self.copies = 0
        self.door = asyncio.Lock()
        self._sent = 0
        self._answered: list[float] = []  # seconds, shortest first
        self._waiting: dict[Race, None] = {}  # races without a copy, oldest first
        self._timer: asyncio.TimerHandle | None = None

    def sent(self, race: Race, now: float | None) -> None:
        """Note when a call went out; None that it has to go out again: until then it cannot be late."""
        if now is None:
            self._waiting.pop(race, None)
            return
        self._sent += race.since == math.inf
        race.since = now
        if race.requests == 1:
            self._waiting[race] = None

    def ended(self, race: Race, seconds: float | None) -> None:
        """Note that a call was answered after so many seconds, or failed (None)."""
        self._waiting.pop(race, None)
        if seconds is not None:
            insort(self._answered, seconds)
            self._review()

    def _review(self) -> None:
        """Send the copies that are due, and set a timer for the next one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        half = (self._sent - 1) // 2
        allowance = max(1, int(self._sent * self.share + 0.5))
        if not (self.share and self._waiting) or len(self._answered) < max(_ENOUGH, half + 1):
            return
        loop = asyncio.get_running_loop()
        while self._waiting and (left := allowance - self.copies) > 0:
            race = next(iter(self._waiting))
            are_few = self._sent * self.share >= 1 and len(self._waiting) <= left
            due = race.since + self._answered[half] * (_LAST if are_few else _SLOW)
            if loop.time() >= due and not race.send_copy():
                due = loop.time() + self._answered[half] * _AGAIN
            if loop.time() < due:
                self._timer = loop.call_at(due, self._review)
                return
            del self._waiting[race]
            self.copies += 1


class Race:
    """One call of a fan-out, and its copy where it has one; `requests` counts both.

    `since` is the loop's time when the call last went out.

    Args:
        pacing: Sends the request and the copy.
        call: What is sent.
        siblings: Decide when a copy is due.
    """

    def __init__(self, pacing: Pacing, call: ModelCall, siblings: Siblings) -> None:
        self.requests, self.since = 1, math.inf
        self._pacing, self._call, self._siblings = pacing, call, siblings
        self._running: set[asyncio.Task[Response]] = set()
        self._ended: asyncio.Queue[asyncio.Task[Response]] = asyncio.Queue()

    async def run(self) -> Response:
        """Send, and return the first good answer.

        Raises:
            BackendError: There is none; this is the first failure.
        """
        async with self._siblings.door:  # one by one, or making all requests of a large fan-out would delay each answer
            await asyncio.sleep(0)
        note = partial(self._siblings.sent, self)
        self._start(self._pacing.send(self._call, is_patient=True, on_sent=note))
        seconds = None
        try:
            response = await self._first_answer()
            seconds = asyncio.get_running_loop().time() - self.since
            if self.requests > 1:
                response.seconds = seconds  # of the call, not of the copy alone
            return response
        finally:
            for loser in self._running:
                loser.cancel()
            self._siblings.ended(self, seconds)
            await asyncio.gather(*self._running, return_exceptions=True)  # leave nothing running

    def send_copy(self) -> bool:
        """Send the request a second time; False where it would not go out at once, or the budget has no room."""
        slots = self._siblings.slots
        has_room = self._pacing.has_room(self._call.request.tokens) and not (slots and slots.locked())
        if not (has_room and self._call.reserve_extra()):
            return False
        self.requests += 1
        self._start(self._run_copy(slots))
        return True

    async def _run_copy(self, slots: asyncio.Semaphore | None) -> Response:
        async with slots or nullcontext():
            return await self._pacing.send(self._call, is_patient=True)

    def _start(self, sending: Coroutine[Any, Any, Response]) -> None:
        task = asyncio.create_task(sending)
        self._running.add(task)
        task.add_done_callback(self._ended.put_nowait)

    async def _first_answer(self) -> Response:
        """Return the first good answer, or raise the first failure where nothing else is on its way."""
        failures = []
        while True:
            task = await self._ended.get()
            self._running.remove(task)
            error = task.exception()
            if error is None:
                return task.result()
            failures.append(error)
            if not self._running:
                raise failures[0]
