"""Reads dates: the full date of a text (`parse_date`) and the days that a sentence mentions (`moments`).

This is the package's only date parser. `full_dates` reads dates with a year and gives the rules for their order. Here
follow dates without a year (the nearest one; `3/4` is March 4th), months, years and relative words ("yesterday",
"last Saturday", "two weeks ago"). Text without a date gives None or [], never an error.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from .full_dates import (
    MAX_CHARACTERS,
    MONTH,
    MONTHS,
    WITH_DAY,
    YEAR,
    make_date,
    month_number,
    nearest,
    parse_date,
    read_day,
)

__all__ = ["COUNT", "NUMBER_WORDS", "UNIT_DAYS", "Moment", "count_of", "moments", "months_between", "parse_date"]

NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty""".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100}
UNIT_DAYS = {"day": 1, "week": 7, "weekend": 7, "fortnight": 14, "month": 30, "year": 365}

_VAGUE = {"a": 1, "an": 1, "couple": 2, "couple of": 2, "few": 3, "several": 4, "half a": 0, "half an": 0}
_TENS = "|".join(word for word, value in NUMBER_WORDS.items() if 20 <= value < 100)
_ONES = "|".join(word for word, value in NUMBER_WORDS.items() if 0 < value < 10)
COUNT = (
    rf"(?P<count>\d{{1,3}}|an?|couple(?: of)?|few|several|half an?|(?:{_TENS})[\s-](?:{_ONES})"
    rf"|{'|'.join(NUMBER_WORDS)})"
)
"""A pattern of numbers as people write them; `count_of` reads what its group `count` matched."""

_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_SPOKEN = {"the day before yesterday": -2, "today": 0, "tonight": 0, "yesterday": -1, "last night": -1, "tomorrow": 1}

_WEEKDAY = f"(?P<name>{'|'.join(_WEEKDAYS)})"
_SPAN = "(?P<unit>week|weekend|month|year)"
_Found = tuple[date, int] | None  # a day and its width
_ANY = re.compile(
    rf"\d|ago\b|day|night\b|morning|afternoon|evening|week|month|year|back\b|earlier\b|{'|'.join(MONTHS)}", re.I
)


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
    sentence = sentence[:MAX_CHARACTERS]
    found: dict[int, Moment] = {}
    covered: set[int] = set()
    for match, day, width in _days(sentence, said_on) if _ANY.search(sentence) else ():
        if covered.isdisjoint(range(*match.span())):
            found[match.start()] = Moment(day, match[0], width)
            covered.update(range(*match.span()))
    return [found[start] for start in sorted(found)]


def months_between(start: date, end: date) -> int:
    """Whole months from one day to another, rounded to the nearest.

    >>> months_between(date(2023, 1, 30), date(2023, 4, 1))
    2
    """
    return round(abs((end - start).days) / 30.44)


def count_of(words: str) -> int:
    """The number that `COUNT` matched; "few" is 3 and "several" 4.

    >>> count_of("12"), count_of("Twenty-five"), count_of("a")
    (12, 25, 1)
    """
    words = words.casefold()
    if words.isdigit():
        return int(words)
    if words in _VAGUE:
        return _VAGUE[words]
    return sum(NUMBER_WORDS[word] for word in words.replace("-", " ").split())


def _days(sentence: str, said_on: date | None) -> Iterator[tuple[re.Match[str], date, int]]:
    """Every match of every pattern that means a day, with the day and the width; the surest patterns first."""
    for pattern in WITH_DAY:
        for match in pattern.finditer(sentence):
            if day := read_day(match, said_on):
                yield match, day, 1
    for read, pattern in _CALENDAR:
        for match in pattern.finditer(sentence):
            if found := read(match, said_on):
                yield match, *found
    if said_on is None:
        return
    for read_relative, pattern in _RELATIVE:
        for match in pattern.finditer(sentence):
            try:
                found = read_relative(match, said_on)
            except (OverflowError, ValueError):  # before the year 1, or after 9999
                continue
            if found:
                yield match, *found


def _read_slash(match: re.Match[str], said_on: date | None) -> _Found:
    day = nearest(int(match["month"]), int(match["day"]), said_on)
    return (day, 1) if day else None


def _read_month(match: re.Match[str], said_on: date | None) -> _Found:
    month = month_number(match["month"])
    if year := match.groupdict().get("year"):
        return date(int(year), month, 16), 30
    day = nearest(month, 16, said_on) if match["month"][0].isupper() else None  # not "by may"
    return (day, 30) if day else None


def _read_year(match: re.Match[str], said_on: date | None) -> _Found:
    return date(int(match["year"]), 7, 1), 365


