"""Evidence: what sub-agents found for an answer, and which of it supports the answer.

Evidence supports an answer if its words match. Nothing here checks that it proves the answer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..repl.output import UNKNOWN
from ..search.quotes import quoted_words
from ..search.words import content_words
from .subagents import Call

_ANSWER, _FOUND = 20_000, 4_000  # characters compared: of the answer, of one piece of evidence
_RUN = 12  # words in a row that count as a quotation
_SHARE = 0.5  # of the best weight by words: evidence above it supports the answer


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a sub-agent found in one session.

    Args:
        session: The session's number, from 1; None if the code asked with a prompt of its own.
        date: The session's date, or None.
        turn: The number of the turn that is quoted, or None.
        quote: Words of that turn, exactly as they are stored; "" if the sub-agent quoted nothing.
        text: What the quote says, in the sub-agent's words; all of its reply if it quoted nothing.
    """

    session: int | None
    date: str | None
    turn: int | None
    quote: str
    text: str


def evidence_of(calls: Iterable[Call]) -> tuple[Evidence, ...]:
    """What sub-agents found, in the order of the history; what they read outside it comes last.

    A reply without a quote is evidence as a whole. Quotes that are not in the session are left out.
    """
    evidence: list[Evidence] = []
    for call in calls:
        if not call.found:
            continue
        if not call.extract.findings and not call.extract.false_quotes:
            evidence.append(Evidence(call.number, call.date, None, "", call.reply))
        evidence += [
            Evidence(call.number, call.date, found.turn, found.quote, found.text) for found in call.extract.findings
        ]
    evidence.sort(key=lambda each: (each.session is None, each.session or 0, each.turn or 0))
    return tuple(evidence)


def supporting(text: str, evidence: Sequence[Evidence]) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    """Split the evidence into what supports an answer and the rest.

    The answer is supported by evidence whose quote it contains, or a dozen words of it in a row. If there is
    none, it is supported by the evidence that holds most of its words; a rare word weighs more. The answer that the
    history does not say has no support.

    Args:
        text: The answer.
        evidence: What was found, oldest session first.

    Returns:
        The supporting evidence, what is quoted in full first; and the rest, oldest session first.

    >>> cat, dog = Evidence(1, None, 1, "My cat is called Mochi.", ""), Evidence(2, None, 3, "I have a dog.", "")
    >>> [found.quote for found in supporting("It is Mochi.", (dog, cat))[0]]
    ['My cat is called Mochi.']
    """
    ranks = _ranks(text, evidence)
    order = sorted((rank, place) for place, rank in ranks.items())
    others = [each for place, each in enumerate(evidence) if place not in ranks]
    return tuple(evidence[place] for _, place in order), tuple(others)


def _ranks(text: str, evidence: Sequence[Evidence]) -> dict[int, float]:
    """The place of each supporting piece of evidence, and its rank: 0 is quoted in full."""
    text = text[:_ANSWER]
    if text.strip() == UNKNOWN:
        return {}
    words = quoted_words(text)
    whole, runs = f" {' '.join(words)} ", set(zip(*(words[at:] for at in range(_RUN)), strict=False))
    ranks: dict[int, float] = {}
    for place, each in enumerate(evidence):
        quote = quoted_words(each.quote[:_FOUND])
        if f" {' '.join(quote)} " in whole and content_words(each.quote[:_FOUND]):  # more than "yes" or "it is"
            ranks[place] = 0
        elif not runs.isdisjoint(zip(*(quote[at:] for at in range(_RUN)), strict=False)):
            ranks[place] = 1
    return ranks or _by_words(text, evidence)


def _by_words(text: str, evidence: Sequence[Evidence]) -> dict[int, float]:
    said = set(content_words(text))
    held = [said.intersection(content_words(f"{each.quote} {each.text}"[:_FOUND])) for each in evidence]
    spread = Counter(word for words in held for word in words)
    weights = [sum(math.log((len(evidence) + 1) / spread[word]) for word in words) for words in held]
    best = max(weights, default=0.0)
    return {place: -weight for place, weight in enumerate(weights) if weight and weight >= _SHARE * best}
