"""Simulated latency: a backend that waits before it asks, so that a fan-out can be timed without a server.

Label what it times as simulated. The wait depends only on the request and the seed, not on
order or threads: two ways of sending the same requests wait for the same times.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncGenerator
from statistics import NormalDist

from rlm_memory_core.models.recorded_calls import call_key
from rlm_memory_core.models.types import Backend, Request, Response

_STANDARD = NormalDist()


def draw(key: str, median: float = 1.0, sigma: float = 0.5) -> float:
    """The latency of one call, from a lognormal distribution.

    Args:
        key: Names the call; the same key draws the same latency.
        median: Seconds.
        sigma: Standard deviation of the logarithm; 0 makes every call take the median.

    Returns:
        Seconds.

    Example:
        >>> draw("a") == draw("a") != draw("b")
        True
        >>> draw("a", median=2.0, sigma=0.0)
        2.0
    """
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big")
    return median * math.exp(sigma * _STANDARD.inv_cdf((number + 0.5) / 2**48))


class SimulatedLatency:
    """A backend that waits for a drawn latency and then hands the request on.

    Args:
        inner: Answers the requests at once: its time is not part of what is timed.
        median, sigma: Of the latency, as for `draw`; seconds.
        seed: Another seed draws other latencies.
        time_scale: The share of a latency that is really waited for; 0.1 makes an experiment ten times as fast,
            and everything but the waiting ten times as heavy.

    `drawn` holds the latencies of all requests so far, in unscaled seconds.

    Raises:
        ValueError: The median or the time scale is not positive, or sigma is negative.

    Example:
        >>> from rlm_memory_core import connect
        >>> llm = connect("offline", recorded="off", wrap=lambda inner: SimulatedLatency(inner, median=0.01))
    """

    def __init__(
        self, inner: Backend, median: float = 1.0, sigma: float = 0.5, seed: int = 0, time_scale: float = 1.0
    ) -> None:
        if median <= 0 or sigma < 0 or time_scale <= 0:
            raise ValueError(
                f"median ({median}) and time_scale ({time_scale}) must be positive, and sigma ({sigma}) not negative"
            )
        self.inner = inner
        self.drawn: list[float] = []
        self._median = median
        self._sigma = sigma
        self._seed = seed
        self._time_scale = time_scale

    async def send(self, request: Request) -> Response:
        """Wait without blocking the event loop, then ask."""
        await asyncio.sleep(self.draw_wait(request))
        return await self.inner.send(request)

    async def stream(self, request: Request) -> AsyncGenerator[str, None]:
        """Wait, then stream."""
        await asyncio.sleep(self.draw_wait(request))
        async for event in self.inner.stream(request):
            yield event

    def draw_wait(self, request: Request) -> float:
        """Draw a request's latency, whatever the order of its fields; return the scaled seconds to wait."""
        seconds = draw(call_key("", request, str(self._seed)), self._median, self._sigma)
        self.drawn.append(seconds)
        return seconds * self._time_scale