def _read_ago(match: re.Match[str], said_on: date) -> _Found:
    unit = match["unit"].casefold()
    half = match["half"] or match["count"].casefold().startswith("half")
    day = _back(said_on, count_of(match["count"]), unit)
    return day - timedelta(days=round(UNIT_DAYS[unit] / 2) if half else 0), UNIT_DAYS[unit]


def _read_spoken(match: re.Match[str], said_on: date) -> _Found:
    return said_on + timedelta(days=_SPOKEN.get(match[0].casefold(), 0)), 1


def _read_weekdays_ago(match: re.Match[str], said_on: date) -> _Found:
    return _weekday(match["name"], "last", said_on) - timedelta(days=7 * (count_of(match["count"]) - 1)), 1


def _read_day_of_month(match: re.Match[str], said_on: date) -> _Found:
    day = make_date(said_on.year, said_on.month, int(match["day"]))
    return (day, 1) if day else None


def _read_weekday(match: re.Match[str], said_on: date) -> _Found:
    return _weekday(match["name"], match["which"] or "last", said_on), 1


def _read_span(match: re.Match[str], said_on: date) -> _Found:
    unit, which = match["unit"].casefold(), match["which"].casefold()
    if unit == "weekend":
        return _weekday("saturday", which, said_on), 2
    return _back(said_on, {"this": 0, "next": -1, "before last": 2}.get(which, 1), unit), UNIT_DAYS[unit]


_PART_OF_DAY = "(?:morning|afternoon|evening)"
_NEAR = r"(?:about|around|exactly|over|almost|nearly|just|roughly|a)\s+"
_BEFORE_MONTH = r"(?:in|since|during|until|till|by|from|around|last|early|late|mid|of)[\s-]+(?:early |late |mid-?)?"
_CALENDAR = [
    (_read_month, re.compile(rf"\b(?:{_BEFORE_MONTH})?{MONTH},?\s+(?:of\s+)?{YEAR}", re.I)),
    (_read_month, re.compile(rf"\b{_BEFORE_MONTH}{MONTH}(?!\s+\d)", re.I)),
    (_read_slash, re.compile(r"(?<![\d/$])(?P<month>1[0-2]|0?[1-9])/(?P<day>3[01]|[12]\d|0?[1-9])(?![\d/])", re.I)),
    (_read_year, re.compile(r"\b(?:in|since|during|until)\s+(?P<year>(?:19|20)\d\d)(?![\w,]*\d|[-/:%])", re.I)),
]
_RELATIVE = [
    (
        _read_ago,
        re.compile(
            rf"\b(?:{_NEAR})?{COUNT}\s+(?P<unit>{'|'.join(UNIT_DAYS)})s?(?P<half>\s+and\s+a\s+half)?"
            r"\s+(?:ago|back|earlier)\b",
            re.I,
        ),
    ),
    (_read_spoken, re.compile(rf"\b(?:{'|'.join(_SPOKEN)}|this {_PART_OF_DAY})\b", re.I)),
    (_read_weekdays_ago, re.compile(rf"\b{COUNT}\s+{_WEEKDAY}s?\s+ago\b", re.I)),
    (_read_day_of_month, re.compile(r"\bon\s+the\s+(?P<day>[0-3]?\d)(?:st|nd|rd|th)\b(?!\s+(?:of|day|floor))", re.I)),
    (_read_weekday, re.compile(rf"\bthe\s+{_WEEKDAY}\s+(?P<which>before\s+last)\b", re.I)),
    (
        _read_weekday,
        re.compile(
            r"(?<!every )(?<!each )\b(?:(?P<which>last|this past|past|on|since|this|next)\s+)?"
            rf"{_WEEKDAY}(?(which)|\s+(?:{_PART_OF_DAY}|night))\b",
            re.I,
        ),
    ),
    (_read_span, re.compile(rf"\b(?P<which>last|this past|past|this|next|previous)\s+{_SPAN}(?!\w)(?! of\b)", re.I)),
    (_read_span, re.compile(rf"\bthe\s+{_SPAN}\s+(?P<which>before\s+last)\b", re.I)),
]


def _weekday(name: str, which: str, said_on: date) -> date:
    """The last weekday of a name, the next one ("this", "next"), or the one "before last"."""
    back = (said_on.weekday() - _WEEKDAYS.index(name.casefold())) % 7
    if which.casefold() in ("this", "next"):
        return said_on + timedelta(days=7 - back)
    return said_on - timedelta(days=(back or 7) + (7 if which.casefold().startswith("before") else 0))


def _back(day: date, count: int, unit: str) -> date:
    """Go back so many units; a month keeps the day of the month, or takes its last one."""
    if unit not in ("month", "year"):
        return day - timedelta(days=count * UNIT_DAYS[unit])
    year, month = divmod(day.year * 12 + day.month - 1 - count * (12 if unit == "year" else 1), 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
