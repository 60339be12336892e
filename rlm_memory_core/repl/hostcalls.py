"""Answers the code's requests to the host: values, host functions, sub-agents, the clock.

`HostCalls` answers the requests of one session, counts them, and records the answers in a `Journal`, so that a lost
session can be restored and no reply is paid for twice. It does not run the code: `repl` resumes the code with the
answers.
"""

import asyncio
import inspect
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import pydantic_monty as monty

from ..models.budget import Budget
from .limits import Meter
from .values import how_many, measure

PREVIOUS = "previous_replies"
FINALS = ("FINAL", "FINAL_VAR", "_rlm_final")  # the last one is internal, because code may name its own variables FINAL
_KNOWN_ERRORS = (KeyError, IndexError, LookupError, ValueError, TypeError, RuntimeError)
_MAX_CHARACTERS = 32_000_000  # of code and answers; beyond it, a query that loses its worker loses its variables too
_GRACE = 1.0  # seconds for a tool when the budget's are over: the last reply of the root model may cite its turns

HostFunction = Callable[..., Any | Awaitable[Any]]
Resume = Callable[[], Awaitable[monty.AsyncSnapshot]]
Key = tuple[str, bytes]  # identifies a call: its function and a digest of its arguments
Result = dict[str, Any]


@dataclass(eq=False)
class Past:
    """One run: its code, and the answers of host functions, in order for each call."""

    code: str
    answers: dict[Key, list[Result]] = field(default_factory=lambda: defaultdict(list))


class Journal:
    """The runs of one query, and the replies from sub-agents in lost runs.

    The sandbox is deterministic: the same code with the same answers creates the same variables. So `repl` restores a
    lost session by running the code again. `runs` is None once they are too large to keep.
    """

    def __init__(self) -> None:
        self.runs: list[Past] | None = []
        self.replies: dict[Key, Result] = {}
        self._room = _MAX_CHARACTERS

    @property
    def lost(self) -> list[str]:
        """Replies from sub-agents in lost runs, in order."""
        values = [result["return_value"] for result in self.replies.values()]
        return [str(item) for value in values for item in (value if isinstance(value, list) else [value])]

    def add(self, past: Past, key: Key, result: Result, is_reply: bool) -> None:
        """Record the answer of a host function. `is_reply` marks a reply from a sub-agent."""
        self._room -= measure(result.get("return_value")).characters
        if is_reply or self._room >= 0:
            past.answers[key].append(result)

    def keep(self, past: Past) -> None:
        """Record a run that did not lose its session."""
        self._room -= len(past.code)
        self.runs = [*self.runs, past] if self.runs is not None and self._room >= 0 else None

    def lose(self, past: Past, subagents: Collection[str]) -> None:
        """Keep the replies from sub-agents in a run that lost its session."""
        for key, results in past.answers.items():
            if key[0] in subagents and "return_value" in results[-1]:
                self.replies[key] = results[-1]


