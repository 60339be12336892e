"""Questions: what a question asks for, read from its words alone.

It splits off the content words and their weights, and recognises the common
English forms (how many, when, which first, do I ...). It never looks at a
history and knows no particular question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise

from ..store.dates import Moment, moments, parse_date
from .events import in_order, items, leans, options, pair, told_apart
from .forms import (
    CAPITAL,
    CLAUSE_END,
    COUNTED,
    EXPECTED,
    KINDS,
    LOOKS_BACK,
    NEWEST,
    OF_ASSISTANT,
    OF_MONEY,
    OF_SELF,
    OLDEST,
    PAST,
    PRESENT,
    QUOTED,
    SINCE,
    SOUGHT,
    UNIT_ASKED,
)
from .words import ALIKE, WORD, stem, weight

_BEFORE = re.compile(r"\bbefore (?:I|we|he|she|they|my)\b.*")  # what came later is not said of the old state
ASKING = 1000  # characters at the end in which the form of a question is looked for: it bounds the patterns' time
_KIN = frozenset(
    map(stem, "mother father brother sister cousin aunt uncle husband niece nephew grandmother grandfather".split())
)
_TIMED = ("ago", "between", "first", "order", "told apart", "when")


@dataclass(frozen=True, slots=True)
class Query:
    """A question, taken apart."""

    text: str
    kind: str
    terms: dict[str, float]
    forms: dict[str, list[str]]
    pairs: frozenset[tuple[str, str]]
    titles: tuple[str, ...]
    names: tuple[str, ...]
    asked_on: date | None
    target: Moment | None
    unit: str | None
    counted: frozenset[str]
    sought: frozenset[str]
    newest: bool
    oldest: bool
    of_assistant: bool
    of_self: bool
    present: bool
    parts: tuple[str, ...]
    part_terms: tuple[frozenset[str], ...]

    @property
    def expected(self) -> re.Pattern[str] | None:
        """What the wanted answer looks like, or None where any words may be it."""
        kind = self.kind
        if kind in _TIMED:
            kind = "when"
        elif kind == "sum":
            kind = "duration" if self.unit else "money" if OF_MONEY.search(self.text) else "number"
        return EXPECTED.get(kind)

    @property
    def asks_how_things_stand(self) -> bool:
        """Whether what was said later may have changed the answer: not that of a question on a day, on what was
        earlier, or on the assistant's words."""
        return not (self.oldest or self.of_assistant or self.target or self.kind in _TIMED)


@lru_cache(maxsize=1024)
def analyse(question: str, asked_on: str | None = None) -> Query:
    """Take a question apart.

    Args:
        question: The question as asked.
        asked_on: The day on which it is asked, in any usual form, or None.

    >>> analyse("How many cats do I have?").kind
    'count'
    """
    question = question.strip()
    asking = question[-ASKING:]
    kind = next((kind for kind, pattern in KINDS if pattern.search(asking)), "plain")
    if kind == "between" and pair(asking) is None and SINCE.search(asking):
        kind = "ago"  # its other end is the day of asking
    day = parse_date(asked_on)
    spoken = moments(question, day) if kind not in _TIMED else []
    subject = UNIT_ASKED.sub(" ", question) if kind in ("ago", "between") else question
    for moment in spoken[:1]:
        subject = subject.replace(moment.words, " ")
    if kind not in _TIMED:
        subject = _BEFORE.sub(" ", subject)
    terms = _terms(subject)
    order = [stem(word) for word in WORD.findall(question) if weight(word) >= 0.5]
    unit = UNIT_ASKED.search(question)
    counted = COUNTED.search(question)
    parts = _parts(asking, kind)
    newest, oldest = bool(NEWEST.search(question)), bool(OLDEST.search(question))
    oldest = oldest or (kind not in _TIMED and bool(LOOKS_BACK.search(question)))
    clause = CLAUSE_END.split(question)[-1]
    return Query(
        text=question,
        kind=kind,
        terms=terms,
        forms=_forms(question, terms),
        pairs=frozenset(pair for pair in pairwise(order) if pair[0] != pair[1]),
        titles=tuple((first or second).lower() for first, second in QUOTED.findall(question)),
        names=_names(subject, terms),
        asked_on=day,
        target=spoken[0] if spoken else None,
        unit=unit[1].lower() if unit else None,
        counted=_head(counted[1]) if counted else frozenset(),
        sought=frozenset(stem(match[1]) for match in SOUGHT.finditer(subject)),
        newest=newest,
        oldest=oldest,
        of_assistant=bool(OF_ASSISTANT.search(question)),
        of_self=bool(OF_SELF.search(question)),
        present=bool(PRESENT.search(clause)) and not PAST.search(clause) and not oldest,
        parts=parts,
        part_terms=_part_terms(parts, terms, kind),
    )


