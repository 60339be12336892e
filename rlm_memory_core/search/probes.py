"""Ranks single turns for one probe, which is a few words: BM25, and which matches are worth showing.

`find` merges probes. What a word is, and where it stands in a text, `words` and `occurrences` say.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from ..store.memory_store import MemoryStore
from ..store.substring import comparable
from ..store.turns import Turn
from .occurrences import occurrences
from .word_index import PIECES, TURNS, content_words, match_expression
from .words import indexed_form, loosened

_MOST_WORDS = 30
_PHRASE = re.compile(r'"([^"]*\w[^"]*)"')
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

    @property
    def narrow(self) -> bool:
        """Whether they leave out any turn of the history."""
        return self != Filters()


@dataclass(slots=True)
class Scored:
    """A turn that matches a probe; or several, while they are merged.

    Args:
        turn: The turn.
        score: The higher the better; scores of different searches do not compare.
        share: How much of a probe's weight it has, 0..1, by the probe that it matches best.
        strength: Its score as a share of that of the best hit of the same probe.
        matches: Where the matching words are.
        probes: The probes that found it.
    """

    turn: Turn
    score: float = 0.0
    share: float = 0.0
    strength: float = 0.0
    matches: list[Match] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)


class Probe:
    """One probe.

    `hits` are the turns that match, best first. `weight` says how much its best hit counts beside those of other
    probes: 1 if that hit has all of its words. No turn has the words `nowhere`; none that passes the filters has those
    in `filtered`.
    """

    def __init__(self, store: MemoryStore, probe: str, filters: Filters) -> None:
        self._store, self._filters = store, filters
        self._phrases = _PHRASE.findall(probe)
        self._spread: dict[str, int] = {}
        self.nowhere = [word for word in words_of(probe)[:_MOST_WORDS] if not self._knows(word)]
        turns = max(len(store), 1)
        self._weights = {
            word: math.log(1 + max(turns - count + 0.5, 0.5) / (count + 0.5)) for word, count in self._spread.items()
        }
        self._rare = {word for word, count in self._spread.items() if count <= max(2, _RARE_SHARE * turns)}
        self.hits = self._ranked() if self._weights else []
        self.weight = max((hit.share for hit in self.hits[:3]), default=0.0)
        self.filtered: list[str] = []
        if filters.narrow and not self.hits:
            self.filtered = [word for word in self._weights if not self._count(word, filters, 1)]

    def _knows(self, word: str) -> bool:
        """Count a word, or if it stands nowhere, its beginning. Returns whether any turn has it."""
        for form in filter(None, (word, loosened(word))):
            if count := self._count(form, Filters()):
                self._spread[form] = count
                return True
        return False

    def _count(self, word: str, filters: Filters, most: int = _MOST_SCORED + 1) -> int:
        """In how many turns a word is; counted no further than matters."""
        conditions, values = filters.sql(self._store)
        sql = f"SELECT count(*) FROM (SELECT 1 FROM {TURNS} WHERE {TURNS} MATCH ?{conditions} LIMIT ?)"
        return int(self._store.query(sql, (match_expression([word]), *values, most))[0][0])

    def _ranked(self) -> list[Scored]:
        turns = matching(self._store, *self._expression(), self._filters, "rank, rowid DESC", _CANDIDATES)
        places = occurrences(list(self._weights), [turn.content for turn in turns])
        average = max(self._store.characters() / len(self._store), 1.0)
        total = sum(self._weights.values())
        found = []
        for turn, matches in zip(turns, places, strict=True):
            often = Counter(word for *_, word in matches)
            if not self._is_strong(often, total):
                continue
            if all(comparable(phrase) in comparable(turn.content) for phrase in self._phrases):
                length = 1 - _B + _B * min(len(turn.content) / average, _LONGEST)
                score = sum(self._weights[word] * n * (_K1 + 1) / (n + _K1 * length) for word, n in often.items())
                score *= 1.0 if turn.role == "assistant" else _USER_WEIGHT
                share = sum(self._weights[word] for word in often) / total
                marks = [(start, end, self._weights[word]) for start, end, word in matches]
                found.append(Scored(turn, score, share, matches=marks))
        found.sort(key=best_first)
        for each in found:
            each.strength = each.score / found[0].score
        return found

    def _expression(self) -> tuple[str, str]:
        """What to look up, and a further condition: of words that are everywhere only the newest turns are ranked."""
        if self._phrases:
            return " AND ".join(f'"{indexed_form(comparable(phrase))}"' for phrase in self._phrases), ""
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


def words_of(text: str) -> list[str]:
    """A text's content words; all of its words if there is no other."""
    every = indexed_form(comparable(text)).replace('"', " ").split()
    return content_words(text) or [word for word in every if any(map(str.isalnum, word))]


def matching(store: MemoryStore, expression: str, further: str, filters: Filters, order: str, limit: int) -> list[Turn]:
    """The first turns of an order that match an expression, and a further condition."""
    conditions, values = filters.sql(store)
    sql = f"SELECT rowid FROM {TURNS} WHERE {TURNS} MATCH ?{further}{conditions} ORDER BY {order} LIMIT ?"
    return [store.turns[number - 1] for (number,) in store.query(sql, (expression, *values, limit))]


def best_first(each: Scored) -> tuple[float, int]:
    """Sorts by score; of equals the newer first."""
    return -each.score, -each.turn.index
