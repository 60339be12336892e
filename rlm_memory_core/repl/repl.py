"""The sandboxed Python session in which the model's code runs. Variables persist between runs.

The code runs in Monty, a Python interpreter for model-written code, in a worker process. It has no files, no network
and none of the host's modules, and its time and memory are limited. It can reach only the values and host functions
that it is given. A host function may be a coroutine function; the code calls it like an ordinary function.

Printed text never ends a query. Only the functions FINAL and FINAL_VAR do.
"""

import ast
import builtins
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import pydantic_monty as monty

from ..models.budget import GRACE, Budget, BudgetExceeded
from . import worker
from .dialect.rewriter import LATER, MAX_CODE_CHARACTERS, Rewriter, Rewritten
from .hostcalls import FINALS, HostCalls, HostFunction, Resume, called
from .limits import LimitReached, Limits, Meter
from .sandbox_errors import describe, is_session_lost
from .values import shorten, to_text

_MAX_PRINTED_BYTES = 10 * 1024 * 1024  # held by the host: the sandbox's memory limit does not cover it
_UNWINDINGS = 100  # if code catches the interrupt, it is interrupted again at its next call


class NoSandbox(Exception):
    """The sandbox cannot be started. The message gives the reason in one line."""


@dataclass(frozen=True, slots=True)
class Run:
    """The result of running one piece of code.

    Args:
        output: What it printed; only the beginning and the end if that was too long.
        error: The traceback, or "".
        final: The answer if the code called FINAL or FINAL_VAR, otherwise None.
    """

    output: str
    error: str = ""
    final: str | None = None

    def __str__(self) -> str:
        return "\n".join(part for part in (self.output.rstrip("\n"), self.error) if part) or "(nothing was printed)"


