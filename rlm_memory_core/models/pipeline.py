"""The pipeline from a request to a reply.

recorded calls    return a stored answer at once                recorded_calls, call_store
single flight     send identical concurrent requests once       recorded_calls
budget            reserve an estimate, charge the real usage    budget
retries           retry broken connections, timeouts, 5xx       pipeline
hedging           send a second copy of a late call             pipeline
pacing            apply limits, wait for a busy server (429)    pacing
backend           make one attempt                              openai_backend, or offline
normalise         read the answer                               streaming, normalise
"""

import asyncio
import sys
from asyncio import CancelledError, sleep
from bisect import insort
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from random import random
from typing import Any

from . import background
from .budget import BudgetExceeded, ModelCall
from .pacing import PATIENCE, Pacing, pause_after
from .pricing import Usage
from .recorded_calls import Read, RecordedCalls
from .types import BackendError, ModelError, Reply, Response, TimedOut

MAX_RETRIES = 4
_MOST_REFUSALS = 16  # per request; halving the limit from 256 to 1 takes 8

HEDGE = 0.05
"""The usual share of extra calls."""

_ENOUGH = 3  # answers needed before a call counts as slow
_SLOW, _LAST = 3.0, 1.5  # times the siblings' median
_LOOK = 0.05  # times the median, between checks for late calls

Stopped = Callable[[Usage, float | None], None]
"""Called with the estimated usage and dollars of a call that was cancelled."""


class Siblings:
    """The calls of one fan-out. A call that is much slower than the others is sent a second time (hedging).

    The first good answer wins, and the slower request is cancelled. Only a small share of calls may be copied, and only
    while concurrency and budget allow it.

    Copies begin once half of the calls, and at least three, are answered. A call gets a copy when it has taken three
    times the median of the answered calls. If the copies that are left are enough for all running calls, 1.5 times the
    median suffices. With a share of 0.05, 50 calls get at most 3 copies and 500 calls get 25. A fan-out too small to
    earn one copy (fewer than 20 calls) may still send one, but only for a call of three times the median.

    Args:
        share: Copies per call sent, between 0 and 1; 0 for none.
        slots: Limits the calls in flight. A copy uses only a slot that no call is waiting for.

    `copies` counts the copies that were sent.

    >>> Siblings(0.05).copies
    0
    """

    def __init__(self, share: float, slots: asyncio.Semaphore | None = None) -> None:
        self.share, self.slots = share, slots or asyncio.Semaphore(sys.maxsize)
        self.copies = 0
        self._door = asyncio.Lock()
        self._answered: list[float] = []  # seconds, shortest first
        self._running: dict[ModelCall, asyncio.Future[None]] = {}  # oldest first; set when the call is late
        self._is_looking = False

    async def send(self, pacing: Pacing, call: ModelCall, is_again: bool = False) -> Response:
        """Send a call, and a copy of it if it is late. Return the first good answer.

        Raises:
            BackendError: Every attempt failed. The error is that of the first failure.
        """
        async with self._door:  # one by one: creating all requests of a large fan-out at once would delay each answer
            await sleep(0)
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
                seconds = loop.time() - call.sent_at
                if response.body is not None:  # otherwise the call is sent again, and counts when it is answered
                    insort(self._answered, seconds)
                if call.copies:
                    response.seconds = seconds  # of the call, not only of the copy
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


@dataclass(eq=False, repr=False)
class Pipeline:
    """All calls to one server.

    Args:
        pacing: Sends requests to the backend.
        calls: Recorded calls, or None to record nothing.
        explain: Describes an error in one line.
        clean: Removes the key from an answer. A stream may split it over several pieces.
        close_backend: Closes the backend's connections, if it has any.
    """

    pacing: Pacing
    calls: RecordedCalls | None = None
    explain: Callable[[Exception], str] = str
    clean: Callable[[str], str] = str
    close_backend: Callable[[], Coroutine[Any, Any, None]] | None = None

    async def ask(
        self, call: ModelCall, read: Read, siblings: Siblings | None = None, stopped: Stopped | None = None
    ) -> Reply:
        """Send a call, read its answer, and charge the budget.

        Args:
            call: The call. Its reservations are released at the end.
            read: Turns an answer into a reply.
            siblings: The fan-out that the call belongs to, or None.
            stopped: Called if the call is cancelled or the budget ends. The server still bills what was sent.

        Raises:
            ModelError: There is no usable answer.
            BudgetExceeded: The budget is spent.
        """
        with call:
            try:
                send = partial(self.send, call, siblings)
                if self.calls:
                    reply = await self.calls.get_or_send(call, send, read)
                else:
                    reply = read(await send(), call.request)
            except (BackendError, BudgetExceeded, ModelError, ValueError, CancelledError) as error:
                usage = call.taken(getattr(error, "usage", Usage()))
                dollars = call.charge(usage)
                if isinstance(error, (BudgetExceeded, CancelledError)):
                    if stopped is not None:
                        stopped(usage, dollars)
                    raise
                kind = type(error) if isinstance(error, ModelError) else getattr(error, "becomes", ModelError)
                failure = kind(self.explain(error), usage, dollars)
                failure.said = call.listener.text if call.listener else ""
            else:
                if call.listener:
                    call.listener.end(reply.text)
                usage = reply.usage if reply.recorded else call.taken(reply.usage)
                return replace(reply, usage=usage, cost_usd=call.charge(usage, reply.recorded))
        raise failure  # raised here, it has no cause or context that may quote the key

    async def close(self) -> None:
        """Close the backend's connections and the file of recorded calls."""
        if self.close_backend is not None:
            await self.close_backend()
        if self.calls is not None:
            self.calls.store.close()

    async def send(self, call: ModelCall, siblings: Siblings | None = None) -> Response:
        """Send a call, and retry while that may help. Pause longer after each failure.

        If the server reports success but the body is not a JSON object, send the call once more if the budget allows.

        Args:
            call: Reserves budget for each request that the server may bill.
            siblings: The fan-out that the call belongs to, or None.

        Raises:
            BackendError: There is no answer.
            BudgetExceeded: The budget is spent.
        """
        await call.reserve()
        is_hedged = siblings is not None and siblings.share and call.listener is None
        attempt = partial(siblings.send, self.pacing) if siblings and is_hedged else self.pacing.send
        failures = refusals = 0
        was_unreadable = False
        while True:
            call.sent_at = inf
            try:
                response = await attempt(call, is_again=failures + refusals > 0)
                if response.body is not None or was_unreadable or not call.reserve_again():
                    return Response(self.clean(response.text), response.seconds)
                was_unreadable = True
            except BackendError as error:
                if not error.retryable:
                    raise
                if error.is_busy:  # pacing waits
                    refusals += 1
                    if refusals == _MOST_REFUSALS:
                        raise
                else:
                    failures += 1
                    pause = error.retry_after or pause_after(failures) * (1 - random() / 4)
                    if failures > self.pacing.max_retries or pause > PATIENCE:
                        raise
                    if isinstance(error, TimedOut) and not call.reserve_again():
                        raise  # the server may bill a late answer, so another attempt counts as one more call
                    await call.budget.wait_for(sleep(pause))
