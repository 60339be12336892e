"""Runs searches in a few separate threads with a time limit, so that slow searches do not block anything else."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_THREADS = ThreadPoolExecutor(4, thread_name_prefix="rlm-memory-search")
_search = threading.local()  # `check` ends the search that runs in this thread, if its time is over


def in_search_thread(function: Callable[_P, _T], seconds: float = 10.0) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """Return a coroutine function that runs a search of a history in a thread.

    It raises a TimeoutError if the search takes longer than `seconds`; searches of ten million turns take less. This,
    or cancelling it, only interrupts SQLite and what calls `check_time`.

    >>> asyncio.run(in_search_thread(sorted)("ba"))
    ['a', 'b']
    """

    async def threaded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        ended = threading.Event()  # set when the caller stops waiting for the search

        def limited() -> _T:
            end = time.monotonic() + seconds

            def check() -> None:
                if ended.is_set() or time.monotonic() > end:
                    raise TimeoutError(f"the search took more than {seconds:g} s; search for a rarer word")

            _search.check = check
            return function(*args, **kwargs)

        try:
            return await asyncio.get_running_loop().run_in_executor(_THREADS, limited)
        finally:
            ended.set()

    return threaded


def check_time() -> None:
    """Raise a TimeoutError if the time of the search in this thread is over.

    SQLite calls this periodically, and interrupts its statement. So does work that uses SQLite only briefly at a time,
    such as a search that reads many long turns.
    """
    getattr(_search, "check", lambda: None)()