def _parts(question: str, kind: str) -> tuple[str, ...]:
    """The events, options or items that a question names one by one; each is looked for by its own words."""
    match kind:
        case "between":
            return pair(question) or ()
        case "told apart":
            apart = told_apart(question)
            return apart[:2] if apart else ()
        case "first":
            return options(question)
        case "order":
            return in_order(question)
        case "sum" | "count" | "money":
            return items(question)
        case _:
            return ()


def _part_terms(parts: tuple[str, ...], terms: dict[str, float], kind: str) -> tuple[frozenset[str], ...]:
    """The question's words in each part; an event of "it" takes over those of the event beside it."""
    own = [frozenset(stem(word) for word in WORD.findall(part)) & terms.keys() for part in parts]
    if len(own) != len([found for found in own if found]):
        return ()
    if len(own) == 2 and kind in _TIMED:
        own = [mine | other if leans(part) else mine for part, mine, other in zip(parts, own, own[::-1], strict=True)]
    return tuple(own)


def _terms(question: str) -> dict[str, float]:
    """Weigh the content words; those of the clause that asks count in full, an introduction's a little less."""
    clauses = [clause for clause in CLAUSE_END.split(question) if clause.strip()]
    terms: dict[str, float] = {}
    for clause in clauses:
        asks = len(clauses) == 1 or clause.rstrip().endswith("?")
        for match in WORD.finditer(clause):
            value = weight(match[0]) * (1.0 if asks else 0.7)
            if value and match.start() and match[0][0].isupper():
                value = max(value, 0.5) * 1.3
            if value and match[0].isdigit():
                value = 0.8
            base = stem(match[0])
            if value:
                terms[base] = max(terms.get(base, 0.0), value)
    return terms


def _names(question: str, terms: dict[str, float]) -> tuple[str, ...]:
    """The terms that are capitalised although no sentence or title starts there, not months and weekdays; and
    the relatives it speaks of."""
    named = (
        stem(word)
        for match in CAPITAL.finditer(question)
        for word in WORD.findall(match[0])
        if word[0].isupper() and not EXPECTED["when"].search(word)
    )
    kin = (base for base in map(stem, WORD.findall(question)) if base in _KIN)
    return tuple(dict.fromkeys(base for base in (*named, *kin) if base in terms))


def _forms(question: str, terms: dict[str, float]) -> dict[str, list[str]]:
    """For each term the lower-case strings by which a plain text search finds it."""
    forms: dict[str, list[str]] = {term: [] for term in terms}
    for word in WORD.findall(question):
        base = stem(word)
        if base in forms:
            forms[base] += [form for form in (word.lower(), base, *ALIKE.get(base, ())) if form not in forms[base]]
    return forms


def _head(phrase: str) -> frozenset[str]:
    """The noun that is counted: the content words up to the first verb-like stop word."""
    head: list[str] = []
    for word in WORD.findall(phrase):
        if not weight(word) and word.lower() not in ("of", "the", "and", "or"):
            break
        if weight(word):
            head.append(stem(word))
    return frozenset(head[:3])
