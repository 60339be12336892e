"""Reads dates: the full date of a text (`parse_date`) and the days that a sentence mentions (`moments`).

This is the package's only date parser. A full date has a year, a month and a day:

- If the year comes first, month and day follow: `2023-05-20`, `2023/05/20 (Sat) 02:21`, `2023年5月20日`.
- If the year comes last, month and day come before it, or day and month if there is no such month: `5/6/2023` is the
  6th of May, and `20.05.2023` the 20th.
- Names of months are English, in any letter case, and may be abbreviated. Digits may be those of any script.
- If the year has two digits, the date begins the text: `5/20/23`.
- Times of day and time zones are ignored: the result is the day as it is written.

`moments` also reads dates without a year (it takes the nearest one; `3/4` is March 4th), months, years and relative
words ("yesterday", "last Saturday", "two weeks ago"). For text without a date, the result is None or [], never an
error.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dateutil.relativedelta import relativedelta, weekday

from .substring import comparable

_MAX_CHARACTERS = 10_000  # of a text; the rest is not read
_MONTHS = "january february march april may june july august september october november december".split()
_SHORT = [month[:3] for month in _MONTHS]
_MONTH = rf"(?P<month>{'|'.join([*_MONTHS, *_SHORT, 'sept'])})(?!\w)\.?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?(?!\w)"
_YEAR = r"(?P<year>(?:19|20)\d\d)(?!\d)"
_CLOCK = r"(?:,?\s+[\d:]{4,8}(?:\s+[a-z\d+-]{1,5})?)?"  # may precede the year, as in `Sat May 20 02:21:00 CEST 2023`
_WITH_DAY = [
    re.compile(rf"(?<![A-Za-z\d]){_YEAR}[-/.年년] ?(?P<month>\d\d?)[-/.月월] ?(?P<day>\d\d?)(?!\d)"),
    re.compile(rf"(?<![\d/.$-])(?P<first>\d\d?)([-/.])(?P<second>\d\d?)\2{_YEAR}(?!/)", re.I),
    re.compile(rf"\b{_YEAR},?\s+{_MONTH}\s+{_DAY}(?!,?\s+\d{{4}})", re.I),
    re.compile(rf"\b{_MONTH}\s+(?:the\s+)?{_DAY}(?!:)(?:{_CLOCK},?\s+{_YEAR})?", re.I),
    re.compile(rf"\b{_DAY}(?:-|\s+(?:of\s+)?){_MONTH}(?:{_CLOCK},?[\s-]+{_YEAR})?", re.I),
    re.compile(r"\A\W?(?P<first>\d\d?)([/.])(?P<second>\d\d?)\2(?P<year>\d\d)(?![\w/.])"),
    re.compile(r"(?<![\d/$])(?P<month>1[0-2]|0?[1-9])/(?P<day>3[01]|[12]\d|0?[1-9])(?![\d/])(?P<year>(?!))?"),
]
_MONTH_ALONE = [re.compile(rf"{_MONTH},?\s+{_YEAR}"), re.compile(rf"{_YEAR}[-/.](?P<month>\d\d?)")]

_TO_TWENTY = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty""".split()
_TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety hundred".split()
_NUMBER_WORDS = dict(zip([*_TO_TWENTY, *_TENS], [*range(21), *range(10, 101, 10)], strict=True))
_NUMBER_WORDS |= {"a": 1, "an": 1, "couple": 2, "few": 3, "several": 4}
UNIT_DAYS = {"day": 1, "week": 7, "weekend": 7, "fortnight": 14, "month": 30, "year": 365}
_UNITS = {unit: relativedelta(days=days) for unit, days in UNIT_DAYS.items()}
_UNITS |= {"month": relativedelta(months=1), "year": relativedelta(years=1)}
COUNT = rf"(?P<count>\d{{1,3}}|(?:(?:{'|'.join(_TENS[1:9])})[\s-])?(?:{'|'.join(_NUMBER_WORDS)}))(?:\s+of)?"
"""A pattern for numbers as people write them. `count_of` converts its group `count`."""

_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_WEEKDAYS = {day: number for number, day in enumerate(_DAYS)} | {"weekend": 5}
_SPOKEN = {"the day before yesterday": -2, "today": 0, "tonight": 0, "yesterday": -1, "last night": -1, "tomorrow": 1}
_BEFORE_MONTH = r"(?:in|since|during|until|till|by|from|around|last|early|late|mid|of)[\s-]+(?:early |late |mid-?)?"
_NAMED = f"week|month|year|{'|'.join(_WEEKDAYS)}"
_CALENDAR = [
    *_WITH_DAY,
    re.compile(rf"\b(?:{_BEFORE_MONTH})?{_MONTH},?\s+(?:of\s+)?{_YEAR}", re.I),
    re.compile(rf"\b{_BEFORE_MONTH}{_MONTH}(?!\s+\d)", re.I),
    re.compile(rf"\b(?:in|since|during|until)\s+{_YEAR}(?![\w,]*\d|[-/:%])", re.I),
]
_RELATIVE = [
    re.compile(rf"\b(?<!half ){COUNT}\s+(?P<unit>{'|'.join(UNIT_DAYS)})s?\s+(?:ago|back|earlier)\b", re.I),
    re.compile(rf"\b(?P<spoken>{'|'.join(_SPOKEN)})\b", re.I),
    re.compile(rf"\b(?P<which>last|past|previous|on|since|this|next)\s+(?P<unit>{_NAMED})(?!\w| of\b)", re.I),
]


