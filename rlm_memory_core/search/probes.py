"""Ranks single turns for one probe of a few words by BM25, and leaves out weak matches.

`find` merges probes. `words` defines what a word is, and `occurrences` finds words in a text.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from typing import Any

from ..store.memory_store import COLUMNS, MemoryStore
from ..store.substring import LONGEST, MAY_HOLD, comparable
from ..store.time_limit import check_time
from ..store.turns import Turn
from .occurrences import occurrences
from .word_index import PIECES, TURNS, Terms
from .words import content_words, indexed_form, match_expression

_MOST_WORDS, _MOST_COMMON = 30, 4  # maximum words of a probe that are used; if all are common, only so many
_MOST_IN_PHRASE = 12
_PHRASE, _SIGNS = re.compile(r'"([^"]*)"'), re.compile(r"[\W_]+")
_LOOKED_THROUGH, _HOLDING = 20_000, 300  # for a phrase: newest turns that are searched; maximum candidates
_CANDIDATES = 30  # turns that are examined closely for each probe
_K1, _B, _LONGEST = 1.2, 0.75, 3.0  # BM25's constants; the maximum length, as a multiple of the average
_USER_WEIGHT = 1.25
_RARE, _RAREST = 0.04, 0.01  # a word is rare if at most this share of the turns, or two turns, contain it
_ENOUGH = 1 / 3  # of a probe's weight
_DECIDES, _HALF = 2, 0.5  # a word in no more than two turns is worth half of its probe's weight by itself

Match = tuple[int, int, float]
"""The start and the end of a matching word in a turn's content, and its weight."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Restricts a search to some turns.

    Args:
        role: Only turns with this role; None means all.
        after, before: Only sessions from this day on, and up to this day, as ordinals (`date.toordinal`). If one is
            given, sessions without a date are excluded.
        but: Only turns with another role than this; None means all.
    """

    role: str | None = None
    after: int | None = None
    before: int | None = None
    but: str | None = None

    def sql(self, store: MemoryStore) -> tuple[str, list[Any]]:
        """Return conditions on the index of turns, and their parameters. They exclude turns after a snapshot."""
        day = f"(SELECT day FROM {PIECES} WHERE first_turn <= {TURNS}.rowid ORDER BY first_turn DESC LIMIT 1)"
        role = f"(SELECT role FROM turns WHERE turn_index = {TURNS}.rowid)"
        every = [(role, "=", self.role), (role, "<>", self.but), (day, ">=", self.after), (day, "<=", self.before)]
        given = {f"{of} {sign} ?": value for of, sign, value in every if value is not None}
        return " AND ".join([f"{TURNS}.rowid <= ?", *given]), [len(store), *given.values()]

    def last(self, store: MemoryStore) -> int:
        """Return the last turn up to the day `before`, assuming that sessions are in the order of their days."""
        sql = f"SELECT last_turn FROM {PIECES} WHERE day <= ? ORDER BY day DESC, number DESC LIMIT 1"
        rows = store.query(sql, (self.before,)) if self.before else []
        return min(rows[0][0] if rows else len(store), len(store))


@dataclass(slots=True)
class Hit:
    """A turn that was found.

    Args:
        turn: The turn.
        score: Higher is better. Scores of different searches cannot be compared.
        share: The share of a probe's weight that the turn's words have, 0..1. With several probes, the largest share.
        strength: The score divided by that of the probe's best hit, 0..1. With several probes, the largest value.
        matches: The places of the matching words in the content.
    """

    turn: Turn
    score: float = 0.0
    share: float = 0.0
    strength: float = 0.0
    matches: list[Match] = field(default_factory=list)


class Probe:
    """Finds the turns that match one probe.

    `hits` are the turns that match, best first. `weight` says how much they count compared with the hits of other
    probes: 1 if one of the first hits contains all words of the probe. `nowhere` are the words that no turn contains.
    A probe that consists of function words and at most one other word, such as "back from", is searched for as an exact
    phrase, unless the other word is rare.
    """

    def __init__(self, store: MemoryStore, probe: str, filters: Filters) -> None:
        self._store, self._filters = store, filters
        phrases = [phrase for phrase in _PHRASE.findall(probe) if _SIGNS.sub("", phrase)]
        words = content_words(probe)
        self._terms = terms = Terms.of(store, words[:_MOST_WORDS])
        turns = max(len(store), 1)
        # a missing word may be what the probe is about, so the other words must be rarer
        rare = max(2, (_RAREST if 0 < len(terms.missing) < len(words) else _RARE) * turns)
        self._rare = {form for form, count in terms.counts.items() if count <= rare}
        self._weights = {form: math.log(1 + (turns - n + 0.5) / (n + 0.5)) for form, n in terms.counts.items()}
        self.nowhere: Sequence[str] = terms.nowhere
        means_itself = len(words) <= min(1, len(indexed_form(probe).split()) - 1)
        if means_itself and not (phrases or self._rare or terms.missing):
            phrases, self.nowhere = [probe], ()
        self.hits = self._in_these_words(phrases) if phrases else self._ranked() if terms.counts else []
        self.weight = max((hit.share for hit in self.hits[:3]), default=0.0)
        self.is_known = bool(phrases) or len(self.nowhere) < len(words[:_MOST_WORDS])

    def _in_these_words(self, phrases: Sequence[str]) -> list[Hit]:
        """Return the newest turns that contain the phrases."""
        phrases = [comparable(phrase).strip() for phrase in phrases]
        words = dict.fromkeys(word for phrase in phrases for word in content_words(phrase))
        every = " AND ".join(f"({match_expression([word])})" for word in words)
        conditions = [f"{TURNS} MATCH ?" if every else f"{TURNS}.rowid > ?"]
        conditions += [f"(SELECT {MAY_HOLD} FROM turns WHERE turn_index = {TURNS}.rowid)"] * len(phrases)
        values = [every or len(self._store) - _LOOKED_THROUGH, *(phrase[:LONGEST] for phrase in phrases)]
        # so many words identify a phrase, and each word takes time at each place of a turn
        parts = [list(map(re.escape, filter(None, _SIGNS.split(phrase))))[:_MOST_IN_PHRASE] for phrase in phrases]
        exact = [re.compile(rf"(?<![a-z0-9]){_SIGNS.pattern.join(each)}(?![a-z0-9])", re.I) for each in parts]
        turns = matching(self._store, " AND ".join(conditions), values, self._filters, "rowid DESC", _HOLDING)

        def holds(turn: Turn) -> bool:
            check_time()
            content = comparable(turn.content)
            return all(each.search(content) for each in exact)

        return [
            Hit(turn, 1.0, 1.0, matches=sorted((*m.span(), 1.0) for each in exact for m in each.finditer(turn.content)))
            for turn in islice(filter(holds, turns), _CANDIDATES)
        ]

    def _ranked(self) -> list[Hit]:
        """Return the turns that BM25 ranks first. If all words are common, use the newest turns with two of them."""
        order, expression, after = "rank, rowid DESC", match_expression(self._terms.deciding), self._terms.after
        if after:
            each = [f"({match_expression([form])})" for form in self._terms.deciding[:_MOST_COMMON]]
            order, expression = "rowid DESC", " OR ".join(map(" AND ".join, combinations(each, 2))) or each[0]
            after -= len(self._store) - self._filters.last(self._store)
        where = f"{TURNS} MATCH ? AND {TURNS}.rowid > ?"
        turns = matching(self._store, where, (expression, after), self._filters, order, _CANDIDATES)
        contents = [turn.content for turn in turns]
        average = max(self._store.characters() / len(self._store), 1.0)
        total = sum(self._weights.values())
        hits = []
        for turn, matches in zip(turns, occurrences(list(self._weights), contents), strict=True):
            often = Counter(form for *_, form in matches)
            share = sum(self._weights[form] for form in often) / total
            if self._is_worth_showing(set(often), share):
                length = 1 - _B + _B * min(len(turn.content) / average, _LONGEST)
                score = sum(self._weights[form] * n * (_K1 + 1) / (n + _K1 * length) for form, n in often.items())
                score *= 1.0 if turn.role == "assistant" else _USER_WEIGHT
                marks = [(start, end, self._weights[form]) for start, end, form in matches]
                decides = turn.role != "assistant" and any(self._terms.counts[form] <= _DECIDES for form in often)
                hits.append(Hit(turn, score, max(share, _HALF * decides), matches=marks))
        return sorted(hits, key=best_first)

    def _is_worth_showing(self, forms: set[str], share: float) -> bool:
        """Return whether a turn has a rare word of the probe, or two or more words of enough weight, or all words."""
        is_all = not self._terms.missing and len(forms) == len(self._weights)
        return bool(forms & self._rare) or is_all or (len(forms) > 1 and share >= _ENOUGH)


def matching(
    store: MemoryStore, where: str, values: Sequence[Any], filters: Filters, order: str, limit: int
) -> list[Turn]:
    """Return the first turns, in an order, that match a condition with these values."""
    conditions, filtering = filters.sql(store)
    found = f"SELECT rowid AS number FROM {TURNS} WHERE {where} AND {conditions} ORDER BY {order} LIMIT ?"
    sql = f"SELECT {COLUMNS} FROM ({found}) CROSS JOIN turns ON turn_index = number"
    return [Turn(*row) for row in store.query(sql, (*values, *filtering, limit))]


def best_first(each: Hit) -> tuple[float, int]:
    """Return a sort key: the best score comes first, and newer turns before older ones with the same score."""
    return -each.score, -each.turn.index
