"""Finds the single turns that match a few short probes, best first, and all turns with a name.

Each probe ranks turns by BM25 (`probes`). The rankings are then merged by the turns' positions (reciprocal rank
fusion). Two things differ from plain BM25. A user's turns score a little higher. And the length of a turn counts as at
most three times the average, so that an assistant's long lists neither win nor vanish. A turn that shares only common
words with a probe is left out.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..store.memory_store import MemoryStore
from .occurrences import occurrences
from .probes import Filters, Hit, Probe, best_first, matching
from .word_index import TURNS, spread, take_in_new_turns
from .words import content_words, exact_words, match_expression

__all__ = ["MOST_PROBES", "Filters", "Found", "Hit", "find_turns", "linked_turns", "turns_with"]

MOST_PROBES = 12
_OF_PROBE, _OF_ALL = 3, 20  # hits that a probe may bring in any case; hits that all probes share
_STRONG, _STRONG_ASSISTANT = 0.3, 0.6  # of the best hit's score; tuned on the odd-numbered of the paper's 100 questions
_MERGE = 10  # for reciprocal rank fusion: a smaller number favours the first positions more
_LINKING, _LONGEST = 5, 800  # hits that lead to others; characters of a turn that is not too long for that
_LINK, _MOST_WORDS = 10, 300  # maximum turns with a word that links them; words that are looked up
_ENOUGH, _NAME = 1.2, 1.5  # minimum weight of the words that link two turns; a name weighs more


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Args:
        hits: The turns, best first. Turns that match much less than the best are not included.
        more: How many other turns match too, but exceeded the limits.
        nowhere: Words of the probes that no turn of the history contains.
        without: Probes without a good hit, although some of their words are in the history.
    """

    hits: tuple[Hit, ...] = ()
    more: int = 0
    nowhere: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def find_turns(
    store: MemoryStore, probes: Sequence[str], filters: Filters | None = None, limit: int = 12, per_session: int = 3,
    sessions: Sequence[int] = (), alike: Sequence[int] = (), least: float = 0.0,
) -> Found:  # fmt: skip
    """Find the turns that match any of the probes.

    Args:
        store: The history.
        probes: Up to a dozen texts of a few words. Words match in any form. Text in double quotes matches exactly.
        filters: Which turns to search; None means all.
        limit: The maximum number of turns.
        per_session: The maximum number of turns from one session, so that a long session does not hide the others.
        sessions: Numbers of sessions that another ranking prefers, best first. Their turns move up.
        alike: Numbers of turns with a similar meaning, best first. They count like the hits of one more probe.
        least: The minimum share of a probe's weight, 0..1, that a hit must have.

    Returns:
        The turns, best first. Turns that several probes find come before turns that only one finds. Of many probes,
        each brings only its best turns: otherwise one common word would fill the result.

    >>> store = MemoryStore()
    >>> store.extend([("user", "My cat is called Mochi."), ("assistant", "A lovely name."), ("user", "It rains.")])
    >>> found = find_turns(store, ["cats", "dog"])
    >>> [hit.turn.index for hit in found.hits], found.nowhere
    ([1], ('dog',))
    """
    store, filters = store.snapshot(), filters or Filters()  # all probes search the same turns
    take_in_new_turns(store)
    searches = {text: Probe(store, text, filters) for text in dict.fromkeys(probes)}
    merged: dict[int, Hit] = {}
    for probe in searches.values():
        _merge(merged, probe.hits, probe.weight)
    near = [matching(store, f"{TURNS}.rowid = ?", (number,), filters, "rowid", 1) for number in alike]
    _merge(merged, [Hit(turn, 1.0, 1.0) for found in near for turn in found], 1.0)
    ranked = sorted(merged.values(), key=best_first)
    if sessions:
        places = {session: place for place, session in enumerate(sessions)}
        for place, each in enumerate(ranked):
            each.score = 1 / (_MERGE + place) + 1 / (_MERGE + places.get(each.turn.session, len(sessions)))
        ranked.sort(key=best_first)
    good = [each for each in ranked if each.share >= least and _is_strong(each, merged, filters)]
    numbers = {each.turn.index for each in good}
    found_by = {text: {hit.turn.index for hit in probe.hits} for text, probe in searches.items()}
    most = max(_OF_PROBE, max(limit, _OF_ALL) // max(sum(map(bool, found_by.values())), 1))
    of_session, of_probe = Counter[int](), Counter[str]()
    hits = []
    for each in good:
        by = [text for text, turns in found_by.items() if each.turn.index in turns]
        if of_session[each.turn.session] < per_session and (not by or any(of_probe[text] < most for text in by)):
            of_session[each.turn.session] += 1
            of_probe.update(by)
            hits.append(each)
    without = [text for text, turns in found_by.items() if searches[text].is_known and numbers.isdisjoint(turns)]
    nowhere = dict.fromkeys(word for probe in searches.values() for word in probe.nowhere)
    return Found(tuple(hits[:limit]), len(good) - len(hits[:limit]), tuple(nowhere), tuple(without))


def turns_with(store: MemoryStore, name: str, filters: Filters, limit: int) -> list[Hit]:
    """Return the newest turns that contain all words of a name, in the order of the history.

    >>> store = MemoryStore()
    >>> store.extend([("user", "Ann Lee called."), ("user", "Ann has left."), ("user", "Lee and Ann are here.")])
    >>> [hit.turn.index for hit in turns_with(store, "Ann Lee", Filters(), 10)]
    [1, 3]
    """
    take_in_new_turns(store)
    words = (content_words(name) or exact_words(name)[0])[:10]
    every = " AND ".join(f"({match_expression([word])})" for word in words)
    turns = matching(store, f"{TURNS} MATCH ?", (every,), filters, "rowid DESC", limit)[::-1] if every else []
    return [
        Hit(turn, matches=[(start, end, 1.0) for start, end, _ in matches])
        for turn, matches in zip(turns, occurrences(words, [turn.content for turn in turns]), strict=True)
        if {word for *_, word in matches}.issuperset(words)
    ]


def linked_turns(store: MemoryStore, hits: Sequence[Hit], filters: Filters, limit: int) -> list[Hit]:
    """Return turns of the user that share names or rare words with the best of some hits.

    They are in other sessions, best first: a later step of what people tell often repeats only a name.

    >>> store = MemoryStore()
    >>> for text in ["I got a puppy from Ines Oak.", "It rains.", "We met Ines Oak at the pond.", *map(str, range(50))]:
    ...     number = store.start_session(); turn = store.add("user", text)
    >>> [hit.turn.index for hit in linked_turns(store, find_turns(store, ["puppies"]).hits, Filters(), 3)]
    [3]
    """
    sessions = {hit.turn.session for hit in hits}
    of_user = [hit.turn for hit in hits if hit.turn.role != "assistant" and len(hit.turn.content) <= _LONGEST]
    best = [] if filters.role == "assistant" else of_user[:_LINKING]
    words = dict.fromkeys(word for turn in best for word in content_words(turn.content))
    counts = spread(store, list(words)[:_MOST_WORDS], _LINK)
    rare = " ".join(word for word in words if 1 < counts.get(word, 0) <= _LINK)
    others = Probe(store, rare, replace(filters, but="assistant")).hits if rare else []
    new = [hit for hit in others if hit.turn.session not in sessions]
    return [hit for hit in new if _shared(hit) >= _ENOUGH * math.log(len(store))][:limit]


def _shared(hit: Hit) -> float:
    """Return the weight of the different words that match. Names, which have a capital letter, weigh more."""
    content = hit.turn.content
    weights = {content[start:end]: weight for start, end, weight in hit.matches}
    return sum(weight * (_NAME if word[0].isupper() else 1) for word, weight in weights.items())


def _merge(merged: dict[int, Hit], hits: Sequence[Hit], weight: float) -> None:
    """Add another ranking to the scores. The better a turn's position, the more its score grows."""
    for place, hit in enumerate(hits):
        each = merged.setdefault(hit.turn.index, Hit(hit.turn))
        each.score += weight / (_MERGE + place)
        each.share, each.strength = max(each.share, hit.share), max(each.strength, hit.score / hits[0].score)
        each.matches = sorted(each.matches + hit.matches)


def _is_strong(each: Hit, found: Mapping[int, Hit], filters: Filters) -> bool:
    """Return whether a turn's match is strong enough.

    An assistant's turn needs a higher score, and must match better than the turn that it answers.
    """
    if each.turn.role != "assistant" or filters.role == "assistant":
        return each.strength >= _STRONG
    asked = found.get(each.turn.index - 1)
    repeats = asked is not None and asked.turn.session == each.turn.session and asked.strength >= each.strength
    return each.strength >= _STRONG_ASSISTANT and not repeats
