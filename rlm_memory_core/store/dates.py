"""Reads dates: the full date of a text (`parse_date`) and the days that a sentence mentions (`moments`).

This is the package's only date parser. A full date has a year, a month and a day:

- A year that comes first is followed by month and day: `2023-05-20`, `2023/05/20 (Sat) 02:21`, `2023.5.20`.
- A year that comes last follows month and day, or day and month if there is no such month: `5/6/2023` is the 6th of
  May, `20.05.2023` the 20th.
- Names of months are English, in any letter case, and may be shortened.
- Times of day and time zones are ignored: the day counts as it is written.

`moments` also reads dates without a year (the nearest one; `3/4` is March 4th), months, years and relative words
("yesterday", "last Saturday", "two weeks ago"). Text without a date gives None or [], never an error.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

_MAX_CHARACTERS = 10_000  # of a text; what follows is not read
_LONGEST_DATE = 64
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?!\w)\.?"
)
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?(?!\w)"
_YEAR = r"(?P<year>(?:19|20)\d\d)(?!\d)"
_YEAR_FIRST = re.compile(r"\b(?P<year>(?:19|20)\d\d)[-/.](?P<first>[01]?\d)[-/.](?P<second>[0-3]?\d)(?!\d)", re.I)
_WITH_DAY = [
    _YEAR_FIRST,
    re.compile(rf"(?<![\d/.$-])(?P<first>\d\d?)([-/.])(?P<second>\d\d?)\2{_YEAR}(?!/)", re.I),
    re.compile(rf"\b{_YEAR},?\s+{_MONTH}\s+{_DAY}(?!,?\s+\d{{4}})", re.I),
    re.compile(rf"\b{_MONTH}\s+(?:the\s+)?{_DAY}(?!:)(?:,?\s+{_YEAR})?", re.I),
    re.compile(rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}(?:,?\s+{_YEAR})?", re.I),
    re.compile(r"(?<![\d/$])(?P<month>1[0-2]|0?[1-9])/(?P<day>3[01]|[12]\d|0?[1-9])(?![\d/])(?P<year>(?!))?"),
]
_MAY_BE_A_DATE = re.compile(r"(?!.*\d[-/.]\d+[-/.]\d+[-/.]\d).*(?:19|20)\d\d|\d[-/.]\d\d?[-/.]\d\d\b", re.I)

_WORDS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty""".split()
_NUMBER_WORDS = {word: number for number, word in enumerate(_WORDS)} | {
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100
}  # fmt: skip
UNIT_DAYS = {"day": 1, "week": 7, "weekend": 7, "fortnight": 14, "month": 30, "year": 365}
_VAGUE = {"a": 1, "an": 1, "couple": 2, "few": 3, "several": 4}
_TENS = "|".join(word for word in _NUMBER_WORDS if word.endswith("ty"))
COUNT = rf"(?P<count>\d{{1,3}}|(?:(?:{_TENS})[\s-])?(?:{'|'.join(_VAGUE | _NUMBER_WORDS)}))(?:\s+of)?"
"""A pattern of numbers as people write them; `count_of` reads what its group `count` matched."""

_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_SPOKEN = {"the day before yesterday": -2, "today": 0, "tonight": 0, "yesterday": -1, "last night": -1, "tomorrow": 1}
_ANY = re.compile(rf"\d|ago|day|night|week|month|year|back|earlier|tomorrow|{'|'.join(_MONTHS)}", re.I)


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
    text = (text or "")[:_MAX_CHARACTERS]
    if (first := _YEAR_FIRST.match(text)) and (day := _read_day(first, None)):
        return day
    matches = (match for pattern in _WITH_DAY for match in pattern.finditer(text) if match["year"])
    found = [(match.start(), day) for match in matches if (day := _read_day(match, None))]
    return min(found)[1] if found else _parse_whole(text)


def _read_day(match: re.Match[str], said_on: date | None) -> date | None:
    """The day of a match of `_WITH_DAY`; without a year it is the one nearest to `said_on`."""
    found = match.groupdict()
    year = int(found["year"] or 0)
    if "first" in found:
        first, second = int(found["first"]), int(found["second"])
        return _make_date(year, first, second) or (None if match.re is _YEAR_FIRST else _make_date(year, second, first))
    month, day = _month_number(found["month"]), int(found["day"])
    if year:
        return _make_date(year, month, day)
    return None if found["month"][0].islower() else _nearest(month, day, said_on)  # not "I may 5"


def _nearest(month: int, day: int, said_on: date | None) -> date | None:
    """The day of the year that lies nearest to the day on which it was said."""
    if said_on is None:
        return None
    days = [found for year in (-1, 0, 1) if (found := _make_date(said_on.year + year, month, day))]
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


def _month_number(text: str) -> int:
    """The number of a month from its digits or its name."""
    return int(text) if text.isdigit() else _MONTHS.index(text[:3].casefold()) + 1


