"""Answers the code's requests to the host: values, host functions, sub-agents, the clock.

`HostCalls` answers the requests of one query's code, and counts them. It does not run the code: `repl` resumes the code
with the answers.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pydantic_monty as monty

from ..models import background
from ..models.budget import GRACE, Budget
from .dialect.rewriter import LATER
from .limits import Meter
from .values import how_many, measure
from .worker import call_host

HostFunction = Callable[..., Any | Awaitable[Any]]
Resume = Callable[[], Awaitable[monty.AsyncSnapshot]]
Result = dict[str, Any]
Call = tuple[str, list[Any], dict[str, Any]]  # of a host function: its name and arguments

FINALS = ("FINAL", "FINAL_VAR", "_rlm_final")  # the last one is internal, because code may name its own variables FINAL
_KNOWN_ERRORS = (KeyError, IndexError, LookupError, ValueError, TypeError, RuntimeError)


@dataclass(eq=False)
class HostCalls:
    """The values and functions of the host that the code of one query can reach.

    Args:
        values: Names that the code can read. A function is called when the code first reads the name.
        functions: Names that the code can call, including `subagents`.
        subagents: The functions that ask sub-agents.
        replied: Called before the code receives replies from sub-agents.
        meter: Counts the calls, and refuses those over a limit.
        budget: Its seconds limit how long the code waits for other functions.
    """

    values: Mapping[str, Any]
    functions: Mapping[str, HostFunction]
    subagents: Collection[str]
    replied: Callable[[], None]
    meter: Meter
    budget: Budget
    _tasks: dict[int, asyncio.Task[Result]] = field(default_factory=dict)

    async def cancel(self) -> None:
        """Cancel the calls in flight, and wait until each has recorded its usage."""
        tasks, self._tasks = self._tasks, {}
        await background.stop(tasks.values())

    async def answer(self, snapshot: monty.AsyncSnapshot, call: Call | None = None) -> Resume:
        """Find the answer that the code is waiting for. Return a function that resumes the code with it.

        Args:
            snapshot: Where the code waits.
            call: The host function that it calls, if any.
        """
        if isinstance(snapshot, monty.AsyncNameLookupSnapshot):
            if snapshot.variable_name not in self.values:
                return snapshot.resume
            value = self.values[snapshot.variable_name]
            return lambda: snapshot.resume(value=value() if callable(value) else value)
        if isinstance(snapshot, monty.AsyncFutureSnapshot):
            return await self._settle(snapshot)
        assert isinstance(snapshot, monty.AsyncFunctionSnapshot), snapshot
        if snapshot.is_os_function:
            is_time = snapshot.function_name == "time.time"  # which the code asks for to measure how long it takes
            return (lambda: snapshot.resume({"return_value": 0.0})) if is_time else snapshot.resume_not_handled
        if not call:
            unknown = NameError(f"name {snapshot.function_name!r} is not defined")
            return lambda: snapshot.resume({"exception": unknown})
        name, args, kwargs = call
        if name.startswith(LATER):
            calling = self._call(name.removeprefix(LATER), args, kwargs)
            self._tasks[snapshot.call_id] = asyncio.ensure_future(calling)
            return lambda: snapshot.resume({"future": ...})
        result = await self._call(name, args, kwargs)
        if name in self.subagents:
            self.replied()
        return lambda: snapshot.resume(result)  # type: ignore[arg-type]

    async def _settle(self, snapshot: monty.AsyncFutureSnapshot) -> Resume:
        """Wait until at least one of the awaited calls is done."""
        waiting = {call: self._tasks[call] for call in snapshot.pending_call_ids}
        await asyncio.wait(waiting.values(), return_when=asyncio.FIRST_COMPLETED)
        done = {call: task.result() for call, task in waiting.items() if task.done()}
        self.replied()
        return lambda: snapshot.resume(done)  # type: ignore[arg-type]

    async def _call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Result:
        """Call a host function. Return its value or its error in the format that the sandbox expects."""
        if name in FINALS:
            return {"exception": TypeError(f"{name} takes one value")}
        is_subagent = name in self.subagents
        started = time.perf_counter()
        try:
            given = measure((args, kwargs))
            self.meter.call(given, is_subagent)
            if is_subagent:
                self.meter.ask(max(map(how_many, (*args, *kwargs.values())), default=1), given)
            value = self.functions[name](*args, **kwargs)
            if inspect.isawaitable(value):
                value = await (value if is_subagent else self.budget.wait_for(value, GRACE))
            return {"return_value": value}
        except Exception as error:  # the code decides what to do about it
            return {"exception": _as_known(name, error)}
        finally:
            if not is_subagent:
                self.meter.executed(time.perf_counter() - started)


def called(snapshot: monty.AsyncSnapshot) -> Call | None:
    """Return the call of a host function that the code waits for, or None. Do not read arguments of other functions."""
    is_call = isinstance(snapshot, monty.AsyncFunctionSnapshot) and snapshot.function_name == call_host.__name__
    return snapshot.args if is_call else None  # type: ignore[union-attr]


def _as_known(name: str, error: Exception) -> Exception:
    """Return an error of a type that code expects. The text of any other error names its function and type."""
    for kind in _KNOWN_ERRORS:
        if isinstance(error, kind):
            return kind(*error.args) if kind is KeyError else kind(str(error))
    return RuntimeError(f"{name}: {type(error).__name__}: {error}")
