"""Answers the code's requests to the host: values, host functions, sub-agents, the clock.

`HostCalls` answers the requests of one query's code, counts them, and records the answers. It does not run the code:
`repl` resumes the code with the answers.

The sandbox is deterministic: the same code with the same answers creates the same variables. So `repl` restores a lost
session by running the code again, and no reply is paid for twice.
"""

import asyncio
import inspect
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import chain
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
Key = tuple[str, bytes]  # identifies a call: its function and a digest of its arguments
Result = dict[str, Any]
Call = tuple[str, list[Any], dict[str, Any]]  # of a host function: its name and arguments

FINALS = ("FINAL", "FINAL_VAR", "_rlm_final")  # the last one is internal, because code may name its own variables FINAL
_KNOWN_ERRORS = (KeyError, IndexError, LookupError, ValueError, TypeError, RuntimeError)
_MAX_CHARACTERS = 32_000_000  # of code and answers; beyond it, a query that loses its worker loses its variables too


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

    `runs` has the code and the answers of the runs so far, or is None once they are too large to keep. `replay`, if it
    is not None, has the recorded answers, which are given instead of calling the functions.
    """

    values: Mapping[str, Any]
    functions: Mapping[str, HostFunction]
    subagents: Collection[str]
    replied: Callable[[], None]
    meter: Meter
    budget: Budget
    runs: list[tuple[str, list[tuple[Key, Result]]]] | None = field(default_factory=list)
    replay: dict[Key, list[Result]] | None = None
    _new: list[tuple[Key, Result]] = field(default_factory=list)  # in the run that is not over
    _paid: dict[Key, Result] = field(default_factory=dict)  # replies of sub-agents in lost runs
    _characters: int = 0  # of all that was recorded
    _tasks: dict[int, asyncio.Task[Result]] = field(default_factory=dict)

    async def cancel(self) -> None:
        """Cancel the calls in flight, and wait until each has recorded its usage."""
        tasks, self._tasks = self._tasks, {}
        await background.stop(tasks.values())

    def keep(self, code: str) -> None:
        """Record a run that did not lose its session."""
        self._characters += len(code)
        if self._characters > _MAX_CHARACTERS:
            self.runs = None
        if self.runs is not None:
            self.runs.append((code, self._new))
        self._new = []

    def lose(self) -> bool:
        """Keep only the replies of sub-agents in a run that lost its session. Return whether there are any."""
        replies = [pair for pair in self._new if pair[0][0] in self.subagents and "return_value" in pair[1]]
        self._paid.update(replies)
        self._new = []
        return bool(replies)

    def rewind(self) -> list[str]:
        """Answer from the record from now on. Return the code to run again."""
        self.replay = defaultdict(list)
        for key, result in chain.from_iterable(answers for _, answers in self.runs or []):
            self.replay[key].append(result)
        return [code for code, _ in self.runs or []]

    def forget(self) -> None:
        """Begin the record afresh, in an empty session."""
        self.runs = []

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
        if name in self.subagents and self.replay is None:
            self.replied()
        return lambda: snapshot.resume(result)  # type: ignore[arg-type]

    async def _settle(self, snapshot: monty.AsyncFutureSnapshot) -> Resume:
        """Wait until at least one of the awaited calls is done."""
        waiting = {call: self._tasks[call] for call in snapshot.pending_call_ids}
        await asyncio.wait(waiting.values(), return_when=asyncio.FIRST_COMPLETED)
        done = {call: task.result() for call, task in waiting.items() if task.done()}
        if self.replay is None:
            self.replied()
        return lambda: snapshot.resume(done)  # type: ignore[arg-type]

    async def _call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Result:
        """Call a host function. Return its value or its error in the format that the sandbox expects."""
        if name in FINALS:
            return {"exception": TypeError(f"{name} takes one value")}
        is_subagent = name in self.subagents
        started = time.perf_counter()
        given = measure((args, kwargs))
        key = (name, given.digest)
        if self.replay is not None:
            return self.replay[key].pop(0) if self.replay[key] else {"exception": RuntimeError("not asked before")}
        result = self._paid.get(key) if is_subagent else None
        if result is None:
            try:
                self.meter.call(given, is_subagent)
                if is_subagent:
                    self.meter.ask(max(map(how_many, (*args, *kwargs.values())), default=1), given)
                value = self.functions[name](*args, **kwargs)
                if inspect.isawaitable(value):
                    value = await (value if is_subagent else self.budget.wait_for(value, GRACE))
                result = {"return_value": value}
            except Exception as error:  # the code decides what to do about it
                result = {"exception": _as_known(name, error)}
            finally:
                if not is_subagent:
                    self.meter.executed(time.perf_counter() - started)
        self._characters += measure(result.get("return_value")).characters
        if is_subagent or self._characters <= _MAX_CHARACTERS:
            self._new.append((key, result))
        return result


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
