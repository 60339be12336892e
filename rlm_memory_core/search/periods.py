"""What span of days a question speaks of: "four weeks ago", "in the last three months", "in May 2023".

Single days are read by `dates`. What lies ahead of the day of asking, such as "this
weekend", is left out: a history says nothing of it. So are habits ("on Saturdays").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from ..store.dates import NUMBER_WORDS, moments, parse_date

_DAYS = {"day": 1, "week": 7, "weekend": 7, "month": 30, "year": 365}
_COUNTS = NUMBER_WORDS | {"a": 1, "an": 1, "couple": 2, "few": 3, "several": 4}
_LAST_MANY = re.compile(
    r"\b(?:in|over|during|within|for|of)?\s*(?:the\s+)?(?:last|past|previous)\s+(?:a\s+)?"
    rf"(?P<count>\d{{1,3}}|{'|'.join(_COUNTS)})(?:\s+of)?\s+(?P<unit>{'|'.join(_DAYS)})s?\b",
    re.I,
)
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH_OF_YEAR = re.compile(rf"\b(?P<month>{'|'.join(_MONTHS)}),?\s+(?:of\s+)?(?P<year>(?:19|20)\d\d)\b", re.I)
_NO_PAST = re.compile(r"on \w+day|tonight|this evening", re.I)
_UP_TO_NOW = re.compile(r"(?:last|past|this past|previous|this) (?:week|month|year)", re.I)
_RELATIVE = re.compile(r"\b(?:ago|back|earlier|last|past|previous|this|yesterday|today)\b", re.I)


@dataclass(frozen=True, slots=True)
class Period:
    """A span of days.

    Args:
        start: Its first day.
        end: Its last day.
        width: Days of the unit that the words name (1, 7, 30, 365), or less: how sharp its ends are.
        words: What says so in the question.
        relative: Whether the words mean other days on another day of asking.
    """

    start: date
    end: date
    width: int
    words: str
    relative: bool


def periods(question: str, question_date: str | None = None) -> list[Period]:
    """The spans of the past that a question names.

    Args:
        question: Any text.
        question_date: The day of asking, in any form that `dates.parse_date` reads; without it only words with a
            year are understood.

    >>> [(str(span.start), str(span.end)) for span in periods("What did I buy four weeks ago?", "2023/04/01")]
    [('2023-03-01', '2023-03-07')]
    >>> [(str(span.start), str(span.end)) for span in periods("Who came in May 2023?")]
    [('2023-05-01', '2023-05-31')]
    """
    asked = parse_date(question_date)
    days = [moment for moment in moments(question, asked) if not _NO_PAST.fullmatch(moment.words)]
    found = [
        _month_of_year(match)
        for match in _MONTH_OF_YEAR.finditer(question)
        if not any(match[0] in moment.words for moment in days)  # else it is the end of "3 May, 2023"
    ]
    if asked is not None:
        found += [_last_many(match, asked) for match in _LAST_MANY.finditer(question)]
    for moment in days:
        half = timedelta(days=moment.width // 2)
        end = asked if asked is not None and _UP_TO_NOW.fullmatch(moment.words) else moment.day + half
        relative = _RELATIVE.search(moment.words) is not None
        found.append(Period(moment.day - half, end, moment.width, moment.words, relative))
    return [period for period in found if asked is None or period.start <= asked]


def without_relative(question: str, spans: list[Period]) -> str:
    """The question without the words of its relative periods: in the history the same words mean other days.

    >>> question = "What did I buy four weeks ago?"
    >>> without_relative(question, periods(question, "2023/04/01"))
    'What did I buy  ?'
    """
    for period in spans:
        if period.relative:
            question = question.replace(period.words, " ")
    return question


def _last_many(match: re.Match[str], asked: date) -> Period:
    count = match["count"].casefold()
    width = _DAYS[match["unit"].casefold()]
    days = (int(count) if count.isdigit() else _COUNTS[count]) * width
    return Period(asked - timedelta(days=days), asked, width, match[0], relative=True)


def _month_of_year(match: re.Match[str]) -> Period:
    year, month = int(match["year"]), _MONTHS.index(match["month"].casefold()) + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    return Period(date(year, month, 1), following - timedelta(days=1), 30, match[0], relative=False)
