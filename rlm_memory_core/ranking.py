"""Which sessions, or which turns, speak of a question: BM25 over their words, in SQLite's own FTS5.

Each index lives beside the turns, in the same database, is made when it is first
used, and takes in what was appended since. It ranks words, not meanings: no embeddings here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .store import MemoryStore

_WORD = re.compile(r"\w+")
_STOPWORDS = frozenset(
    "a an and any are as at be been but by can could did do does for from had has have how i if in into is it its "
    "me mine my of on or our so some than that the their them then there these they this those to us was we were "
    "what when where which who whom whose why will with would you your".split()
)

_Add = Callable[[MemoryStore, int], None]
"""Puts the turns after a given number into an index."""


def rank_sessions(store: MemoryStore, question: str, k: int | None = None) -> list[int]:
    """Positions in `store.sessions`, the most relevant to the question first.

    Args:
        store: The history.
        question: Any text; its function words are ignored.
        k: How many to return; None for all. Sessions without a word of the
            question come last, newest first.

    Raises:
        ValueError: k is negative.

    >>> store = MemoryStore()
    >>> for said in ("I bought a red bicycle.", "My cat is called Mochi."):
    ...     number = store.start_session(); turn = store.add("user", said)
    >>> rank_sessions(store, "What is my cat called?")
    [1, 0]
    """
    return _rank(store, "session_index", _add_sessions, len(store.sessions), question, k)


def rank_turns(store: MemoryStore, question: str, k: int | None = None) -> list[int]:
    """Positions in `store.turns`, the most relevant to the question first; the rest as for `rank_sessions`.

    >>> store = MemoryStore()
    >>> store.extend([("user", "My cat is called Mochi."), ("assistant", "A pretty name.")])
    >>> rank_turns(store, "What is my cat called?", k=1)
    [0]
    """
    return _rank(store, "turns_index", _add_turns, len(store), question, k)


def match_expression(question: str) -> str:
    """The question's content words as an FTS5 query; "" where it has none.

    >>> match_expression("What is my cat called?")
    '"cat" OR "called"'
    """
    words = dict.fromkeys(word.lower() for word in _WORD.findall(question))
    return " OR ".join(f'"{word}"' for word in words if word not in _STOPWORDS)


def _rank(store: MemoryStore, index: str, add: _Add, count: int, question: str, k: int | None) -> list[int]:
    """The rows of an index by relevance, counted from 0, then those that do not match."""
    if k is not None and k < 0:
        raise ValueError(f"k must not be negative, not {k}")
    _take_in_new_turns(store, index, add)
    expression = match_expression(question)
    ranked: list[int] = []
    if expression:
        rows = store.query(
            f"SELECT rowid FROM {index} WHERE {index} MATCH ? ORDER BY bm25({index}), rowid DESC", (expression,)
        )
        ranked = [number - 1 for (number,) in rows]
    seen = set(ranked)
    ranked += [position for position in range(count - 1, -1, -1) if position not in seen]
    return ranked[:k]


def _take_in_new_turns(store: MemoryStore, index: str, add: _Add) -> None:
    """Index what came since the last call."""
    with store.transaction():
        store.query(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {index} "
            "USING fts5 (content, tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        store.query(f"CREATE TABLE IF NOT EXISTS {index}_state (turns INTEGER NOT NULL)")
        state = store.query(f"SELECT turns FROM {index}_state")
        done = state[0][0] if state else 0
        if done == len(store):
            return
        add(store, done)
        store.query(f"DELETE FROM {index}_state")
        store.query(f"INSERT INTO {index}_state VALUES (?)", (len(store),))


def _add_sessions(store: MemoryStore, done: int) -> None:
    """A session that grew is indexed anew."""
    grown = store.query("SELECT DISTINCT session FROM turns WHERE turn_index > ? ORDER BY session", (done,))
    for (number,) in grown:
        text = store.query("SELECT group_concat(content, char(10)) FROM turns WHERE session = ?", (number,))[0][0]
        store.query("DELETE FROM session_index WHERE rowid = ?", (number,))
        store.query("INSERT INTO session_index (rowid, content) VALUES (?, ?)", (number, text))


def _add_turns(store: MemoryStore, done: int) -> None:
    store.query(
        "INSERT INTO turns_index (rowid, content) SELECT turn_index, content FROM turns WHERE turn_index > ?", (done,)
    )
