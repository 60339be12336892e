"""The pipeline from a request to what was read of its answer.

recorded calls    a stored answer is returned at once           recorded_calls, call_store
single flight     identical requests in flight are sent once    single_flight
budget            reserve an estimate, charge the real usage    budget, call
retries           of broken connections, timeouts, 5xx          retries
hedging           second copies of calls that are late          hedging
pacing            limits, and waiting for a busy server         pacing, rate_limits
backend           one attempt                                   openai_backend, or offline
normalise         read the answer                               normalise, embeddings
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .budget import BudgetExceeded
from .call import ModelCall
from .call_store import RecordingError
from .errors import ModelError
from .hedging import Race, Siblings
from .normalise import UnusableAnswer
from .pacing import Pace, Pacing
from .pricing import Usage, cost
from .recorded_calls import RecordedCalls
from .retries import with_retries
from .single_flight import SingleFlight
from .types import Backend, BackendError, Response

_T = TypeVar("_T")
Stopped = Callable[[Usage, float | None], None]
"""Called with the estimated usage and dollars of a call that was cancelled."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[_T]):
    """What was read of an answer, and the rest of a `Reply`."""

    value: _T
    usage: Usage
    cost_usd: float | None
    seconds: float
    recorded: bool


class Pipeline:
    """All calls to one server.

    Args:
        backend: Answers requests.
        pace: Known limits of the server.
        max_retries: Attempts after the first one.
        calls: Recorded calls, or None to record nothing.
        rates: Dollars per prompt token and per completion token; None where they are not known.
        explain: Returns one line on an error.
        close: Closes the backend.
    """

    def __init__(
        self,
        backend: Backend,
        pace: Pace,
        max_retries: int,
        *,
        calls: RecordedCalls | None = None,
        rates: tuple[float, float] | None = None,
        explain: Callable[[Exception], str] = str,
        close: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self._pacing = Pacing(backend, pace, max_retries)
        self._max_retries = max_retries
        self._calls = calls
        self._flights = SingleFlight()
        self._rates = rates
        self._explain = explain
        self._close = close

    async def ask(
        self,
        call: ModelCall,
        read: Callable[[Response, int], tuple[_T, Usage]],
        siblings: Siblings | None = None,
        stopped: Stopped | None = None,
    ) -> Answer[_T]:
        """Send a call, read its answer, and charge what it took.

        Args:
            call: Its reservations are given back at the end.
            read: Returns what is wanted of an answer, and its usage, from the answer and an estimate of the prompt's
                tokens.
            siblings: The fan-out that the call belongs to; None for none.
            stopped: Called if the call is cancelled; the server bills it all the same.

        Raises:
            ModelError: There is no usable answer.
            BudgetExceeded: The budget is spent.
        """
        started = time.perf_counter()
        with call:
            is_free = False
            try:
                response, is_free = await self._send(call, siblings)
                value, usage = read(response, call.request.tokens)
            except UnusableAnswer as error:
                usage = call.taken(error.usage)
                dollars = self._charge(call, usage, cost(usage, self._rates), is_free)
                raise ModelError(self._explain(error), usage, dollars) from error
            except (BackendError, RecordingError, ValueError) as error:
                usage = Usage() if isinstance(error, RecordingError) else call.taken_without_answer()
                dollars = self._charge(call, usage, self._cost_of_estimate(usage))
                raise ModelError(self._explain(error), usage, dollars) from error
            except asyncio.CancelledError:
                usage = call.taken_without_answer(stopped=True)
                dollars = self._charge(call, usage, self._cost_of_estimate(usage))
                if stopped is not None:
                    stopped(usage, dollars)
                raise
            usage = usage if is_free else call.taken(usage)
            dollars = self._charge(call, usage, cost(usage, self._rates), is_free)
        seconds = time.perf_counter() - started if response.seconds is None else response.seconds
        return Answer(value, usage, dollars, seconds, is_free)

    async def close(self) -> None:
        """Close the backend's connections and the file of recorded calls."""
        if self._close is not None:
            await self._close()
        if self._calls is not None:
            await self._calls.store.aclose()

    async def _send(self, call: ModelCall, siblings: Siblings | None) -> tuple[Response, bool]:
        """Return the answer, and whether it is free: replayed, or paid by another caller."""
        if self._calls is None:
            return await self._send_and_record(call, siblings), False
        key = self._calls.key(call.request)
        while True:
            flight = self._flights.find(key)
            if flight is None:
                stored = self._calls.find(key)
                if stored is not None:
                    return stored, True
                flight = self._flights.start(key, self._send_and_record(call, siblings, key), call)
            try:
                return await self._flights.join(flight, call)
            except BudgetExceeded:
                if flight.sender is call:
                    raise  # another caller's budget is no reason not to ask

    async def _send_and_record(self, call: ModelCall, siblings: Siblings | None, key: str = "") -> Response:
        await call.reserve()
        if siblings is None or call.listener is not None:
            response = await with_retries(lambda: self._pacing.send(call), call, self._max_retries)
        elif not siblings.share:
            response = await with_retries(lambda: self._pacing.send(call, True), call, self._max_retries)
        else:
            response = await with_retries(lambda: Race(self._pacing, call, siblings).run(), call, self._max_retries)
        if key and self._calls is not None:
            await self._calls.keep(key, call.request, response)
        return response

    def _cost_of_estimate(self, usage: Usage) -> float | None:
        return cost(usage, self._rates) if usage.total_tokens else 0.0

    def _charge(self, call: ModelCall, usage: Usage, dollars: float | None, is_free: bool = False) -> float | None:
        if not is_free:
            call.charge(usage, dollars)
        return dollars
