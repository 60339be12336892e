"""Dates: what day a sentence speaks of, seen from the day it was said.

It reads the usual written dates, the usual relative words ("yesterday", "last
Saturday", "two weeks ago") and the few holidays that keep their day. It does not
read times of day, time zones or feasts that move, and it takes 3/4 to be March 4th.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty""".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100}

_MONTHS = {
    name[:3]: number
    for number, name in enumerate(
        "january february march april may june july august september october november december".split(), 1
    )
}
_WEEKDAYS = {
    name: number for number, name in enumerate("monday tuesday wednesday thursday friday saturday sunday".split())
}
_MONTH = (
    r"(?P<month>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s+(?P<year>(?:19|20)\d\d))"
_TENS = "|".join(word for word, value in NUMBER_WORDS.items() if value >= 20)
_ONES = "|".join(word for word, value in NUMBER_WORDS.items() if 0 < value < 10)
_COUNT = (
    rf"(?P<count>\d{{1,3}}|an?|couple(?: of)?|few|several|half an?|(?:{_TENS})[\s-](?:{_ONES})"
    rf"|{'|'.join(NUMBER_WORDS)})"
)
_HOLIDAYS = {
    "new year's eve": (12, 31),
    "new year's": (1, 1),
    "valentine's": (2, 14),
    "st patrick's": (3, 17),
    "halloween": (10, 31),
    "christmas eve": (12, 24),
    "christmas": (12, 25),
}
_HOLIDAY = "|".join(name.replace("'", "['’]").replace("st ", r"st\.?\s+").replace(" ", r"\s+") for name in _HOLIDAYS)
_NEAR = r"(?:about|around|exactly|over|almost|nearly|just|roughly|a)\s+"

_PATTERNS = [
    ("iso", re.compile(r"\b(?P<year>(?:19|20)\d\d)[-/](?P<month>[01]?\d)[-/](?P<day>[0-3]?\d)(?!\d)")),
    ("named", re.compile(rf"\b{_MONTH}\s+(?:the\s+)?{_DAY}\b(?!:){_YEAR}?")),
    ("named", re.compile(rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}(?!\w){_YEAR}?")),
    ("slash", re.compile(r"(?<![\d/$])(?P<month>1[0-2]|0?[1-9])/(?P<day>3[01]|[12]\d|0?[1-9])(?![\d/])")),
    (
        "ago",
        re.compile(
            rf"\b(?:{_NEAR})?{_COUNT}\s+(?P<unit>day|week|weekend|fortnight|month|year)s?(?P<half>\s+and\s+a\s+half)?"
            r"\s+(?:ago|back|earlier)\b",
            re.I,
        ),
    ),
    (
        "word",
        re.compile(
            r"\b(?P<word>the day before yesterday|today|tonight|this (?:morning|afternoon|evening)|yesterday"
            r"|last night|tomorrow)\b",
            re.I,
        ),
    ),
    ("weekdays ago", re.compile(rf"\b{_COUNT}\s+(?P<name>{'|'.join(_WEEKDAYS)})s?\s+ago\b", re.I)),
    ("number", re.compile(r"\bon\s+the\s+(?P<day>[0-3]?\d)(?:st|nd|rd|th)\b(?!\s+(?:of|day|floor))", re.I)),
    (
        "weekday",
        re.compile(
            r"(?<!every )(?<!each )\b(?:(?P<which>last|this past|past|on|since|this|next)\s+)?"
            rf"(?P<name>{'|'.join(_WEEKDAYS)})(?(which)|\s+(?:morning|afternoon|evening|night))\b",
            re.I,
        ),
    ),
    (
        "span",
        re.compile(
            r"\b(?P<which>last|this past|past|this|next|previous)\s+(?P<unit>week|weekend|month|year)(?!\w)(?! of\b)",
            re.I,
        ),
    ),
    (
        "before last",
        re.compile(rf"\bthe\s+(?P<unit>week|weekend|month|year|{'|'.join(_WEEKDAYS)})\s+before\s+last\b", re.I),
    ),
    (
        "holiday",
        re.compile(rf"\b(?:on|at|over|since|until|by|last|this)\s+(?P<holiday>{_HOLIDAY})(?!\w)", re.I),
    ),
    (
        "month",
        re.compile(
            r"\b(?:in|since|during|until|till|by|from|around|last|early|late|mid|of)[\s-]+"
            rf"(?:early |late |mid-?)?{_MONTH}(?!\w)(?!\s+\d){_YEAR}?"
        ),
    ),
    ("year", re.compile(r"\b(?:in|since|during|until)\s+(?P<year>(?:19|20)\d\d)(?![\w,]*\d|[-/:%])", re.I)),
]
_SPOKEN = {"the day before yesterday": -2, "today": 0, "tonight": 0, "yesterday": -1, "last night": -1, "tomorrow": 1}
_DAYS = {"day": 1, "week": 7, "weekend": 7, "fortnight": 14}
_LENGTH = {"day": 1, "week": 7, "weekend": 7, "fortnight": 14, "month": 30, "year": 365}
_COUNTS = {"a": 1, "an": 1, "couple": 2, "couple of": 2, "few": 3, "several": 4, "half a": 0, "half an": 0}
_ANY = re.compile(
    r"\d|ago\b|day\b|night\b|morning\b|afternoon\b|evening\b|week|month\b|year\b|back\b|earlier\b|before last"
    rf"|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|{_HOLIDAY})",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A day a sentence speaks of, the words that say so, and how wide they are (1 day, 7, 30, 365)."""

    day: date
    words: str
    width: int = 1


@lru_cache(maxsize=4096)
def parse_date(text: str | None) -> date | None:
    """Read the first full date in a text, or None.

    Args:
        text: Such as ``2023/05/20 (Sat) 02:21`` or ``1:56 pm on 8 May, 2023``.

    >>> parse_date("1:56 pm on 8 May, 2023"), parse_date("soon")
    (datetime.date(2023, 5, 8), None)
    """
    for kind, pattern in _PATTERNS[:3] if text else ():
        for match in pattern.finditer(text or ""):
            found = match.groupdict()
            if kind == "iso" or found["year"]:
                day = _make(int(found["year"]), _month(found["month"]), int(found["day"]))
                if day is not None:
                    return day
    return None


def moments(sentence: str, said_on: date | None) -> list[Moment]:
    """Find the days that a sentence speaks of, in the order of its words.

    Args:
        sentence: One sentence.
        said_on: The day on which it was said; without it relative words mean nothing.

    >>> moments("I ran yesterday and two weeks ago.", date(2023, 5, 20))[0].day
    datetime.date(2023, 5, 19)
    """
    if not _ANY.search(sentence):
        return []
    found: dict[int, Moment] = {}
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(sentence):
            moment = _moment(kind, match, said_on)
            if moment and not any(start <= match.start() < start + len(other.words) for start, other in found.items()):
                found[match.start()] = moment
    return [found[start] for start in sorted(found)]


def months_between(start: date, end: date) -> int:
    """Whole months from one day to another, rounded to the nearest.

    >>> months_between(date(2023, 1, 30), date(2023, 4, 1))
    2
    """
    return round(abs((end - start).days) / 30.44)


def _moment(kind: str, match: re.Match[str], said_on: date | None) -> Moment | None:
    found = match.groupdict()
    text = match[0]
    if kind in ("iso", "named", "slash"):
        year = int(found["year"]) if found.get("year") else None
        month, number = _month(found["month"]), int(found["day"])
        day = _make(year, month, number) if year else _nearest(month, number, said_on)
        return Moment(day, text) if day else None
    if kind == "month" and (found["year"] or said_on):
        month = _month(found["month"])
        day = _make(int(found["year"]), month, 15) if found["year"] else _nearest(month, 15, said_on)
        return Moment(day, text, 30) if day else None
    if kind == "year":
        return Moment(date(int(found["year"]), 7, 1), text, 365)
    if said_on is None:
        return None
    if kind == "holiday":
        name = " ".join(found["holiday"].casefold().replace("’", "'").replace(".", " ").split())
        day = _nearest(*_HOLIDAYS[name], said_on)
        return Moment(day, text) if day else None
    if kind == "before last":
        last = moments(f"last {found['unit']}", said_on)[0]
        unit = found["unit"].casefold()
        return Moment(_back(last.day, 1, unit if unit in _LENGTH else "week"), text, last.width)
    if kind == "ago":
        count, unit = _count(found["count"]), found["unit"].casefold()
        half = round(_LENGTH[unit] / 2) if found["half"] or found["count"].casefold().startswith("half") else 0
        day = _back(said_on, count, unit) - timedelta(days=half)
        return Moment(day, text, {"day": 1, "week": 7, "weekend": 3, "fortnight": 7, "year": 365}.get(unit, 30))
    if kind == "word":
        return Moment(said_on + timedelta(days=_SPOKEN.get(found["word"].casefold(), 0)), text)
    if kind == "weekdays ago":
        back = (said_on.weekday() - _WEEKDAYS[found["name"].casefold()]) % 7 or 7
        return Moment(said_on - timedelta(days=back + 7 * (_count(found["count"]) - 1)), text)
    if kind == "number":
        day = _make(said_on.year, said_on.month, int(found["day"]))
        return Moment(day, text) if day else None
    which = (found["which"] or "").casefold()
    if kind == "weekday":
        back = (said_on.weekday() - _WEEKDAYS[found["name"].casefold()]) % 7
        step = (7 - back) if which in ("next", "this") else -(back or 7)
        return Moment(said_on + timedelta(days=step), text)
    if kind == "span":
        unit = found["unit"].casefold()
        if unit == "weekend":
            saturday = said_on - timedelta(days=(said_on.weekday() - 5) % 7 or 7)
            return Moment(saturday + timedelta(days=7) if which in ("this", "next") else saturday, text, 2)
        count = {"this": 0, "next": -1}.get(which, 1)
        return Moment(_back(said_on, count, unit), text, {"week": 7, "month": 30}.get(unit, 365))
    return None


def _count(text: str) -> int:
    text = text.casefold()
    if text.isdigit():
        return int(text)
    tens, _, ones = text.replace("-", " ").partition(" ")
    if ones in NUMBER_WORDS and tens in NUMBER_WORDS:
        return NUMBER_WORDS[tens] + NUMBER_WORDS[ones]
    return _COUNTS.get(text, NUMBER_WORDS.get(text, 1))


def _back(day: date, count: int, unit: str) -> date:
    """Go back so many units; a month keeps the day where the calendar allows it."""
    if unit in _DAYS:
        return day - timedelta(days=count * _DAYS[unit])
    months = day.year * 12 + day.month - 1 - count * (12 if unit == "year" else 1)
    return _make(max(months // 12, 1), months % 12 + 1, day.day) or date(max(months // 12, 1), months % 12 + 1, 28)


def _nearest(month: int, number: int, said_on: date | None) -> date | None:
    """The given day of the year that lies closest to the day of speaking."""
    if said_on is None:
        return None
    days = [day for year in (-1, 0, 1) if (day := _make(said_on.year + year, month, number))]
    return min(days, key=lambda day: abs((day - said_on).days), default=None)


def _month(text: str) -> int:
    return int(text) if text.isdigit() else _MONTHS[text[:3].casefold()]


def _make(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
