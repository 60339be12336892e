"""Facts: the day and the value beside each sentence that the offline sub-agent quotes, where they are asked for.

It reads them off the quoted words, and adds nothing that does not stand in them.
"""

from __future__ import annotations

import re

from ..store.dates import moments, parse_date
from .question import analyse

_LINE = re.compile(r'^(- (?:\[Turn \d+\] )?"(.*)": )(.*)$')


def with_fields(reply: str, day: str | None, question: str, asked_on: str | None = None) -> str:
    """The lines of an extract, each with a day and a value before what is said of its quote; other text stays.

    Args:
        reply: What `reader.extract` gave.
        day: The date of the session.
        question: The question, which says what value is wanted.
        asked_on: The day on which it is asked.

    >>> with_fields('- [Turn 1] "I ran 5 km yesterday.": user', "2023/05/20", "How many kilometers did I run?")
    '- [Turn 1] "I ran 5 km yesterday.": 2023/05/19 | 5 | user'
    """
    expected = analyse(question, asked_on).expected
    said = parse_date(day)
    lines = []
    for line in reply.splitlines():
        match = _LINE.match(line)
        if match:
            spoken = moments(match[2], said)
            date = spoken[0].day if spoken else said
            value = expected.search(match[2]) if expected else None
            shown = _whole_words(match[2], *value.span()) if value else ""
            line = f"{match[1]}{f'{date:%Y/%m/%d}' if date else '-'} | {shown or '-'} | {match[3]}"
        lines.append(line)
    return "\n".join(lines)


def _whole_words(text: str, start: int, stop: int) -> str:
    """The words of which this is a part, without the sign that parts the fields."""
    start = text.rfind(" ", 0, start + 1) + 1
    end = text.find(" ", max(stop - 1, start))
    return text[start : len(text) if end < 0 else end].replace("|", " ").strip(" .,;:!?")
