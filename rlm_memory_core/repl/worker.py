"""The worker processes that run the sandbox, and the clock that it shows.

All queries share one pool of workers. Each query gets a fresh session.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from pydantic_monty import AsyncMonty, AsyncMontySession, OSPolicy, ResourceLimits

from ..models import background
from ..store.times import parse_time
from .limits import Limits

WORKERS = 32  # sessions at the same time; further queries wait
_SUSPENSIONS = 10  # that the sandbox may need for one host call: it counts the names that it looks up too
_pool: AsyncMonty | None = None
_pool_lock = asyncio.Lock()  # these are used on the background loop only
_slots = asyncio.Semaphore(WORKERS)
_leases: set[asyncio.Task[None]] = set()


class Lease:
    """The use of one worker by one query: a fresh session, and the way back to the pool.

    A task of its own enters the session and leaves it. A query that is cancelled at any moment only tells this task to
    end, so that no worker is lost half-way.

    Args:
        limits: The limits on the code in the session.
        today: The moment that its clock shows, or None for no clock.
    """

    def __init__(self, limits: Limits, today: datetime | None) -> None:
        self._session: asyncio.Future[AsyncMontySession] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._task = asyncio.create_task(self._hold(limits, today))
        _leases.add(self._task)
        self._task.add_done_callback(_leases.discard)

    async def session(self) -> AsyncMontySession:
        """Wait for a free worker. Returns the session in it, and raises what kept it from starting."""
        return await asyncio.shield(self._session)

    async def end(self) -> None:
        """Give the worker back. If the caller is cancelled, the worker still goes back."""
        self._over.set()
        await asyncio.shield(self._task)

    async def _hold(self, limits: Limits, today: datetime | None) -> None:
        try:
            async with _slots:
                if not self._over.is_set():
                    async with await checkout(limits, today) as session:
                        self._session.set_result(session)
                        await self._over.wait()
        except Exception as error:
            if not self._session.done():
                self._session.set_exception(error)
                self._session.exception()  # a query that runs no code does not ask for it


async def checkout(limits: Limits, today: datetime | None) -> AbstractAsyncContextManager[AsyncMontySession]:
    """A new session in a worker, to be entered."""
    bounds: ResourceLimits = {
        "max_feed_duration_secs": limits.run_seconds,  # time spent waiting for the host does not count
        "max_memory": limits.memory_mb * 2**20,
        "max_recursion_depth": limits.recursion,
        "max_suspensions": limits.host_calls * _SUSPENSIONS,
    }
    policy: OSPolicy = {"sleep": "zero", "random_start": {"seed": 0}, "datetime": today or "call_host"}
    pool = await _open()
    return pool.checkout(script_name="repl.py", limits=bounds, os_policy=policy, assert_message_annotations=False)


def moment(text: str | None) -> datetime | None:
    """Read a day, and the time of day if there is one; None if the text has no full date.

    >>> str(moment("2023/05/30 (Tue) 23:40")), str(moment("1:56 pm on 8 May, 2023")), moment("one day")
    ('2023-05-30 23:40:00', '2023-05-08 13:56:00', None)
    """
    when = parse_time(text or "")
    return when and when.replace(tzinfo=None)


async def _open() -> AsyncMonty:
    """The pool of workers. The first query starts it; others wait until it runs."""
    global _pool
    async with _pool_lock:
        if _pool is None:
            pool = AsyncMonty(max_processes=WORKERS)
            await pool.__aenter__()
            background.on_exit(lambda: pool.__aexit__(None, None, None))
            _pool = pool
        return _pool
