"""Answers the code's requests to the host: values, host functions, sub-agents, the clock.

`HostCalls` answers the requests of one session, counts them, and records the answers in the journal. It does not run
the code: `repl` resumes the code with the answers. `listed`, `check_text` and `from_start` check arguments of host
functions.
"""

import asyncio
import inspect
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import pydantic_monty as monty

from .journal import Journal, Key, Past, Result
from .limits import Meter, measure

MAX_TEXT_CHARACTERS = 10_000  # of a text for a search, a ranking or a question
PREVIOUS = "previous_replies"
FINALS = ("FINAL", "FINAL_VAR", "_rlm_final")  # the last one is internal, because code may name its own variables FINAL
# the sandbox passes a range as its text
_RANGE = re.compile(r"range\((-?\d{1,18}), (-?\d{1,18})(?:, (-?[1-9]\d{0,17}))?\)")
_KNOWN_ERRORS = (KeyError, IndexError, LookupError, ValueError, TypeError, RuntimeError)

HostFunction = Callable[..., Any | Awaitable[Any]]
Resume = Callable[[], Awaitable[monty.AsyncSnapshot]]


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
        journal: Knows the replies of lost runs.
        replay: Returns the answers of an earlier run instead of calling the functions; or None.
    """

    values: Mapping[str, Any]
    functions: Mapping[str, HostFunction]
    subagents: Collection[str]
    twins: Mapping[str, str]
    replied: Callable[[], None]
    meter: Meter
    journal: Journal
    replay: Callable[[Key], Result] | None = None
    _made: dict[str, Any] = field(default_factory=dict)  # of `values`
    _tasks: dict[int, asyncio.Task[Result]] = field(default_factory=dict)

    async def cancel(self) -> None:
        """Cancel the calls in flight, and wait until each has recorded its usage."""
        tasks, self._tasks = self._tasks, {}
        running = [task for task in tasks.values() if task.cancel()]
        if running:
            await asyncio.wait(running)

    async def answer(self, snapshot: monty.AsyncSnapshot, past: Past | None) -> Resume:
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
            call = self._call(self.twins[name], snapshot.args, snapshot.kwargs, past)
            self._tasks[snapshot.call_id] = asyncio.ensure_future(call)
            return lambda: snapshot.resume({"future": ...})
        result = await self._call(name, snapshot.args, snapshot.kwargs, past)
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

    async def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], past: Past | None) -> Result:
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
            return self.replay(key)
        result = self.journal.known(key) if is_subagent else None
        if result is None:
            try:
                self.meter.call(given, is_subagent)
                if is_subagent:
                    self.meter.ask(max(map(how_many, (*args, *kwargs.values())), default=1), given)
                value = self.functions[name](*args, **kwargs)
                result = {"return_value": await value if inspect.isawaitable(value) else value}
            except Exception as error:  # the code decides what to do about it
                result = {"exception": _as_known(name, error)}
            finally:
                if not is_subagent:
                    self.meter.executed(time.perf_counter() - started)
        if past is not None:
            past.add(key, result, is_subagent)
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


def how_many(value: object) -> int:
    """Return how many sub-agents an argument asks: one per item of a collection, one for anything else.

    >>> how_many([3, 1]), how_many({3, 1}), how_many("range(0, 20)"), how_many("Who?"), how_many(None)
    (2, 2, 20, 1, 1)
    """
    values = _crossed(value)
    return len(values) if isinstance(values, Sized) and not isinstance(values, (str, bytes)) else 1


def listed(function: str, value: object, what: str) -> Sequence[Any]:
    """Check that an argument is a list, a tuple or a range. A set or dict would give the replies no order.

    Args:
        function: The name of the host function, for the error.
        value: The argument.
        what: What the function takes, for the error.

    Returns:
        The argument. A range that arrived as text becomes a range again.

    Raises:
        TypeError: The argument is something else.

    >>> listed("read_facts", "range(0, 2)", "a list of positions")
    range(0, 2)
    """
    values = _crossed(value)
    if isinstance(values, (list, tuple, range)):
        return values
    given = "text" if isinstance(value, str) else type(value).__name__
    raise TypeError(f"{function} takes {what}, not {given}; make a list with list(...) of anything else")


def check_text(function: str, what: str, text: object) -> str:
    """Check that an argument is a string and not too long to search with, and return it.

    Raises:
        TypeError: It is not a string.
        ValueError: It is longer than MAX_TEXT_CHARACTERS.
    """
    if not isinstance(text, str):
        raise TypeError(f"{function} takes {what}, not {type(text).__name__}")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise ValueError(f"{function} takes at most {MAX_TEXT_CHARACTERS:,} characters, not {len(text):,}")
    return text


def from_start(position: object, count: int) -> int:
    """Return a session's position counted from the start. -1 is the last session.

    Args:
        position: The argument.
        count: How many sessions there are.

    Raises:
        TypeError: The position is not a whole number.
        IndexError: There is no such position.

    >>> from_start(-1, 20), from_start(3, 20)
    (19, 3)
    """
    if not isinstance(position, int) or isinstance(position, bool):
        raise TypeError(f"the position of a session is a whole number, not {type(position).__name__}")
    if not -count <= position < count:
        there = f"positions go from 0 to {count - 1}" if count else "the history is empty"
        raise IndexError(f"no session {position}: {there}")
    return position % count


def _crossed(value: object) -> object:
    """Return an argument as the code wrote it, because a range arrives as text."""
    match = _RANGE.fullmatch(value) if isinstance(value, str) else None
    return range(*(int(number) for number in match.groups() if number is not None)) if match else value
