"""Which sessions speak of a question: BM25 over whole sessions, in SQLite's own FTS5.

The index lives beside the turns, in the same database, and takes in what was
appended since it was last used. It ranks words, not meanings: no embeddings here.
"""

from __future__ import annotations

import re

from .store import MemoryStore

_WORD = re.compile(r"\w+")
_STOPWORDS = frozenset(
    "a an and any are as at be been but by can could did do does for from had has have how i if in into is it its "
    "me mine my of on or our so some than that the their them then there these they this those to us was we were "
    "what when where which who whom whose why will with would you your".split()
)


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
    if k is not None and k < 0:
        raise ValueError(f"k must not be negative, not {k}")
    _take_in_new_turns(store)
    count = len(store.sessions)
    expression = match_expression(question)
    ranked: list[int] = []
    if expression:
        rows = store.query(
            "SELECT rowid FROM session_index WHERE session_index MATCH ? ORDER BY bm25(session_index), rowid DESC",
            (expression,),
        )
        ranked = [number - 1 for (number,) in rows]
    seen = set(ranked)
    ranked += [position for position in range(count - 1, -1, -1) if position not in seen]
    return ranked[:k]


def match_expression(question: str) -> str:
    """The question's content words as an FTS5 query; "" where it has none.

    >>> match_expression("What is my cat called?")
    '"cat" OR "called"'
    """
    words = dict.fromkeys(word.lower() for word in _WORD.findall(question))
    return " OR ".join(f'"{word}"' for word in words if word not in _STOPWORDS)


def _take_in_new_turns(store: MemoryStore) -> None:
    """Index what came since the last call; a session that grew is indexed anew."""
    with store.transaction():
        store.query(
            "CREATE VIRTUAL TABLE IF NOT EXISTS session_index "
            "USING fts5 (content, tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        store.query("CREATE TABLE IF NOT EXISTS session_index_state (turns INTEGER NOT NULL)")
        state = store.query("SELECT turns FROM session_index_state")
        done = state[0][0] if state else 0
        if done == len(store):
            return
        grown = store.query("SELECT DISTINCT session FROM turns WHERE turn_index > ? ORDER BY session", (done,))
        for (number,) in grown:
            text = store.query("SELECT group_concat(content, char(10)) FROM turns WHERE session = ?", (number,))[0][0]
            store.query("DELETE FROM session_index WHERE rowid = ?", (number,))
            store.query("INSERT INTO session_index (rowid, content) VALUES (?, ?)", (number, text))
        store.query("DELETE FROM session_index_state")
        store.query("INSERT INTO session_index_state VALUES (?)", (len(store),))
