"""Opens the stores of the people who use one endpoint. Each person has a file that no other name leads to."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ..store.memory_store import MemoryStore

_OPEN = 50  # files kept open for people who do not talk just now


@dataclass(eq=False)
class _Opened:
    store: asyncio.Task[MemoryStore]
    talks: int = 0


class People:
    """The stores, opened when they are needed. All methods run on one event loop.

    Args:
        path: The file of whoever gives no name. The files of the others lie in a folder beside it. None stores
            nothing: each request gets an empty store in memory.
        tz: The time zone of all, as for `MemoryStore`.
    """

    def __init__(self, path: Path | None, tz: str | None = None) -> None:
        self.path, self._tz = path, tz
        self._opened: OrderedDict[Path, _Opened] = OrderedDict()

    def file(self, name: str) -> Path | None:
        """The file of a person. It is named by a hash, so that a name can hold any characters and be of any length.

        >>> People(Path("history.db")).file("") == Path("history.db")
        True
        >>> People(Path("history.db")).file("../ada") == Path("history.db.people", f"{_digest('../ada')}.db")
        True
        """
        if self.path is None or not name:
            return self.path
        return self.path.with_name(f"{self.path.name}.people") / f"{_digest(name)}.db"

    @asynccontextmanager
    async def store(self, name: str) -> AsyncIterator[MemoryStore]:
        """The store of a person, for the time of a block.

        Raises:
            StoreError: The file is not a history, or cannot be opened.
        """
        path = self.file(name)
        if path is None:
            with MemoryStore() as store:
                yield store
            return
        opened = self._opened.get(path)
        if opened is None or (opened.store.done() and opened.store.exception()):
            opened = self._opened[path] = _Opened(asyncio.create_task(asyncio.to_thread(self._open, path)))
        self._opened.move_to_end(path)
        opened.talks += 1
        try:
            yield await asyncio.shield(opened.store)  # others may wait for it too
        finally:
            opened.talks -= 1
            await self._close_idle(_OPEN)

    async def close(self) -> None:
        """Close all stores that nobody uses."""
        await self._close_idle(0)

    def _open(self, path: Path) -> MemoryStore:
        if path != self.path:
            path.parent.mkdir(mode=0o700, exist_ok=True)
        return MemoryStore(path, tz=self._tz)

    async def _close_idle(self, kept: int) -> None:
        for path, opened in list(self._opened.items())[: max(len(self._opened) - kept, 0)]:
            if not opened.talks and opened.store.done():
                del self._opened[path]
                if not opened.store.exception():
                    await asyncio.to_thread(opened.store.result().close)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
