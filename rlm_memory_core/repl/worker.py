"""The worker processes that run the sandbox, and the sandbox's clock.

All queries share one pool of workers. Each query gets a fresh session.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from pydantic_monty import AsyncMonty, AsyncMontySession, OSPolicy, ResourceLimits

from ..models import background
from ..store.times import parse_time
from . import stdlib
from .limits import Limits

WORKERS = 32  # sessions at the same time; further queries wait
_SUSPENSIONS = 10  # per host call, because the sandbox also counts name lookups
_pool: AsyncMonty | None = None
_pool_lock = asyncio.Lock()  # used only on the background loop


def call_host() -> None:
    """Do nothing. The sandbox asks for this function by its name when code calls any host function."""


call_host.__name__ = "call host"  # no name that code can write: code calls it only through `stdlib.crossing`


class Lease:
    """Lends one worker, with a fresh session, to one query.

    A separate task enters the session, and leaves it when cancelled. So the worker returns to the pool even if the
    query is cancelled meanwhile.

    Args:
        limits: The limits on the code in the session.
        today: The time that its clock shows, or None for no clock.
        functions: The names of the host functions.
    """

    def __init__(self, limits: Limits, today: datetime | None, functions: tuple[str, ...]) -> None:
        self._session: asyncio.Future[AsyncMontySession] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._hold(limits, today, functions))

    async def session(self) -> AsyncMontySession:
        """Wait for a free worker and return its session. Raise the error if it could not start."""
        return await asyncio.shield(self._session)

    async def end(self) -> None:
        """Return the worker to the pool, even if the caller is cancelled."""
        if not self._task.cancelling():  # a second one could interrupt the session while it ends
            self._task.cancel()
        await asyncio.shield(asyncio.wait([self._task]))

    async def _hold(self, limits: Limits, today: datetime | None, functions: tuple[str, ...]) -> None:
        try:
            async with await checkout(limits, today) as session:
                await session.feed_run(stdlib.host_functions(functions), inputs={"_rlm_call_host": call_host})
                self._session.set_result(session)
                await asyncio.Event().wait()
        except Exception as error:
            if not self._session.done():
                self._session.set_exception(error)
                self._session.exception()  # mark it as retrieved: a query that runs no code never does


async def checkout(limits: Limits, today: datetime | None) -> AbstractAsyncContextManager[AsyncMontySession]:
    """Return a context manager that opens a new session in a worker."""
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
    """Return the date in a text, with its time of day if there is one, or None if the text has no full date.

    >>> str(moment("2023/05/30 (Tue) 23:40")), str(moment("1:56 pm on 8 May, 2023")), moment("one day")
    ('2023-05-30 23:40:00', '2023-05-08 13:56:00', None)
    """
    when = parse_time(text) if text else None
    return when and when.replace(tzinfo=None)


async def _open() -> AsyncMonty:
    """Return the pool of workers. The first query starts it, and later ones wait until it runs."""
    global _pool
    async with _pool_lock:
        if _pool is None:
            pool = AsyncMonty(max_processes=WORKERS)
            await pool.__aenter__()
            background.CLOSERS.add(lambda: pool.__aexit__(None, None, None))
            _pool = pool
        return _pool
