"""Which sessions, pieces or turns speak of a question: by words, by dates and, with an embedder, by meaning.

What is scored are pieces (`pieces`), which are sessions unless these are long. A piece's score is a plain sum:
BM25 of what was said in it by anyone but the assistant, BM25 of its best turn, and the dates that the question names
as one more word. A session's score is that of its best piece. Where there is an embedder, that sum and the
likeness of the session's best turn are each brought to 0..1 and added. Nothing is weighed by hand or learnt, and
nothing is left out: a session that speaks of nothing comes last.

Of a question's words the rarest decide, as many of them as stand in 50,000 turns together; where each stands in
more, all of them rank the newest 50,000 turns. So a ranking of millions takes no longer than that of these.

It does not read the sessions; the index of words is in `word_index`, that of vectors in `vectors`.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, chain, islice

from ..models import background
from ..models.budget import Budget
from ..store.memory_store import MemoryStore
from .periods import Period, periods, without_relative
from .vectors import Embedder, likeness
from .word_index import PIECES, SPOKEN, TURNS, content_words, match_expression, piece_number, take_in_new_turns

_MOST_SCORED = 50_000  # turns; words that stand in so many say little
# of a question, which may be a pasted log: what is asked stands at its beginning or at its end
_MOST_WORDS, _MOST_DATED = 300, 10_000  # different words; characters among which its dates are looked for
_LAST_DAY = date.max.toordinal()
_Part = tuple[str, list[float | str]]
"""SQL that gives (piece, score) rows, and its parameters."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """What of a history is ranked: the turns and the pieces after these numbers."""

    turns_after: int
    pieces_after: int


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
        question: Any text; its function words are ignored. Of a pasted page with more than 300 others, 150 from
            either end count, and of more than 10,000 characters the dates in the first and last 5,000.
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
    """`rank_sessions` for callers on an event loop: what it reads and writes is done in a thread."""
    if embedder is None:
        return await asyncio.to_thread(_by_words, store, question, question_date, k)
    _check(k)
    alike = await likeness(store, question, embedder, budget)
    by_meaning = _unit(alike, min(alike.values(), default=0.0))
    scored = await asyncio.to_thread(_scored_sessions, store, question, question_date, None)
    by_words = _unit(dict(scored), 0.0)
    scores = {
        session: by_meaning.get(session, 0.0) + by_words.get(session, 0.0)
        for session in range(await asyncio.to_thread(lambda: len(store.sessions)), 0, -1)
    }
    best = sorted(scores, key=scores.__getitem__, reverse=True)  # a stable sort: of equals the newer stays first
    return [session - 1 for session in best[:k]]


def rank_pieces(
    store: MemoryStore,
    question: str,
    question_date: str | None = None,
    k: int | None = None,
) -> list[int]:
    """Positions of the history's pieces, from 0, the oldest first; all else is as for `rank_sessions`.

    >>> store = MemoryStore()
    >>> store.extend([("user", "My cat is called Mochi. " * 1000), ("user", "I like rye bread. " * 1000)])
    >>> rank_pieces(store, "Which bread do I like?")
    [1, 0]
    """
    _check(k)
    ranked = [piece for piece, _ in _scored_pieces(store, question, question_date, k)]
    return _filled(ranked, piece_number(store, len(store)), k)


def rank_turns(store: MemoryStore, question: str, k: int | None = None) -> list[int]:
    """Positions in `store.turns`, by the BM25 of each turn's words; all else is as for `rank_sessions`.

    >>> store = MemoryStore()
    >>> store.extend([("user", "My cat is called Mochi."), ("assistant", "A pretty name.")])
    >>> rank_turns(store, "What is my cat called?", k=1)
    [0]
    """
    _check(k)
    take_in_new_turns(store)
    words, scope = _deciding(store, content_words(question))
    rows: list[tuple[int, ...]] = []
    if words:
        rows = store.query(
            f"SELECT rowid FROM {TURNS} WHERE {TURNS} MATCH ? AND rowid > ? ORDER BY rank, rowid DESC LIMIT ?",
            (match_expression(words), scope.turns_after, _limit(k)),
        )
    return _filled([number for (number,) in rows], len(store), k)


def _by_words(store: MemoryStore, question: str, question_date: str | None, k: int | None) -> list[int]:
    _check(k)
    ranked = [session for session, _ in _scored_sessions(store, question, question_date, k)]
    return _filled(ranked, len(store.sessions), k)


def _scored_pieces(
    store: MemoryStore, question: str, question_date: str | None, k: int | None
) -> list[tuple[int, float]]:
    """The best pieces that have a word or a date of the question: (number, score)."""
    return _best(store, question, question_date, k, "SELECT piece, total FROM ({scores})")


def _scored_sessions(
    store: MemoryStore, question: str, question_date: str | None, k: int | None
) -> list[tuple[int, float]]:
    """The best sessions, each by its best piece: (number, score)."""
    by_session = (
        f"SELECT session, max(total) AS total FROM ({{scores}}) JOIN {PIECES} ON number = piece GROUP BY session"
    )
    return _best(store, question, question_date, k, by_session)


def _best(
    store: MemoryStore, question: str, question_date: str | None, k: int | None, what: str
) -> list[tuple[int, float]]:
    """What is made of the scores of pieces, the highest first, and of equals the newest."""
    take_in_new_turns(store)
    parts = _parts(store, question, question_date)
    if not parts:
        return []
    union = " UNION ALL ".join(sql for sql, _ in parts)
    scores = f"SELECT piece, sum(score) AS total FROM ({union}) GROUP BY piece"
    sql = f"{what.format(scores=scores)} ORDER BY total DESC, 1 DESC LIMIT ?"
    parameters = [value for _, values in parts for value in values]
    return [(int(number), float(score)) for number, score in store.query(sql, [*parameters, _limit(k)])]


def _parts(store: MemoryStore, question: str, question_date: str | None) -> list[_Part]:
    """What a piece's score is the sum of."""
    half = _MOST_DATED // 2
    dated = question if len(question) <= _MOST_DATED else f"{question[:half]}\n{question[-half:]}"
    spans = periods(dated, question_date)
    words, scope = _deciding(store, content_words(without_relative(question, spans)))
    return _words(words, scope) + _dates(store, spans, piece_number(store, len(store)))


