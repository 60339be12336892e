"""Doing a run again, from the answers that it had: how variables come back after their worker was lost."""

from __future__ import annotations

from typing import Any

from pydantic_monty import (
    AsyncFunctionSnapshot,
    AsyncFutureSnapshot,
    AsyncMontySession,
    AsyncSnapshot,
    CollectString,
    MontyComplete,
)

from .dialect.rewriter import Rewritten
from .hostcalls import FINALS, HostCalls, resume
from .journal import Journal, Past

_MAX_PRINTED_BYTES = 10 * 1024 * 1024  # nobody reads it


async def replay(session: AsyncMontySession, program: Rewritten, past: Past, calls: HostCalls) -> None:
    """Run a program in a new session; host functions answer as they did the first time, and are not called.

    Raises:
        MontyError: What the program ended in; where that is its own error, it ended in it the first time too.
    """
    answer = past.replay()
    awaited: dict[int, dict[str, Any]] = {}
    for source in program.before:
        await session.feed_run(source)
    snapshot: AsyncSnapshot = await session.feed_start(
        program.code, print_callback=CollectString(max_bytes=_MAX_PRINTED_BYTES)
    )
    while not isinstance(snapshot, MontyComplete):
        if isinstance(snapshot, AsyncFutureSnapshot):
            snapshot = await snapshot.resume({call: awaited[call] for call in snapshot.pending_call_ids})  # type: ignore[misc]
        elif isinstance(snapshot, AsyncFunctionSnapshot) and not snapshot.is_os_function:
            name = str(snapshot.function_name)
            twin = calls.asked(name)
            if name in FINALS:
                snapshot = await snapshot.resume({"exc_type": "KeyboardInterrupt"})
                continue
            result = answer(Journal.key(twin or name, snapshot.args, snapshot.kwargs))
            if twin:
                awaited[snapshot.call_id] = result
            snapshot = await (snapshot.resume({"future": ...}) if twin else resume(snapshot, result))
        else:
            snapshot = await (await calls.answer(snapshot, None))()