class Repl:
    """A sandboxed Python session. Use it as an async context manager on the background loop.

    Args:
        values: Names that the code can read. Each value is copied into the sandbox when the code first reads it. A
            function without arguments is called at that point, and its result is the value.
        functions: Names that the code can call. If a function raises an error, the code sees the error too.
        subagents: More names that the code can call, which ask sub-agents. Waiting for them does not count as
            execution time. A call counts as one sub-agent, or as one per item if its argument is a list.
        replied: Called before the code receives replies from sub-agents.
        lost: Called when the variables are lost. Returns whether sub-agents have replied before.
        limits: Limits on the code.
        at_once: Whether thread pools, map() and asyncio may ask several sub-agents at the same time.
        today: The date that clocks show, as text. Without a readable date, the code has no clock.
        budget: Its seconds limit how long the code waits for a worker and for `functions`; None for no limit.

    `meter` counts what the code has used.
    """

    _session: monty.AsyncMontySession
    _ended: monty.AsyncSnapshot | None = None  # where FINAL ended a run
    _lease: worker.Lease

    def __init__(
        self, values: Mapping[str, Any], functions: Mapping[str, HostFunction],
        subagents: Mapping[str, HostFunction] | None = None, replied: Callable[[], None] = lambda: None,
        lost: Callable[[], bool] = lambda: False, limits: Limits | None = None, at_once: bool = True,
        today: str | None = None, budget: Budget | None = None,
    ) -> None:  # fmt: skip
        asks = subagents or {}
        callables = {**functions, **asks}
        self._limits = limits or Limits()
        self.meter = Meter(self._limits)
        self._today = worker.moment(today)
        self._budget, self._lost = budget or Budget(), lost
        twins = [f"{LATER}{name}" for name in asks] if at_once else []
        values = {name: cache(value) if callable(value) else value for name, value in values.items()}
        self._calls = HostCalls(values, callables, asks, replied, self.meter, self._budget)
        self._hosts = (*callables, *twins, *FINALS)  # what the code can call
        self._rewriter_of = partial(Rewriter, tuple(asks), at_once, (*values, *callables), functions)
        self._names: dict[str, None] = {}
        self._rewriter = self._rewriter_of()

    async def __aenter__(self) -> "Repl":
        self._lease = worker.Lease(self._limits, self._today, self._hosts)  # start a worker while the root model writes
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            await self._calls.cancel()
        finally:
            await self._lease.end()

    async def run(self, code: str) -> Run:
        """Run code until it ends, fails, or calls FINAL. Its variables persist for the next run.

        An error in the code is part of the result. If a worker dies, it is replaced, and the error says which variables
        are gone. Replies from sub-agents are kept.

        Raises:
            NoSandbox: The sandbox cannot be started.
        """
        if len(code) > MAX_CODE_CHARACTERS:
            return Run("", f"SyntaxError: a block of {len(code):,} characters; write at most {MAX_CODE_CHARACTERS:,}")
        try:
            self.meter.start_run()
        except LimitReached as error:
            return Run("", str(error))
        printed = monty.CollectString(max_bytes=_MAX_PRINTED_BYTES)
        program = self._rewriter.rewrite(code)
        await self._started()
        final, error_text, is_lost = None, "", False
        try:
            final, error_text = await self._drive(program, printed)
        except (monty.MontyError, LimitReached) as error:
            error_text, is_lost = describe(error, self._limits.run_seconds), is_session_lost(error)
        finally:
            await self._calls.cancel()
        self._names.update(dict.fromkeys(program.names))
        if is_lost:
            error_text = await self._replace(error_text)
        return Run(self.meter.cut(printed.output), shorten(error_text, self._limits.output_characters), final)

    async def value(self, text: str) -> str | None:
        """Return the text of an expression over the session's variables, such as `len(found)`, or None."""
        try:
            tree = ast.parse(text if len(text) <= MAX_CODE_CHARACTERS else "", mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        known = {*self._names, *self._calls.values}
        is_code = names & known or isinstance(tree, (ast.List, ast.Tuple, ast.Set))
        if not is_code or any(not hasattr(builtins, name) for name in names - known):
            return None
        return (await self.run(f"_rlm_final({text})")).final

    async def _variable(self, name: str) -> tuple[str | None, str]:
        """Return the text of a variable and "", or None and an error."""
        missing = f"NameError: no variable is called {name}; if it is the answer itself, write FINAL({name!r})"
        if hasattr(builtins, name) and name not in self._names:
            return None, missing  # a built-in such as max or list
        try:
            return await self._drive(Rewritten(f"_rlm_final({name})"))
        except monty.MontyError as error:
            if is_session_lost(error):
                raise
            return None, missing

    async def _drive(self, program: Rewritten, printed: monty.CollectString | None = None) -> tuple[str | None, str]:
        """Run a program. Return its answer or None, and an error if FINAL_VAR names an unknown variable, or ""."""
        await self._unwind()
        for source in program.before:
            await self._session.feed_run(source)
        printed = printed or monty.CollectString(max_bytes=_MAX_PRINTED_BYTES)
        resume: Resume = partial(self._session.feed_start, program.code, print_callback=printed)
        while True:
            started = time.perf_counter()
            try:
                snapshot = await resume()
            finally:
                self.meter.executed(time.perf_counter() - started)
            if isinstance(snapshot, monty.MontyComplete):
                return None, ""
            if (call := called(snapshot)) and call[0] in FINALS:
                values = [*call[1], *call[2].values()]
                if len(values) == 1:
                    self._ended = snapshot  # the rest of the code does not run
                    return await self._final(call[0], values[0], program.code)
            self.meter.check()
            resume = await self._calls.answer(snapshot, call)

    async def _final(self, function: str, value: Any, code: str) -> tuple[str | None, str]:
        """Return the answer that the code passes to FINAL or FINAL_VAR."""
        if function == "FINAL_VAR" and isinstance(value, str) and value.isidentifier():
            named = await self._variable(value)
            if named[0] is not None or any(f"FINAL_VAR({sign}{value}{sign}" in code for sign in "'\""):
                return named
        return to_text(value), ""  # FINAL_VAR(answer) instead of FINAL_VAR("answer") passes the value itself

    async def _unwind(self) -> None:
        """End the code that stopped at FINAL, so that the session can continue."""
        snapshot, self._ended = self._ended, None
        with suppress(monty.MontyRuntimeError, LimitReached):
            for _ in range(_UNWINDINGS):
                if snapshot is None or isinstance(snapshot, monty.MontyComplete):
                    return
                if isinstance(snapshot, monty.AsyncFunctionSnapshot):
                    snapshot = await snapshot.resume({"exc_type": "KeyboardInterrupt"})
                else:
                    snapshot = await (await self._calls.answer(snapshot))()

    async def _replace(self, text: str) -> str:
        """Start a new session in place of a lost one. Return the error to show."""
        gone, self._names = self._names, {}
        any_replies = self._lost()
        self.meter.ask_again()
        await self._lease.end()
        self._lease = worker.Lease(self._limits, self._today, self._hosts)
        self._rewriter = self._rewriter_of()
        await self._started()
        lines = [
            text,
            "The Python worker was replaced; the given data and functions are there again.",
            f"These variables are gone: {shorten(', '.join(gone), 1000)}." if gone else "",
            "No reply of a sub-agent is lost: to ask the same again is answered at once." if any_replies else "",
        ]
        return "\n".join(filter(None, lines))

    async def _started(self) -> None:
        try:
            self._session = await self._budget.wait_for(self._lease.session(), GRACE)
        except BudgetExceeded:
            raise
        except Exception as error:
            raise NoSandbox(f"the Python sandbox cannot be started: {error}") from error