def parse_date(text: str | None) -> date | None:
    """Read the first full date in a text.

    If the text is only a month and a year, the result is the first day of the month.

    Args:
        text: Any text.

    Returns:
        The date, or None if there is no full date in the text.

    >>> parse_date("1:56 pm on 8 May, 2023"), parse_date("20.05.2023"), parse_date("soon")
    (datetime.date(2023, 5, 8), datetime.date(2023, 5, 20), None)
    """
    text = comparable((text or "")[:_MAX_CHARACTERS]).strip()
    matches = (match for pattern in _WITH_DAY for match in pattern.finditer(text) if match["year"])
    found = [(match.start(), day) for match in matches if (day := _calendar_day(match, None))]
    if found:
        return min(found)[1]
    month = next((_calendar_day(match, None) for each in _MONTH_ALONE if (match := each.fullmatch(text))), None)
    iso = from_iso(text)
    return month.replace(day=1) if month else iso and iso.date()


def from_iso(text: str) -> datetime | None:
    """Read a time of our days in ISO 8601, such as `20230520T022100Z`; None if it is not one."""
    with suppress(ValueError):
        when = datetime.fromisoformat(text.upper())
        return when if 1900 <= when.year < 2100 else None
    return None


def _calendar_day(match: re.Match[str], said_on: date | None) -> date | None:
    """Return the day of a match of `_CALENDAR`.

    For a month or a year, it is the day in the middle. For a date without a year, it is the nearest such day.
    """
    found = match.groupdict()
    year, month = int(found.get("year") or 0), found.get("month") or "7"
    if "first" in found:
        first, second = int(found["first"]), int(found["second"])
        year += (2000 if year < 69 else 1900) if year < 100 else 0
        return _make_date(year, first, second) or _make_date(year, second, first)
    number = int(month) if month.isdigit() else _SHORT.index(month[:3].casefold()) + 1
    day = int(found.get("day") or (16 if "month" in found else 1))
    if year:
        return _make_date(year, number, day)
    if said_on is None or month[0].islower():  # not "I may 5"
        return None
    days = [near for year in (-1, 0, 1) if (near := _make_date(said_on.year + year, number, day))]
    return min(days, key=lambda near: abs((near - said_on).days), default=None)


def _make_date(year: int, month: int, day: int) -> date | None:
    """Return the date, or None if there is no such day."""
    with suppress(ValueError):
        return date(year, month, day)
    return None


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, or a span of days, that a sentence mentions.

    Args:
        start, end: The first and the last day. They are only as precise as `width`.
        words: The words that name the day or the span.
        width: The number of days in the unit that the words name: 1, 2 (a weekend), 7, 14, 30 or 365.
    """

    start: date
    end: date
    words: str
    width: int

    @property
    def day(self) -> date:
        """The day in the middle."""
        return self.start + (self.end - self.start) // 2


def moments(sentence: str, said_on: date | None) -> list[Moment]:
    """Find the days that a sentence mentions, in the order of its words.

    The sentence may contain full dates, dates without a year (the nearest one is taken), months, years, and relative
    words such as "yesterday", "last Saturday" or "two weeks ago".

    Args:
        sentence: Any text.
        said_on: The day on which it was said. Without it, only dates with a year are read.

    >>> [str(moment.day) for moment in moments("I ran yesterday and two weeks ago.", date(2023, 5, 20))]
    ['2023-05-19', '2023-05-06']
    """
    sentence = sentence[:_MAX_CHARACTERS]
    found: dict[int, Moment] = {}
    covered: set[int] = set()
    surest_first = [*_CALENDAR, *(_RELATIVE if said_on else [])]
    for match in (match for pattern in surest_first for match in pattern.finditer(sentence)):
        words = range(*match.span())
        with suppress(OverflowError, ValueError):  # before the year 1, or after 9999
            day = _relative_day(match, said_on) if said_on and match.re in _RELATIVE else _calendar_day(match, said_on)
            if day and covered.isdisjoint(words):
                width = _width(match.groupdict())
                half = timedelta(days=width // 2)
                found[match.start()] = Moment(day - half, day + half, match[0], width)
                covered.update(words)
    return [found[start] for start in sorted(found)]


def count_of(words: str) -> int:
    """Return the number that `COUNT` matched. "few" is 3 and "several" is 4.

    >>> count_of("12"), count_of("Twenty-five"), count_of("a")
    (12, 25, 1)
    """
    words = words.casefold()
    return int(words) if words.isdigit() else sum(map(_NUMBER_WORDS.__getitem__, re.split(r"[\s-]", words)))


def _relative_day(match: re.Match[str], said_on: date) -> date:
    """Return the day of a match of `_RELATIVE`."""
    found = {name: words.casefold() for name, words in match.groupdict().items()}
    if "spoken" in found:
        return said_on + timedelta(days=_SPOKEN[found["spoken"]])
    if "count" in found:
        return said_on - count_of(found["count"]) * _UNITS[found["unit"]]
    unit, steps = found["unit"], {"this": 0, "next": 1}.get(found["which"], -1)
    if unit in _WEEKDAYS:
        later = 1 if steps >= 0 else -1
        return said_on + relativedelta(days=later, weekday=weekday(_WEEKDAYS[unit], later))
    return said_on + steps * _UNITS[unit]


def _width(found: dict[str, str]) -> int:
    if unit := found.get("unit"):
        return 2 if unit.casefold() == "weekend" else UNIT_DAYS.get(unit.casefold(), 1)
    return 1 if found.keys() & {"day", "first", "spoken"} else 30 if "month" in found else 365
