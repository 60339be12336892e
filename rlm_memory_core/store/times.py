"""Reads the times of turns, and decides whether the next day or a silence begins a session.

A time without a zone is what the user's clock showed. It is never compared with a time with a zone, because nobody
knows how far apart they are.
"""

import re
from datetime import datetime, time, timedelta, tzinfo

from .dates import parse_date

GAP = timedelta(hours=4)
"""After this much silence, a new session begins."""

_LONGEST = 100  # maximum characters of a time
_CLOCK = re.compile(
    r"(?<![\d:.])(?P<hour>[012]?\d)(?:(?P<minute>:[0-5]\d(?::[0-5]\d)?)(?:[.,]\d+)?|(?=\s?[ap]\.?m\b))"
    r"\s?(?:(?P<half>[ap])\.?m\b\.?)?\s?(?:(?:UTC|GMT)?(?P<zone>[+-]\d\d:?\d\d\b)|(?P<utc>Z|UTC|GMT)\b)?",
    re.I,
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")  # `%a` depends on the locale


def parse_time(text: str) -> datetime | None:
    """Read a time: ISO 8601, or a full date with or without a time of day, as people and servers write them.

    Returns:
        The time, with a zone if the text names one. Midnight if the text names only a day. None if it names no day.

    >>> parse_time("2023-05-20T02:21:00Z").tzinfo, parse_time("2023/05/20 (Sat) 02:21").tzinfo
    (datetime.timezone.utc, None)
    >>> print(parse_time("1:56 pm on 8 May, 2023"))
    2023-05-08 13:56:00
    """
    text = text.strip()[:_LONGEST]
    when = _from_iso(text)
    if when is None and (day := parse_date(text)):
        when = datetime.combine(day, time())
        if clock := _CLOCK.search(text):
            hour, half = int(clock["hour"]), (clock["half"] or "").lower()
            hour, zone = hour % 12 + 12 * (half == "p") if half else hour, clock["zone"] or "Z" * bool(clock["utc"])
            when = _from_iso(f"{day}T{hour:02}{clock['minute'] or ':00'}{zone}") or when
    return when if when and 1900 <= when.year < 2100 else None


def _from_iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def local(when: datetime, zone: tzinfo | None) -> datetime:
    """Return what the user's clock shows at a time. `zone` is the user's zone; None means this machine's."""
    return when if when.tzinfo is None else when.astimezone(zone).replace(tzinfo=None)


def written(when: datetime, zone: tzinfo | None, clock: bool = True) -> str:
    """Return a time as the date of a session: the user's day, and the time of day if it is known and wanted.

    >>> written(datetime(2023, 5, 20, 2, 21), None), written(datetime(2023, 5, 20), None)
    ('2023/05/20 (Sat) 02:21', '2023/05/20 (Sat)')
    """
    here = local(when, zone)
    day = f"{here:%Y/%m/%d} ({_DAYS[here.weekday()]})"
    return f"{day} {here:%H:%M}" if clock and has_clock(when) else day


def begins_session(last: datetime, when: datetime, zone: tzinfo | None, gap: timedelta) -> bool:
    """Return whether a turn at the time `when` begins a new session if the last turn was at the time `last`.

    It does if it is on another day for the user, if it follows `gap` of silence, or if only one of the times has a
    zone.

    >>> begins_session(datetime(2023, 5, 20, 9), datetime(2023, 5, 20, 12, 59), None, GAP)
    False
    >>> begins_session(datetime(2023, 5, 20, 23, 59), datetime(2023, 5, 21, 0, 1), None, GAP)
    True
    """
    if (last.tzinfo is None) != (when.tzinfo is None) or local(last, zone).date() != local(when, zone).date():
        return True
    return has_clock(last) and has_clock(when) and abs(when - last) >= gap


def has_clock(when: datetime) -> bool:
    """Return whether the time of day is known. A day alone is read as midnight without a zone."""
    return when.tzinfo is not None or when.time() != time()
