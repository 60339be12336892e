"""The Python session in which the model's code runs: sandboxed, with state kept between runs.

The code runs in Monty, a Python for model-written code, in a worker process: no
files, no network, no imports of the host's modules, bounded time and memory. What
it may reach is what it is given: values, and host functions that may await on our
event loop while the code itself stays plain and synchronous.

Nothing printed here ever ends a query; only the functions FINAL and FINAL_VAR do.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic_monty import (
    AsyncFunctionSnapshot,
    AsyncMontySession,
    AsyncSnapshot,
    CollectString,
    MontyComplete,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySyntaxError,
)

from . import worker
from .dialect.rewriter import MAX_CODE_CHARACTERS, Rewriter, Rewritten
from .hostcalls import PREVIOUS, HostCalls, HostFunction, is_final
from .journal import Journal, Past
from .limits import LimitReached, Limits, Meter
from .output import shorten, to_text
from .sandbox_errors import hint

_MAX_PRINTED_BYTES = 10 * 1024 * 1024  # on the host: the sandbox's memory limit does not count it
_MAX_ANSWER_CHARACTERS = 100_000
_UNWINDINGS = 100  # code that catches the interrupt is interrupted again at its next call
_MOST_REFUSALS = 100  # a loop that catches its refusals is ended
_BROKEN = re.compile(r"suspension limit|was terminated")  # a RuntimeError or MemoryError of the sandbox


class NoSandbox(Exception):
    """There is no worker to run code in; one line says why."""


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
        subagents: More such names, which ask sub-agents: waiting for them is not executing, and each
            call counts as one sub-agent, or as many as its first argument has items.
        replied: Called before the code is given what sub-agents said.
        limits: What the code may take.
        at_once: Whether thread pools, map() and asyncio may have several sub-agents in flight.
        today: The day that clocks show, in any form; where it is None or not understood, there is no clock.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        functions: Mapping[str, HostFunction],
        subagents: Mapping[str, HostFunction] | None = None,
        replied: Callable[[], None] = lambda: None,
        limits: Limits | None = None,
        at_once: bool = True,
        today: str | None = None,
    ) -> None:
        self._values = values
        self._limits = limits or Limits()
        self._meter = Meter(self._limits)
        self._today = worker.moment(today)
        self._journal = Journal()
        asks = subagents or {}
        self._calls = HostCalls(values, functions, asks, replied, at_once, self._today, self._meter, self._journal)
        self._rewriter_of = partial(Rewriter, tuple(asks), at_once, (*values, *functions, *asks), functions)
        self._names: dict[str, None] = {}
        self._checkout: AbstractAsyncContextManager[AsyncMontySession] | None = None
        self._session: AsyncMontySession | None = None
        self._starting: asyncio.Task[None] | None = None
        self._rewriter = self._rewriter_of()

    async def __aenter__(self) -> Repl:
        self._starting = asyncio.create_task(self._start())  # while the root model writes
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            await self._calls.cancel()
            if self._starting is not None:  # a session that ran no code may still be starting
                await asyncio.gather(self._starting, return_exceptions=True)
        finally:
            await self._release()

    async def run(self, code: str) -> Run:
        """Run code to its end, to an error, or to FINAL. Variables stay for the next run.

        Never raises for what the code does. A worker that died is replaced, and the error says which variables
        are gone with it; replies of sub-agents are kept.

        Raises:
            NoSandbox: There is no worker to run it in.
        """
        if len(code) > MAX_CODE_CHARACTERS:
            return Run("", f"SyntaxError: a block of {len(code):,} characters; write at most {MAX_CODE_CHARACTERS:,}")
        try:
            self._meter.start_run()
        except LimitReached as error:
            return Run("", str(error))
        printed = CollectString(max_bytes=_MAX_PRINTED_BYTES)
        past = Past(code)
        program = self._rewriter.rewrite(code)
        await self._started()
        error_text, final = "", None
        try:
            final, error_text = await self._drive(program, past, printed)
            self._journal.keep(past)
        except MontyError as error:
            error_text = await self._recover(error, program, past)
        except LimitReached as error:
            error_text = await self._replace(str(error), program, past)
        finally:
            await self._calls.cancel()
        self._names.update(dict.fromkeys(program.names))
        output = shorten(printed.output, self._meter.room())
        self._meter.shown(len(output))
        return Run(output, shorten(error_text, self._limits.output_characters), final)

    async def variable(self, name: str) -> tuple[str | None, str]:
        """The text of a variable, or (None, why not)."""
        if not name.isidentifier():
            return None, f"ValueError: {name!r} is not the name of a variable"
        missing = f"NameError: no variable is called {name}; if it is the answer itself, write FINAL({name!r})"
        if hasattr(builtins, name) and name not in self._names:
            return None, missing  # a word like max or list
        await self._started()
        try:
            snapshot = await self._open.feed_start(name)
            while not isinstance(snapshot, MontyComplete):
                snapshot = await self._step(snapshot)
        except (MontyError, LimitReached):
            return None, missing
        return _answer(snapshot.output), ""

    async def value(self, text: str) -> str | None:
        """The text of an expression over the session's variables, such as `len(found)`; None for any other words."""
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        if isinstance(tree, (ast.List, ast.Tuple, ast.Set)):
            with suppress(ValueError, RecursionError, TypeError):
                return _answer(ast.literal_eval(tree))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        known = {*self._names, *self._values}
        others = [name for name in names - known if not hasattr(builtins, name)]
        if isinstance(tree, ast.Name) or not names & known or others:
            return None
        return (await self.run(f"FINAL({text})")).final

    @property
    def _open(self) -> AsyncMontySession:
        assert self._session is not None
        return self._session

    async def _drive(self, program: Rewritten, past: Past | None, printed: CollectString) -> tuple[str | None, str]:
        """Run a program; the answer that it gave, if it did, and why it gave none."""
        for source in program.before:
            await self._open.feed_run(source)
        snapshot = await self._timed(self._open.feed_start(program.code, print_callback=printed))
        while not isinstance(snapshot, MontyComplete):
            if is_final(snapshot) and past is not None:
                return await self._final(snapshot)
            if is_final(snapshot):
                snapshot = await snapshot.resume({"exc_type": "KeyboardInterrupt"})
                continue
            if past is not None and self._meter.refusals > _MOST_REFUSALS:
                raise LimitReached(
                    f"RuntimeError: the run was ended, for it went on after {_MOST_REFUSALS} refusals: "
                    f"{self._meter.last_refusal}"
                )
            answer = await self._calls.answer(snapshot, past)
            snapshot = await self._timed(answer())
        return None, ""

    async def _timed(self, executing: Awaitable[AsyncSnapshot]) -> AsyncSnapshot:
        started = time.perf_counter()
        try:
            return await executing
        finally:
            if self._calls.replay is None:
                self._meter.executed(time.perf_counter() - started)

    async def _step(self, snapshot: AsyncSnapshot) -> AsyncSnapshot:
        return await (await self._calls.answer(snapshot, None))()

    async def _final(self, snapshot: AsyncFunctionSnapshot) -> tuple[str | None, str]:
        """The answer given to FINAL or FINAL_VAR, or why there is none. The rest of the code does not run."""
        (value,) = (*snapshot.args, *snapshot.kwargs.values())
        if snapshot.function_name == "FINAL" or not isinstance(value, str) or not value.isidentifier():
            return _answer(value), ""  # FINAL_VAR(answer) for FINAL_VAR("answer"): the value came itself
        with suppress(MontyError, LimitReached):  # unwind the code, so that the session can look the name up
            unwound: AsyncSnapshot = snapshot
            for _ in range(_UNWINDINGS):
                if isinstance(unwound, AsyncFunctionSnapshot):
                    unwound = await unwound.resume({"exc_type": "KeyboardInterrupt"})
                elif not isinstance(unwound, MontyComplete):
                    unwound = await self._step(unwound)
        return await self.variable(value)

    async def _recover(self, error: MontyError, program: Rewritten, past: Past | None) -> str:
        """What the code's author should know of an error; a session that it broke is replaced."""
        text = _describe(error, self._limits)
        advice = hint(text)
        text = f"{text}\n{advice}" if advice else text
        if _lost_its_session(error):
            return await self._replace(text, program, past)
        self._journal.keep(past)
        return text

    async def _replace(self, text: str, program: Rewritten, past: Past | None) -> str:
        """Replace the worker, and put back what earlier runs had made by running them again on the kept replies."""
        await self._calls.cancel()
        self._journal.lose(past)
        replies = len(self._journal.lost)
        restored = await self._restore()
        gone = program.names if restored else (*self._names, *program.names)
        parts = [text, "The Python worker was replaced; `sessions` and functions are there again."]
        if restored and self._names:
            parts.append("Variables of the runs before this one are there again.")
        if gone:
            parts.append(f"These variables are gone: {shorten(', '.join(dict.fromkeys(gone)), 1000)}.")
        if replies:
            parts.append(
                f"Nothing that sub-agents replied in this run is lost: `{PREVIOUS}` is the list of their {replies} "
                "replies, and to ask the same again is answered from it at once."
            )
        if not restored:
            self._names = {}
        return "\n".join(parts)

    async def _restore(self) -> bool:
        """A new session in which the journal's runs have been done again; False for an empty one."""
        await self._start_again()
        if self._journal.runs is None:
            self._journal.runs = []
            return False
        try:
            for past in self._journal.runs:
                try:
                    self._calls.replay = past.replay()
                    printed = CollectString(max_bytes=_MAX_PRINTED_BYTES)  # nobody reads it
                    await self._drive(self._rewriter.rewrite(past.code), None, printed)
                except MontyError as error:
                    if _lost_its_session(error):
                        raise
                    # else it ended in this error the first time too
        except (MontyError, LimitReached):
            await self._start_again()
            self._journal.runs = []
            return False
        finally:
            self._calls.replay = None
        return True

    async def _release(self) -> None:
        """Give the worker back, also one that is not entered yet."""
        checkout, self._checkout = self._checkout, None
        if checkout is not None:
            await checkout.__aexit__(None, None, None)

    async def _start_again(self) -> None:
        await self._release()
        self._rewriter = self._rewriter_of()
        await self._start()

    async def _started(self) -> None:
        assert self._starting is not None, "use `async with Repl(...)`"
        try:
            await self._starting
        except Exception as error:
            raise NoSandbox(f"the Python sandbox cannot be started: {error}") from error

    async def _start(self) -> None:
        self._checkout = await worker.checkout(self._limits, self._today)
        self._session = await self._checkout.__aenter__()


def _answer(value: Any) -> str:
    return shorten(to_text(value), _MAX_ANSWER_CHARACTERS)


def _lost_its_session(error: MontyError) -> bool:
    """Whether the sandbox does not vouch for its session any more."""
    if isinstance(error, MontyRuntimeError):
        raised = error.exception()
        is_limit = type(raised) in (RuntimeError, MemoryError) and _BROKEN.search(str(raised)) is not None
        return is_limit or isinstance(raised, TimeoutError)
    return not isinstance(error, MontySyntaxError)


def _describe(error: MontyError, limits: Limits) -> str:
    if isinstance(error, MontyCrashedError):
        return (
            f"TimeoutError: time limit exceeded: more than {limits.run_seconds:g} s"
            if error.timed_out
            else f"RuntimeError: the Python worker died: {error}"
        )
    display = getattr(error, "display", None)
    return str(display("traceback")) if display else str(error)
