"""What servers say of how much they take: limits per minute, and refusals with a time to wait.

Nothing is sent or waited for here; that is `pacing`'s part.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx2

_MINUTE = 60.0


@dataclass(slots=True)
class Entry:
    """What one request counts for in a `Window`, since its time."""

    window: Window
    time: float
    amount: float

    def correct(self, amount: float) -> None:
        """Put an estimate right."""
        self.window.total += amount - self.amount
        self.amount = amount


class Window:
    """At most so much in any 60 seconds; None for no limit. An amount above the limit itself waits for an empty window.

    >>> window = Window(2)
    >>> entries = [window.take(now, 1) for now in (0.0, 10.0)]
    >>> window.opens(20.0, 1), window.opens(65.0, 1)
    (60.0, 65.0)
    """

    def __init__(self, limit: float | None) -> None:
        self.total = 0.0
        self._limit = limit
        self._entries: deque[Entry] = deque()

    def opens(self, now: float, amount: float) -> float:
        """The time from which so much fits."""
        if self._limit is None:
            return now
        while self._entries and self._entries[0].time + _MINUTE <= now:
            self.total -= self._entries.popleft().amount
        total, opens = self.total, now
        for entry in self._entries:
            if total + amount <= self._limit:
                break
            total -= entry.amount
            opens = entry.time + _MINUTE
        return opens

    def take(self, now: float, amount: float) -> Entry:
        """Count an amount."""
        entry = Entry(self, now, amount)
        if self._limit is not None:
            self._entries.append(entry)
            self.total += amount
        return entry


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a busy server says.

    Args:
        seconds: For how long to wait; None where it does not say.
        final: Whether no waiting helps: the quota is spent, the request too large, or the server says so.
    """

    seconds: float | None
    final: bool

    @classmethod
    def of(cls, response: httpx2.Response) -> Refusal | None:
        """The refusal that a response is: a 429, or a 503 with a time to wait; None for any other."""
        if response.status_code not in (429, 503):
            return None
        seconds = retry_after(response.headers)
        if response.status_code == 503 and seconds is None:
            return None
        error = (json_object(response) or {}).get("error")
        told = error if isinstance(error, dict) else {}
        spent = "insufficient_quota" in (told.get("code"), told.get("type"))
        too_large = str(told.get("message")).startswith("Request too large")  # as OpenAI puts it, with no code for it
        return cls(seconds, spent or too_large or response.headers.get("x-should-retry") == "false")


def retry_after(headers: httpx2.Headers) -> float | None:
    """The seconds that a server asks to wait for: `retry-after-ms`, or `Retry-After` in seconds or as a date.

    >>> retry_after(httpx2.Headers({"Retry-After": "2", "retry-after-ms": "1500"}))
    1.5
    >>> dates = {"Date": "Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT"}
    >>> retry_after(httpx2.Headers(dates))
    30.0
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    until = _timestamp(headers.get("retry-after", ""))
    if until is None:
        return None
    now = _timestamp(headers.get("date", ""))  # the server's own clock, where it shows it
    return max(until - (time.time() if now is None else now), 0.0)


def json_object(response: httpx2.Response) -> dict[str, object] | None:
    """A response's body; None where it is no JSON object."""
    try:
        value = json.loads(response.content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _timestamp(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
