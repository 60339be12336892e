"""Bounds the load of a server: requests at once, requests per person and minute, and connections."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from ..models.pacing import Window
from .access import CONNECTIONS, SILENCE

AT_ONCE = 256
_KNOWN = 10_000  # people to keep counts for
_BUSY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Refusal(Exception):
    """The request is refused with an HTTP status. `seconds` says when to try again; 0 means never."""

    def __init__(self, status: int, message: str, seconds: float = 0) -> None:
        super().__init__(message)
        self.status, self.seconds = status, seconds


class Limits:
    """Counts connections, the requests in progress, and the requests of each person.

    Args:
        per_minute: The most requests of one person in any 60 seconds.

    >>> limits = Limits(per_minute=1)
    >>> for _ in range(2):
    ...     limits.count("ada")
    Traceback (most recent call last):
    rlm_memory_core.serving.limits.Refusal: too many requests of one person
    """

    def __init__(self, per_minute: int = 3_000) -> None:
        self._per_minute, self._running = per_minute, 0
        self._windows: dict[str, Window] = {}
        self._silent: dict[object, asyncio.TimerHandle] = {}  # connections without a request so far

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Count a request as in progress for the length of a `with` block.

        Raises:
            Refusal: There are too many.
        """
        if self._running >= AT_ONCE:
            raise Refusal(429, "too many requests at once", 1)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    def count(self, person: str) -> None:
        """Count a request of a person.

        Raises:
            Refusal: There were too many in the last minute.
        """
        now = time.monotonic()
        if len(self._windows) >= _KNOWN:
            self._windows = {name: each for name, each in self._windows.items() if each.opens(now, math.inf) > now}
        window = self._windows.setdefault(person, Window(self._per_minute))
        if (opens := window.opens(now, 1)) > now:
            raise Refusal(429, "too many requests of one person", opens - now)
        window.take(now, 1)

    def bounded(self, server: web.Server) -> Callable[[], asyncio.BaseProtocol]:
        """Wrap a server so that it closes connections beyond the limit, and those that stay silent."""

        def connected() -> asyncio.BaseProtocol:
            if len(server.connections) >= CONNECTIONS:
                return _Busy()
            handler = server()
            self._silent[handler] = asyncio.get_running_loop().call_later(SILENCE, close, handler)
            return handler

        def close(handler: web.RequestHandler) -> None:
            del self._silent[handler]
            handler.force_close()

        return connected

    def heard(self, request: web.Request) -> None:
        """Keep the connection of a request open."""
        if timer := self._silent.pop(request.protocol, None):
            timer.cancel()


class _Busy(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(_BUSY)
        transport.close()
