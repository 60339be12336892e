"""The reader: finds the sentences of a history that answer a question, without any model.

``extract`` reads one session for a sub-agent, ``compose`` answers from many
such extracts, ``answer`` reads a whole history by itself. It quotes and
computes; it does not rephrase, infer or know anything about the world.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from ..query.prompts import NOT_FOUND, NOT_READ, UNKNOWN
from ..store.dates import parse_date
from .compute import by_day, value
from .evidence import PHASES, Evidence
from .matching import hits_of
from .passages import FIRST_PERSON, Passage, judge, passages
from .question import Query, analyse
from .quoting import LOOKED_AT, fits, quote, shorten
from .turns import Turn, parse_turns
from .words import WORD, stem, weight

_SUBAGENT_COVERAGE = 0.3
SURE = 0.5
"""The share of a question, in its words' weights, from which on a passage is sure to speak of it."""
_TELLING = 0.5  # the weight from which on a word tells something
_EVERYDAY = 0.5  # the most that an everyday word weighs
_FLOOR = 0.25  # of its weight, what a word in every session keeps
_WORDS = 40
_SUPPORT = 18  # words of a sentence that a computed value rests on
_AS_GOOD = 0.9
_FEW = 5
_LINE = re.compile(r'^- (?:\[Turn \d+\] )?"(.*)": (\w*)(?:;;? near: ([^;"]*))?(?:;;? listed: (.*))?$')

Answer = tuple[str, list[Passage]]
"""An answer, and the passages that it rests on: those of its value, or else the first that it quotes; [] for none."""


@dataclass(frozen=True, slots=True)
class Extract:
    """What one sub-agent reported: its text, the day of its session, and the session's place and rank."""

    text: str
    day: date | None = None
    place: int = 0
    rank: int | None = None


def extract(text: str, day: str | None, question: str, asked_on: str | None = None, limit: int = 3) -> str:
    """Quote what one session says on a question, or report that it says nothing.

    Args:
        text: The session.
        day: Its date.
        question: The question.
        asked_on: The day on which it is asked.
        limit: Most sentences to quote.

    >>> extract("[Turn 1][user]: My cat is called Mochi.", None, "What is my cat called?")
    '- [Turn 1] "My cat is called Mochi.": user'
    """
    query = analyse(question, asked_on)
    found = passages(parse_turns(text, parse_date(day)), query)
    told = [passage for passage in found if not _only_asks(passage, query)]
    kept = [passage for passage in told[:limit] if passage.covered >= _SUBAGENT_COVERAGE or _on_the_day(passage)]
    return "\n".join(_line(passage, query) for passage in kept) or NOT_FOUND


def compose(
    question: str,
    asked_on: str | None,
    findings: Sequence[Extract],
    spread: Mapping[str, int] | None = None,
    sessions: int = 1,
    newest_last: bool = False,
) -> Answer:
    """Answer from the findings of many sub-agents, with the passages that the answer rests on.

    Args:
        question: The question.
        asked_on: The day on which it is asked.
        findings: What the sub-agents reported.
        spread: In how many sessions each of the question's words stands; without it, general English weighs them.
        sessions: The number of all sessions.
        newest_last: Whether a question on how things stand is taken to ask for what holds now.

    >>> compose("What is my cat called?", None, [Extract('- [Turn 1] "My cat is called Mochi.": user')])[0]
    'My cat is called Mochi.'
    """
    query = analyse(question, asked_on)
    if newest_last and query.asks_how_things_stand:
        query = replace(query, newest=True)
    if spread is not None and _unheard(query, spread):
        return UNKNOWN, []
    weights = query.terms if spread is None else weigh(query, spread, sessions)
    ranks = {finding.place: finding.rank for finding in findings if finding.rank is not None}
    found = [passage for finding in findings for passage in _read_back(finding, query, weights)]
    return _answer(query, found, weights, ranks)


def answer(turns: Sequence[Turn], question: str, asked_on: str | None = None) -> str:
    """Answer from a whole history at once, or say that it does not say.

    Args:
        turns: The history.
        question: The question.
        asked_on: The day on which it is asked.

    >>> answer([Turn("user", "My cat is called Mochi.")], "What is my cat called?")
    'My cat is called Mochi.'
    """
    query = analyse(question, asked_on)
    seen: dict[str, int] = {}

    def rare(spread: Mapping[str, int], total: int) -> Mapping[str, float]:
        seen.update(spread)
        return weigh(query, spread, total)

    found = passages(turns, query, rare)
    return UNKNOWN if _unheard(query, seen) else _answer(query, found, weigh(query, seen, len(turns)), {})[0]


def _on_the_day(passage: Passage) -> bool:
    """Whether someone tells of themselves on the day that the question speaks of: then fewer of its words will do."""
    return passage.timely and FIRST_PERSON.search(passage.text) is not None


def weigh(query: Query, spread: Mapping[str, int], total: int) -> dict[str, float]:
    """Weigh the question's words by how rare each is in this history.

    Args:
        query: The question, taken apart.
        spread: In how many of the pieces each word stands.
        total: The number of pieces.
    """
    return {
        term: value
        * (
            _FLOOR + math.log((total + 1) / (max(spread.get(term, 1), 1) + 0.5)) / math.log(total + 2)
            if spread.get(term) or term in PHASES or (value > _EVERYDAY and term not in query.sought)
            else _FLOOR  # an everyday word, or the kind of thing asked for, that the history never names
        )
        for term, value in query.terms.items()
    }


