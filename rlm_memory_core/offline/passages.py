"""Passages: a piece of history cut into sentences, and each scored against a question.

A sentence scores for the question's words in it, less for those in its turn,
its neighbours and its session, and for looking like the kind of answer that
is asked for. It composes no answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

from ..store.dates import Moment, moments
from .forms import FORMERLY
from .matching import hits_of
from .question import Query
from .turns import Turn, heads, sentences
from .words import WORD

FIRST_PERSON = re.compile(r"\b(?:I|my|me|I've|I'm|we|our)\b")
_HEADING = re.compile(r":\W*$|^#+ |^\*\*[^*]+\*\*$")
_LIST = 60  # sentences after a heading in which its list is looked for: a bound, so that many headings stay linear

Cut = tuple[str, list[str | None]]
"""A sentence, and for each of its words the word of the question that it matches."""

# What a word of the question counts for a sentence when it stands not in it but around it.
_CLOSE, _IN_TURN, _BESIDE, _TWO_BEFORE, _IN_SESSION = 0.8, 0.65, 0.5, 0.35, 0.2
_WORTH_A_LOOK = 0.15
_OF_PART = 0.7

Weigh = Callable[[Mapping[str, int], int], Mapping[str, float]]
"""From the number of pieces in which each word stands, and of all pieces, to the weight of each word."""


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """One sentence: the question's words in it (``hits``), how close those around it are (``near``), and its score.

    ``number`` is its turn's; ``listed`` ends its text where that names what the list below it holds; ``timely`` says
    that it speaks of the day that the question speaks of.
    """

    text: str
    role: str
    day: date | None
    session: int
    place: int
    hits: frozenset[str]
    near: Mapping[str, float]
    covered: float
    score: float
    number: int | None = None
    listed: str = ""
    timely: bool = False

    def level(self, term: str) -> float:
        """How close a word of the question stands: 1 in the sentence, 0 nowhere near."""
        return 1.0 if term in self.hits else self.near.get(term, 0.0)


def passages(turns: Sequence[Turn], query: Query, weigh: Weigh | None = None) -> list[Passage]:
    """Score every sentence that the question's words touch, the best first.

    Args:
        turns: The turns in their order.
        query: The question, taken apart.
        weigh: Gives the weight of each word from the number of turns it stands in; without it, general English decides.

    >>> from rlm_memory_core.offline.question import analyse
    >>> passages([Turn("user", "My cat is Mochi. It rains.")], analyse("What is my cat called?"))[0].text
    'My cat is Mochi.'
    """
    lookup = hits_of(query.terms)
    cut = [
        [(sentence, [lookup[word] for word in WORD.findall(sentence)]) for sentence in sentences(turn.text)]
        for turn in turns
    ]
    speakers = [frozenset(hit for word in WORD.findall(turn.speaker) if (hit := lookup[word])) for turn in turns]
    in_turn = [
        speaker.union(hit for _, matched in pieces for hit in matched if hit)
        for speaker, pieces in zip(speakers, cut, strict=True)
    ]
    in_session: dict[int, set[str]] = {}
    for turn, hits in zip(turns, in_turn, strict=True):
        in_session.setdefault(turn.session, set()).update(hits)
    weights = weigh(Counter(hit for hits in in_turn for hit in hits), len(turns)) if weigh else query.terms
    found: list[Passage] = []
    for place, turn in enumerate(turns):
        around = dict.fromkeys(sorted(in_session[turn.session]), _IN_SESSION)
        for other, level in ((place - 2, _TWO_BEFORE), (place - 1, _BESIDE), (place + 1, _BESIDE)):
            if 0 <= other < len(turns) and turns[other].session == turn.session:
                around |= dict.fromkeys(sorted(in_turn[other]), level)
        around |= dict.fromkeys(sorted(in_turn[place]), _IN_TURN) | dict.fromkeys(sorted(speakers[place]), 1.0)
        if query.target or in_turn[place] or any(level > _IN_SESSION for level in around.values()):
            replies = place and turns[place - 1].session == turn.session
            whole = query.of_assistant and turn.role == "assistant"
            asked = _asked(cut[place - 1], whole) if replies else frozenset()
            found += _in_turn(turn, place, cut[place], around, asked, query, weights)
    return sorted(found, key=lambda passage: -passage.score)


def _asked(pieces: Sequence[Cut], whole: bool) -> frozenset[str]:
    """The question's words in what the turn before asks, or in the whole of that turn."""
    return frozenset(hit for sentence, matched in pieces if whole or sentence.endswith("?") for hit in matched if hit)


