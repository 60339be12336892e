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
from .dialect.twins import LATER
from .journal import Journal, Past
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
        self._tasks: dict[int, asyncio.Task[dict[str, Any]]] = {}

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
        if isinstance(snapshot, AsyncFunctionSnapshot):
            return await self._call(snapshot, past)
        raise RuntimeError(f"the sandbox waits for something unknown: {snapshot!r}")

    def _lookup(self, snapshot: AsyncNameLookupSnapshot) -> Resume:
        name = snapshot.variable_name
        if name in self._values:
            return lambda: snapshot.resume(value=self._values[name])
        if name == PREVIOUS and self._journal.lost:
            return lambda: snapshot.resume(value=list(self._journal.lost))
        if name in self._functions or name in FINALS or self.asked(name):
            return lambda: snapshot.resume(value=_named(name))
        return snapshot.resume

    def asked(self, name: str) -> str:
        """The sub-agents' function that the awaiting name stands for, or ""."""
        asked = name.removeprefix(LATER)
        return asked if self._at_once and name.startswith(LATER) and asked in self._subagents else ""

    async def _call(self, snapshot: AsyncFunctionSnapshot, past: Past | None) -> Resume:
        """Call a host function for the code; what it raises is raised there."""
        name = str(snapshot.function_name)
        if snapshot.is_os_function:
            given = worker.clock(name, snapshot.args, self._today)
            if given is None:
                return snapshot.resume_not_handled
            return lambda: snapshot.resume(given)  # type: ignore[arg-type]
        later = self.asked(name)
        if later:
            task = asyncio.ensure_future(self._result(later, snapshot.args, snapshot.kwargs, past))
            self._tasks[snapshot.call_id] = task
            return lambda: snapshot.resume({"future": ...})
        result = await self._result(name, snapshot.args, snapshot.kwargs, past)
        if name in self._subagents:
            self._replied()
        return lambda: resume(snapshot, result)

    async def _settle(self, snapshot: AsyncFutureSnapshot) -> Resume:
        """Wait for any of the calls in flight that the code awaits."""
        waiting = {call: self._tasks[call] for call in snapshot.pending_call_ids}
        await asyncio.wait(waiting.values(), return_when=asyncio.FIRST_COMPLETED)
        done = {call: task.result() for call, task in waiting.items() if task.done()}
        self._replied()
        return lambda: snapshot.resume(done)  # type: ignore[arg-type]

    async def _result(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], past: Past | None
    ) -> dict[str, Any]:
        """What a host function gives, as the sandbox takes it."""
        if name in FINALS:
            return {"exception": TypeError(f"{name} takes one value")}
        if name not in self._functions:
            return {"exception": NameError(f"name {name!r} is not defined")}
        is_subagent = name in self._subagents
        key = self._journal.key(name, args, kwargs)
        known = self._journal.known(key) if is_subagent else None
        if known is not None:
            result = known
        else:
            result = await self._called(name, args, kwargs, is_subagent)
        if past is not None:
            past.add(key, result, is_subagent)
        return result

    async def _called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], ask: bool) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            self._meter.call()
            if ask:
                self._meter.ask(_count(args, kwargs))
            value = self._functions[name](*args, **kwargs)
            if inspect.isawaitable(value):
                value = await value
        except LimitReached as error:
            return {"exception": RuntimeError(str(error))}
        except (TypeError, ValueError, LookupError) as error:
            return {"exception": _as_it_is(error)}
        except Exception as error:  # whatever it is, it is the code's to deal with
            return {"exception": RuntimeError(f"{name}: {type(error).__name__}: {error}")}
        finally:
            if not ask:
                self._meter.executed(time.perf_counter() - started)
        return {"return_value": value}


async def resume(snapshot: AsyncFunctionSnapshot, result: dict[str, Any]) -> AsyncSnapshot:
    """Give the code a result; one that cannot cross is a TypeError there."""
    try:
        return await snapshot.resume(result)  # type: ignore[arg-type]
    except MontyConversionError as error:
        return await snapshot.resume({"exception": TypeError(str(error))})


def _count(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """How many sub-agents a call asks."""
    return max(map(how_many, (*args, *kwargs.values())), default=1)


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


def _as_it_is(error: Exception) -> Exception:
    """An exception of the plain type that the sandbox knows."""
    for kind in (KeyError, IndexError, LookupError, UnicodeDecodeError, UnicodeEncodeError, ValueError, TypeError):
        if isinstance(error, kind):
            return kind(*error.args)
    return RuntimeError(str(error))
