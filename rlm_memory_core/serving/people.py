"""Opens the stores of the people who use an endpoint. Each person has a file of their own."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ..store.memory_store import MemoryStore


@dataclass(frozen=True)
class People:
    """The stores of all people.

    Args:
        path: The default store, for requests that name nobody. The other files are in a folder beside it. None stores
            nothing: each request gets an empty store in memory.
        tz: The time zone of all stores, as for `MemoryStore`.
    """

    path: Path | None = None
    tz: str | None = None

    def file(self, name: str) -> Path | None:
        """Return the file of a person. Its name is a hash, because a person's name may hold any characters.

        >>> People(Path("history.db")).file("") == Path("history.db")
        True
        >>> str(People(Path("history.db")).file("../ada"))[:30]
        'history.db.people/60088279524e'
        """
        if self.path is None or not name:
            return self.path
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        return self.path.with_name(f"{self.path.name}.people") / f"{digest}.db"

    @asynccontextmanager
    async def store(self, name: str) -> AsyncIterator[MemoryStore]:
        """Open the store of a person for the length of a `with` block.

        Raises:
            StoreError: The file is not a history, or cannot be opened.
        """
        path = self.file(name)
        if path and name:
            path.parent.mkdir(mode=0o700, exist_ok=True)
        store = await asyncio.to_thread(MemoryStore, path, tz=self.tz)
        try:
            yield store
        finally:
            # even if the request is stopped, so that its session can be continued
            await asyncio.shield(asyncio.to_thread(store.close))
