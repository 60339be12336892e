"""Reads dates: the full date of a text (`parse_date`) and the days that a sentence mentions (`moments`).

This is the package's only date parser. `full_dates` reads dates with a year and gives the rules for their order. Here
follow dates without a year (the nearest one; `3/4` is March 4th), months, years and relative words ("yesterday",
"last Saturday", "two weeks ago"). Text without a date gives None or [], never an error.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from .full_dates import MAX_CHARACTERS, MONTH, MONTHS, WITH_DAY, YEAR, month_number, nearest, parse_date, read_day

__all__ = ["COUNT", "NUMBER_WORDS", "UNIT_DAYS", "Moment", "count_of", "moments", "months_between", "parse_date"]

_WORDS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty""".split()
NUMBER_WORDS = {word: number for number, word in enumerate(_WORDS)} | {
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100
}  # fmt: skip
UNIT_DAYS = {"day": 1, "week": 7, "weekend": 7, "fortnight": 14, "month": 30, "year": 365}
_VAGUE = {"a": 1, "an": 1, "couple": 2, "few": 3, "several": 4}
_TENS = "|".join(word for word in NUMBER_WORDS if word.endswith("ty"))
COUNT = rf"(?P<count>\d{{1,3}}|(?:(?:{_TENS})[\s-])?(?:{'|'.join(_VAGUE | NUMBER_WORDS)}))(?:\s+of)?"
"""A pattern of numbers as people write them; `count_of` reads what its group `count` matched."""

_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_SPOKEN = {"the day before yesterday": -2, "today": 0, "tonight": 0, "yesterday": -1, "last night": -1, "tomorrow": 1}
_ANY = re.compile(rf"\d|ago|day|night|week|month|year|back|earlier|tomorrow|{'|'.join(MONTHS)}", re.I)


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
    return int(words) if words.isdigit() else sum((_VAGUE | NUMBER_WORDS)[word] for word in re.split(r"[\s-]", words))


def _days(sentence: str, said_on: date | None) -> Iterator[tuple[re.Match[str], date, int]]:
    """Every match that means a day, with the day and the width; the surest patterns first."""
    for read, unit, pattern in [*_CALENDAR, *(_RELATIVE if said_on else [])]:
        for match in pattern.finditer(sentence):
            with suppress(OverflowError, ValueError):  # before the year 1, or after 9999
                if day := read(match, said_on):
                    named = match.groupdict().get("unit", unit).casefold()
                    yield match, day, 2 if named == "weekend" else UNIT_DAYS.get(named, 1)


def _read_month(match: re.Match[str], said_on: date | None) -> date | None:
    month, year = month_number(match["month"]), match.groupdict().get("year")
    if year:
        return date(int(year), month, 16)
    return None if match["month"][0].islower() else nearest(month, 16, said_on)  # not "by may"


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
    *((read_day, "day", pattern) for pattern in WITH_DAY),
    (_read_month, "month", re.compile(rf"\b(?:{_BEFORE_MONTH})?{MONTH},?\s+(?:of\s+)?{YEAR}", re.I)),
    (_read_month, "month", re.compile(rf"\b{_BEFORE_MONTH}{MONTH}(?!\s+\d)", re.I)),
    (_read_year, "year", re.compile(rf"\b(?:in|since|during|until)\s+{YEAR}(?![\w,]*\d|[-/:%])", re.I)),
]
_RELATIVE: list[tuple[_Reader, str, re.Pattern[str]]] = [
    (
        _read_ago,
        "",
        re.compile(rf"\b(?<!half ){COUNT}\s+(?P<unit>{'|'.join(UNIT_DAYS)})s?\s+(?:ago|back|earlier)\b", re.I),
    ),
    (_read_spoken, "day", re.compile(rf"\b(?:{'|'.join(_SPOKEN)})\b", re.I)),
    (
        _read_neighbour,
        "",
        re.compile(rf"\b(?P<which>last|past|previous|on|since|this|next)\s+(?P<unit>{_NAMED})(?!\w| of\b)", re.I),
    ),
]


def _back(day: date, count: int, unit: str) -> date:
    """Go back so many units; a month keeps the day of the month, or takes its last one."""
    if unit not in ("month", "year"):
        return day - timedelta(days=count * UNIT_DAYS[unit])
    year, month = divmod(day.year * 12 + day.month - 1 - count * (12 if unit == "year" else 1), 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
