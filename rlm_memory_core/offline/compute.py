"""Values: the dates and lengths of time that a question asks to be worked out, and the choice of who does it.

Each value is a few words that stand ahead of the sentence they rest on, or
nothing when the passages do not settle it. No passage is searched for here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from ..dates import Moment, moments, months_between
from .passages import Passage
from .question import Query
from .sums import Search, Value, count, spoken_number, total

_PARTS = [
    re.compile(r"\bbetween (?:the day |the time |when )?(.+?) and (?:the day |the time |when )?(.+)", re.I),
    re.compile(r"\bfrom (?:the day |the time |when )(.+?) (?:to|until) (?:the day |the time |when )?(.+)", re.I),
    re.compile(r"(.+?)\b(?:since|before|after|until|when|by the time)\b(.+)", re.I),
]
_LEAD = re.compile(
    r"^.*?\bhow (?:many|much|long) (?:\w+ )?"
    r"(?:had |have |has |did |does |it |took |take |takes |passed |for me |was |were |in total )*",
    re.I,
)
_LATER = re.compile(r"\b(?:last|later|latest|more recently|most recently)\b", re.I)
_NEGATED = re.compile(r"\b(?:not|never|no longer|neither|nor)\b|n['’]t\b", re.I)
_DAYS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "year": 365.25}


def value(query: Query, best: Sequence[Passage], search: Search) -> Value | None:
    """Work out the value that a question asks for, with the passages it rests on.

    Args:
        query: The question, taken apart.
        best: Its passages, the best first; at least one.
        search: Finds the passages of a part of the question.
    """
    match query.kind:
        case "when":
            return _when(best[0])
        case "ago":
            return _ago(query, best[0])
        case "between":
            return _between(query, search)
        case "first":
            return _first(query, search)
        case "sum":
            return total(query, best, search)
        case "count":
            return count(query, best, search)
        case "yesno":
            return ("No" if _NEGATED.search(best[0].text) else "Yes"), [best[0]]
        case _:
            return None


def event_day(passage: Passage) -> Moment | None:
    """The day a passage speaks of: a date in its words, else the day it was said.

    Args:
        passage: A sentence of a session that may have a date.
    """
    spoken = moments(passage.text, passage.day)
    if spoken:
        return spoken[0]
    return Moment(passage.day, "") if passage.day else None


def _when(passage: Passage) -> Value | None:
    moment = event_day(passage)
    return (_written(moment), [passage]) if moment else None


def _written(moment: Moment) -> str:
    day = moment.day
    if moment.width >= 365:
        return str(day.year)
    if moment.width >= 30:
        return f"{day:%B} {day.year}"
    if moment.width >= 7:
        return f"the week of {day.day} {day:%B} {day.year}"
    ending = "th" if 10 < day.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    return f"{day.day} {day:%B} {day.year} ({day:%B} {day.day}{ending})"


def _ago(query: Query, passage: Passage) -> Value | None:
    moment = event_day(passage)
    if moment is None or query.asked_on is None:
        return None
    return f"{_length(moment.day, query.asked_on, query.unit)} ago", [passage]


def _between(query: Query, search: Search) -> Value | None:
    """Take the question's two events apart and measure from one to the other."""
    for pattern in _PARTS:
        match = pattern.search(query.text.rstrip("? "))
        if match:
            found = [search(_LEAD.sub("", part).strip()) for part in match.groups()]
            days = [event_day(passages[0]) if passages else None for passages in found]
            if days[0] is None or days[1] is None or days[0].day == days[1].day:
                return None
            return _length(days[0].day, days[1].day, query.unit), [found[0][0], found[1][0]]
    return None


def _first(query: Query, search: Search) -> Value | None:
    """Date the question's two options and name the earlier, or the later if that is asked."""
    dated = []
    for option in query.options or ():
        found = search(option)
        moment = event_day(found[0]) if found else None
        if moment is None:
            return None
        dated.append((moment.day, option, found[0]))
    if not dated:
        return None
    choose = max if _LATER.search(query.text) else min
    _, option, passage = choose(dated, key=lambda entry: entry[0])
    return option[0].upper() + option[1:], [passage]


def _length(start: date, end: date, unit: str | None) -> str:
    days = abs((end - start).days)
    unit = unit or ("day" if days < 14 else "week" if days < 60 else "month" if days < 730 else "year")
    number = months_between(start, end) if unit == "month" else round(days / _DAYS.get(unit, 1.0))
    return f"{spoken_number(number)} {unit}{'' if number == 1 else 's'}"
