"""The pipeline from a request to a reply.

recorded calls    return a stored answer at once                recorded_calls, call_store
single flight     send identical concurrent requests once       recorded_calls
budget            reserve an estimate, charge the real usage    budget
retries           retry broken connections, timeouts, 5xx       pipeline
hedging           send a second copy of a late call             hedging
pacing            apply limits, wait for a busy server (429)    pacing
backend           make one attempt                              openai_backend, or offline
normalise         read the answer                               streaming, normalise
"""

from asyncio import CancelledError, sleep
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from random import random

from .budget import BudgetExceeded, ModelCall
from .hedging import Siblings
from .pacing import PATIENCE, Pacing, pause_after
from .recorded_calls import Read, RecordedCalls
from .types import BackendError, ModelError, Reply, Response, TimedOut, paid_before

MAX_RETRIES = 4
_MOST_REFUSALS = 16  # per request; halving the limit from 256 to 1 takes 8


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
    close_backend: Callable[[], Awaitable[object]] | None = None

    async def ask(self, call: ModelCall, read: Read, siblings: Siblings | None = None) -> Reply:
        """Send a call, read its answer, and charge the budget.

        If the call ends without an answer, the error has attributes that tell what was paid for, because the server
        bills what was sent: `usage` and `cost_usd`. This is so for a ModelError, a BudgetExceeded and a CancelledError.

        Args:
            call: The call. Its reservations are released at the end.
            read: Turns an answer into a reply.
            siblings: The fan-out that the call belongs to, or None.

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
                usage = call.taken(paid_before(error)[0])
                dollars = call.charge(usage)
                if isinstance(error, (BudgetExceeded, CancelledError)):
                    vars(error).update(usage=usage, cost_usd=dollars)
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
        attempt = partial(siblings.send, self.pacing) if siblings else self.pacing.send
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
                refusals += error.is_busy
                failures += not error.is_busy
                pause = error.retry_after or pause_after(failures) * (1 - random() / 4)
                is_last = failures > self.pacing.max_retries or refusals == _MOST_REFUSALS or pause > PATIENCE
                # the server may bill a late answer, so another attempt counts as one more call
                if is_last or not error.retryable or (isinstance(error, TimedOut) and not call.reserve_again()):
                    raise
                if not error.is_busy:  # otherwise pacing waits
                    await call.budget.wait_for(sleep(pause))
