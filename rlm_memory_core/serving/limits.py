"""Bounds what clients may ask of a server: requests at once, requests of one person in a minute, and connections."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from .access import CONNECTIONS

AT_ONCE = 256
_KNOWN = 10_000  # people whose pace is kept
_BUSY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Refusal(Exception):
    """A request is refused, with an HTTP status; `seconds` says when to try again, 0 for not at all."""

    def __init__(self, status: int, message: str, seconds: float = 0) -> None:
        super().__init__(message)
        self.status, self.seconds = status, seconds


class Limits:
    """Counts the requests under way, and spaces those of each person.

    Args:
        per_minute: Requests of one person. So many may come at once, and more as time passes.

    >>> limits = Limits(per_minute=1)
    >>> for _ in range(2):
    ...     with limits.admit("ada"):
    ...         print("in")
    Traceback (most recent call last):
    rlm_memory_core.serving.limits.Refusal: too many requests of one person
    """

    def __init__(self, per_minute: int = 3_000) -> None:
        self._space, self._running = 60 / per_minute, 0
        self._paid: dict[str, float] = {}  # up to when each person's requests fill the time

    @contextmanager
    def admit(self, person: str) -> Iterator[None]:
        """Let a request in, for the time of a block.

        Raises:
            Refusal: There are too many.
        """
        if self._running >= AT_ONCE:
            raise Refusal(429, "too many requests at once", 1)
        now = time.monotonic()
        paid = max(self._paid.get(person, now), now) + self._space
        if paid > now + 60.001:
            raise Refusal(429, "too many requests of one person", math.ceil(paid - now - 60))
        if len(self._paid) >= _KNOWN:
            self._paid = {name: until for name, until in self._paid.items() if until > now}
        self._paid[person] = paid
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


def bounded(server: web.Server) -> Callable[[], asyncio.BaseProtocol]:
    """Return what takes a server's connections, and closes those beyond the limit."""
    return lambda: server() if len(server.connections) < CONNECTIONS else _Busy()


class _Busy(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(_BUSY)
        transport.close()