def _unheard(query: Query, spread: Mapping[str, int]) -> bool:
    """Whether the question names someone or something that this history never names, or an event in words that are
    not in it."""
    return any(not spread.get(name) for name in query.names) or any(
        not any(spread.get(term) for term in part) for part in query.part_terms
    )


def _answer(query: Query, found: Sequence[Passage], weights: Mapping[str, float], ranks: Mapping[int, int]) -> Answer:
    told = [passage for passage in found if not _only_asks(passage, query)]
    best = [replace(passage, score=passage.score + _prior(ranks.get(passage.session))) for passage in told]
    best = _by_age(sorted(best, key=lambda passage: -passage.score), query)
    if not best:
        return UNKNOWN, []

    sure = max(passage.covered for passage in best[:5]) >= SURE or _on_the_day(best[0])
    if query.kind == "money" and not any(fits(passage, query) for passage in best[:LOOKED_AT]):
        return UNKNOWN, []
    computed = value(query, Evidence(best, weights)) if sure or query.part_terms else None
    if not computed and (not sure or (query.kind == "between" and query.part_terms)):
        return UNKNOWN, []  # of a span an end that nobody tells of is no answer
    if computed:
        head, support = computed
        rest = [passage for passage in best if passage not in support]
        return f"{head}. {quote([*support, *rest[:1]], query, _WORDS - 4, _SUPPORT)}", list(support)
    if query.kind == "order":
        best = by_day(best[:_FEW])
    return quote(best, query, _WORDS), best[:1]


def _only_asks(passage: Passage, query: Query) -> bool:
    """Whether a sentence asks what the question asks, and tells nothing beside: in a chat it was asked before."""
    return passage.text.rstrip("\"'”’ ").endswith("?") and all(
        weight(word) < _TELLING or stem(word) in query.terms for word in WORD.findall(passage.text)
    )


def _prior(rank: int | None) -> float:
    return 0.0 if rank is None else 0.2 / (1 + 0.3 * rank)


def _by_age(best: list[Passage], query: Query) -> list[Passage]:
    """Among near-equal passages the newest comes first, or the oldest if the question looks back."""
    if not best:
        return best
    near = [passage for passage in best if passage.score >= 0.9 * best[0].score]
    state = (
        query.of_self
        and not query.of_assistant
        and (query.present or query.newest or (query.expected is not None and not query.oldest))
    )
    if state:
        near = sorted(_as_good(best, query), key=lambda passage: (-passage.session, -passage.score))
    elif query.oldest and not query.newest and not query.of_assistant and query.expected:
        near = sorted(_as_good(best, query), key=lambda passage: (passage.session, -passage.score))
    elif query.oldest and not query.newest:
        near.sort(key=lambda passage: (passage.session, passage.place))
    elif query.newest:
        near.sort(key=lambda passage: -passage.session)  # of one session, the best first as before
    kept = set(map(id, near))
    return [*near, *(passage for passage in best if id(passage) not in kept)]


def _as_good(best: Sequence[Passage], query: Query) -> list[Passage]:
    """The passages, told by someone of themselves, that answer a question on a state about as well as the best."""
    expected = query.expected
    own = [passage for passage in best if passage.role != "assistant"]
    fit = [passage for passage in own if expected and _holds(expected, passage.text)]
    fit = fit or [passage for passage in own if not passage.text.endswith("?")]
    most = max((passage.covered for passage in fit[:_FEW]), default=0.0)
    return [passage for passage in fit if passage.covered >= _AS_GOOD * most]


def _holds(expected: re.Pattern[str], text: str) -> bool:
    """Whether a sentence states what is asked for; one that asks must also tell something of its speaker."""
    return bool(expected.search(text)) and (not text.endswith("?") or bool(FIRST_PERSON.search(text)))


def _line(passage: Passage, query: Query) -> str:
    near = ", ".join(f"{term} {near}" for term, near in passage.near.items() if term not in passage.hits)
    number = f"[Turn {passage.number}] " if passage.number else ""
    quoted = shorten(passage.text.removesuffix(passage.listed).rstrip(), query, 60)
    role = passage.role if passage.role.isalnum() else ""
    notes = [f";; near: {near}" if near else "", f";; listed: {passage.listed}" if passage.listed else ""]
    return f'- {number}"{quoted}": {role}{"".join(notes)}'


def _read_back(finding: Extract, query: Query, weights: Mapping[str, float]) -> list[Passage]:
    """Turn an extract back into passages; any other text is read as a piece of history."""
    if finding.text.strip() in ("", NOT_FOUND, NOT_READ):
        return []
    found = []
    for place, line in enumerate(finding.text.splitlines()):
        match = _LINE.match(line)
        text, role, notes, listed = match.groups() if match else (line, "", None, None)
        text = f"{text} {listed}" if listed else text
        near = {}
        for note in (notes or "").split(", ") if notes else ():
            term, _, level = note.rpartition(" ")
            near[term] = float(level)
        lookup = hits_of(query.terms)
        matched = [lookup[word] for word in WORD.findall(text)]
        turn = Turn(role, text, finding.day, finding.place)
        passage = judge(text, matched, turn, place, near, query, weights)
        if passage:
            found.append(passage)
    return found
