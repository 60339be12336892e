"""RAG, the repository's later baseline: the turns most like the question, then one answer call.

Retrieval is by words (BM25 in the store's own index), or by vectors where an
embedding model is named, as the authors did. No sub-agents, no second look.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rlm_memory_core.models.budget import Budget
from rlm_memory_core.models.embeddings import Embeddings
from rlm_memory_core.models.llm import LLM
from rlm_memory_core.models.pricing import Usage
from rlm_memory_core.query.prompts import history_messages
from rlm_memory_core.query.trace import total_cost
from rlm_memory_core.search.ranking import rank_turns
from rlm_memory_core.store.memory_store import MemoryStore
from rlm_memory_core.store.turns import Turn

from .types import Prediction, Sample

TURN_CHARACTERS = 2_000  # of each turn, from its start; the rest is neither embedded nor shown
TOP = 20
NEIGHBOURS = 1  # turns shown on either side of each that was retrieved

_WITHOUT = Embeddings([], Usage(), 0.0)


@dataclass(frozen=True)
class RAG:
    """The top turns and their neighbours, in their order, in one call.

    Args:
        llm: The model that answers.
        embedder: The model that embeds turns and question; None ranks them by words.
        budget: A limit, or None.
    """

    llm: LLM
    embedder: LLM | None = None
    budget: Budget | None = None

    @property
    def name(self) -> str:
        """The method's name in tables."""
        return "rag"

    async def __call__(self, sample: Sample) -> Prediction:
        """Answer one sample."""
        started = time.perf_counter()
        store = sample.store()
        embedded, ranked = await self._rank(store, sample.question)
        history = excerpt(store, with_neighbours(ranked[:TOP], len(store)))
        reply = await self.llm.complete(history_messages(history, sample.question, sample.question_date), self.budget)
        usage = embedded.usage + reply.usage
        replayed = embedded.replayed_seconds + (reply.seconds if reply.recorded else 0.0)
        return Prediction(
            reply.text.strip(),
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            calls=usage.calls,
            cost_usd=total_cost([embedded.cost_usd, reply.cost_usd]),
            seconds=time.perf_counter() - started + replayed,
        )

    async def _rank(self, store: MemoryStore, question: str) -> tuple[Embeddings, Sequence[int]]:
        if self.embedder is None:
            return _WITHOUT, rank_turns(store, question, TOP)
        texts = [turn.content[:TURN_CHARACTERS] for turn in store.turns]
        embedded = await self.embedder.embed([question, *texts], self.budget)
        return embedded, by_cosine(embedded.vectors[1:], embedded.vectors[0])


def by_cosine(vectors: Sequence[Sequence[float]], query: Sequence[float]) -> list[int]:
    """Positions of vectors, the most similar to the query first; of equals the earlier one.

    >>> by_cosine([[0.0, 1.0], [2.0, 0.1], [1.0, 1.0]], [1.0, 0.0])
    [1, 2, 0]
    """
    if not vectors:
        return []
    rows, wanted = np.asarray(vectors, dtype=float), np.asarray(query, dtype=float)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted)
    similarity = np.divide(rows @ wanted, lengths, out=np.zeros(len(rows)), where=lengths > 0)
    return [int(position) for position in np.argsort(-similarity, kind="stable")]


def with_neighbours(positions: Iterable[int], count: int) -> list[int]:
    """Positions with those next to them, each once and in order, within 0..count.

    >>> with_neighbours([7, 0], count=8)
    [0, 1, 6, 7]
    """
    near = {position + step for position in positions for step in range(-NEIGHBOURS, NEIGHBOURS + 1)}
    return sorted(near.intersection(range(count)))


def excerpt(store: MemoryStore, positions: Sequence[int]) -> str:
    """Some turns of a history as it is serialised, each cut, those of a dated session under its marker.

    >>> store = MemoryStore()
    >>> store.extend([("user", "My cat is called Mochi."), ("assistant", "Noted."), ("user", "It rains.")])
    >>> print(excerpt(store, [0, 2]))
    [Turn 1][user]: My cat is called Mochi.
    [Turn 3][user]: It rains.
    """
    wanted = {position + 1 for position in positions}
    lines = []
    for session in store.sessions:
        found = [_cut(turn) for turn in session.turns if turn.index in wanted]
        lines += [session.marker, *found] if found and session.date is not None else found
    return "\n".join(lines)


def _cut(turn: Turn) -> str:
    return str(replace(turn, content=turn.content[:TURN_CHARACTERS]))
