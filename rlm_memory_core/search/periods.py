"""Reads which days of the past a question asks about: "four weeks ago", "in the last three months", "in May 2023".

`store.dates` reads the days. This makes spans of them, and leaves out those after the day of asking ("next weekend").
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from ..store.dates import COUNT, UNIT_DAYS, count_of, moments, parse_date

_LAST_MANY = re.compile(rf"\b(?:last|past|previous)\s+(?:a\s+)?{COUNT}\s+(?P<unit>{'|'.join(UNIT_DAYS)})s?\b", re.I)
_RELATIVE = re.compile(r"\b(?:ago|back|earlier|last|past|previous|this|yesterday|today)\b", re.I)


@dataclass(frozen=True, slots=True)
class Period:
    """A span of days.

    Args:
        start: Its first day.
        end: Its last day.
        width: Days of the unit that the words name (1, 2, 7, 14, 30 or 365). The ends are only as sharp as this.
        words: The words that name it.
        relative: Whether the words mean other days if they are said on another day.
    """

    start: date
    end: date
    width: int
    words: str
    relative: bool


def periods(question: str, question_date: str | None = None) -> list[Period]:
    """Find the spans of the past that a question names.

    Args:
        question: Any text.
        question_date: The day of asking, in any form that `parse_date` reads. Without it only words with a year are
            understood.

    >>> [(str(span.start), str(span.end)) for span in periods("What did I buy four weeks ago?", "2023/04/01")]
    [('2023-03-01', '2023-03-07')]
    >>> [(str(span.start), str(span.end)) for span in periods("Who came in May 2023?")]
    [('2023-05-01', '2023-05-31')]
    """
    asked = parse_date(question_date)
    found = []
    if asked is not None:
        found = [_last_many(match, asked) for match in _LAST_MANY.finditer(question)]
    for moment in moments(question, asked):
        half = timedelta(days=moment.width // 2)
        relative = _RELATIVE.search(moment.words) is not None
        found.append(Period(moment.day - half, moment.day + half, moment.width, moment.words, relative))
    return [period for period in found if asked is None or period.start <= asked]


def without_relative(question: str, spans: list[Period]) -> str:
    """The question without the words of its relative periods, which mean other days in the history.

    >>> question = "What did I buy four weeks ago?"
    >>> without_relative(question, periods(question, "2023/04/01"))
    'What did I buy  ?'
    """
    for period in spans:
        if period.relative:
            question = question.replace(period.words, " ")
    return question


def _last_many(match: re.Match[str], asked: date) -> Period:
    width = UNIT_DAYS[match["unit"].casefold()]
    return Period(asked - timedelta(days=count_of(match["count"]) * width), asked, width, match[0], relative=True)
