"""Methods that answer with a single call: truncation, full context (both in the paper, Section 4.2), and RAG.

RAG is the later baseline of the paper's repository: the turns most like the question, by words (BM25 in the store's
own index) or, with an embedding model, by vectors, as the authors did.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rlm_memory_core.models.budget import Budget
from rlm_memory_core.models.llm import LLM
from rlm_memory_core.models.normalise import Embeddings
from rlm_memory_core.models.pricing import Usage
from rlm_memory_core.query.prompts import history_messages
from rlm_memory_core.query.trace import total_cost
from rlm_memory_core.search.ranking import rank_turns
from rlm_memory_core.store.memory_store import MemoryStore

from .types import Prediction, Sample

TURN_CHARACTERS = 2_000  # RAG neither embeds nor shows the rest of a turn
TOP = 20  # turns that RAG retrieves
NEIGHBOURS = 1  # turns that RAG shows on either side of each

_NOT_EMBEDDED = Embeddings([], Usage(), 0.0)


@dataclass(frozen=True)
class Context:
    """The history, or its last `window` characters, in one call.

    Args:
        llm: The model.
        window: Characters kept, counted from the end; None keeps all.
        budget: A limit, or None.
    """

    llm: LLM
    window: int | None = None
    budget: Budget | None = None

    @property
    def name(self) -> str:
        """The method's name in tables."""
        return "full-context" if self.window is None else "truncation"

    async def __call__(self, sample: Sample) -> Prediction:
        """Answers one sample."""
        started = time.perf_counter()
        history = sample.store().to_string()
        return await _ask(
            self.llm, history if self.window is None else history[-self.window :], sample, self.budget, started
        )


@dataclass(frozen=True)
class RAG:
    """The top turns and their neighbours, in their order, in one call.

    Args:
        llm: The model that answers.
        embedder: The model that embeds turns and question; None ranks the turns by words.
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
        """Answers one sample."""
        started = time.perf_counter()
        store = sample.store()
        embedded, ranked = await self._rank(store, sample.question)
        history = excerpt(store, with_neighbours(ranked[:TOP], len(store)))
        return await _ask(self.llm, history, sample, self.budget, started, embedded)

    async def _rank(self, store: MemoryStore, question: str) -> tuple[Embeddings, Sequence[int]]:
        if self.embedder is None:
            return _NOT_EMBEDDED, rank_turns(store, question, TOP)
        texts = [turn.content[:TURN_CHARACTERS] for turn in store.turns]
        embedded = await self.embedder.embed([question, *texts], self.budget)
        return embedded, by_cosine(embedded.vectors[1:], embedded.vectors[0])


async def _ask(
    llm: LLM, history: str, sample: Sample, budget: Budget | None, started: float, embedded: Embeddings = _NOT_EMBEDDED
) -> Prediction:
    reply = await llm.complete(history_messages(history, sample.question, sample.question_date), budget)
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


def by_cosine(vectors: Sequence[Sequence[float]], query: Sequence[float]) -> list[int]:
    """Returns positions of vectors, the most similar to the query first; of equals the earlier one.

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
    """Returns positions and those next to them, each once and in order, within 0..count.

    >>> with_neighbours([7, 0], count=8)
    [0, 1, 6, 7]
    """
    near = {position + step for position in positions for step in range(-NEIGHBOURS, NEIGHBOURS + 1)}
    return sorted(near.intersection(range(count)))


def excerpt(store: MemoryStore, positions: Sequence[int]) -> str:
    """Serialises some turns of a history, each cut to `TURN_CHARACTERS`; a dated session keeps its marker.

    >>> store = MemoryStore()
    >>> store.extend([("user", "My cat is called Mochi."), ("assistant", "Noted."), ("user", "It rains.")])
    >>> print(excerpt(store, [0, 2]))
    [Turn 1][user]: My cat is called Mochi.
    [Turn 3][user]: It rains.
    """
    wanted = {position + 1 for position in positions}
    lines = []
    for session in store.sessions:
        found = [
            str(replace(turn, content=turn.content[:TURN_CHARACTERS])) for turn in session.turns if turn.index in wanted
        ]
        lines += [session.marker, *found] if found and session.date is not None else found
    return "\n".join(lines)