def _make_date(year: int, month: int, day: int) -> date | None:
    """The date, or None if there is no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Moment:
    """A day that a sentence mentions.

    Args:
        day: The day; of a month or a year, one in its middle.
        words: The words that name it.
        width: Days of the unit that the words name: 1, 2 (a weekend), 7, 14, 30 or 365.
    """

    day: date
    words: str
    width: int = 1


def moments(sentence: str, said_on: date | None) -> list[Moment]:
    """Find the days that a sentence mentions, in the order of its words.

    Reads full dates, dates without a year (the nearest one), months, years, and relative words such as "yesterday",
    "last Saturday" or "two weeks ago".

    Args:
        sentence: Any text.
        said_on: The day on which it was said. Without it only words with a year are read.

    >>> [str(moment.day) for moment in moments("I ran yesterday and two weeks ago.", date(2023, 5, 20))]
    ['2023-05-19', '2023-05-06']
    """
    sentence = sentence[:_MAX_CHARACTERS]
    found: dict[int, Moment] = {}
    covered: set[int] = set()
    for match, day, width in _days(sentence, said_on) if _ANY.search(sentence) else ():
        if covered.isdisjoint(range(*match.span())):
            found[match.start()] = Moment(day, match[0], width)
            covered.update(range(*match.span()))
    return [found[start] for start in sorted(found)]


def count_of(words: str) -> int:
    """The number that `COUNT` matched; "few" is 3 and "several" 4.

    >>> count_of("12"), count_of("Twenty-five"), count_of("a")
    (12, 25, 1)
    """
    words = words.casefold()
    return int(words) if words.isdigit() else sum((_VAGUE | _NUMBER_WORDS)[word] for word in re.split(r"[\s-]", words))


def _days(sentence: str, said_on: date | None) -> Iterator[tuple[re.Match[str], date, int]]:
    """Every match that means a day, with the day and the width; the surest patterns first."""
    for read, unit, pattern in [*_CALENDAR, *(_RELATIVE if said_on else [])]:
        for match in pattern.finditer(sentence):
            with suppress(OverflowError, ValueError):  # before the year 1, or after 9999
                if day := read(match, said_on):
                    named = match.groupdict().get("unit", unit).casefold()
                    yield match, day, 2 if named == "weekend" else UNIT_DAYS.get(named, 1)


def _read_month(match: re.Match[str], said_on: date | None) -> date | None:
    month, year = _month_number(match["month"]), match.groupdict().get("year")
    if year:
        return date(int(year), month, 16)
    return None if match["month"][0].islower() else _nearest(month, 16, said_on)  # not "by may"


def _read_year(match: re.Match[str], said_on: date | None) -> date | None:
    return date(int(match["year"]), 7, 1)


def _read_ago(match: re.Match[str], said_on: date) -> date | None:
    return _back(said_on, count_of(match["count"]), match["unit"].casefold())


def _read_spoken(match: re.Match[str], said_on: date) -> date | None:
    return said_on + timedelta(days=_SPOKEN[match[0].casefold()])


def _read_neighbour(match: re.Match[str], said_on: date) -> date | None:
    """The last, this or next unit; only a weekday and a weekend have a day of their own."""
    unit, which = match["unit"].casefold(), match["which"].casefold()
    if unit in ("week", "month", "year"):
        return _back(said_on, {"this": 0, "next": -1}.get(which, 1), unit)
    weekday = "saturday" if unit == "weekend" else unit
    back = (said_on.weekday() - _WEEKDAYS.index(weekday)) % 7
    return said_on + timedelta(days=7 - back if which in ("this", "next") else -(back or 7))


_BEFORE_MONTH = r"(?:in|since|during|until|till|by|from|around|last|early|late|mid|of)[\s-]+(?:early |late |mid-?)?"
_NAMED = f"week|weekend|month|year|{'|'.join(_WEEKDAYS)}"
_Reader = Callable[[re.Match[str], Any], date | None]
_CALENDAR: list[tuple[_Reader, str, re.Pattern[str]]] = [
    *((_read_day, "day", pattern) for pattern in _WITH_DAY),
    (_read_month, "month", re.compile(rf"\b(?:{_BEFORE_MONTH})?{_MONTH},?\s+(?:of\s+)?{_YEAR}", re.I)),
    (_read_month, "month", re.compile(rf"\b{_BEFORE_MONTH}{_MONTH}(?!\s+\d)", re.I)),
    (_read_year, "year", re.compile(rf"\b(?:in|since|during|until)\s+{_YEAR}(?![\w,]*\d|[-/:%])", re.I)),
]
_AGO = rf"\b(?<!half ){COUNT}\s+(?P<unit>{'|'.join(UNIT_DAYS)})s?\s+(?:ago|back|earlier)\b"
_NEIGHBOUR = rf"\b(?P<which>last|past|previous|on|since|this|next)\s+(?P<unit>{_NAMED})(?!\w| of\b)"
_RELATIVE: list[tuple[_Reader, str, re.Pattern[str]]] = [
    (_read_ago, "", re.compile(_AGO, re.I)),
    (_read_spoken, "day", re.compile(rf"\b(?:{'|'.join(_SPOKEN)})\b", re.I)),
    (_read_neighbour, "", re.compile(_NEIGHBOUR, re.I)),
]


def _back(day: date, count: int, unit: str) -> date:
    """Go back so many units; a month keeps the day of the month, or takes its last one."""
    if unit not in ("month", "year"):
        return day - timedelta(days=count * UNIT_DAYS[unit])
    year, month = divmod(day.year * 12 + day.month - 1 - count * (12 if unit == "year" else 1), 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
