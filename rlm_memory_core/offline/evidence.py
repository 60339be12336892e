"""Evidence: the passages for one part of a question, and the day of the event that a passage tells of.

An event is looked for by the words that tell it from the other part, and a
sentence that tells of it as done goes before one that only plans it. No value
is worked out here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import MappingProxyType

from ..store.dates import NUMBER_WORDS, Moment, moments
from .passages import FIRST_PERSON, Passage
from .words import WORD, stem

ENOUGH = 0.5
"""The share of a part's words that a passage on it has at least."""

_TOLD_AS = {
    stem(term): frozenset(map(stem, told.split()))
    for term, told in {
        "own": "get",
        "receive": "come get",
        "use": "begin get buy",
        "work": "begin join",
        "play": "begin",
        "visit": "go see be",
        "attend": "go",
        "meet": "see",
        "buy": "get order",
        "join": "sign",
        "begin": "take sign join",
        "return": "come fly drive",
    }.items()
}
"""How the beginning of a state, or an event, is told in other words."""

PHASES = frozenset(map(stem, "begin finish receive buy order sell return book join leave cancel fix".split()))
"""The words for what befell a thing: they tell two events with one thing apart."""
_PHASE = 1.6  # what one of them counts
_SHARED = 0.4  # what a word counts that both parts have
_DONE = re.compile(
    r"\b(?:just|finally|today|yesterday|ago|this (?:morning|afternoon|evening)|last|recently|earlier"
    r"|(?:bought|got|went|took|came|began|met|saw|made|gave|sold|\w{3,}ed))\b",
    re.I,
)
_PLANNED = re.compile(
    r"\b(?:will|would|going to|gonna|plan(?:s|ning)? (?:to|on)|want(?:ed|ing)? to|hop(?:e|ing) to|might|may|maybe|could"
    r"|should|thinking (?:of|about)|consider(?:ing)?|looking (?:for|to|forward)|next|soon|need to|upcoming)\b|['’]ll\b",
    re.I,
)
_LASTING = re.compile(
    r"\bfor (?:about |around |almost |nearly |over |the (?:past|last) |a good )?"
    rf"(\d{{1,3}}|an?|{'|'.join(NUMBER_WORDS)}) (day|week|month|year)s?\b(?! (?:from|ago))",
    re.I,
)
_MEANT = 0.85  # what a word counts that is told in other words
_NAMED = 0.2  # what it counts that a sentence names the event itself, not only those around it
_WEEK = 7
_HELD = re.compile(r"['’]ve\b|\b(?:have|has|been)\b", re.I)
_DAYS = {"day": 1.0, "week": 7.0, "month": 30.44, "year": 365.25}


@dataclass(frozen=True, slots=True)
class Evidence:
    """The passages found for a question, the best first, and the weights of its words."""

    best: Sequence[Passage]
    weights: Mapping[str, float]

    def of_item(self, words: Collection[str]) -> list[Passage]:
        """The passages on a thing that these words of the question name, the best first."""
        return self._rated({term: self.weights[term] for term in words if term in self.weights})

    def of_event(self, words: Collection[str], other: Collection[str] = ()) -> list[Passage]:
        """The passages that tell of an event, the best first.

        Args:
            words: The question's words that name the event.
            other: Those that name another event, from which this one is to be told.
        """
        rated = self._rated(
            {
                term: self.weights[term] * (_SHARED if term in other else 1.0) * (_PHASE if term in PHASES else 1.0)
                for term in words
                if term in self.weights
            },
            _TOLD_AS,
            _NAMED,
        )
        rated = [replace(passage, score=passage.score + told(passage)) for passage in rated]
        return sorted(rated, key=lambda passage: -passage.score)

    def _rated(
        self,
        kept: Mapping[str, float],
        told_as: Mapping[str, frozenset[str]] = MappingProxyType({}),
        named: float = 0.0,
    ) -> list[Passage]:
        whole = sum(kept.values()) or 1.0
        other = {term: told_as[term] for term in kept if term in told_as}
        rated = []
        for passage in self.best:
            said = {stem(word) for word in WORD.findall(passage.text)} if other else frozenset()
            covered = own = 0.0
            for term, value in kept.items():
                meant = _MEANT if other.get(term, frozenset()) & said else 0.0
                covered += value * max(passage.level(term), meant)
                own += value * (term in passage.hits)
            covered /= whole
            if covered >= ENOUGH:
                score = covered + named * own / whole + 0.3 * passage.score
                rated.append(replace(passage, covered=covered, score=score))
        return sorted(rated, key=lambda passage: -passage.score)


def told(passage: Passage) -> float:
    """How far a sentence tells of something done, and on what day, rather than asks about it or plans it."""
    text = passage.text
    value = 0.1 if _DONE.search(text) else 0.0
    if moments(text, passage.day):
        value += 0.1
    if _PLANNED.search(text):
        value -= 0.15
    if text.endswith("?"):
        value -= 0.1
    if passage.role == "assistant" or not FIRST_PERSON.search(text):
        value -= 0.15
    return value


def event_day(passage: Passage, words: Collection[str] = ()) -> Moment | None:
    """The day a passage speaks of: the date in its words that stands closest to those of the event, else its own day.

    Args:
        passage: A sentence of a session that may have a date.
        words: The question's words that name the event; without them the first date counts.
    """
    spoken = moments(passage.text, passage.day)
    since = _since(passage.text, passage.day)
    if since and not spoken:
        return since
    if not spoken:
        return Moment(passage.day, "") if passage.day else None
    spoken = [moment for moment in spoken if moment.width <= _WEEK] or spoken  # "on May 3rd this year"
    if len(spoken) == 1 or not words:
        return spoken[0]
    places = [match.start() for match in WORD.finditer(passage.text) if stem(match[0]) in words]
    if not places:
        return spoken[0]
    starts = [passage.text.find(moment.words) for moment in spoken]
    return min(
        zip(starts, spoken, strict=True), key=lambda pair: sum(abs(pair[0] - place) for place in places) / len(places)
    )[1]


def _since(text: str, day: date | None) -> Moment | None:
    """The day since when something has lasted: "I've rowed for two months" was begun two months before."""
    match = _LASTING.search(text) if day and _HELD.search(text) else None
    if match is None or day is None:
        return None
    count = match[1].lower()
    number = int(count) if count.isdigit() else NUMBER_WORDS.get(count, 1)
    width = _DAYS[match[2].lower()]
    return Moment(day - timedelta(days=round(number * width)), match[0], int(width))
