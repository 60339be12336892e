"""Limits per minute, and the time that a busy server asks to wait."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_MINUTE = 60.0


@dataclass(slots=True)
class Entry:
    """One request's share of a `Window`."""

    window: Window
    time: float
    amount: float

    def correct(self, amount: float) -> None:
        """Replace an estimate by the real amount."""
        self.window.total += amount - self.amount
        self.amount = amount


class Window:
    """A limit on an amount in any 60 seconds; None for no limit.

    An amount above the limit itself waits until the window is empty.

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
        """Return the time from which the amount fits."""
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


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to wait, or None.

    Args:
        headers: With lower-case names: `retry-after-ms`, or `retry-after` in seconds or as a date.

    >>> retry_after({"retry-after": "2", "retry-after-ms": "1500"})
    1.5
    >>> retry_after({"date": "Wed, 21 Oct 2015 07:28:00 GMT", "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"})
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
    now = _timestamp(headers.get("date", ""))  # the server's own clock, if it shows it
    return max(until - (time.time() if now is None else now), 0.0)


def _timestamp(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