@dataclass(eq=False)
class HostCalls:
    """The values and functions of the host that one session can reach.

    Args:
        values: Names that the code can read. A function is called when the code first reads the name.
        functions: Names that the code can call, including `subagents`.
        subagents: The functions that ask sub-agents.
        twins: Maps the name of each such function's async twin to the function's name.
        replied: Called before the code receives replies from sub-agents.
        meter: Counts the calls, and refuses those over a limit.
        budget: Its seconds limit how long the code waits for other functions.

    `past` is the run to record, or None. `journal` has the runs before it. `replay`, if it is not None, has the answers
    of an earlier run, which are given instead of calling the functions.
    """

    values: Mapping[str, Any]
    functions: Mapping[str, HostFunction]
    subagents: Collection[str]
    twins: Mapping[str, str]
    replied: Callable[[], None]
    meter: Meter
    budget: Budget
    past: Past | None = None
    replay: dict[Key, Iterator[Result]] | None = None
    journal: Journal = field(default_factory=Journal)
    _made: dict[str, Any] = field(default_factory=dict)  # of `values`
    _tasks: dict[int, asyncio.Task[Result]] = field(default_factory=dict)

    async def cancel(self) -> None:
        """Cancel the calls in flight, and wait until each has recorded its usage."""
        tasks, self._tasks = self._tasks, {}
        running = [task for task in tasks.values() if task.cancel()]
        if running:
            await asyncio.wait(running)

    async def answer(self, snapshot: monty.AsyncSnapshot) -> Resume:
        """Find the answer that the code is waiting for. Return a function that resumes the code with it."""
        if isinstance(snapshot, monty.AsyncNameLookupSnapshot):
            return self._lookup(snapshot)
        if isinstance(snapshot, monty.AsyncFutureSnapshot):
            return await self._settle(snapshot)
        assert isinstance(snapshot, monty.AsyncFunctionSnapshot), snapshot
        name = str(snapshot.function_name)
        if snapshot.is_os_function:
            return _without_clock(snapshot)
        if name in self.twins:
            call = self._call(self.twins[name], snapshot.args, snapshot.kwargs)
            self._tasks[snapshot.call_id] = asyncio.ensure_future(call)
            return lambda: snapshot.resume({"future": ...})
        result = await self._call(name, snapshot.args, snapshot.kwargs)
        if name in self.subagents and self.replay is None:
            self.replied()
        return lambda: _resume(snapshot, result)

    def _lookup(self, snapshot: monty.AsyncNameLookupSnapshot) -> Resume:
        name = snapshot.variable_name
        if name in self.values:
            if name not in self._made:
                value = self.values[name]
                self._made[name] = value() if callable(value) else value
            return lambda: snapshot.resume(value=self._made[name])
        if name == PREVIOUS and self.journal.lost:
            return lambda: snapshot.resume(value=list(self.journal.lost))
        if name in (*self.functions, *self.twins, *FINALS):
            return lambda: snapshot.resume(value=_named(name))
        return snapshot.resume

    async def _settle(self, snapshot: monty.AsyncFutureSnapshot) -> Resume:
        """Wait until at least one of the awaited calls is done."""
        waiting = {call: self._tasks[call] for call in snapshot.pending_call_ids}
        await asyncio.wait(waiting.values(), return_when=asyncio.FIRST_COMPLETED)
        done = {call: task.result() for call, task in waiting.items() if task.done()}
        if self.replay is None:
            self.replied()
        return lambda: snapshot.resume(done)  # type: ignore[arg-type]

    async def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Result:
        """Call a host function. Return its value or its error in the format that the sandbox expects."""
        if name in FINALS:
            return {"exception": TypeError(f"{name} takes one value")}
        if name not in self.functions:
            return {"exception": NameError(f"name {name!r} is not defined")}
        is_subagent = name in self.subagents
        started = time.perf_counter()
        given = measure((args, kwargs))
        key = (name, given.digest)
        if self.replay is not None:
            return next(self.replay.get(key, iter(())), {"exception": RuntimeError("not asked before")})
        result = self.journal.replies.get(key) if is_subagent else None
        if result is None:
            try:
                self.meter.call(given, is_subagent)
                if is_subagent:
                    self.meter.ask(max(map(how_many, (*args, *kwargs.values())), default=1), given)
                value = self.functions[name](*args, **kwargs)
                if inspect.isawaitable(value):
                    value = await (value if is_subagent else self.budget.wait_for(value, _GRACE))
                result = {"return_value": value}
            except Exception as error:  # the code decides what to do about it
                result = {"exception": _as_known(name, error)}
            finally:
                if not is_subagent:
                    self.meter.executed(time.perf_counter() - started)
        if self.past is not None:
            self.journal.add(self.past, key, result, is_subagent)
        return result


async def _resume(snapshot: monty.AsyncFunctionSnapshot, result: Result) -> monty.AsyncSnapshot:
    """Resume the code with a result. If the sandbox cannot convert the result, raise a TypeError in the code."""
    try:
        return await snapshot.resume(result)  # type: ignore[arg-type]
    except monty.MontyConversionError as error:
        return await snapshot.resume({"exception": TypeError(str(error))})


def _without_clock(snapshot: monty.AsyncFunctionSnapshot) -> Resume:
    """Answer a system call. `time.time` returns 0. The current date is an error, because the query has none."""
    if snapshot.function_name == "time.time":
        return lambda: snapshot.resume({"return_value": 0.0})
    if snapshot.function_name in ("datetime.now", "date.today"):
        return lambda: snapshot.resume({"exception": RuntimeError("there is no clock here")})
    return snapshot.resume_not_handled


def is_final(snapshot: monty.AsyncSnapshot) -> TypeGuard[monty.AsyncFunctionSnapshot]:
    """Return whether the code calls FINAL or FINAL_VAR with one value."""
    return (
        isinstance(snapshot, monty.AsyncFunctionSnapshot)
        and snapshot.function_name in FINALS
        and len(snapshot.args) + len(snapshot.kwargs) == 1
    )


def _named(name: str) -> HostFunction:
    """Return what the code sees as a host function. Only its name matters, because the sandbox asks us to call it."""

    def stand_in() -> None: ...

    stand_in.__name__ = name
    return stand_in


def _as_known(name: str, error: Exception) -> Exception:
    """Convert an error to one of the types that the sandbox knows."""
    for kind in _KNOWN_ERRORS:
        if isinstance(error, kind):
            return kind(*error.args) if kind is KeyError else kind(str(error))
    return RuntimeError(f"{name}: {type(error).__name__}: {error}")
