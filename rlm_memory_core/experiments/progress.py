"""Shows the progress of questions in a terminal, also when a notebook's kernel asks them.

A kernel is another process without a terminal: it writes how many questions it has asked to a small file that the
driver of the run reads (see `run.execution`).
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

VARIABLE = "RLM_MEMORY_PROGRESS"
"""The environment variable that names the file."""

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_asked = 0  # by this process


class Progress:
    """A bar on the terminal, if there is one, and a file for the driver, if there is one.

    Args:
        total: The number of steps.
        show: False draws no bar.
    """

    def __init__(self, total: int, show: bool = True) -> None:
        self._bar = tqdm(total=total, unit="question", disable=None if show else True)

    def advance(self, label: str) -> None:
        """Counts one more step, and names it."""
        global _asked
        _asked += 1
        self._bar.set_description(label, refresh=False)
        self._bar.update()
        if path := os.environ.get(VARIABLE):
            Path(path).write_text(f"{_asked} {label}", encoding="utf-8")

    def close(self) -> None:
        """Removes the bar."""
        self._bar.close()


async def gather(work: Callable[[_In], Awaitable[_Out]], items: Iterable[_In], concurrency: int) -> list[_Out]:
    """Awaits `work` for every item, at most `concurrency` at once; returns results in order."""
    slots = asyncio.Semaphore(concurrency)

    async def one(item: _In) -> _Out:
        async with slots:
            return await work(item)

    return list(await asyncio.gather(*map(one, items)))
