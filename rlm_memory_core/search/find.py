"""Finds the single turns that match a few short probes, best first; and all turns with a name.

Each probe is ranked by BM25 over turns (`probes`); the probes are then merged by the places that they give a turn.
Compared with plain BM25, what a user says counts a little more, and long turns are treated as at most three times as
long as the average: the long lists of an assistant neither win nor vanish. A turn that shares only common words with a
probe is left out and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .probes import MOST_WORDS, WORD, Filters, Match, Probe, matching, unmarked
from .word_index import match_expression, take_in_new_turns

MOST_PROBES = 12
_MERGE = 10  # reciprocal rank fusion: a smaller number favours the first places more


@dataclass(frozen=True, slots=True)
class Hit:
    """One turn that was found.

    Args:
        turn: The turn.
        date: The date of its session as it was given, or None.
        probes: The probes that found it, in the order in which they were given.
        matches: Where the matching words are in its content: (start, end, weight).
        score: The higher the better; scores of different searches do not compare.
        share: How much of a probe's weight it has, 0..1, by the probe that it matches best.
    """

    turn: Turn
    date: str | None
    probes: tuple[str, ...]
    matches: tuple[Match, ...]
    score: float = 0.0
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Args:
        hits: The turns, best first.
        more: How many further turns match and were cut off by the limits.
        weak: How many turns matched common words only and were left out.
        nowhere: Words of the probes that no turn of the history contains.
        filtered: Words that the history contains, but no turn that passes the filters.
    """

    hits: tuple[Hit, ...] = ()
    more: int = 0
    weak: int = 0
    nowhere: tuple[str, ...] = ()
    filtered: tuple[str, ...] = ()


@dataclass(slots=True)
class _Candidate:
    """A turn while probes are merged."""

    turn: int
    session: int
    score: float = 0.0
    share: float = 0.0
    matches: list[Match] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)


def find_turns(
    store: MemoryStore,
    probes: Sequence[str],
    filters: Filters | None = None,
    limit: int = 12,
    per_session: int = 3,
    sessions: Sequence[int] = (),
) -> Found:
    """Find the turns that match any of the probes.

    Args:
        store: The history.
        probes: A few words each. Words match by their stem; a part in double quotes matches exactly.
        filters: Which turns count; None for all.
        limit: Turns at most.
        per_session: Turns of one session at most, so that one long conversation does not hide the others.
        sessions: Numbers of sessions that another ranking prefers, best first; their turns rise.

    Returns:
        The turns, best first; a turn that several probes find comes before one that a single probe finds.

    Raises:
        ValueError: There is no probe, or more than 12.

    >>> store = MemoryStore()
    >>> store.extend([("user", "My cat is called Mochi."), ("assistant", "A lovely name."), ("user", "It rains.")])
    >>> found = find_turns(store, ["cats", "dog"])
    >>> [(hit.turn.index, hit.probes) for hit in found.hits], found.nowhere
    ([(1, ('cats',))], ('dog',))
    """
    if not 0 < len(probes) <= MOST_PROBES:
        raise ValueError(f"find takes 1 to {MOST_PROBES} probes, not {len(probes)}")
    take_in_new_turns(store)
    filters = filters or Filters()
    merged: dict[int, _Candidate] = {}
    weak: set[int] = set()
    nowhere, filtered = dict[str, None](), dict[str, None]()
    for probe in dict.fromkeys(probes):
        search = Probe(store, probe, filters)
        nowhere.update(dict.fromkeys(search.nowhere))
        filtered.update(dict.fromkeys(search.filtered))
        weak |= search.weak
        for place, (turn, session, share, matches) in enumerate(search.hits):
            candidate = merged.setdefault(turn, _Candidate(turn, session))
            candidate.score += search.weight / (_MERGE + place)
            candidate.share = max(candidate.share, share)
            candidate.matches += matches
            candidate.probes.append(probe)
    ranked = sorted(merged.values(), key=_best_first)
    if sessions:
        places = {session: place for place, session in enumerate(sessions)}
        for place, each in enumerate(ranked):
            each.score = 1 / (_MERGE + place) + 1 / (_MERGE + places.get(each.session, len(sessions)))
        ranked.sort(key=_best_first)
    chosen: list[Hit] = []
    taken = Counter[int]()
    for each in ranked:
        if len(chosen) < limit and taken[each.session] < per_session:
            taken[each.session] += 1
            chosen.append(_hit(store, each))
    more = len(ranked) - len(chosen)
    return Found(tuple(chosen), more, len(weak - merged.keys()), tuple(nowhere), tuple(filtered))


def turns_with(store: MemoryStore, names: Sequence[str], filters: Filters, limit: int) -> list[Hit]:
    """The newest turns with any of the names; all words of a name are in the turn. In the order of the history.

    >>> store = MemoryStore()
    >>> store.extend([("user", "Ann Lee called."), ("user", "Ann has left."), ("user", "Lee and Ann are here.")])
    >>> [hit.turn.index for hit in turns_with(store, ["Ann Lee"], Filters(), 10)]
    [1, 3]
    """
    take_in_new_turns(store)
    every = [" AND ".join(match_expression([word]) for word in WORD.findall(name)[:MOST_WORDS]) for name in names]
    if not any(every):
        return []
    rows = matching(store, " OR ".join(f"({each})" for each in every if each), filters, "rowid DESC", limit)
    found = []
    for number, session, _, marked in sorted(rows):
        matches = [(start, end, 1.0) for start, end, _ in unmarked(marked, lambda words: words)[1]]
        found.append(_hit(store, _Candidate(number, session, matches=matches)))
    return found


def _best_first(each: _Candidate) -> tuple[float, int]:
    return -each.score, -each.turn


def _hit(store: MemoryStore, found: _Candidate) -> Hit:
    ((date,),) = store.query("SELECT date FROM sessions WHERE number = ?", (found.session,))
    matches = tuple(sorted(found.matches))
    return Hit(store.turns[found.turn - 1], date, tuple(found.probes), matches, found.score, found.share)
