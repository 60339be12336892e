"""Simulated latency: a backend that waits before it passes a request on, to time a fan-out without a server.

Label all figures that come from it as simulated. The wait depends only on the request and the seed, not on
the order of requests or on threads. So two ways of sending the same requests wait for the same times.
"""

import asyncio
import hashlib
import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from statistics import NormalDist

from rlm_memory_core.models.recorded_calls import call_key
from rlm_memory_core.models.types import Backend, Request, Response


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
    return median * math.exp(sigma * NormalDist().inv_cdf(uniform(key) + 2**-49))


def uniform(key: str) -> float:
    """A number between 0 and 1, the same for the same key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big") / 2**48


@dataclass
class SimulatedLatency:
    """A backend that waits for a drawn latency and then passes the request on.

    Args:
        inner: The backend that answers. It should answer at once, because its own time is not simulated.
        median, sigma: Parameters of the latency, as for `draw`; median in seconds.
        seed: Another seed draws other latencies.
        time_scale: The share of each latency that is really waited for. With 0.1 an experiment runs ten times as
            fast, and all work other than waiting weighs ten times as much.

    `drawn` holds the latencies of all requests so far, in unscaled seconds.

    Raises:
        ValueError: The median or the time scale is not positive, or sigma is negative.

    Example:
        >>> from rlm_memory_core import connect
        >>> llm = connect("offline", recorded="off", wrap=lambda inner: SimulatedLatency(inner, median=0.01))
    """

    inner: Backend
    median: float = 1.0
    sigma: float = 0.5
    seed: int = 0
    time_scale: float = 1.0
    drawn: list[float] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if self.median <= 0 or self.sigma < 0 or self.time_scale <= 0:
            raise ValueError(
                f"median ({self.median}) and time_scale ({self.time_scale}) must be positive, "
                f"and sigma ({self.sigma}) must not be negative"
            )

    async def send(self, request: Request) -> Response:
        """Waits without blocking the event loop, then sends the request."""
        await asyncio.sleep(self.draw_wait(request))
        return await self.inner.send(request)

    async def stream(self, request: Request) -> AsyncGenerator[str, None]:
        """Waits, then streams the answer."""
        await asyncio.sleep(self.draw_wait(request))
        async for event in self.inner.stream(request):
            yield event

    def draw_wait(self, request: Request) -> float:
        """Draws a request's latency and returns the scaled seconds to wait. The order of the fields does not matter."""
        seconds = draw(call_key("", request, str(self.seed)), self.median, self.sigma)
        self.drawn.append(seconds)
        return seconds * self.time_scale
