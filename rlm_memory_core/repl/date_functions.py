"""`parse_date` and `days_between` as the REPL's code finds them: texts in, texts and whole numbers out.

What a date looks like is `dates`' to say; what code may hold besides is brought into that form: months in any case,
`2023 May 5`, and `5/6/2023`, which is the 6th of May. No clock, no time of day: a day is what counts.
"""

from __future__ import annotations

import re
from datetime import date, datetime

from ..store import dates

_YEAR = r"(?P<year>(?:19|20)\d\d)"
_MONTH = re.compile(
    r"\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b",
    re.I,
)
_YEAR_FIRST = re.compile(rf"\b{_YEAR},?\s+(?P<month>{_MONTH.pattern})\.?\s+(?P<day>\d\d?)(?!\w|,?\s+\d{{4}})", re.I)
_SLASHED = re.compile(rf"(?<![\d/])(?P<month>1[0-2]|0?[1-9])/(?P<day>3[01]|[12]\d|0?[1-9])/{_YEAR}(?![\d/])")
_MOST_CHARACTERS = 10_000  # of a text that is searched for a date


def parse_date(text: str | date | None) -> str | None:
    """The first full date in a text as `YYYY-MM-DD`; None where there is none.

    Args:
        text: Such as "2023/05/20 (Sat) 02:21", "8 May, 2023" or "5/8/2023", where the month comes first; a date stays
            what it is, and one that is no day, such as "2023-02-30", is passed over.

    Raises:
        TypeError: It is no text.
        ValueError: It is longer than a question may be.

    >>> parse_date("2023/05/20 (Sat) 02:21"), parse_date("last Tuesday")
    ('2023-05-20', None)
    """
    found = _day("parse_date", text)
    return None if found is None else found.isoformat()


def days_between(start: str | date, end: str | date) -> int:
    """Whole days from one date to another; below 0 where the second is the earlier one.

    Args:
        start: A date, or a text with one in it.
        end: Likewise.

    Raises:
        TypeError: One of them is neither.
        ValueError: One of them is a text without a full date.

    >>> days_between("2023/05/20 (Sat) 02:21", "2023-06-01")
    12
    """
    days = []
    for value in (start, end):
        day = None if value is None else _day("days_between", value)
        if day is None:
            raise ValueError(
                f"days_between takes two dates with a year, such as '2023-05-20'; there is none in {_shown(value)}"
            )
        days.append(day)
    return (days[1] - days[0]).days


def _day(function: str, value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{function} takes a text or a date, not {type(value).__name__}")
    if value and len(value) > _MOST_CHARACTERS:
        raise ValueError(f"{function} takes at most {_MOST_CHARACTERS:,} characters, not {len(value):,}")
    return None if value is None else dates.parse_date(_in_plain_form(value))


def _in_plain_form(text: str) -> str:
    text = _SLASHED.sub(r"\g<year>-\g<month>-\g<day>", text)
    text = _MONTH.sub(lambda month: month[0].capitalize(), text)
    return _YEAR_FIRST.sub(r"\g<month> \g<day>, \g<year>", text)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 50 else f"{text[:47]}..."
