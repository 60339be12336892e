"""Bounds the load of the endpoint: requests at once, and requests per person and minute."""

import asyncio
import math
import time

from ..models.pacing import Window

AT_ONCE = 256
_KNOWN = 10_000  # people to keep counts for


class Refusal(Exception):
    """The request is refused with an HTTP status. `seconds` says when to try again; 0 means never."""

    def __init__(self, status: int, message: str, seconds: float = 0) -> None:
        super().__init__(message)
        self.status, self.seconds = status, seconds


class Limits:
    """Counts the requests in progress, and the requests of each person.

    Args:
        per_minute: The most requests of one person in any 60 seconds.

    `in_progress` is a semaphore that is locked while there are too many requests at once.

    >>> limits = Limits(per_minute=1)
    >>> for _ in range(2):
    ...     limits.count("ada")
    Traceback (most recent call last):
    rlm_memory_core.serving.limits.Refusal: too many requests of one person
    """

    def __init__(self, per_minute: int = 3_000) -> None:
        self.in_progress = asyncio.Semaphore(AT_ONCE)
        self._per_minute = per_minute
        self._windows: dict[str, Window] = {}

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
