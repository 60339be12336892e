"""Times of turns: reads them, and decides where the next day or a silence begins a session.

A time without a zone is what the user's clock showed. It is never compared with a time that has one: nobody knows how
far apart they are.
"""

import re
from datetime import datetime, time, timedelta, tzinfo

from .dates import parse_date

GAP = timedelta(hours=4)
"""This much silence begins a session."""

_LONGEST = 100  # characters of a time
_CLOCK = re.compile(
    r"(?<![\d:.])(?P<hour>[012]?\d)(?P<minute>:[0-5]\d(?::[0-5]\d)?)(?:[.,]\d+)?\s?(?:(?P<half>[ap])\.?m\b\.?)?"
    r"\s?(?P<zone>Z\b|UTC\b|GMT\b|[+-]\d\d:?\d\d\b)?",
    re.I,
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")  # `%a` depends on the locale


def parse_time(text: str) -> datetime | None:
    """Read a time: ISO 8601, or a full date with or without a time of day, as people and servers write them.

    Returns:
        The time, with its zone if the text names one; midnight if it names only a day; None if it names no day.

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
            hour, half, zone = int(clock["hour"]), (clock["half"] or "").lower(), clock["zone"] or ""
            hour = hour % 12 + 12 * (half == "p") if half else hour
            when = _from_iso(f"{day}T{hour:02}{clock['minute']}{'Z' if zone.isalpha() else zone}") or when
    return when if when and 1900 <= when.year < 2100 else None


def _from_iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def local(when: datetime, zone: tzinfo | None) -> datetime:
    """What the user's clock shows at a time; `zone` is the user's, None for this machine's."""
    return when if when.tzinfo is None else when.astimezone(zone).replace(tzinfo=None)


def written(when: datetime, zone: tzinfo | None, clock: bool = True) -> str:
    """A time as the date of a session: the user's day, and the time of day if it is known and wanted.

    >>> written(datetime(2023, 5, 20, 2, 21), None), written(datetime(2023, 5, 20), None)
    ('2023/05/20 (Sat) 02:21', '2023/05/20 (Sat)')
    """
    here = local(when, zone)
    day = f"{here:%Y/%m/%d} ({_DAYS[here.weekday()]})"
    return f"{day} {here:%H:%M}" if clock and has_clock(when) else day


def begins_session(last: datetime, when: datetime, zone: tzinfo | None, gap: timedelta) -> bool:
    """Whether a turn at a time begins a session after one whose last turn was at another.

    It does if it is on another day of the user's, after `gap` of silence, or if only one of the two times has a zone.

    >>> begins_session(datetime(2023, 5, 20, 9), datetime(2023, 5, 20, 12, 59), None, GAP)
    False
    >>> begins_session(datetime(2023, 5, 20, 23, 59), datetime(2023, 5, 21, 0, 1), None, GAP)
    True
    """
    if (last.tzinfo is None) != (when.tzinfo is None) or local(last, zone).date() != local(when, zone).date():
        return True
    return has_clock(last) and has_clock(when) and abs(when - last) >= gap


def has_clock(when: datetime) -> bool:
    """Whether the time of day is known: a day alone is read as midnight."""
    return when.time() != time()
