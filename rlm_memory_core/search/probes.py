"""Ranks single turns for one probe, which is a few words: BM25, and which matches are worth showing.

`find` merges probes. What a word is, and where it stands in a text, `words` and `occurrences` say.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from ..store.memory_store import MemoryStore
from ..store.substring import comparable
from ..store.turns import Turn
from .occurrences import occurrences
from .word_index import PIECES, TURNS
from .words import content_words, indexed_form, loosened, match_expression

_MOST_WORDS = 30
_PHRASE = re.compile(r'"([^"]*)"')
_BEYOND_ASCII, _SIGNS = re.compile("[^ -~]+"), re.compile(r"[\W_]+")
_LONGEST_PHRASE, _HOLDING = 200, 300  # characters of a phrase; turns that may hold it, the newest
_MOST_SCORED = 20_000  # turns that one probe may score; words that occur in so many say little
_CANDIDATES = 30  # turns looked at closely for each probe
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
        but: Only turns of other roles than this; None for all.
    """

    role: str | None = None
    after: int | None = None
    before: int | None = None
    but: str | None = None

    def sql(self, store: MemoryStore) -> tuple[str, list[Any]]:
        """Conditions on the index of turns, and their parameters. A snapshot ends with its last turn."""
        day = f"(SELECT day FROM {PIECES} WHERE first_turn <= {TURNS}.rowid ORDER BY first_turn DESC LIMIT 1)"
        role = f"(SELECT role FROM turns WHERE turn_index = {TURNS}.rowid)"
        conditions = (
            (f"{TURNS}.rowid <= ?", len(store)),
            (f"{role} = ?", self.role),
            (f"{role} <> ?", self.but),
            (f"{day} >= ?", self.after),
            (f"{day} <= ?", self.before),
        )
        given = [(condition, value) for condition, value in conditions if value is not None]
        return "".join(f" AND {condition}" for condition, _ in given), [value for _, value in given]


@dataclass(slots=True)
class Hit:
    """A turn that was found.

    Args:
        turn: The turn.
        score: The higher the better; scores of different searches do not compare.
        share: How much of a probe's weight it has, 0..1, by the probe that it matches best.
        strength: Its score as a share of that of the best hit of the same probe, by the probe where it is greatest.
        matches: Where the matching words are in its content.
    """

    turn: Turn
    score: float = 0.0
    share: float = 0.0
    strength: float = 0.0
    matches: list[Match] = field(default_factory=list)


