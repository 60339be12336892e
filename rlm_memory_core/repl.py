"""The Python session in which the model's code runs: sandboxed, with state kept between runs.

The code runs in Monty, a Python for model-written code, in a worker process: no
files, no network, no imports of the host's modules, bounded time and memory. What
it may reach is what it is given: values, and host functions that may await on our
event loop while the code itself stays plain and synchronous.

Nothing printed here ever ends a query; only the functions FINAL and FINAL_VAR do.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeGuard

from pydantic_monty import (
    AsyncFunctionSnapshot,
    AsyncMonty,
    AsyncMontySession,
    AsyncNameLookupSnapshot,
    AsyncSnapshot,
    CollectString,
    MontyComplete,
    MontyConversionError,
    MontyCrashedError,
    MontyError,
    ResourceLimits,
)

from . import background
from .prompts import UNKNOWN

MAX_OUTPUT_CHARACTERS = 20_000
_MAX_PRINTED_BYTES = 10 * 1024 * 1024  # on the host: the limits below do not count it
_WORKERS = 32  # REPLs at once; further queries wait for one
_LIMITS: ResourceLimits = {
    "max_feed_duration_secs": 30.0,  # executing only: waiting for sub-agents does not count
    "max_memory": 512 * 1024 * 1024,
    "max_suspensions": 1_000_000,  # sub-calls are bounded by the budget, not here
}

_FINALS = ("FINAL", "FINAL_VAR")
_UNWINDINGS = 100  # code that catches the interrupt is interrupted again at its next call
# after these the sandbox does not vouch for its session
_BROKEN = re.compile(r"time limit exceeded|was terminated")

HostFunction = Callable[..., Any | Awaitable[Any]]

_pool: AsyncMonty | None = None
_pool_lock = asyncio.Lock()  # of the background loop


@dataclass(frozen=True, slots=True)
class Run:
    """What one piece of code did.

    Args:
        output: What it printed, head and tail where it was too much.
        error: The traceback, or "".
        final: The answer, where the code called FINAL or FINAL_VAR; else None.
    """

    output: str
    error: str = ""
    final: str | None = None

    def __str__(self) -> str:
        return "\n".join(part for part in (self.output.rstrip("\n"), self.error) if part) or "(nothing was printed)"


class Repl:
    """A sandboxed Python session; use it as an async context manager on the background loop.

    Args:
        values: Names the code can read; each is copied in when it is first read.
        functions: Names the code can call. One that raises raises in the code.
    """

    def __init__(self, values: Mapping[str, Any], functions: Mapping[str, HostFunction]) -> None:
        self._values = values
        self._functions = functions
        self._checkout: AbstractAsyncContextManager[AsyncMontySession] | None = None
        self._session: AsyncMontySession | None = None

    async def __aenter__(self) -> Repl:
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._checkout is not None:
            await self._checkout.__aexit__(kind, error, trace)

    async def run(self, code: str) -> Run:
        """Run code to its end, to an error, or to FINAL. Variables stay for the next run.

        Never raises for what the code does. A worker that died is replaced; its variables are gone, and
        the error says so.
        """
        assert self._session is not None, "use `async with Repl(...)`"
        printed = CollectString(max_bytes=_MAX_PRINTED_BYTES)
        try:
            snapshot = await self._session.feed_start(code, print_callback=printed)
            while not isinstance(snapshot, MontyComplete):
                if _is_final(snapshot):
                    final, error = await self._final(snapshot)
                    return Run(shorten(printed.output), error, final)
                snapshot = await self._step(snapshot)
        except MontyError as error:
            return Run(shorten(printed.output), await self._recover(error))
        return Run(shorten(printed.output))

    async def _step(self, snapshot: AsyncSnapshot) -> AsyncSnapshot:
        """Give the code what it waits for."""
        if isinstance(snapshot, AsyncNameLookupSnapshot):
            name = snapshot.variable_name
            if name in self._values:
                return await snapshot.resume(value=self._values[name])
            if name in self._functions or name in _FINALS:
                return await snapshot.resume(value=_named(name))
            return await snapshot.resume()
        if isinstance(snapshot, AsyncFunctionSnapshot):
            return await self._call(snapshot)
        raise RuntimeError(f"the sandbox waits for something unknown: {snapshot!r}")

    async def _call(self, snapshot: AsyncFunctionSnapshot) -> AsyncSnapshot:
        """Call a host function for the code; what it raises is raised there."""
        name = str(snapshot.function_name)
        if snapshot.is_os_function:
            return await snapshot.resume_not_handled()
        if name in _FINALS:
            return await snapshot.resume({"exception": TypeError(f"{name} takes one value")})
        if name not in self._functions:
            return await snapshot.resume({"exception": NameError(f"name {name!r} is not defined")})
        try:
            value = self._functions[name](*snapshot.args, **snapshot.kwargs)
            if inspect.isawaitable(value):
                value = await value
        except (TypeError, ValueError, LookupError) as error:
            return await snapshot.resume({"exception": type(error)(*error.args)})
        except Exception as error:  # whatever it is, it is the code's to deal with
            return await snapshot.resume({"exception": RuntimeError(f"{name}: {type(error).__name__}: {error}")})
        try:
            return await snapshot.resume({"return_value": value})
        except MontyConversionError as error:
            return await snapshot.resume({"exception": TypeError(str(error))})

    async def _final(self, snapshot: AsyncFunctionSnapshot) -> tuple[str | None, str]:
        """The answer given to FINAL or FINAL_VAR, or why there is none. The rest of the code does not run."""
        (value,) = (*snapshot.args, *snapshot.kwargs.values())
        if snapshot.function_name == "FINAL" or not isinstance(value, str) or not value.isidentifier():
            return to_text(value), ""  # FINAL_VAR(answer) for FINAL_VAR("answer"): the value came itself
        with suppress(MontyError):  # unwind the code, so that the session can look the name up
            unwound: AsyncSnapshot = snapshot
            for _ in range(_UNWINDINGS):
                if isinstance(unwound, AsyncFunctionSnapshot):
                    unwound = await unwound.resume({"exc_type": "KeyboardInterrupt"})
                elif not isinstance(unwound, MontyComplete):
                    unwound = await self._step(unwound)
        return await self.variable(value)

    async def _recover(self, error: MontyError) -> str:
        """What the code's author should know of an error; a session that it broke is replaced."""
        text = _describe(error)
        if not (isinstance(error, MontyCrashedError) or _BROKEN.search(text)):
            return text
        if self._checkout is not None:
            await self._checkout.__aexit__(None, None, None)
        await self._start()
        return f"{text}\nThe Python worker was replaced: variables are gone, `sessions` and functions are there again."

    async def variable(self, name: str) -> tuple[str | None, str]:
        """The text of a variable, or (None, why not)."""
        assert self._session is not None, "use `async with Repl(...)`"
        try:
            snapshot = await self._session.feed_start(name)
            while not isinstance(snapshot, MontyComplete):
                snapshot = await self._step(snapshot)
        except MontyError:
            return None, f"NameError: no variable is called {name}; if it is the answer itself, write FINAL({name!r})"
        return to_text(snapshot.output), ""

    async def _start(self) -> None:
        pool = await _open_pool()
        self._checkout = pool.checkout(
            script_name="repl.py", limits=_LIMITS, os_policy={"sleep": "zero", "random_start": {"seed": 0}}
        )
        self._session = await self._checkout.__aenter__()


