"""Quoting: which sentences an answer stands on are shown, how many, and which stretch of a long one.

It takes them in the order in which it is given them, the best first; it ranks nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .forms import FORMERLY
from .passages import FIRST_PERSON, Passage
from .question import Query
from .words import WORD, stem

_GOES_ON = re.compile(r"(?:It|He|She|They|That|This|There|Its|His|Her|Their)\b")
"""How a sentence begins that tells more of what was just named."""
LOOKED_AT = 8
"""The most passages among which quotes are chosen."""


def fits(passage: Passage, query: Query) -> bool:
    """Whether a sentence holds the kind of value that is asked for."""
    return query.expected is not None and query.expected.search(passage.text) is not None


def quote(best: Sequence[Passage], query: Query, budget: int, longest: int = 30) -> str:
    """Quote the best passages within so many words, none twice, and none longer than the given number of words."""
    quoted: list[str] = []
    others = best[1:LOOKED_AT]
    if query.kind != "order":
        others = sorted(others, key=lambda passage: not fits(passage, query))
    for passage in [*best[:1], *others]:
        beside = passage.session == best[0].session and fits(passage, query) and _GOES_ON.match(passage.text)
        apart = not passage.hits and not FIRST_PERSON.search(passage.text) and not beside
        if quoted and apart and not (query.oldest and FORMERLY.search(passage.text)):
            continue  # beside what was asked for, but neither of it nor told by someone of themselves
        text = shorten(passage.text, query, longest if not quoted else min(longest, budget))
        size = len(text.split())
        if text in quoted or (quoted and (size > budget or passage.score < 0.6 * best[0].score)):
            continue
        quoted.append(text)
        budget -= size
        if budget < 5 or len(quoted) == 3:
            break
    return " ".join(quoted)


def shorten(sentence: str, query: Query, limit: int) -> str:
    """Keep the stretch of a long sentence that holds most of the question and of the kind of answer asked for.

    Args:
        sentence: One sentence.
        query: The question, taken apart.
        limit: Most words to keep.
    """
    split = sentence.split()
    if len(split) <= limit:
        return sentence
    expected = query.expected
    values = []
    for at, word in enumerate(split):
        value = sum(query.terms.get(stem(part), 0.0) for part in WORD.findall(word))
        if expected and expected.search(" ".join(split[max(at - 1, 0) : at + 2])):
            value += 0.5
        values.append(value)
    sums = [sum(values[at : at + limit]) for at in range(len(split) - limit + 1)]
    best = [at for at, found in enumerate(sums) if found >= max(sums) - 1e-9]
    start = best[len(best) // 2]
    return " ".join(split[start : start + limit])
