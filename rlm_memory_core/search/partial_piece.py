"""The words of the piece in which a history is cut, scored without those that were said after the cut.

The index knows the whole piece. To write it anew for one ranking would take the file's write lock; here the turns that
count are indexed in memory instead, and get the BM25 that FTS5 would give them in the file, whose own figures say how
rare a word is and how long pieces are. Nothing is written to the file.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from ..store.memory_store import MemoryStore
from .word_index import PIECES, SPOKEN, TOKENS, match_expression, piece_number, said_by_others

_K1, _B, _LEAST_RARITY = 1.2, 0.75, 1e-6  # FTS5's
_MARK = "\x01"


@dataclass(frozen=True, slots=True)
class CutPiece:
    """A piece of which only the first turns count.

    Args:
        number: Its number in the index, from 1.
        score: BM25 of what anyone but the assistant says in these; 0 where none of the words is in it.
    """

    number: int
    score: float


def cut_piece(store: MemoryStore, last_turn: int, words: Sequence[str]) -> CutPiece | None:
    """The piece that goes on after a turn, scored up to it; None where a piece ends there.

    Args:
        store: The history, whose words are in the index up to the end of that piece.
        last_turn: The index of the last turn that counts.
        words: What to rank by.

    >>> from rlm_memory_core.search.word_index import take_in_new_turns
    >>> store = MemoryStore()
    >>> store.extend([("user", "It rains."), ("user", "My cat is called Mochi.")])
    >>> take_in_new_turns(store)
    >>> cut_piece(store, 1, ["cat"]), cut_piece(store, 2, ["cat"])
    (CutPiece(number=1, score=0.0), None)
    """
    number = piece_number(store, last_turn)
    row = store.query(f"SELECT first_turn, last_turn FROM {PIECES} WHERE number = ?", (number,))
    if not row or row[0][1] <= last_turn:
        return None
    said = said_by_others(store.turns[row[0][0] - 1 : last_turn])
    return CutPiece(number, _score(store, said, words) if said else 0.0)


def _score(store: MemoryStore, said: str, words: Sequence[str]) -> float:
    """FTS5's BM25, its sign turned."""
    length, often = _counted(said, words)
    if not often:
        return 0.0
    pieces, tokens = _totals(store)
    score = 0.0
    for word, count in often.items():
        ((having,),) = store.query(f"SELECT count(*) FROM {SPOKEN} WHERE {SPOKEN} MATCH ?", (match_expression([word]),))
        rarity = max(math.log((pieces - having + 0.5) / (having + 0.5)), _LEAST_RARITY)
        score += rarity * count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * length * pieces / tokens))
    return score


def _counted(said: str, words: Sequence[str]) -> tuple[int, dict[str, int]]:
    """How many tokens a text has, and how often each of the words that are in it."""
    with closing(sqlite3.connect(":memory:")) as memory:
        memory.execute(f"CREATE VIRTUAL TABLE said USING fts5 (content, {TOKENS})")
        memory.execute("CREATE VIRTUAL TABLE tokens USING fts5vocab (said, instance)")
        memory.execute("INSERT INTO said VALUES (?)", (said.replace(_MARK, " "),))
        ((length,),) = memory.execute("SELECT count(*) FROM tokens").fetchall()
        marked = "SELECT highlight(said, 0, ?, '') FROM said WHERE said MATCH ?"
        often = {}
        for word in words:
            for (text,) in memory.execute(marked, (_MARK, match_expression([word]))):
                often[word] = text.count(_MARK)
    return int(length), often


def _totals(store: MemoryStore) -> tuple[int, int]:
    """How many pieces are in the index, and how many tokens: FTS5 keeps both as the varints of its first record."""
    ((record,),) = store.query(f"SELECT block FROM {SPOKEN}_data WHERE id = 1")
    totals, value = [], 0
    for byte in record:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            totals.append(value)
            value = 0
    pieces, tokens = totals
    return pieces, tokens