def _deciding(store: MemoryStore, words: Sequence[str]) -> tuple[list[str], _Scope]:
    """The words to rank by, and where they are looked up."""
    if len(words) > _MOST_WORDS:
        words = [*words[: _MOST_WORDS // 2], *words[-_MOST_WORDS // 2 :]]
    spread = sorted((count, word) for word in words if (count := _spread(store, word)))
    totals = accumulate(count for count, _ in spread)
    few = [word for (_, word), total in zip(spread, totals, strict=True) if total <= _MOST_SCORED]
    after = 0 if few else max(len(store) - _MOST_SCORED, 0)
    scope = _Scope(after, piece_number(store, after))
    return few or [word for _, word in spread], scope


def _spread(store: MemoryStore, word: str) -> int:
    """In how many turns a word stands; counted no further than matters."""
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {TURNS} WHERE {TURNS} MATCH ? LIMIT ?)"
    return int(store.query(sql, (match_expression([word]), _MOST_SCORED + 1))[0][0])


def _words(words: Sequence[str], scope: _Scope) -> list[_Part]:
    """What was said in the piece, and its best turn; `rank` is FTS5's BM25, the lower the better.

    A turn that is several pieces counts for each of them.
    """
    if not words:
        return []
    expression = match_expression(words)
    said = f"SELECT rowid AS piece, -rank AS score FROM {SPOKEN} WHERE {SPOKEN} MATCH ? AND rowid > ?"
    best_turn = (
        f"SELECT number AS piece, max(score) AS score FROM (SELECT rowid AS turn, -rank AS score FROM {TURNS} "
        f"WHERE {TURNS} MATCH ? AND rowid > ?) CROSS JOIN {PIECES} "
        f"ON first_turn = (SELECT max(first_turn) FROM {PIECES} WHERE first_turn <= turn) GROUP BY number"
    )
    return [(said, [expression, scope.pieces_after]), (best_turn, [expression, scope.turns_after])]


def _dates(store: MemoryStore, spans: Sequence[Period], last_piece: int) -> list[_Part]:
    """The dates as one more word, which a piece has the less the further it lies from them.

    Its weight is BM25's for a word in so many pieces, in both of the scores above.
    """
    near: list[tuple[float, ...]] = []
    for start, end, width in dict.fromkeys((span.start, span.end, span.width) for span in spans):
        first, last, reach = start.toordinal(), end.toordinal(), 2.0 * max(width, 1)
        bounds = (max(first - reach, 0), min(last + reach, _LAST_DAY))
        sql = f"SELECT count(*) FROM (SELECT 1 FROM {PIECES} WHERE day > ? AND day < ? AND number <= ? LIMIT ?)"
        ((many,),) = store.query(sql, (*bounds, last_piece, _MOST_SCORED + 1))
        if 0 < many <= _MOST_SCORED:
            near.append((first, last, reach, *bounds))
    if not near:
        return []
    from_day, to_day, far, after, before = (f"json_extract(value, '$[{number}]')" for number in range(5))
    nearest = (
        f"SELECT number AS piece, max(1 - max({from_day} - day, day - {to_day}, 0) / {far}) AS near "
        f"FROM json_each(?) CROSS JOIN {PIECES} ON day > {after} AND day < {before} AND number <= ? GROUP BY number"
    )
    values: list[float | str] = [json.dumps(near), last_piece]
    having = float(store.query(f"SELECT total(near) FROM ({nearest})", values)[0][0])
    rarity = math.log((last_piece - having + 0.5) / (having + 0.5))
    if rarity <= 0:
        return []  # more than half of the history lies there: the dates tell nothing apart
    return [(f"SELECT piece, ? * near AS score FROM ({nearest})", [2 * rarity, *values])]


def _unit(scores: dict[int, float], least: float) -> dict[int, float]:
    """Scores in 0..1: `least` is 0, the greatest 1."""
    span = max(scores.values(), default=least) - least
    return {session: (score - least) / (span or 1.0) for session, score in scores.items()}


def _filled(ranked: list[int], count: int, k: int | None) -> list[int]:
    """Numbers as positions, and after them those that are missing of 1..count, newest first."""
    seen = set(ranked)
    rest: Iterable[int] = (number for number in range(count, 0, -1) if number not in seen)
    return [number - 1 for number in islice(chain(ranked, rest), k)]


def _limit(k: int | None) -> int:
    return -1 if k is None else k


def _check(k: int | None) -> None:
    if k is not None and k < 0:
        raise ValueError(f"k must not be negative, not {k}")
