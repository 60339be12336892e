"""Finds words in any of their forms in texts, and finds quotes.

SQLite's FTS5 computes the stems of words, as it does for the indexes of a history. Only words that begin like a stem
are examined closely, so that long texts take little time. Quotes are compared without regard to case, punctuation and
the composition of characters. The time for a quote grows with the length of the text plus that of the quote, not with
their product, so that no quote from a sub-agent can block the host.
"""

import re
import sqlite3
import threading
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain

from ..store.time_limit import check_time
from .words import FUNCTION_WORDS, TOKENS, beginning, exact_words, located

_LOCK = threading.Lock()
_SCRATCH = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)  # opening one takes 1 ms
_SCRATCH.execute(f"CREATE VIRTUAL TABLE texts USING fts5 (text, content = '', columnsize = 0, {TOKENS})")
_SCRATCH.execute("CREATE VIRTUAL TABLE terms USING fts5vocab (texts, instance)")
_BEYOND_ASCII = re.compile(r"(?<!\S)[^\s\x80-\U0010ffff]*+[^\0-\x7f\s]\S*")
_MARK = "\0"  # stands after each word; it occurs in no word
_TRIES = 100  # maximum places that are checked for one quote
_MOST_OF_WORD = 300  # places of one word in one text; more of them change no score, but may take gigabytes

Occurrence = tuple[int, int, str]
"""The start and the end of a word in a text, in characters, and the word that was searched for."""


def occurrences(words: Sequence[str], texts: Sequence[str]) -> list[list[Occurrence]]:
    """Find the places where each text contains any of the words, in any form, in order.

    A function word with the same stem as another word ("in" and "Ines") does not count as a form of it.

    Args:
        words: Results of `words.content_words` or `words.loosened`.
        texts: Any texts.

    >>> occurrences(["cat", "cafe", "ines"], ["Two cats in a Café.", "Rain."])
    [[(4, 8, 'cat'), (14, 18, 'cafe')], []]
    """
    alike, words_of = _sought(tuple(words))
    return [_found(text, alike, words_of) if alike else [] for text in texts]


@lru_cache(maxsize=32)
def _sought(words: tuple[str, ...]) -> tuple[re.Pattern[str] | None, Callable[[str], set[str]]]:
    """Return a pattern that finds possible forms of words, and a function that returns the words of a form."""
    forms = [(word, stem(form), stem(beginning(form))) for word in words for form in word.split()]
    starts = {re.escape(each[:-1] or each) for _, *stems in forms for each in stems if each}

    @lru_cache(maxsize=1_000)
    def words_of(form: str) -> set[str]:
        own = stem(form)
        like = {word for word, whole, start in forms if own == whole or (start and own.startswith(start))}
        return like & {form} if form in FUNCTION_WORDS else like

    # a word next to non-ASCII characters is one of the `others` in `_found`
    pattern = rf"(?<![a-z0-9\x80-\U0010ffff])(?:{'|'.join(starts)})[a-z0-9]*+(?![^\0-\x7f])"
    return re.compile(pattern) if starts else None, words_of


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Return the stem that FTS5 compares instead of a word.

    >>> stem("cats"), stem("bicycles")
    ('cat', 'bicycl')
    """
    with _LOCK:
        _SCRATCH.execute("INSERT INTO texts (texts) VALUES ('delete-all')")
        _SCRATCH.execute("INSERT INTO texts (rowid, text) VALUES (1, ?)", (word,))
        return "".join(term for (term,) in _SCRATCH.execute("SELECT term FROM terms ORDER BY offset"))


def _found(text: str, alike: re.Pattern[str], words_of: Callable[[str], set[str]]) -> list[Occurrence]:
    lower = text.replace("İ", "i").lower()  # of the same length; this is much faster than ignoring case
    plain = ((match[0], *match.span(), 0) for match in alike.finditer(lower))
    chunks = () if text.isascii() else _BEYOND_ASCII.finditer(text)
    others = ((*each, chunk.start()) for chunk in chunks for each in located(chunk[0]))
    found, often = set[Occurrence](), Counter[str]()
    for form, start, stop, at in chain(plain, others):
        check_time()
        for word in words_of(form):
            often[word] += 1
            if often[word] <= _MOST_OF_WORD:
                found.add((at + start, at + stop, word))
    return sorted(found)


class Words:
    """The words of a text.

    Args:
        content: Any text.

    >>> Words("So, my cat is called “Mochi”!").span([["my", "cat"], ["mochi"]], within=40)
    (4, 27)
    """

    def __init__(self, content: str) -> None:
        words, places = exact_words(content)
        self._starts, self._stops = (array("L", [place[end] for place in places]) for end in (0, 1))
        marked = [word + _MARK for word in words]
        self._joined = _MARK + "".join(marked)
        self._offsets = array("L", accumulate(map(len, marked), initial=1))  # of the words in _joined

    def span(self, parts: Sequence[Sequence[str]], within: int) -> tuple[int, int] | None:
        """Find parts of a quote that follow one another.

        Args:
            parts: One or more runs of words, as `exact_words` returns them. None of them may be empty.
            within: The maximum number of characters from the end of one part to the end of the next.

        Returns:
            The start of the first part and the end of the last one, in characters; None if the parts are not found.
        """
        tries = iter(range(_TRIES))
        for first, last in self._runs(parts[0], 0, len(self._starts), tries):
            for part in parts[1:]:
                until = bisect_left(self._starts, self._stops[last] + within)
                last = next((end for _, end in self._runs(part, last + 1, until, tries)), -1)
                if last < 0:
                    break
            else:
                return self._starts[first], self._stops[last]
        return None

    def _runs(self, words: Sequence[str], start: int, stop: int, tries: Iterator[int]) -> Iterator[tuple[int, int]]:
        """Yield the first and the last word number of each run of these words, from word number start to stop."""
        sought = _MARK + _MARK.join(words) + _MARK
        at, end = self._offsets[start] - 1, self._offsets[stop]
        while (at := self._joined.find(sought, at, end)) >= 0 and next(tries, None) is not None:
            first = bisect_left(self._offsets, at + 1)
            yield first, first + len(words) - 1
            at += 1
