"""Matching: which of the question's words a word of the history stands for, the same one or the kind it belongs to.

It compares words one at a time and keeps what it found; it scores nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from .categories import kind_among
from .words import stem


class _Hits(dict[str, str | None]):
    """Remembers for each word as written which of the question's words it matches."""

    def __init__(self, terms: Iterable[str]) -> None:
        super().__init__()
        self._terms = frozenset(terms)

    def __missing__(self, word: str) -> str | None:
        base = stem(word)
        kind = kind_among(base, self._terms) if not word[0].isupper() else None  # "The Red Violin" is no colour
        self[word] = found = base if base in self._terms else kind
        return found


@lru_cache(maxsize=32)
def _hits(terms: tuple[str, ...]) -> _Hits:
    return _Hits(terms)


def hits_of(terms: Iterable[str]) -> Mapping[str, str | None]:
    """For any word, as written, the one of the question's words that it matches: the same, or a kind of it.

    Args:
        terms: The question's words, as stems.

    >>> hits_of([stem("relatives")])["cousin"] == stem("relative"), hits_of(["relativ"])["tea"]
    (True, None)
    """
    return _hits(tuple(terms))
