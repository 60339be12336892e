"""Finds the days in the past that a question asks about: "four weeks ago", "in the last three months", "in May 2023".

`store.dates` reads the days. This module adds spans that end today, and drops spans that begin after the day of the
question ("next weekend").
"""

import re
from datetime import date, timedelta

from ..store.dates import COUNT, UNIT_DAYS, Moment, count_of, moments, parse_date

_LAST_MANY = re.compile(rf"\b(?:last|past|previous)\s+(?:a\s+)?{COUNT}\s+(?P<unit>{'|'.join(UNIT_DAYS)})s?\b", re.I)
_RELATIVE = re.compile(r"\b(?:ago|back|earlier|last|past|previous|this|yesterday|today)\b", re.I)


def periods(question: str, question_date: str | None = None) -> list[Moment]:
    """Find the spans of time in the past that a question names.

    Args:
        question: Any text.
        question_date: The day of the question, in any form that `parse_date` reads. Without it, only dates with a year
            are understood.

    >>> [(str(span.start), str(span.end)) for span in periods("What did I buy four weeks ago?", "2023/04/01")]
    [('2023-03-01', '2023-03-07')]
    >>> [(str(span.start), str(span.end)) for span in periods("Who came in May 2023?")]
    [('2023-05-01', '2023-05-31')]
    """
    asked = parse_date(question_date)
    if asked is None:
        return moments(question, None)
    ending_then = [_last_many(match, asked) for match in _LAST_MANY.finditer(question)]
    return [span for span in [*ending_then, *moments(question, asked)] if span.start <= asked]


def without_relative(question: str, spans: list[Moment]) -> str:
    """Remove the words of relative spans, such as "yesterday", from a question. In the history they mean other days.

    >>> question = "What did I buy four weeks ago?"
    >>> without_relative(question, periods(question, "2023/04/01"))
    'What did I buy  ?'
    """
    for span in spans:
        if _RELATIVE.search(span.words):
            question = question.replace(span.words, " ")
    return question


def _last_many(match: re.Match[str], asked: date) -> Moment:
    width = UNIT_DAYS[match["unit"].casefold()]
    return Moment(asked - timedelta(days=count_of(match["count"]) * width), asked, match[0], width)
