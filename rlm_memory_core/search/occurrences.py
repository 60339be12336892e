"""Finds words in texts, in any of their forms. SQLite's FTS5 makes the stems, as in the indexes of a history.

Only words that begin like a stem are looked at closely, so that long texts cost little.
"""

import re
import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

from ..store.database import check_time
from .words import FUNCTION_WORDS, TOKENS, beginning, located

_LOCK = threading.Lock()
_SCRATCH = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)  # a new one costs 1 ms
_SCRATCH.execute(f"CREATE VIRTUAL TABLE texts USING fts5 (text, content = '', columnsize = 0, {TOKENS})")
_SCRATCH.execute("CREATE VIRTUAL TABLE terms USING fts5vocab (texts, instance)")
_BEYOND_ASCII = re.compile(r"(?<!\S)[^\s\x80-\U0010ffff]*+[^\0-\x7f\s]\S*")

Occurrence = tuple[int, int, str]
"""Where a word begins and ends in a text, in characters, and the word that was looked for."""


def occurrences(words: Sequence[str], texts: Sequence[str]) -> list[list[Occurrence]]:
    """Where each text holds any of the words in any form, in order.

    A function word with the stem of another word ("in" beside "Ines") is no form of it.

    Args:
        words: As `words.content_words` or `words.loosened` returns them.
        texts: Any texts.

    >>> occurrences(["cat", "cafe", "ines"], ["Two cats in a Café.", "Rain."])
    [[(4, 8, 'cat'), (14, 18, 'cafe')], []]
    """
    stems = {word: [(stem(form), stem(beginning(form))) for form in word.split()] for word in words}
    starts = {re.escape(each[:-1] or each) for pairs in stems.values() for pair in pairs for each in pair if each}
    alike = None  # words beside other than ASCII characters are looked at in `_found`
    if starts:
        alike = re.compile(rf"(?<![A-Za-z0-9])(?<![^\0-\x7f])(?:{'|'.join(starts)})[A-Za-z0-9]*+(?![^\0-\x7f])", re.I)

    @cache
    def words_of(form: str) -> list[str]:
        own = stem(form)
        return [
            word
            for word, pairs in stems.items()
            if any(own == whole or (start and own.startswith(start)) for whole, start in pairs)
            and (word == form or form not in FUNCTION_WORDS)
        ]

    return [_found(text, alike, words_of) if alike else [] for text in texts]


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The stem by which FTS5 compares a word.

    >>> stem("cats"), stem("bicycles")
    ('cat', 'bicycl')
    """
    with _LOCK:
        _SCRATCH.execute("INSERT INTO texts (texts) VALUES ('delete-all')")
        _SCRATCH.execute("INSERT INTO texts (rowid, text) VALUES (1, ?)", (word,))
        return "".join(term for (term,) in _SCRATCH.execute("SELECT term FROM terms ORDER BY offset"))


def _found(text: str, alike: re.Pattern[str], words_of: Callable[[str], list[str]]) -> list[Occurrence]:
    check_time()
    found = {(*match.span(), word) for match in alike.finditer(text) for word in words_of(match[0].lower())}
    for chunk in () if text.isascii() else _BEYOND_ASCII.finditer(text):
        at = chunk.start()
        found |= {(at + start, at + stop, word) for form, start, stop in located(chunk[0]) for word in words_of(form)}
    return sorted(found)