def _in_turn(
    turn: Turn,
    place: int,
    pieces: Sequence[Cut],
    around: Mapping[str, float],
    asked: frozenset[str],
    query: Query,
    weights: Mapping[str, float],
) -> list[Passage]:
    """Score the sentences of one turn; the sentences beside one, and the heading above it, count almost as its own."""
    found = []
    dated = query.target is not None and turn.role != "assistant"  # then what was done that day, in whatever words
    hits = [frozenset(hit for hit in matched if hit) for _, matched in pieces]
    heading: frozenset[str] = frozenset()
    for at, (sentence, matched) in enumerate(pieces):
        close = heading.union(*hits[max(at - 1, 0) : at + 2])
        if at < 2:
            close |= asked
        if close or (dated and FIRST_PERSON.search(sentence) and moments(sentence, turn.day)):
            near = dict(around)
            near |= {hit: _CLOSE for hit in sorted(close) if near[hit] < _CLOSE}
            listed = heads([text for text, _ in pieces[at + 1 : at + 1 + _LIST]]) if sentence.endswith(":") else ""
            passage = judge(f"{sentence} {listed}".rstrip(), matched, turn, place, near, query, weights)
            if passage:
                found.append(replace(passage, listed=listed))
        if _HEADING.search(sentence):
            heading = hits[at]
    return found


def judge(
    sentence: str,
    matched: Sequence[str | None],
    turn: Turn,
    place: int,
    near: Mapping[str, float],
    query: Query,
    weights: Mapping[str, float],
) -> Passage | None:
    """Score one sentence, or pass it over where it has no words, or too little of the question in or around it."""
    if not matched:
        return None
    hits = frozenset(hit for hit in matched if hit)
    levels = {term: value * (1.0 if term in hits else near.get(term, 0.0)) for term, value in weights.items()}
    covered = sum(levels.values()) / (sum(weights.values()) or 1.0)
    for part in query.part_terms:  # a sentence on one of two events need not speak of the other
        share = sum(levels[term] for term in part) / (sum(weights[term] for term in part) or 1.0)
        covered = max(covered, _OF_PART * share + (1 - _OF_PART) * covered)
    on_time = _on_time(sentence, turn.day, query.target) if query.target and turn.day else 0.0
    if covered < _WORTH_A_LOOK and not (on_time > 0 and FIRST_PERSON.search(sentence)):
        return None
    score = covered + on_time + _bonus(sentence, matched, turn.role, query)
    return Passage(
        sentence, turn.role, turn.day, turn.session, place, hits, near, covered, score, turn.number, timely=on_time > 0
    )


def _bonus(sentence: str, matched: Sequence[str | None], role: str, query: Query) -> float:
    """What speaks for or against a sentence apart from the words it shares with the question."""
    bonus = 0.0
    order = [hit for hit in matched if hit]
    pairs = sum(pair in query.pairs for pair in pairwise(order))
    bonus += min(0.06 * pairs, 0.12)
    lower = sentence.lower()
    if any(title in lower for title in query.titles):
        bonus += 0.15
    expected = query.expected
    fits = bool(expected and expected.search(sentence))
    bonus += 0.15 * fits
    if query.oldest and FORMERLY.search(sentence):
        bonus += 0.15
    if query.of_assistant:
        bonus += 0.1 if role == "assistant" else -0.2
    elif query.of_self and role:
        bonus += 0.1 if role == "user" else -0.1
        if role == "user" and FIRST_PERSON.search(sentence):
            bonus += 0.05
    if sentence.endswith("?"):
        bonus -= 0.12
    return bonus - 0.15 * (len(matched) - len(order) < (2 if fits else 3))  # nothing new in it


def _on_time(sentence: str, day: date, target: Moment) -> float:
    """Whether a sentence speaks of the day that the question speaks of."""
    spoken = moments(sentence, day)
    slack = 1 + 0.4 * target.width
    away = min(abs((moment.day - target.day).days) for moment in spoken) if spoken else abs((day - target.day).days)
    return 0.25 if away <= slack else 0.0 if away <= 2 * slack else -0.1
