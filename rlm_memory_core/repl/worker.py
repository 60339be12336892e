"""The sandbox's worker processes: one pool for all queries, a fresh session a query, and the clock that it shows."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

from pydantic_monty import AsyncMonty, AsyncMontySession, OSPolicy, ResourceLimits

from ..models import background
from .limits import Limits
from .stdlib.dateutil_parser import parse

WORKERS = 32  # REPLs at once; further queries wait for one
_SUSPENSIONS = 10  # of the sandbox, to one host call: names that it looks up count with it
_pool: AsyncMonty | None = None
_pool_lock = asyncio.Lock()  # of the background loop


async def checkout(limits: Limits, today: datetime | None) -> AbstractAsyncContextManager[AsyncMontySession]:
    """A session of its own, when a worker is free."""
    bounds: ResourceLimits = {
        "max_feed_duration_secs": limits.run_seconds,  # executing only: waiting for the host does not count
        "max_memory": limits.memory_mb * 2**20,
        "max_recursion_depth": limits.recursion,
        "max_suspensions": limits.host_calls * _SUSPENSIONS,
    }
    policy: OSPolicy = {"sleep": "zero", "random_start": {"seed": 0}, "datetime": today or "call_host"}
    pool = await _open()
    return pool.checkout(script_name="repl.py", limits=bounds, os_policy=policy, assert_message_annotations=False)


def moment(text: str | None) -> datetime | None:
    """The moment that a text names, in any form; None where there is none or it is not understood.

    >>> str(moment("2023/05/30 (Tue) 23:40")), moment("one day")
    ('2023-05-30 23:40:00', None)
    """
    try:
        found: datetime = parse(text, default=datetime(1, 1, 1), fuzzy=True).replace(tzinfo=None)  # type: ignore[no-untyped-call]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if found.year > 1 else None


def clock(name: str, args: tuple[Any, ...], today: datetime | None) -> dict[str, Any] | None:
    """What a call of the clock gets where no day is known; None for any other call of the system."""
    if name == "time.time":
        return {"return_value": 0.0}  # only differences mean anything, and code takes no time here
    if name in ("datetime.now", "date.today"):
        return {"exception": ValueError("there is no clock here")}
    return None


async def _open() -> AsyncMonty:
    """The workers of all REPLs, started by whichever query comes first while the others wait."""
    global _pool
    async with _pool_lock:
        if _pool is None:
            pool = AsyncMonty(max_processes=WORKERS)
            await pool.__aenter__()
            background.on_exit(lambda: pool.__aexit__(None, None, None))
            _pool = pool
        return _pool
