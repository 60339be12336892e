"""Values: the dates and lengths of time that a question asks to be worked out, and the choice of who does it.

Each value is a few words that stand ahead of the sentence they rest on, or
nothing when the passages do not settle it. No passage is searched for here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from ..store.dates import Moment, months_between
from .events import told_apart
from .evidence import Evidence, event_day
from .forms import OLDEST
from .passages import Passage
from .question import ASKING, Query
from .sums import Value, count, spoken_number, sum_of_items, total

_LATER = re.compile(r"\b(?:last|later|latest|more recent(?:ly)?|most recent(?:ly)?)\b", re.I)
_LATEST_FIRST = re.compile(
    r"\b(?:latest|newest|last|most recent)(?: one)? (?:to|first)\b"
    r"|\b(?:with|from) the (?:latest|newest|last|most recent)\b|\breverse",
    re.I,
)
_NEGATED = re.compile(r"\b(?:not|never|no longer|neither|nor)\b|n['’]t\b", re.I)
_OF_MONTH = re.compile(r"\b(?:what|which) month\b", re.I)
_OF_YEAR = re.compile(r"\b(?:what|which) year\b", re.I)
_FEW = 5  # passages on an event among which the two ends of a span are chosen
_AS_GOOD = 0.75
_IN_ORDER = 0.3  # what it counts that they come in the order in which the question has them
_DAYS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "year": 365.25}


Dated = tuple[Moment, Passage]
"""A passage and the day of the event that it tells of."""


def value(query: Query, found: Evidence) -> Value | None:
    """Work out the value that a question asks for, with the passages it rests on.

    Args:
        query: The question, taken apart.
        found: Its passages; at least one.
    """
    match query.kind:
        case "when":
            return _when(query, found)
        case "ago":
            return _ago(query, found)
        case "between":
            return _between(query, found)
        case "first":
            return _first(query, found)
        case "order":
            return _ordered(query, found)
        case "told apart":
            return _told_apart(query, found) or _yes_or_no(found)
        case "sum":
            return total(query, found)
        case "money":
            return sum_of_items(query, found)
        case "count":
            return count(query, found)
        case "yesno":
            return _yes_or_no(found)
        case _:
            return None


def _yes_or_no(found: Evidence) -> Value:
    return ("No" if _NEGATED.search(found.best[0].text) else "Yes"), [found.best[0]]


def _event(query: Query, found: Evidence) -> Passage | None:
    """The passage on the one event of a question; the newest of equals, or the oldest if that is asked for."""
    told = found.of_event(query.terms.keys())
    return told[0] if told else None


def _when(query: Query, found: Evidence) -> Value | None:
    passage = _event(query, found)
    moment = event_day(passage, query.terms.keys()) if passage else None
    if passage is None or moment is None:
        return None
    if _OF_YEAR.search(query.text):
        return str(moment.day.year), [passage]
    if _OF_MONTH.search(query.text):
        return f"{moment.day:%B} {moment.day.year}", [passage]
    return _written(moment), [passage]


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


def _ago(query: Query, found: Evidence) -> Value | None:
    passage = _event(query, found)
    moment = event_day(passage, query.terms.keys()) if passage else None
    if passage is None or moment is None or query.asked_on is None:
        return None
    return _length(moment.day, query.asked_on, query.unit, " ago" if "ago" in query.text else ""), [passage]


def _events(query: Query, found: Evidence) -> list[list[Dated]] | None:
    """For each event of the question the passages that tell of it, the best first, and their days; None if one has
    none."""
    dated: list[list[Dated]] = []
    named = frozenset[str]().union(*query.part_terms)
    frame = frozenset(query.terms) - named if query.kind in ("first", "order") else frozenset[str]()
    for words in query.part_terms:
        others = [other for other in query.part_terms if other is not words]
        told = found.of_event(words | frame, frame.union(*others)) or found.of_event(words)
        near = [passage for passage in told[:_FEW] if passage.score >= _AS_GOOD * told[0].score]
        dated.append([(moment, passage) for passage in near if (moment := event_day(passage, words))])
        if not dated[-1]:
            return None
    return dated or None


def _in_order(dated: Sequence[Sequence[Dated]]) -> tuple[Dated, Dated] | None:
    """Of two events the two best passages on different days, rather such that the first event is the earlier."""
    return max(
        ((one, other) for one in dated[0] for other in dated[1] if one[0].day != other[0].day),
        key=lambda pair: sum(passage.score for _, passage in pair) + _IN_ORDER * (pair[0][0].day < pair[1][0].day),
        default=None,
    )


def _between(query: Query, found: Evidence) -> Value | None:
    """Measure from one of the question's two events to the other."""
    dated = _events(query, found)
    ends = _in_order(dated) if dated else None
    if ends is None:
        return None
    (start, first), (end, second) = ends
    return _length(start.day, end.day, query.unit), [first, second]


def _first(query: Query, found: Evidence) -> Value | None:
    """Date the question's options and name the earliest, or the latest if that is asked."""
    dated = _events(query, found)
    if dated is None:
        return None
    best = [told[0] for told in dated]
    choose = max if _LATER.search(query.text) and not OLDEST.search(query.text) else min
    at = choose(range(len(best)), key=lambda at: best[at][0].day)
    option = query.parts[at]
    return option[0].upper() + option[1:], [best[at][1]]


def _ordered(query: Query, found: Evidence) -> Value | None:
    """Date the happenings that a question lists and give them in their order, the latest first if that is asked."""
    dated = _events(query, found)
    if dated is None:
        return None
    best = [told[0] for told in dated]
    order = sorted(range(len(best)), key=lambda at: best[at][0].day, reverse=bool(_LATEST_FIRST.search(query.text)))
    head = ", ".join(query.parts[at] for at in order)
    return head[0].upper() + head[1:], [best[at][1] for at in order]


def _told_apart(query: Query, found: Evidence) -> Value | None:
    """Say whether the first of two events came before the second, or answer whether it did as the question says."""
    dated = _events(query, found)
    apart = told_apart(query.text[-ASKING:])
    if dated is None or apart is None or dated[0][0][0].day == dated[1][0][0].day:
        return None
    (one, first), (other, second) = dated[0][0], dated[1][0]
    before, support = one.day < other.day, [first, second]
    if apart[2] is None:
        return ("Before" if before else "After"), support
    return ("Yes" if before == (apart[2] in ("before", "earlier")) else "No"), support


def by_day(passages: Sequence[Passage]) -> list[Passage]:
    """Passages in the order of the days that they speak of."""
    dated = [(moment.day if (moment := event_day(passage)) else date.max, passage) for passage in passages]
    return [passage for _, passage in sorted(dated, key=lambda pair: pair[0])]


def _length(start: date, end: date, unit: str | None, after: str = "") -> str:
    days = abs((end - start).days)
    unit = unit or ("day" if days < 14 else "week" if days < 60 else "month" if days < 730 else "year")
    number = months_between(start, end) if unit == "month" else round(days / _DAYS.get(unit, 1.0))
    return spoken_number(number, f" {unit}{'' if number == 1 else 's'}{after}")
