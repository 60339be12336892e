"""Shows the progress of a notebook in the terminal that runs it.

The notebook's kernel is another process without a terminal: it writes its position to a small file, and the driver
draws the bar.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from tqdm import tqdm

_VARIABLE = "RLM_MEMORY_PROGRESS"
_INTERVAL = 0.3  # seconds between two looks at the file
_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Progress:
    """A bar on the terminal, if there is one, and a file for the driver, if there is one.

    Args:
        total: The number of steps.
        show: False draws no bar.
    """

    def __init__(self, total: int, show: bool = True) -> None:
        self._bar = tqdm(total=total, unit="question", disable=None if show else True)
        self._label, self._done, self._total = "", 0, total

    def start(self, label: str) -> None:
        """Names the next steps."""
        self._label = label
        self._bar.set_description(label)

    def advance(self) -> None:
        """Counts one more step."""
        self._done += 1
        self._bar.update()
        if path := os.environ.get(_VARIABLE):
            Path(path).write_text(json.dumps([self._label, self._done, self._total]), encoding="utf-8")

    async def gather(
        self, work: Callable[[_In], Awaitable[_Out]], items: Iterable[_In], concurrency: int
    ) -> list[_Out]:
        """Awaits `work` for every item, at most `concurrency` at once, and counts each; returns results in order."""
        slots = asyncio.Semaphore(concurrency)

        async def one(item: _In) -> _Out:
            async with slots:
                result = await work(item)
            self.advance()
            return result

        return list(await asyncio.gather(*map(one, items)))

    def close(self) -> None:
        """Removes the bar."""
        self._bar.close()


@contextmanager
def watch(name: str) -> Iterator[None]:
    """Draws the bar of the notebook that runs meanwhile; draws nothing without a terminal."""
    with TemporaryDirectory() as folder, tqdm(desc=name, unit="question", disable=None, leave=False) as bar:
        path = Path(folder) / "progress.json"
        stopped = threading.Event()
        watcher = threading.Thread(target=_draw, args=(path, bar, name, stopped), daemon=True)
        os.environ[_VARIABLE] = str(path)
        watcher.start()
        try:
            yield
        finally:
            stopped.set()
            watcher.join()
            del os.environ[_VARIABLE]


def _draw(path: Path, bar: tqdm, name: str, stopped: threading.Event) -> None:
    while not stopped.wait(_INTERVAL):
        with suppress(OSError, ValueError):  # not there yet, or half written
            label, bar.n, bar.total = json.loads(path.read_text(encoding="utf-8"))
            bar.set_description(f"{name}: {label}")
