"""Simulated latency: a transport that waits before it asks, so that a fan-out can be timed without a server.

What it times is a simulation, and is to be labelled so. The wait depends on the
request and the seed alone, not on order or threads: two ways of sending the same
requests wait for the same times.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from statistics import NormalDist

import httpx2

from rlm_memory_core.models import background
from rlm_memory_core.models.layer import Layer
from rlm_memory_core.models.recording import call_key

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


class SimulatedLatency(Layer, httpx2.BaseTransport):
    """Waits for a drawn latency, then hands the request on. Serves async and plain clients alike.

    Args:
        inner: Answers the requests, and does so at once: it is not part of what is timed.
        median, sigma: Of the latency, as for `draw`; seconds.
        seed: Another seed draws other latencies.
        time_scale: What part of a latency is really waited for; 0.1 makes an experiment ten times as fast,
            and whatever is not waiting ten times as heavy.

    `drawn` keeps the latencies of all requests so far, in unscaled seconds.

    Raises:
        ValueError: The median or the time scale is not positive, or sigma is negative.

    Example:
        >>> from rlm_memory_core import connect
        >>> llm = connect("offline", recorded="off", wrap=lambda inner: SimulatedLatency(inner, median=0.01))
    """

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        median: float = 1.0,
        sigma: float = 0.5,
        seed: int = 0,
        time_scale: float = 1.0,
    ) -> None:
        super().__init__(inner)
        if median <= 0 or sigma < 0 or time_scale <= 0:
            raise ValueError(
                f"median ({median}) and time_scale ({time_scale}) must be positive, and sigma ({sigma}) not negative"
            )
        self.drawn: list[float] = []
        self._median = median
        self._sigma = sigma
        self._seed = seed
        self._time_scale = time_scale

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Wait without blocking the event loop, then ask."""
        await asyncio.sleep(self._wait(await request.aread()))
        return await self.inner.handle_async_request(request)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Wait in the caller's thread, then ask."""
        time.sleep(self._wait(request.read()))
        return background.run(self._ask(request))

    async def _ask(self, request: httpx2.Request) -> httpx2.Response:
        return await self.inner.handle_async_request(request)

    def _wait(self, content: bytes) -> float:
        """Draw the request's latency: from its canonical body, whatever the order of its fields."""
        key = call_key("", json.loads(content), str(self._seed))
        seconds = draw(key, self._median, self._sigma)
        self.drawn.append(seconds)
        return seconds * self._time_scale
