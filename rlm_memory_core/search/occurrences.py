"""Finds words in texts, in any of their forms. SQLite's FTS5 compares them as it does in the indexes of a history."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence

from .words import TOKENS, beginning, indexed_form, located

_LOCK = threading.Lock()
_SCRATCH = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)  # a new one costs 1 ms
_SCRATCH.execute(f"CREATE VIRTUAL TABLE texts USING fts5 (text, content = '', columnsize = 0, {TOKENS})")
_SCRATCH.execute("CREATE VIRTUAL TABLE terms USING fts5vocab (texts, instance)")
_OF_TERM = "SELECT doc, offset FROM terms WHERE term = ?"
_FROM_TERM = "SELECT doc, offset FROM terms WHERE term >= ? AND term < ? || char(1114111)"


def texts_with(words: Sequence[str], texts: Sequence[str]) -> dict[str, set[int]]:
    """For each word, the positions of the texts that hold it in any form.

    Args:
        words: As `words.content_words` returns them.
        texts: Any texts.

    >>> texts_with(["cat", "rain"], ["My cats sleep.", "It rains."])
    {'cat': {0}, 'rain': {1}}
    """
    return {word: {at for at, _ in found} for word, found in _instances(words, texts).items()}


def occurrences(words: Sequence[str], texts: Sequence[str]) -> list[list[tuple[int, int, str]]]:
    """Where each text holds any of the words in any form: start and end in characters and the word, in order.

    Args:
        words: As `words.content_words` returns them.
        texts: Any texts.

    >>> occurrences(["cat", "cafe"], ["Two cats; a Café.", "Rain."])
    [[(4, 8, 'cat'), (12, 16, 'cafe')], []]
    """
    found: list[list[tuple[int, int, str]]] = [[] for _ in texts]
    places: dict[int, list[tuple[int, int]]] = {}
    for word, instances in _instances(words, texts).items():
        for at, number in instances:
            if at not in places:
                places[at] = located(texts[at])
            found[at].append((*places[at][number], word))
    return [sorted(each) for each in found]


def stem(word: str) -> str:
    """The stem by which FTS5 compares a word.

    >>> stem("cats"), stem("bicycles")
    ('cat', 'bicycl')
    """
    with _LOCK:
        return _stem(word)


def _instances(words: Sequence[str], texts: Sequence[str]) -> dict[str, list[tuple[int, int]]]:
    """The position of the text and the number of the word in it, for each place of each word."""
    found = {}
    with _LOCK:
        terms = {word: (_stem(word), _stem(beginning(word))) for word in words}
        _fill(map(indexed_form, texts))
        for word, (term, start) in terms.items():
            instances = set(_SCRATCH.execute(_OF_TERM, (term,)))
            if start:
                instances |= set(_SCRATCH.execute(_FROM_TERM, (start, start)))
            found[word] = sorted(instances)
    return found


def _stem(word: str) -> str:
    _fill([word])
    return "".join(term for (term,) in _SCRATCH.execute("SELECT term FROM terms ORDER BY offset"))


def _fill(forms: Iterable[str]) -> None:
    _SCRATCH.execute("INSERT INTO texts (texts) VALUES ('delete-all')")
    _SCRATCH.executemany("INSERT INTO texts (rowid, text) VALUES (?, ?)", enumerate(forms))
