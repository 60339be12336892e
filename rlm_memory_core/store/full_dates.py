"""Reads full dates: those with a year, a month and a day. Knows no relative words; `dates` reads these.

- A year that comes first is followed by month and day: `2023-05-20`, `2023/05/20 (Sat) 02:21`, `2023.5.20`.
- A year that comes last follows month and day, or day and month if there is no such month: `5/6/2023` is the 6th of
  May, `20.05.2023` the 20th.
- Names of months are English, in any letter case, and may be shortened.
- Times of day and time zones are ignored: the day counts as it is written.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache

MAX_CHARACTERS = 10_000  # of a text; what follows is not read
_LONGEST_DATE = 64
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?!\w)\.?"
)
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?(?!\w)"
YEAR = r"(?P<year>(?:19|20)\d\d)(?!\d)"
_YEAR_FIRST = re.compile(r"\b(?P<year>(?:19|20)\d\d)[-/.](?P<first>[01]?\d)[-/.](?P<second>[0-3]?\d)(?!\d)", re.I)
WITH_DAY = [
    _YEAR_FIRST,
    re.compile(rf"(?<![\d/.$-])(?P<first>\d\d?)([-/.])(?P<second>\d\d?)\2{YEAR}(?!/)", re.I),
    re.compile(rf"\b{YEAR},?\s+{MONTH}\s+{_DAY}(?!,?\s+\d{{4}})", re.I),
    re.compile(rf"\b{MONTH}\s+(?:the\s+)?{_DAY}(?!:)(?:,?\s+{YEAR})?", re.I),
    re.compile(rf"\b{_DAY}\s+(?:of\s+)?{MONTH}(?:,?\s+{YEAR})?", re.I),
    re.compile(r"(?<![\d/$])(?P<month>1[0-2]|0?[1-9])/(?P<day>3[01]|[12]\d|0?[1-9])(?![\d/])(?P<year>(?!))?"),
]
_MAY_BE_A_DATE = re.compile(r"(?!.*\d[-/.]\d+[-/.]\d+[-/.]\d).*(?:19|20)\d\d|\d[-/.]\d\d?[-/.]\d\d\b", re.I)


@lru_cache(maxsize=4096)
def parse_date(text: str | None) -> date | None:
    """Read the first full date in a text.

    A text that is nothing but a month and a year gives the first day of the month. Forms that the patterns here do
    not know, such as `Sat May 20 02:21:00 2023`, are read by `python-dateutil` if the whole text is a date.

    Args:
        text: Any text.

    Returns:
        The date, or None if there is no full date in the text.

    >>> parse_date("1:56 pm on 8 May, 2023"), parse_date("20.05.2023"), parse_date("soon")
    (datetime.date(2023, 5, 8), datetime.date(2023, 5, 20), None)
    """
    text = (text or "")[:MAX_CHARACTERS]
    if (first := _YEAR_FIRST.match(text)) and (day := read_day(first, None)):
        return day
    matches = (match for pattern in WITH_DAY for match in pattern.finditer(text) if match["year"])
    found = [(match.start(), day) for match in matches if (day := read_day(match, None))]
    return min(found)[1] if found else _parse_whole(text)


def read_day(match: re.Match[str], said_on: date | None) -> date | None:
    """The day of a match of `WITH_DAY`; without a year it is the one nearest to `said_on`."""
    found = match.groupdict()
    year = int(found["year"] or 0)
    if "first" in found:
        first, second = int(found["first"]), int(found["second"])
        return make_date(year, first, second) or (None if match.re is _YEAR_FIRST else make_date(year, second, first))
    month, day = month_number(found["month"]), int(found["day"])
    if year:
        return make_date(year, month, day)
    return None if found["month"][0].islower() else nearest(month, day, said_on)  # not "I may 5"


def nearest(month: int, day: int, said_on: date | None) -> date | None:
    """The day of the year that lies nearest to the day on which it was said."""
    if said_on is None:
        return None
    days = [found for year in (-1, 0, 1) if (found := make_date(said_on.year + year, month, day))]
    return min(days, key=lambda found: abs((found - said_on).days), default=None)


def _parse_whole(text: str) -> date | None:
    """The date that the whole text is, as `python-dateutil` reads it; None if it lacks a month or a year."""
    if len(text) > _LONGEST_DATE or not _MAY_BE_A_DATE.match(text):
        return None
    from dateutil import parser  # imported when needed: it takes longer than all of the store

    days = []
    for missing in (datetime(2000, 1, 1), datetime(2001, 2, 28)):  # replaces what the text does not say
        try:
            days.append(parser.parse(re.sub("[()]", " ", text), default=missing, ignoretz=True).date())
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return None
    first, second = days
    return first if first == second or second == first.replace(day=28) else None  # a day, or else a month


def month_number(text: str) -> int:
    """The number of a month from its digits or its name."""
    return int(text) if text.isdigit() else MONTHS.index(text[:3].casefold()) + 1


def make_date(year: int, month: int, day: int) -> date | None:
    """The date, or None if there is no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None
