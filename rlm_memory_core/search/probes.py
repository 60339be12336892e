"""Ranks single turns for one probe, which is a few words: BM25, and which matches are worth showing.

`find` merges probes. What a word is, `word_index` decides; FTS5 marks the matching words in each turn.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

from ..store.memory_store import MemoryStore
from .word_index import PIECES, TOKENS, TURNS, content_words, match_expression

WORD = re.compile(r"\w+")
MOST_WORDS = 30
_PHRASE = re.compile(r'"([^"]+)"')
_OPEN, _CLOSE = "\x01", "\x02"  # FTS5 puts these around each match
_MOST_SCORED = 20_000  # turns that one probe may score; words that occur in so many say little
_CANDIDATES = 60  # turns looked at closely for each probe
_K1, _B, _LONGEST = 1.2, 0.75, 3.0  # BM25's constants, and the longest length in averages
_USER_WEIGHT = 1.25
_RARE_SHARE = 0.04  # a word is rare if at most so many of the turns have it, or two turns
_ENOUGH = 1 / 3  # of a probe's weight

Match = tuple[int, int, float]
"""Where a matching word begins and ends in a turn's content, and its weight."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which turns count.

    Args:
        role: Only turns of this role; None for all.
        after, before: Only sessions of these days or later, or earlier, as ordinals (`date.toordinal`); both
            inclusive. A session without a date never passes.
        until: Only turns up to this one; None for all.
        but: Only turns of other roles than this; None for all.
    """

    role: str | None = None
    after: int | None = None
    before: int | None = None
    until: int | None = None
    but: str | None = None

    def sql(self) -> tuple[str, list[Any]]:
        """Conditions on the index of turns, and their parameters."""
        day = f"(SELECT day FROM {PIECES} WHERE first_turn <= {TURNS}.rowid ORDER BY first_turn DESC LIMIT 1)"
        role = f"(SELECT role FROM turns WHERE turn_index = {TURNS}.rowid)"
        conditions = (
            (f"{TURNS}.rowid <= ?", self.until),
            (f"{role} = ?", self.role),
            (f"{role} <> ?", self.but),
            (f"{day} >= ?", self.after),
            (f"{day} <= ?", self.before),
        )
        given = [(condition, value) for condition, value in conditions if value is not None]
        return "".join(f" AND {condition}" for condition, _ in given), [value for _, value in given]

    @property
    def narrow(self) -> bool:
        """Whether they leave out any turn of the history."""
        return (self.role, self.after, self.before) != (None, None, None)


class Probe:
    """One probe: its words, their weights, and the turns that match, best first.

    `weight` says how much its best hit counts beside those of other probes: 1 if that hit has all of its words.
    """

    def __init__(self, store: MemoryStore, probe: str, filters: Filters) -> None:
        self._store = store
        scored: list[tuple[int, int, float, list[tuple[int, int, str]]]] = []
        self.weak: set[int] = set()
        self.filtered: list[str] = []
        phrases = [phrase.strip() for phrase in _PHRASE.findall(probe) if WORD.search(phrase)]
        loose = _PHRASE.sub(" ", probe)
        words = content_words(loose) or ([] if phrases else [word.lower() for word in WORD.findall(loose)])
        self._spread = {word: self._count(word, Filters()) for word in dict.fromkeys([*phrases, *words[:MOST_WORDS]])}
        self.nowhere = [word for word, count in self._spread.items() if not count]
        turns = max(len(store), 1)
        self._weights = {
            word: math.log(1 + max(turns - count + 0.5, 0.5) / (count + 0.5))
            for word, count in self._spread.items()
            if count
        }
        self._by_stems = {_stems(word): word for word in self._weights}
        self._by_stem = {stem(part): word for word in self._weights for part in WORD.findall(word)}
        self._rare = {word for word in self._weights if self._spread[word] <= max(2, _RARE_SHARE * turns)}
        self._phrases = [phrase for phrase in phrases if phrase in self._weights]
        if len(self._phrases) == len(phrases) and self._weights:
            scored = self._rank(filters)
        if filters.narrow:
            matched = {word for *_, matches in scored for _, _, word in matches}
            counts = {word: self._count(word, filters, 1) for word in self._weights if word not in matched}
            self.filtered = [word for word, count in counts.items() if not count]
        self.weight = max((share for _, _, share, _ in scored[:3]), default=0.0)
        self.hits: list[tuple[int, int, float, list[Match]]] = [
            (number, session, share, [(start, end, self._weights[word]) for start, end, word in matches])
            for number, session, share, matches in scored
        ]

    def _count(self, words: str, filters: Filters, most: int = _MOST_SCORED + 1) -> int:
        """In how many turns a word or a phrase is; counted no further than matters."""
        conditions, values = filters.sql()
        sql = f"SELECT count(*) FROM (SELECT 1 FROM {TURNS} WHERE {TURNS} MATCH ?{conditions} LIMIT ?)"
        return int(self._store.query(sql, (match_expression([words]), *values, most))[0][0])

    def _rank(self, filters: Filters) -> list[tuple[int, int, float, list[tuple[int, int, str]]]]:
        """Number, session, share of the weight, and matches of the turns that match, best first."""
        expression, conditions = self._expression()
        average = max(self._store.characters() / max(len(self._store), 1), 1.0)
        total = sum(self._weights.values())
        scored = []
        for number, session, role, marked in matching(
            self._store, expression, filters, "rank, rowid DESC", _CANDIDATES, conditions
        ):
            content, matches = unmarked(marked, self._word_of)
            often = Counter(word for *_, word in matches)
            if not self._is_strong(often, total):
                self.weak.add(number)
                continue
            if not all(phrase.casefold() in content.casefold() for phrase in self._phrases):
                continue
            length = 1 - _B + _B * min(len(content) / average, _LONGEST)
            score = sum(self._weights[word] * n * (_K1 + 1) / (n + _K1 * length) for word, n in often.items())
            score *= 1.0 if role == "assistant" else _USER_WEIGHT
            share = sum(self._weights[word] for word in often) / total
            scored.append((score, number, session, share, matches))
        scored.sort(key=lambda each: (-each[0], -each[1]))
        return [each[1:] for each in scored]

    def _expression(self) -> tuple[str, str]:
        """What to look up, and a further condition: of words that are everywhere only the newest turns are ranked."""
        if self._phrases:
            return " AND ".join(match_expression([phrase]) for phrase in self._phrases), ""
        by_rarity = sorted(self._weights, key=self._spread.__getitem__)
        totals = accumulate(self._spread[word] for word in by_rarity)
        deciding = [word for word, total in zip(by_rarity, totals, strict=True) if total <= _MOST_SCORED]
        newest = f" AND {TURNS}.rowid > {len(self._store) - _MOST_SCORED}"
        return match_expression(deciding or by_rarity), "" if deciding else newest

    def _is_strong(self, often: Iterable[str], total: float) -> bool:
        """Whether a turn has a rare word of the probe or a third of its weight; all else is noise."""
        words = set(often)
        if not self._rare and len(words) == len(self._weights):
            return True  # common words count where the probe has nothing else
        return bool(words & self._rare) or sum(self._weights[word] for word in words) >= _ENOUGH * total

    def _word_of(self, words: str) -> str | None:
        """The word or phrase of the probe that a marked run of words stands for."""
        return self._by_stems.get(stems := _stems(words)) or next(
            (self._by_stem[each] for each in stems if each in self._by_stem), None
        )


def matching(
    store: MemoryStore, expression: str, filters: Filters, order: str, limit: int, further: str = ""
) -> list[tuple[int, int, str, str]]:
    """The first turns of an order that match: number, session, role, and content with each match marked."""
    conditions, values = filters.sql()
    first = f"SELECT rowid FROM {TURNS} WHERE {TURNS} MATCH ?{further}{conditions} ORDER BY {order} LIMIT ?"
    numbers = [number for (number,) in store.query(first, (expression, *values, limit))]
    marked = (  # the plus sign: FTS5 goes through the matches once, not once for each number
        f"SELECT {TURNS}.rowid, session, role, highlight({TURNS}, 0, ?, ?) FROM {TURNS} "
        f"CROSS JOIN turns ON turn_index = {TURNS}.rowid "
        f"WHERE {TURNS} MATCH ?{further} AND +{TURNS}.rowid IN (SELECT value FROM json_each(?))"
    )
    return store.query(marked, (_OPEN, _CLOSE, expression, json.dumps(numbers)))


def unmarked(marked: str, word_of: Callable[[str], str | None]) -> tuple[str, list[tuple[int, int, str]]]:
    """The content without FTS5's marks, and where each word of the probe is in it."""
    first, *rest = marked.split(_OPEN)
    parts, matches, at = [first], [], len(first)
    for piece in rest:
        words, _, following = piece.partition(_CLOSE)
        if (word := word_of(words)) is not None:
            matches.append((at, at + len(words), word))
        parts += (words, following)
        at += len(words) + len(following)
    return "".join(parts), matches


def _stems(words: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in WORD.findall(words))


def stem(word: str) -> str:
    """The form by which the index knows a word.

    >>> stem("Cats"), stem("Café")
    ('cat', 'cafe')
    """
    return _stem(word.lower())


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    """Asks FTS5 itself, so that stems are always those of the index."""
    with _LOCK:
        _MEMORY.execute("INSERT INTO text VALUES (?)", (word,))
        row = _MEMORY.execute("SELECT term FROM terms LIMIT 1").fetchone()
        _MEMORY.execute("DELETE FROM text")
    return str(row[0]) if row else word


def _stemming() -> sqlite3.Connection:
    memory = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    memory.execute(f"CREATE VIRTUAL TABLE text USING fts5 (content, {TOKENS})")
    memory.execute("CREATE VIRTUAL TABLE terms USING fts5vocab (text, row)")
    return memory


_LOCK = threading.Lock()
_MEMORY = _stemming()
