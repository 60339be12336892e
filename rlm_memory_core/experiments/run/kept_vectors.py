"""An embedder whose vectors are kept in the cache folder, by text: the same sessions stand in many histories.

For experiments on the local embedder alone, which takes minutes for a benchmark. A store keeps the vectors of its own
turns by itself (`rlm_memory_core.search.vectors`), and calls to a server are recorded.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence

from rlm_memory_core.models.budget import Budget
from rlm_memory_core.models.embeddings import Embeddings
from rlm_memory_core.models.llm import cache_path
from rlm_memory_core.models.pricing import Usage
from rlm_memory_core.search.vectors import Embedder


class KeptVectors:
    """A `vectors.Embedder` that asks another one for what it has not seen; its usage counts nothing.

    Args:
        embedder: Asked for new texts. Its `model` is part of the key.

    Raises:
        OSError: The cache folder cannot be written.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.model = embedder.model
        self._embedder = embedder
        path = cache_path() / "vectors.sqlite"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, vector TEXT NOT NULL) WITHOUT ROWID")

    async def embed(self, texts: Sequence[str], budget: Budget | None = None) -> Embeddings:
        """The vectors, new ones from the embedder."""
        keys = [hashlib.sha256(f"{self.model}\0{text}".encode()).hexdigest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if self._kept(key) is None}
        if new:
            embedded = await self._embedder.embed(list(new.values()), budget)
            rows = zip(new, map(json.dumps, embedded.vectors), strict=True)
            self._db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", rows)
        return Embeddings([json.loads(self._kept(key) or "") for key in keys], Usage(), 0.0)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _kept(self, key: str) -> str | None:
        row = self._db.execute("SELECT vector FROM kept WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])
