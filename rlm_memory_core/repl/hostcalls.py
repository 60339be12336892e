"""What the code waits for, and who gives it: values, host functions, sub-agents, the clock.

A `HostCalls` answers one session's requests, counts them, and keeps the answers in the journal's current run.
It drives nothing: `rlm_memory_core.repl.repl` resumes the code with what comes from here.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, TypeGuard

from pydantic_monty import (
    AsyncFunctionSnapshot,
    AsyncFutureSnapshot,
    AsyncNameLookupSnapshot,
    AsyncSnapshot,
    MontyConversionError,
)

from . import worker
from .arguments import how_many
from .dialect.rewriter import LATER
from .journal import Journal, Key, Past, Result
from .limits import LimitReached, Meter

PREVIOUS = "previous_replies"
FINALS = ("FINAL", "FINAL_VAR")

HostFunction = Callable[..., Any | Awaitable[Any]]
Resume = Callable[[], Awaitable[AsyncSnapshot]]


class HostCalls:
    """What one session may reach.

    Args:
        values, functions, subagents: As `rlm_memory_core.repl.repl.Repl` has them.
        replied: Called before the code is given what sub-agents said.
        at_once: Whether sub-agents have awaiting twins.
        today: What clocks show, or None.
        meter: Counts the calls, and refuses them.
        journal: Knows the replies of runs that were lost.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        functions: Mapping[str, HostFunction],
        subagents: Mapping[str, HostFunction],
        replied: Callable[[], None],
        at_once: bool,
        today: datetime | None,
        meter: Meter,
        journal: Journal,
    ) -> None:
        self._values = values
        self._functions = {**functions, **subagents}
        self._subagents = subagents
        self._replied = replied
        self._at_once = at_once
        self._today = today
        self._meter = meter
        self._journal = journal
        self.replay: Callable[[Key], Result] | None = None  # gives the answers of an earlier run instead
        self._tasks: dict[int, asyncio.Task[Result]] = {}

    async def cancel(self) -> None:
        """Give up the calls that are in flight, and wait until they have counted what they took."""
        tasks, self._tasks = self._tasks, {}
        running = [task for task in tasks.values() if task.cancel()]
        if running:
            await asyncio.wait(running)

    async def answer(self, snapshot: AsyncSnapshot, past: Past | None) -> Resume:
        """What the code waits for, as the step that gives it."""
        if isinstance(snapshot, AsyncNameLookupSnapshot):
            return self._lookup(snapshot)
        if isinstance(snapshot, AsyncFutureSnapshot):
            return await self._settle(snapshot)
        if not isinstance(snapshot, AsyncFunctionSnapshot):
            raise RuntimeError(f"the sandbox waits for something unknown: {snapshot!r}")
        name = str(snapshot.function_name)
        if snapshot.is_os_function:
            given = worker.clock(name, snapshot.args, self._today)
            if given is None:
                return snapshot.resume_not_handled
            return lambda: snapshot.resume(given)  # type: ignore[arg-type]
        twin_of = self._twin_of(name)
        if twin_of:
            call = self._call(twin_of, snapshot.args, snapshot.kwargs, past)
            self._tasks[snapshot.call_id] = asyncio.ensure_future(call)
            return lambda: snapshot.resume({"future": ...})
        result = await self._call(name, snapshot.args, snapshot.kwargs, past)
        if name in self._subagents and self.replay is None:
            self._replied()
        return lambda: _resume(snapshot, result)

    def _lookup(self, snapshot: AsyncNameLookupSnapshot) -> Resume:
        name = snapshot.variable_name
        if name in self._values:
            return lambda: snapshot.resume(value=self._values[name])
        if name == PREVIOUS and self._journal.lost:
            return lambda: snapshot.resume(value=list(self._journal.lost))
        if name in self._functions or name in FINALS or self._twin_of(name):
            return lambda: snapshot.resume(value=_named(name))
        return snapshot.resume

    def _twin_of(self, name: str) -> str:
        """The sub-agents' function whose awaiting twin has this name, or ""."""
        asked = name.removeprefix(LATER)
        return asked if self._at_once and name.startswith(LATER) and asked in self._subagents else ""

    async def _settle(self, snapshot: AsyncFutureSnapshot) -> Resume:
        """Wait for any of the calls in flight that the code awaits."""
        waiting = {call: self._tasks[call] for call in snapshot.pending_call_ids}
        await asyncio.wait(waiting.values(), return_when=asyncio.FIRST_COMPLETED)
        done = {call: task.result() for call, task in waiting.items() if task.done()}
        if self.replay is None:
            self._replied()
        return lambda: snapshot.resume(done)  # type: ignore[arg-type]

    async def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], past: Past | None) -> Result:
        """Call a host function; what it returns or raises, as the sandbox takes it."""
        if name in FINALS:
            return {"exception": TypeError(f"{name} takes one value")}
        if name not in self._functions:
            return {"exception": NameError(f"name {name!r} is not defined")}
        is_subagent = name in self._subagents
        key = Journal.key(name, args, kwargs)
        if self.replay is not None:
            return self.replay(key)
        result = self._journal.known(key) if is_subagent else None
        if result is None:
            started = time.perf_counter()
            try:
                self._meter.call()
                if is_subagent:
                    self._meter.ask(max(map(how_many, (*args, *kwargs.values())), default=1))
                value = self._functions[name](*args, **kwargs)
                result = {"return_value": await value if inspect.isawaitable(value) else value}
            except Exception as error:  # the code decides what to do about it
                result = {"exception": _as_known(name, error)}
            finally:
                if not is_subagent:
                    self._meter.executed(time.perf_counter() - started)
        if past is not None:
            past.add(key, result, is_subagent)
        return result


async def _resume(snapshot: AsyncFunctionSnapshot, result: Result) -> AsyncSnapshot:
    """Give the code a result; one that cannot cross is a TypeError there."""
    try:
        return await snapshot.resume(result)  # type: ignore[arg-type]
    except MontyConversionError as error:
        return await snapshot.resume({"exception": TypeError(str(error))})


def is_final(snapshot: AsyncSnapshot) -> TypeGuard[AsyncFunctionSnapshot]:
    """Whether the code calls FINAL or FINAL_VAR with one value."""
    return (
        isinstance(snapshot, AsyncFunctionSnapshot)
        and snapshot.function_name in FINALS
        and len(snapshot.args) + len(snapshot.kwargs) == 1
    )


def _named(name: str) -> HostFunction:
    """What a host function is when the code passes it around: only its name counts, the call comes back to us."""

    def stand_in() -> None: ...

    stand_in.__name__ = name
    return stand_in


def _as_known(name: str, error: Exception) -> Exception:
    """An exception of a type that the sandbox knows."""
    if isinstance(error, LimitReached):
        return RuntimeError(str(error))
    kinds = (KeyError, IndexError, LookupError, UnicodeDecodeError, UnicodeEncodeError, ValueError, TypeError)
    for kind in kinds:
        if isinstance(error, kind):
            return kind(*error.args)
    return RuntimeError(f"{name}: {type(error).__name__}: {error}")
