"""Simulated time: an event loop whose clock jumps to the next timer when nothing is left to do before it.

Code that waits only by the loop's clock (`asyncio.sleep`, timeouts, timers) runs unchanged: an hour passes in a
moment, and every run is the same because computing takes no simulated time. Label all such figures as simulated.
Do not use it for code that waits for the network or for threads.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

_T = TypeVar("_T")
_PATIENCE = 10.0  # real seconds to wait for an event without a timer


def run_simulated(work: Coroutine[Any, Any, _T]) -> _T:
    """Runs a coroutine to its end in simulated time, starting at 0; works inside a running loop, as in a notebook.

    Args:
        work: The coroutine; `asyncio.get_running_loop().time()` gives it the time.

    Raises:
        RuntimeError: The coroutine waits for something that no timer triggers.

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
    """Advances the clock where the loop would sleep."""

    def __init__(self, loop: _Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            events = super().select(_PATIENCE)
            if not events:
                raise RuntimeError("the simulation waits for something that no timer triggers")
            return events
        events = super().select(0)
        if not events:
            now = self._loop.now
            later = round(now + timeout, 9)  # the loop's own resolution, so that sums stay exact
            self._loop.now = later if later > now else now + timeout  # a shorter wait must pass too
        return events
