"""Hedging: a call that is much slower than its siblings is sent a second time, and the first good answer wins.

Siblings are the calls of one fan-out. A call is late if it takes a multiple of the median
of the answered ones. Only a small share may be copied, and only while concurrency and
budget allow it. The loser is cancelled.
"""

import asyncio
from bisect import insort
from collections.abc import Coroutine
from contextlib import nullcontext
from typing import Any

from .budget import ModelCall
from .pacing import Pacing
from .types import Response

HEDGE = 0.05
"""The usual share of extra calls."""

_ENOUGH = 3  # answers, before a call counts as slow
_SLOW, _LAST = 3.0, 1.5  # times the siblings' median
_LOOK = 0.05  # times the median, until the next look for late calls


class Siblings:
    """The calls of one fan-out: how long they took, and how many copies may still go out.

    Once half of the calls are answered, and at least three, a call gets a copy when it has
    taken three times their median; or 1.5 times, where no more calls are out than copies
    are left. A share of 0.05 makes at most 3 copies for 50 calls and 25 for 500. A fan-out
    of fewer calls than one copy's worth (20) may also send one copy, but only for a call of
    three times the median.

    Args:
        share: Copies for each call sent, between 0 and 1; 0 for none.
        slots: Bounds the calls in flight; a copy takes only a slot that no call waits for.

    `copies` counts the copies that were sent.

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
        self._door = asyncio.Lock()
        self._answered: list[float] = []  # seconds, shortest first
        self._running: dict[_Race, None] = {}  # oldest first
        self._is_looking = False

    async def send(self, pacing: Pacing, call: ModelCall, is_again: bool = False) -> Response:
        """Send a call, and a copy of it when it is late; return the first good answer.

        Raises:
            BackendError: There is none; this is the first failure.
        """
        async with self._door:  # one by one, or making all requests of a large fan-out would delay each answer
            await asyncio.sleep(0)
        race = _Race(pacing, call, self.slots)
        self._running[race] = None
        try:
            response = await race.run(is_again)
            seconds = asyncio.get_running_loop().time() - call.sent_at
            insort(self._answered, seconds)
            if call.copies:
                response.seconds = seconds  # of the call, not of the copy alone
            return response
        finally:
            del self._running[race]
            if not self._is_looking:
                self._look()

    def _look(self) -> None:
        """Send the copies that are due, and look again soon while calls are running."""
        loop, count = asyncio.get_running_loop(), len(self._answered) + len(self._running)
        half, left = (count - 1) // 2, max(1, int(count * self.share + 0.5)) - self.copies
        waiting = [race for race in self._running if not race.call.copies]
        self._is_looking = bool(self.share and waiting) and left > 0 and len(self._answered) >= max(_ENOUGH, half + 1)
        if not self._is_looking:
            return
        are_few = count * self.share >= 1 and len(waiting) <= left
        due = loop.time() - self._answered[half] * (_LAST if are_few else _SLOW)
        for race in waiting:
            if race.call.sent_at <= due and left:
                copied = race.send_copy()
                self.copies, left = self.copies + copied, left - copied
        loop.call_later(max(self._answered[half] * _LOOK, 0.001), self._look)


class _Race:
    """One call, and its copy if it has one."""

    def __init__(self, pacing: Pacing, call: ModelCall, slots: asyncio.Semaphore | None) -> None:
        self.call = call
        self._pacing, self._slots = pacing, slots
        self._running: set[asyncio.Task[Response]] = set()
        self._ended: asyncio.Queue[asyncio.Task[Response]] = asyncio.Queue()

    async def run(self, is_again: bool) -> Response:
        """Send, and return the first good answer."""
        self._start(self._pacing.send(self.call, is_again))
        failure: BaseException | None = None
        try:
            while self._running:
                task = await self._ended.get()
                self._running.remove(task)
                if task.exception() is None:
                    return task.result()
                failure = failure or task.exception()
            assert failure is not None
            raise failure
        finally:
            for loser in self._running:
                loser.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)  # leave nothing running

    def send_copy(self) -> bool:
        """Send the request a second time; False where it would not go out at once, or the budget has no room."""
        has_slot = self._slots is None or not self._slots.locked()
        if has_slot and self._pacing.has_room(self.call.request.tokens) and self.call.reserve_again():
            self.call.copies += 1
            self._start(self._copy())
        return bool(self.call.copies)

    async def _copy(self) -> Response:
        async with self._slots or nullcontext():
            return await self._pacing.send(self.call)

    def _start(self, sending: Coroutine[Any, Any, Response]) -> None:
        task = asyncio.create_task(sending)
        self._running.add(task)
        task.add_done_callback(self._ended.put_nowait)
