"""Which sessions, or which turns, speak of a question: by words, by dates and, with an embedder, by meaning.

A session's score is a plain sum: BM25 of what was said in it by anyone but the assistant, BM25 of
its best turn, and the dates that the question names as one more word. Where there is an embedder,
that sum and the likeness of the session's best turn are each brought to 0..1 and added. Nothing is
weighed by hand or learnt, and nothing is left out: a session that speaks of nothing comes last.

It does not read the sessions; the index of words is in `word_index`, that of vectors in `vectors`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

from . import background
from .budget import Budget
from .periods import Period, periods, without_relative
from .store import MemoryStore
from .vectors import Embedder, likeness
from .word_index import DAYS, SPOKEN, TURNS, match_expression, take_in_new_turns

_LAST_DAY = date.max.toordinal()
_Part = tuple[str, list[float | str]]
"""SQL that gives (session, score) rows, and its parameters."""


def rank_sessions(
    store: MemoryStore,
    question: str,
    question_date: str | None = None,
    embedder: Embedder | None = None,
    k: int | None = None,
    budget: Budget | None = None,
) -> list[int]:
    """Positions in `store.sessions`, the most relevant to the question first.

    Args:
        store: The history.
        question: Any text; its function words are ignored.
        question_date: The day of asking, in any form that `dates.parse_date` reads; "two weeks ago" then favours
            the sessions of those days, and leaves no other out.
        embedder: Compares meanings as well as words; an `LLM`, or a `semantic.LocalEmbedder`. New turns are
            embedded first, once for all.
        k: How many to return; None for all. Of equals the newer comes first.
        budget: For the embedder's calls.

    Raises:
        ValueError: k is negative, or the embedder's vectors cannot be compared.
        ModelError, BudgetExceeded: From the embedder's calls.

    >>> store = MemoryStore()
    >>> for said in ("I bought a red bicycle.", "My cat is called Mochi."):
    ...     number = store.start_session(); turn = store.add("user", said)
    >>> rank_sessions(store, "What is my cat called?")
    [1, 0]
    """
    if embedder is None:
        return _by_words(store, question, question_date, k)
    return background.run(arank_sessions(store, question, question_date, embedder, k, budget))


async def arank_sessions(
    store: MemoryStore,
    question: str,
    question_date: str | None = None,
    embedder: Embedder | None = None,
    k: int | None = None,
    budget: Budget | None = None,
) -> list[int]:
    """`rank_sessions` for callers on an event loop."""
    if embedder is None:
        return _by_words(store, question, question_date, k)
    _check(k)
    alike = await likeness(store, question, embedder, budget)
    by_meaning = _unit(alike, min(alike.values(), default=0.0))
    by_words = _unit(dict(_scored(store, question, question_date, None)), 0.0)
    scores = {
        session: by_meaning.get(session, 0.0) + by_words.get(session, 0.0)
        for session in range(len(store.sessions), 0, -1)
    }
    best = sorted(scores, key=scores.__getitem__, reverse=True)  # a stable sort: of equals the newer stays first
    return [session - 1 for session in best[:k]]


def rank_turns(store: MemoryStore, question: str, k: int | None = None) -> list[int]:
    """Positions in `store.turns`, by the BM25 of each turn's words; k and ties are as for `rank_sessions`.

    >>> store = MemoryStore()
    >>> store.extend([("user", "My cat is called Mochi."), ("assistant", "A pretty name.")])
    >>> rank_turns(store, "What is my cat called?", k=1)
    [0]
    """
    _check(k)
    take_in_new_turns(store)
    expression = match_expression(question)
    rows: list[tuple[int, ...]] = []
    if expression:
        order = f"SELECT rowid FROM {TURNS} WHERE {TURNS} MATCH ? ORDER BY rank, rowid DESC LIMIT ?"
        rows = store.query(order, (expression, _limit(k)))
    return _filled([number for (number,) in rows], len(store), k)


def _by_words(store: MemoryStore, question: str, question_date: str | None, k: int | None) -> list[int]:
    _check(k)
    ranked = [session for session, _ in _scored(store, question, question_date, k)]
    return _filled(ranked, len(store.sessions), k)


def _scored(store: MemoryStore, question: str, question_date: str | None, k: int | None) -> list[tuple[int, float]]:
    """The best sessions that have a word or a date of the question: (number, score)."""
    take_in_new_turns(store)
    spans = periods(question, question_date)
    parts = _words(match_expression(without_relative(question, spans))) + _dates(store, spans)
    if not parts:
        return []
    union = " UNION ALL ".join(sql for sql, _ in parts)
    parameters = [value for _, values in parts for value in values]
    return [
        (int(session), float(score))
        for session, score in store.query(
            f"SELECT session, sum(score) AS total FROM ({union}) GROUP BY session "
            "ORDER BY total DESC, session DESC LIMIT ?",
            [*parameters, _limit(k)],
        )
    ]


def _words(expression: str) -> list[_Part]:
    """What was said in the session, and its best turn; `rank` is FTS5's BM25, the lower the better."""
    if not expression:
        return []
    said = f"SELECT rowid AS session, -rank AS score FROM {SPOKEN} WHERE {SPOKEN} MATCH ?"
    best_turn = (
        f"SELECT turns.session, max(-{TURNS}.rank) FROM {TURNS} JOIN turns ON turns.turn_index = {TURNS}.rowid "
        f"WHERE {TURNS} MATCH ? GROUP BY turns.session"
    )
    return [(said, [expression]), (best_turn, [expression])]


def _dates(store: MemoryStore, spans: Sequence[Period]) -> list[_Part]:
    """The dates as one more word, which a session has the less the further it lies from them.

    Its weight is BM25's for a word in so many sessions, in both of the scores above.
    """
    if not spans:
        return []
    near = " UNION ALL ".join(
        f"SELECT session, 1 - max(? - day, day - ?, 0) / ? AS near FROM {DAYS} WHERE day > ? AND day < ?" for _ in spans
    )
    values: list[float | str] = []
    for span in spans:
        start, end, reach = span.start.toordinal(), span.end.toordinal(), 2.0 * max(span.width, 1)
        values += [start, end, reach, max(start - reach, 0), min(end + reach, _LAST_DAY)]
    nearest = f"SELECT session, max(near) AS near FROM ({near}) GROUP BY session"
    having = float(store.query(f"SELECT total(near) FROM ({nearest})", values)[0][0])
    dated = int(store.query(f"SELECT count(*) FROM {DAYS}")[0][0])
    rarity = math.log((dated - having + 0.5) / (having + 0.5))
    if rarity <= 0:
        return []  # more than half of the history lies there: the dates tell nothing apart
    return [(f"SELECT session, ? * near AS score FROM ({nearest})", [2 * rarity, *values])]


def _unit(scores: dict[int, float], least: float) -> dict[int, float]:
    """Scores in 0..1: `least` is 0, the greatest 1."""
    span = max(scores.values(), default=least) - least
    return {session: (score - least) / (span or 1.0) for session, score in scores.items()}


def _filled(ranked: list[int], count: int, k: int | None) -> list[int]:
    """Numbers as positions, and after them those that are missing of 1..count, newest first."""
    if k is not None and len(ranked) >= k:
        return [number - 1 for number in ranked[:k]]
    seen = set(ranked)
    rest = (number for number in range(count, 0, -1) if number not in seen)
    return [number - 1 for number in [*ranked, *rest][:k]]


def _limit(k: int | None) -> int:
    return -1 if k is None else k


def _check(k: int | None) -> None:
    if k is not None and k < 0:
        raise ValueError(f"k must not be negative, not {k}")
