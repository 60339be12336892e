"""Finds the words of a turn that a model has copied almost exactly: with a slip in a word, or with more left out.

A slip never changes a number, and never adds or drops a word: "does not" is no near quote of "does".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from ..search.quotes import quoted_words
from ..search.words import exact_words

_COMPARED, _LONGEST = 200_000, 2_000  # characters of a turn, and of a quote
_SAME_WORDS, _ALIKE = 0.7, 0.65  # the least share of words that are the same, and likeness of two words that are not
_LEFT_OUT = re.compile(r"\.{3,}+|…|\[(?:\.{3}|…)\]")


def near_quote(quote: str, content: str) -> str | None:
    """The words of a text that a quote means, from the first part to the last; None if it has no such words.

    >>> near_quote("my kat is called Mochi … she is 3", "So, my cat is called “Mochi”, and I think she is 3 now.")
    'my cat is called “Mochi”, and I think she is 3'
    >>> near_quote("my cat is called Mochi and she is 4", "My cat is called Mochi and she is 3.")
    """
    words, places = exact_words(content[:_COMPARED])
    spans: list[tuple[int, int]] = []
    for part in filter(None, map(quoted_words, _LEFT_OUT.split(quote[:_LONGEST]))):
        span = _near(words, part, spans[-1][1] if spans else 0)
        if span is None:
            return None
        spans.append(span)
    return content[places[spans[0][0]][0] : places[spans[-1][1] - 1][1]] if spans else None


def _near(words: Sequence[str], part: Sequence[str], start: int) -> tuple[int, int] | None:
    """Where a part begins and ends, in words, from a place on: around the longest run that is the same."""
    run = SequenceMatcher(None, words, part, autojunk=False).find_longest_match(start, len(words))
    first = max(run.a - run.b, start)
    windows = [
        (at, at + len(part) + more) for more in (0, 1, -1) for at in (first, first + 1, first - 1) if at >= start
    ]
    return next((window for window in windows if _is_near(words[slice(*window)], part)), None)


def _is_near(words: Sequence[str], part: Sequence[str]) -> bool:
    matcher = SequenceMatcher(None, words, part, autojunk=False)
    return matcher.ratio() >= _SAME_WORDS and all(
        kind == "equal" or (kind == "replace" and _is_slip("".join(words[a:b]), "".join(part[c:d])))
        for kind, a, b, c, d in matcher.get_opcodes()
    )


def _is_slip(word: str, other: str) -> bool:
    digits = any(map(str.isdigit, word + other))
    return not digits and SequenceMatcher(None, word, other, autojunk=False).ratio() >= _ALIKE
