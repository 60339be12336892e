"""Hedging: a call that is much slower than its siblings is sent a second time, and the first good answer wins.

Siblings are the calls of one fan-out. A call is late if it takes several times the median of its answered siblings.
Only a small share of calls may be copied, and only while concurrency and budget allow it. The slower request is
cancelled.
"""

import asyncio
from bisect import insort

from . import background
from .budget import BudgetExceeded, ModelCall
from .pacing import Pacing
from .types import BackendError, Response

HEDGE = 0.05
"""The usual share of extra calls."""

_ENOUGH = 3  # answers needed before a call counts as slow
_SLOW, _LAST = 3.0, 1.5  # times the siblings' median
_LOOK = 0.05  # times the median, between checks for late calls


class Siblings:
    """The calls of one fan-out: how long they took, and how many copies may still be sent.

    Copies begin once half of the calls, and at least three, are answered. A call gets a copy when it has taken three
    times the median of the answered calls. If the copies that are left are enough for all running calls, 1.5 times the
    median suffices. With a share of 0.05, 50 calls get at most 3 copies and 500 calls get 25. A fan-out too small to
    earn one copy (fewer than 20 calls) may still send one, but only for a call of three times the median.

    Args:
        share: Copies per call sent, between 0 and 1; 0 for none.
        slots: Limits the calls in flight. A copy uses only a slot that no call is waiting for.

    `copies` counts the copies that were sent.

    >>> Siblings(0.05, asyncio.Semaphore(50)).copies
    0
    """

    def __init__(self, share: float, slots: asyncio.Semaphore) -> None:
        self.share, self.slots = share, slots
        self.copies = 0
        self._answered: list[float] = []  # seconds, shortest first
        self._running: dict[ModelCall, asyncio.Future[None]] = {}  # oldest first; set when the call is late
        self._is_looking = False

    async def send(self, pacing: Pacing, call: ModelCall, is_again: bool = False) -> Response:
        """Send a call, and a copy of it if it is late. Return the first good answer.

        Raises:
            BackendError: Every attempt failed. The error is that of the first failure.
        """
        loop, failures = asyncio.get_running_loop(), []
        late = self._running[call] = loop.create_future()
        tasks = [asyncio.create_task(pacing.send(call, is_again))]
        try:
            await asyncio.wait([*tasks, late], return_when=asyncio.FIRST_COMPLETED)
            if late.done():
                tasks.append(asyncio.create_task(self._copy(pacing, call)))
            for ended in asyncio.as_completed(tasks) if late.done() else tasks:
                try:
                    response = await ended
                except (BackendError, BudgetExceeded) as error:  # the second: a copy ran out of budget time
                    failures.append(error)
                    continue
                if response.body is not None:  # otherwise the call is sent again, and counts when it is answered
                    insort(self._answered, loop.time() - call.sent_at)
                return response
            raise failures[0]
        finally:
            del self._running[call]
            await background.stop(tasks)
            if not self._is_looking:
                self._look(pacing)

    async def _copy(self, pacing: Pacing, call: ModelCall) -> Response:
        async with call.budget.slot(self.slots):
            return await pacing.send(call)

    def _look(self, pacing: Pacing) -> None:
        """Start copies of late calls, and check again soon while calls are running."""
        loop, count = asyncio.get_running_loop(), len(self._answered) + len(self._running)
        half, most = (count - 1) // 2, max(1, int(count * self.share + 0.5))
        waiting = [call for call in self._running if not call.copies]
        are_enough = len(self._answered) >= max(_ENOUGH, half + 1)
        self._is_looking = are_enough and bool(self.share and waiting) and self.copies < most
        if not self._is_looking:
            return
        are_few = count * self.share >= 1 and len(waiting) <= most - self.copies
        due = loop.time() - self._answered[half] * (_LAST if are_few else _SLOW)
        for call in waiting:
            is_late = call.sent_at <= due and self.copies < most
            has_room = not self.slots.locked() and pacing.has_room(call.request.tokens)
            if is_late and has_room and call.reserve_again():  # sent at once
                self.copies += 1
                call.copies += 1
                self._running[call].set_result(None)
        loop.call_later(max(self._answered[half] * _LOOK, 0.001), self._look, pacing)
