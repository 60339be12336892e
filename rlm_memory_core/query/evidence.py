"""Evidence: what was found for an answer, and which of it supports the answer.

The support is judged by comparing words. Whether the words prove the answer is not judged.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..repl.output import UNKNOWN
from ..search.quotes import WORD
from ..search.words import content_words

_ANSWER, _FOUND = 20_000, 4_000  # characters that are looked at: of the answer, of one piece of evidence
_RUN = 12  # words in a row that are a quotation, though the quote goes on
_SHARE = 0.5  # of the most that any piece holds of the answer's words


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a sub-agent found in one session.

    Args:
        session: The session's number, from 1; None where the code asked with a prompt of its own.
        date: The session's date, or None.
        turn: The number of the turn that is quoted, or None.
        quote: Words of that turn, exactly as they are stored; "" where the sub-agent quoted nothing.
        text: What the sub-agent says they say; all of its reply where it quoted nothing.
        day: The day of which it is true, where the sub-agent was asked for it (`Reading.facts`) and gave one.
        value: The number, amount or name that it gave likewise; else "".
    """

    session: int | None
    date: str | None
    turn: int | None
    quote: str
    text: str
    day: str | None = None
    value: str = ""


def supporting(text: str, evidence: Sequence[Evidence]) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    """The evidence that the answer stands on, what it quotes in full first; and the rest, oldest session first.

    An answer stands on the evidence whose quote or value it has, or a dozen words of it in a row. Where it has none,
    in its own words, it stands on what holds most of them, a word counting for more the fewer pieces hold it. The
    answer that the history does not say stands on nothing.

    Args:
        text: The answer.
        evidence: What was found, oldest session first.

    >>> cat, dog = Evidence(1, None, 1, "My cat is called Mochi.", ""), Evidence(2, None, 3, "I have a dog.", "")
    >>> [found.quote for found in supporting("It is Mochi.", (dog, cat))[0]]
    ['My cat is called Mochi.']
    """
    ranks = _ranks(text, evidence)
    order = sorted((rank, place) for place, rank in ranks.items())
    others = [each for place, each in enumerate(evidence) if place not in ranks]
    return tuple(evidence[place] for _, place in order), tuple(others)


def _ranks(text: str, evidence: Sequence[Evidence]) -> dict[int, float]:
    """The place of each piece of evidence that the answer stands on, and its rank: 0 is quoted in full."""
    text = text[:_ANSWER]
    if text.strip() == UNKNOWN:
        return {}
    words = _words(text)
    whole, runs = f" {' '.join(words)} ", set(zip(*(words[at:] for at in range(_RUN)), strict=False))
    ranks: dict[int, float] = {}
    for place, each in enumerate(evidence):
        quote = _words(each.quote[:_FOUND])
        if any(f" {' '.join(part)} " in whole for part in (quote, _words(each.value[:_FOUND])) if _tells(part)):
            ranks[place] = 0
        elif not runs.isdisjoint(zip(*(quote[at:] for at in range(_RUN)), strict=False)):
            ranks[place] = 1
    return ranks or _by_words(text, evidence)


def _by_words(text: str, evidence: Sequence[Evidence]) -> dict[int, float]:
    said = set(content_words(text))
    held = [said.intersection(content_words(f"{each.quote} {each.value} {each.text}"[:_FOUND])) for each in evidence]
    spread = Counter(word for words in held for word in words)
    weights = [sum(math.log((len(evidence) + 1) / spread[word]) for word in words) for words in held]
    best = max(weights, default=0.0)
    return {place: -weight for place, weight in enumerate(weights) if weight and weight >= _SHARE * best}


def _words(text: str) -> list[str]:
    return WORD.findall(text.casefold())


def _tells(words: Sequence[str]) -> bool:
    """Whether there is more than "yes" or "it is" to them."""
    return bool(content_words(" ".join(words)))
