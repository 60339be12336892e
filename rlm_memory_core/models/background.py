"""One event loop in a background thread, used by every synchronous call of the package.

Connections and REPL workers belong to the loop that created them. Because they all share this one loop, callers may
have their own loop, as a notebook does, or several threads.
"""

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

_T = TypeVar("_T")
_lock = threading.Lock()
_running: asyncio.AbstractEventLoop | None = None
_process = 0  # the process that started the loop

CLOSERS: set[Callable[[], Awaitable[object]]] = set()
"""Functions that close resources of the loop. They are called before the interpreter exits."""


def loop() -> asyncio.AbstractEventLoop:
    """Return the background loop; the first call starts it.

    Raises:
        RuntimeError: This process was forked from one with a loop. The loop's thread does not exist here, so waiting
            would never end.
    """
    global _running, _process
    if _running is not None and _process != os.getpid():
        raise RuntimeError(
            "this process was forked from one that uses rlm-memory; start it by spawn or forkserver, such as "
            'ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))'
        )
    with _lock:
        if _running is None:
            _process = os.getpid()
            _running = asyncio.new_event_loop()
            threading.Thread(target=_running.run_forever, name="rlm-memory", daemon=True).start()
            atexit.register(_close)
        return _running


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on the background loop and wait for its result.

    Interrupting the wait (Ctrl-C) cancels the coroutine.

    Raises:
        RuntimeError: The caller runs on the background loop itself, so waiting would never end.
    """
    give_up: Callable[[], object] = work.close
    try:
        if threading.current_thread().name == "rlm-memory":
            raise RuntimeError("a synchronous call was made on the background loop; await its async twin instead")
        future = asyncio.run_coroutine_threadsafe(work, loop())
        give_up = future.cancel
        return future.result()
    except BaseException:
        give_up()
        raise


async def arun(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on the background loop and await its result on any loop."""
    if asyncio.get_running_loop() is loop():
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop()))


async def gather(work: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Run coroutines concurrently and return their results in order.

    If one raises or the caller is cancelled, the rest are stopped. `asyncio.gather` would let them continue.
    """
    tasks = list(map(asyncio.create_task, work))
    try:
        return await asyncio.gather(*tasks)
    finally:
        await stop(tasks)


async def stop(tasks: Iterable[asyncio.Task[_T]]) -> None:
    """Cancel tasks and wait until all have ended. Raise none of their errors."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _close_all() -> None:
    for close in CLOSERS:
        with suppress(Exception):  # errors at exit have no handler
            async with asyncio.timeout(5):
                await close()


def _close() -> None:
    if _process != os.getpid():
        return  # a forked process: open resources belong to its parent
    run(_close_all())
    loop().call_soon_threadsafe(loop().stop)
    time.sleep(0.05)  # let the REPL's threads end before the interpreter finalizes
