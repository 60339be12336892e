"""Finds the words of a turn that a model has copied almost exactly: with a slip in a word, or with more left out.

A slip never changes a number, and never adds or drops a word: "does not" is no near quote of "does".
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from ..search.quotes import quoted_words
from ..search.words import exact_words

_COMPARED, _LONGEST = 200_000, 2_000  # characters of a turn, and of a quote
_SAME_WORDS, _ALIKE = 0.7, 0.65  # the least share of words that are the same, and likeness of two words that are not
_SIGNS_AT_END = re.compile(r"[^\w\s]{0,9}\Z")
_LEFT_OUT = re.compile(r"\.{3,}+|…|\[(?:\.{3}|…)\]")


def near_quote(quote: str, content: str) -> str | None:
    """The words of a text that a quote means, from the first part to the last; None if it has no such words.

    The signs at its end belong to it where the text has them too.

    >>> near_quote("my kat is called Mochi … she is 3", "So, my cat is called “Mochi”, and I think she is 3 now.")
    'my cat is called “Mochi”, and I think she is 3'
    >>> near_quote("my cat is called Mochi and she is 4", "My cat is called Mochi and she is 3.")
    """
    words, places = exact_words(content[:_COMPARED])
    ends: list[int] = []
    for part in filter(None, map(quoted_words, _LEFT_OUT.split(quote[:_LONGEST]))):
        start = ends[-1] if ends else 0
        same = SequenceMatcher(None, words, part, autojunk=False).find_longest_match(start, len(words))
        first = same.a - same.b  # where the part begins, if nothing before the longest run differs in length
        tried = [(at, at + len(part) + more) for more in (0, 1, -1) for at in (first, first + 1, first - 1)]
        found = next(((at, end) for at, end in tried if at >= start and _is_near(words[at:end], part)), None)
        if found is None:
            return None
        ends += found
    if not ends:
        return None
    start, end = places[ends[0]][0], places[ends[-1] - 1][1]
    signs = _SIGNS_AT_END.findall(quote.rstrip())[0]
    return content[start : end + len(signs) * content.startswith(signs, end)]


def _is_near(words: Sequence[str], part: Sequence[str]) -> bool:
    """Whether most words are the same, and the others only slips: alike, without a digit, none added or dropped."""
    matcher = SequenceMatcher(None, words, part, autojunk=False)
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    slips = [("".join(words[a:b]), "".join(part[c:d])) for _, a, b, c, d in changes]
    return matcher.ratio() >= _SAME_WORDS and all(
        SequenceMatcher(None, *slip, autojunk=False).ratio() >= _ALIKE and not re.search(r"\d", "".join(slip))
        for slip in slips
    )
