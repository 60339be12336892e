"""Embeds texts on this machine with a `sentence-transformers` model (the extra `semantic`).

The library brings PyTorch, so it is imported with the first text.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from ..models.budget import Budget
from ..models.normalise import Embeddings
from ..models.pricing import Usage

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


class LocalEmbedder:
    """A `vectors.Embedder` that costs only time.

    Args:
        model: A name on the Hugging Face hub (downloaded once), or a folder with the model.
        name: Names its vectors in the history's file; None for `model`.
        device: Such as "cpu" or "cuda"; None lets the library choose.

    >>> LocalEmbedder("/models/mine", name="mine").model
    'mine'
    """

    def __init__(self, model: str = DEFAULT_MODEL, name: str | None = None, device: str | None = None) -> None:
        self.model = name or model
        self._path = model
        self._device = device
        self._encoder: Any = None
        self._lock = threading.Lock()

    async def embed(self, texts: Sequence[str], budget: Budget | None = None) -> Embeddings:
        """One vector of length 1 for each text. The budget is not used: there is no call to count.

        Raises:
            ImportError: `sentence-transformers` is not installed.
            OSError: There is no such model, here or on the hub.
        """
        return Embeddings(await asyncio.to_thread(self._encode, list(texts)), Usage(), 0.0)

    def _encode(self, texts: list[str]) -> list[list[float]]:
        with self._lock:
            if self._encoder is None:
                self._encoder = self._load()
            vectors: list[list[float]] = self._encoder.encode(
                texts, normalize_embeddings=True, show_progress_bar=False
            ).tolist()
            return vectors

    def _load(self) -> Any:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ImportError(
                "ranking by meaning on this machine needs sentence-transformers: pip install 'rlm-memory[semantic]'"
            ) from error
        return SentenceTransformer(self._path, device=self._device)