async def _open_pool() -> AsyncMonty:
    """The workers of all REPLs, started by whichever query comes first while the others wait."""
    global _pool
    async with _pool_lock:
        if _pool is None:
            pool = AsyncMonty(max_processes=_WORKERS)
            await pool.__aenter__()
            background.on_exit(lambda: pool.__aexit__(None, None, None))
            _pool = pool
        return _pool


def shorten(text: str, limit: int = MAX_OUTPUT_CHARACTERS) -> str:
    """Keep the head and the tail of a long output, and say what was cut.

    >>> shorten("abcdefghij", limit=4)
    'ab\\n[... 6 characters cut; print less ...]\\nij'
    """
    if len(text) <= limit:
        return text
    head, tail = text[: limit - limit // 2], text[len(text) - limit // 2 :]
    return f"{head}\n[... {len(text) - limit:,} characters cut; print less ...]\n{tail}"


def to_text(value: Any) -> str:
    """An answer as text, whatever type the code gave it.

    >>> to_text(["Mochi", "Luna"]), to_text(2.0), to_text(None)
    ('Mochi, Luna', '2', "I don't know")
    """
    try:
        return _to_text(value)
    except (RecursionError, TypeError, ValueError):
        return f"a {type(value).__name__} that cannot be written out"


def _to_text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip() or UNKNOWN
    if value is None:
        return UNKNOWN
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (set, frozenset)):
        return ", ".join(sorted(_to_text(item) for item in value)) or UNKNOWN
    if isinstance(value, (list, tuple)):
        return ", ".join(_to_text(item) for item in value) or UNKNOWN
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _is_final(snapshot: AsyncSnapshot) -> TypeGuard[AsyncFunctionSnapshot]:
    return (
        isinstance(snapshot, AsyncFunctionSnapshot)
        and snapshot.function_name in _FINALS
        and len(snapshot.args) + len(snapshot.kwargs) == 1
    )


def _named(name: str) -> HostFunction:
    """What a host function is when the code passes it around: only its name counts, the call comes back to us."""

    def stand_in() -> None: ...

    stand_in.__name__ = name
    return stand_in


def _describe(error: MontyError) -> str:
    display = getattr(error, "display", None)
    return str(display("traceback")) if display else str(error)
