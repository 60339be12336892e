"""`parse_date` and `days_between`, which the model's code calls. They take strings and return a string or an integer.

`store.dates` parses the dates. `5/6/2023` is the 6th of May. Times of day are ignored.
"""

from datetime import date

from ..store import dates
from .values import check_text


def parse_date(text: str | date | None) -> str | None:
    """Return the first full date in a text as `YYYY-MM-DD`, or None if there is none.

    Args:
        text: A text such as "2023/05/20 (Sat) 02:21", "8 May, 2023" or "5/8/2023" (month first), or a date. Days that
            do not exist, such as "2023-02-30", are skipped.

    Raises:
        TypeError: `text` is neither a string nor a date.
        ValueError: `text` has more than 10,000 characters.

    >>> parse_date("2023/05/20 (Sat) 02:21"), parse_date("last Tuesday")
    ('2023-05-20', None)
    """
    found = _day("parse_date", text)
    return None if found is None else found.isoformat()


def days_between(start: str | date, end: str | date) -> int:
    """Return the number of days from one date to another; negative if the second date is earlier.

    Args:
        start: A date, or a text that contains one.
        end: The same.

    Raises:
        TypeError: An argument is neither a string nor a date.
        ValueError: A text has no full date.

    >>> days_between("2023/05/20 (Sat) 02:21", "2023-06-01")
    12
    """
    first, last = (_day("days_between", value) for value in (start, end))
    if first is None or last is None:
        unread = end if first else start
        raise ValueError(
            f"days_between takes two dates with a year, such as '2023-05-20'; there is none in {unread!r:.50}"
        )
    return (last - first).days


def _day(function: str, value: object) -> date | None:
    if isinstance(value, date):
        return date(value.year, value.month, value.day)  # drops the time of a datetime
    return None if value is None else dates.parse_date(check_text(function, "a text or a date", value))