class Probe:
    """One probe.

    `hits` are the turns that match, best first. `weight` says how much its best hit counts beside those of other
    probes: 1 if that hit has all of its words. No turn has the words `nowhere`; none that passes the filters has those
    in `filtered`. A probe with function words and no more than one other word, such as "back from", means these words
    as they stand, unless the other word is rare.
    """

    def __init__(self, store: MemoryStore, probe: str, filters: Filters) -> None:
        self._store, self._filters = store, filters
        self._phrases = [phrase for phrase in _PHRASE.findall(probe) if any(map(str.isalnum, phrase))]
        words = words_of(probe)[:_MOST_WORDS]
        self._words = len(words)
        spread = _spread(store, words)
        given = {word if spread[word] else loosened(word) or word: word for word in words}
        spread |= _spread(store, [form for form in given if form not in spread])
        self._spread = {form: spread[form] for form in given if spread.get(form)}
        self.nowhere = [word for form, word in given.items() if form not in self._spread]
        turns = max(len(store), 1)
        self._weights = {
            word: math.log(1 + max(turns - count + 0.5, 0.5) / (count + 0.5)) for word, count in self._spread.items()
        }
        self._rare = {word for word, count in self._spread.items() if count <= max(2, _RARE_SHARE * turns)}
        many, telling = len(indexed_form(probe).split()), len(content_words(probe))
        if not (self._phrases or self._rare) and probe.strip() and telling <= min(1, many - 1):
            self._phrases, self.nowhere = [probe.strip()], []
        self.hits = self._in_these_words() if self._phrases else self._ranked() if self._weights else []
        self.weight = max((hit.share for hit in self.hits[:3]), default=0.0)
        self.is_known = bool(self._phrases or self._weights)
        self.filtered: list[str] = []
        if filters != Filters() and not self.hits:
            self.filtered = [
                given[form] for form, count in _spread(store, list(self._weights), filters).items() if not count
            ]

    def _in_these_words(self) -> list[Hit]:
        """The newest turns that hold the phrases."""
        phrases = [comparable(phrase)[:_LONGEST_PHRASE] for phrase in self._phrases]
        likes = [_like(phrase) for phrase in phrases]
        condition = f" AND (SELECT content FROM turns WHERE turn_index = {TURNS}.rowid) LIKE ?" * len(likes)
        words = dict.fromkeys(word for phrase in phrases for word in content_words(phrase))
        expression = " AND ".join(f"({match_expression([word])})" for word in words)
        found = matching(self._store, expression, condition, likes, self._filters, "rowid DESC", _HOLDING)
        exact = [re.compile(rf"(?<![a-z0-9]){re.escape(phrase)}(?![a-z0-9])") for phrase in phrases]
        found = [turn for turn in found if all(each.search(comparable(turn.content)) for each in exact)]
        places = [re.compile(r"[\W_]+".join(_SIGNS.split(phrase)), re.I) for phrase in phrases]
        marks = [[(*m.span(), 1.0) for place in places for m in place.finditer(turn.content)] for turn in found]
        hits = [Hit(turn, 1.0, 1.0, 1.0, sorted(each)) for turn, each in zip(found, marks, strict=True)]
        return sorted(hits, key=best_first)[:_CANDIDATES]

    def _ranked(self) -> list[Hit]:
        by_rarity = sorted(self._weights, key=self._spread.__getitem__)
        totals = accumulate(self._spread[word] for word in by_rarity)
        deciding = [word for word, total in zip(by_rarity, totals, strict=True) if total <= _MOST_SCORED]
        newest = "" if deciding else f" AND {TURNS}.rowid > {len(self._store) - _MOST_SCORED}"
        expression = match_expression(deciding or by_rarity)
        turns = matching(self._store, expression, newest, (), self._filters, "rank, rowid DESC", _CANDIDATES)
        average = max(self._store.characters() / len(self._store), 1.0)
        total = sum(self._weights.values())
        found = []
        for turn, matches in zip(turns, occurrences(by_rarity, [turn.content for turn in turns]), strict=True):
            often = Counter(word for *_, word in matches)
            share = sum(self._weights[word] for word in often) / total
            if self._is_worth_showing(set(often), share):
                length = 1 - _B + _B * min(len(turn.content) / average, _LONGEST)
                score = sum(self._weights[word] * n * (_K1 + 1) / (n + _K1 * length) for word, n in often.items())
                score *= 1.0 if turn.role == "assistant" else _USER_WEIGHT
                marks = [(start, end, self._weights[word]) for start, end, word in matches]
                found.append(Hit(turn, score, share, matches=marks))
        found.sort(key=best_first)
        for each in found:
            each.strength = each.score / found[0].score
        return found

    def _is_worth_showing(self, words: set[str], share: float) -> bool:
        """Whether a turn has a rare word of the probe, or two words of weight, or all of its words."""
        return bool(words & self._rare) or len(words) == self._words or (len(words) > 1 and share >= _ENOUGH)


def words_of(text: str) -> list[str]:
    """A text's content words; all of its words if there is no other."""
    every = indexed_form(comparable(text)).replace('"', " ").split()
    return content_words(text) or [word for word in every if any(map(str.isalnum, word))]


def matching(
    store: MemoryStore, expression: str, further: str, values: Sequence[str], filters: Filters, order: str, limit: int
) -> list[Turn]:
    """The first turns of an order that match an expression, and a further condition with its values.

    Without an expression the condition alone selects, among the newest turns.
    """
    conditions, filtering = filters.sql(store)
    wanted: tuple[str, Any] = (f"{TURNS} MATCH ?", expression)
    if not expression:
        wanted = (f"{TURNS}.rowid > ?", len(store) - _MOST_SCORED)
    found = f"SELECT rowid AS number FROM {TURNS} WHERE {wanted[0]}{further}{conditions} ORDER BY {order} LIMIT ?"
    columns = "turn_index, session, role, content, timestamp, name"
    sql = f"SELECT {columns} FROM ({found}) CROSS JOIN turns ON turn_index = number"
    return [Turn(*row) for row in store.query(sql, (wanted[1], *values, *filtering, limit))]


def best_first(each: Hit) -> tuple[float, int]:
    """Sorts by score; of equals the newer first."""
    return -each.score, -each.turn.index


def _like(phrase: str) -> str:
    """A pattern of LIKE for texts that may hold a phrase, whatever its signs and letters beyond ASCII look like."""
    return f"%{re.sub('[^a-z0-9%]', '_', _BEYOND_ASCII.sub('%', phrase.replace('%', '_')))}%"


def _spread(store: MemoryStore, words: Sequence[str], filters: Filters | None = None) -> dict[str, int]:
    """In how many turns each word is; counted no further than matters."""
    conditions, values = (filters or Filters()).sql(store)
    most = 1 if filters else _MOST_SCORED + 1
    count = f"(SELECT count(*) FROM (SELECT 1 FROM {TURNS} WHERE {TURNS} MATCH ?{conditions} LIMIT ?))"
    if not words:
        return {}
    parameters = [value for word in words for value in (match_expression([word]), *values, most)]
    return dict(zip(words, store.query(f"SELECT {', '.join([count] * len(words))}", parameters)[0], strict=True))
