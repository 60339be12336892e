"""Reads the times of turns, and decides when a new session begins: on the next day, or after a silence.

A time without a zone is what the user's clock showed. It is never compared with a time with a zone, because nobody
knows how far apart they are.
"""

import re
import warnings
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache

from .dates import from_iso, parse_date
from .substring import comparable

GAP = timedelta(hours=4)
"""After this much silence, a new session begins."""

_LONGEST = 100  # maximum characters of a time
_LATE = ("p", "오후", "午後", "下午", "晚上", "中午")  # in the second half of the day
_CLOCK = re.compile(
    rf"(?:(?P<before>{'|'.join(_LATE[1:])}|오전|午前|上午|凌晨|早上)\s*)?(?<![\d:.])(?P<hour>2[0-4]|[01]?\d)"
    r"(?:[:h時时시点點]\s?(?:(?P<minute>[0-5]?\d)(?!\d)(?:[:m分분]\s?(?P<second>[0-5]?\d)(?!\d)(?:[.,]\d+)?)?)?"
    r"|(?=\s?[ap]\.?\s?m\b))[分분秒초]?\s?(?:(?P<after>[ap])\.?\s?m\b\.?)?"
    r"\s?(?:(?:utc|gmt)?(?P<offset>[+-](?:0\d|1[0-4])|(?<=[ct])[+-]\d)(?::?(?P<more>[0-5]\d))?\b"
    r"|\(?(?P<utc>z|utc|gmt)\b)?"
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")  # `%a` depends on the locale


def parse_time(text: str) -> datetime | None:
    """Read a time: ISO 8601, or a full date with or without a time of day, as people and servers write them.

    Returns:
        The time, with a zone if the text names UTC or an offset from it. Midnight if the text names only a day. None
        if it names no day.

    >>> parse_time("2023-05-20T02:21:00Z").tzinfo, parse_time("2023/05/20 (Sat) 02:21").tzinfo
    (datetime.timezone.utc, None)
    >>> print(parse_time("1:56 pm on 8 May, 2023"))
    2023-05-08 13:56:00
    """
    return _parse_time(text[:_LONGEST])


@lru_cache(maxsize=4096)
def _parse_time(text: str) -> datetime | None:
    plain = comparable(text).strip()
    when = from_iso(plain)
    if when is None and (day := parse_date(plain)):
        when = datetime.combine(day, time())
        if clock := _CLOCK.search(plain):
            hour, minute, second = (int(clock[part] or 0) for part in ("hour", "minute", "second"))
            if half := clock["before"] or clock["after"]:
                hour = hour % 12 + 12 * (half in _LATE)
            when += timedelta(hours=hour, minutes=minute, seconds=second)
            when = when.replace(tzinfo=_zone(clock))
    return when


def check_date(text: str | None) -> str | None:
    """Return a date or time from the caller. Warn if it cannot be read, or if its year is a guess.

    A date that cannot be read is shown, but nothing is found by it. The year of `23/12/31` is a guess: it is read as
    the 23rd of December 2031. Python shows the same warning only once.
    """
    when = parse_time(text or "")
    if text and not (when and str(when.year) in comparable(text)):
        guess = when and f"is read as {when:%Y-%m-%d}; write the year with four digits"
        warnings.warn(f"{text[:80]!r} {guess or 'cannot be read as a date; write 2023-05-30'}", stacklevel=1)
    return text


def _zone(clock: re.Match[str]) -> tzinfo | None:
    """Return the zone that a time names by its offset from UTC. The names of other zones are ignored."""
    if offset := clock["offset"]:
        return timezone(timedelta(hours=int(offset), minutes=int(offset[0] + (clock["more"] or "0"))))
    return UTC if clock["utc"] else None


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
