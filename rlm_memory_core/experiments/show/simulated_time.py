"""Simulated time: an event loop whose clock jumps to the next timer when nothing is left to do before it.

Code that waits only by the loop's clock (`asyncio.sleep`, timeouts, timers) runs as it
is, an hour of it in a moment, and the same each time: computing takes no time at all.
What is measured so is a simulation, and is to be labelled so. Not for code that waits
for the network or for threads.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

_T = TypeVar("_T")
_PATIENCE = 10.0  # seconds of real time for what no timer will end


def run_simulated(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end in simulated time, from 0 on; also where a loop runs already, as in a notebook.

    Args:
        work: It reads the time as `asyncio.get_running_loop().time()`.

    Raises:
        RuntimeError: It waits for something that no timer brings about.

    Example:
        >>> async def wait() -> float:
        ...     await asyncio.sleep(3600)
        ...     return asyncio.get_running_loop().time()
        >>> run_simulated(wait())
        3600.0
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_run, work).result()


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now


class _Selector(selectors.SelectSelector):
    """Where the loop would sleep, its clock is put forward."""

    def __init__(self, loop: _Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            events = super().select(_PATIENCE)
            if not events:
                raise RuntimeError("the simulation waits for something that no timer brings about")
            return events
        events = super().select(0)
        if not events:
            now = self._loop.now
            later = round(now + timeout, 9)  # the loop's own resolution: sums stay whole
            self._loop.now = later if later > now else now + timeout  # a shorter wait than that passes too
        return events
