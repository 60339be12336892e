"""One query: the conversation with the root model, and what it has cost so far.

A root model that twice in a row writes no code that runs is not asked for code again: the engine searches by itself,
and the model answers from what that shows (`unaided`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ..models.budget import BudgetExceeded
from ..models.llm import ModelError
from ..models.pricing import Usage
from ..models.types import ChatMessage, ContextExceeded, EmptyReply, Reply
from ..repl.output import UNKNOWN, to_text
from ..repl.repl import NoSandbox, Repl, Run
from ..search.vectors import Metered
from ..store.memory_store import MemoryStore
from .answer import Answer, QueryFailed
from .evidence import evidence_of
from .paper_way import PaperWay
from .parsing import Final, Message, finals_only, parse_message
from .prompts.paper import coverage_line, output_message
from .prompts.record import CUT_REPLY, EMPTY, UNSEEN, history_messages
from .prompts.search import FALSE_QUOTE
from .reading import PAPER, SEARCH
from .search_tools import CITED
from .search_way import SearchWay
from .settings import Settings
from .subagents import Call, Coverage, Progress
from .trace import Step, Trace, total_cost
from .unaided import ROOMS, quoted
from .way import Way

NO_CODE = "no code"
"""The mode of an answer that the model gave without code."""

NO_REPLY = "(the model gave no reply)"
"""The output of a step whose call failed."""

_MOST_EMPTY = 3  # empty replies in a row that end the query
_MOST_MISSES = 2  # replies in a row without code that ran, before the engine searches by itself


_WAYS = {PAPER: PaperWay, SEARCH: SearchWay}


class Query:
    """One question.

    Args:
        engine: Its settings hold for the query.
        store, question, question_date, system, progress: As for `MemoryRLM.query`.
    """

    _way: Way

    def __init__(
        self, engine: Settings, store: MemoryStore, question: str, question_date: str | None, system: str | None,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        self._engine, self._system = engine, system
        self._question, self._question_date = question, question_date
        self._open_way = partial(_WAYS[str(engine.reading.way)], engine, progress, store, question, question_date)
        self._steps: list[Step] = []
        self._messages: list[ChatMessage] = []
        self._started, self._asked = time.perf_counter(), 0.0

    async def answer(self) -> Answer:
        """Run the loop until there is an answer.

        Raises:
            QueryFailed: The root model gave no answer, or the sandbox could not be started. The exception carries what
                the query found and cost.
        """
        self._way = await asyncio.to_thread(self._open_way)
        try:
            self._messages = await self._way.open(self._engine.max_iterations, self._system)
            return await self._converse()
        except BudgetExceeded as error:
            return self._finish(UNKNOWN, str(error))
        except (ModelError, NoSandbox) as error:
            if isinstance(error, ModelError):
                self._failed(error)
            raise QueryFailed(self._finish("", str(error))) from error

    async def _converse(self) -> Answer:
        empty = misses = 0
        way, engine = self._way, self._engine
        replied, limits = way.subagents.replied, engine.limits
        async with Repl(
            way.values, way.functions, way.asking, replied, limits, engine.parallel, self._question_date
        ) as repl:
            for remaining in range(engine.max_iterations - 1, -1, -1):
                try:
                    reply = await self._ask(self._messages)
                except EmptyReply as error:
                    empty, misses = empty + 1, misses + 1
                    if empty == _MOST_EMPTY or not remaining:
                        raise
                    self._failed(error)
                    last = self._messages[-1]
                    self._messages[-1] = {"role": last["role"], "content": f"{last['content']}\n\n{EMPTY}"}
                except ContextExceeded as error:
                    if not way.searches:
                        raise
                    self._failed(error)
                    return await self._without_code()
                else:
                    empty = 0
                    message = parse_message("" if reply.cut else reply.text)  # half a program must not run
                    run, missed = await self._step(repl, reply, message, remaining)
                    if run.final is not None:
                        return self._finish(run.final)
                    misses = misses + 1 if missed else 0
                if way.searches and remaining and misses >= _MOST_MISSES:
                    return await self._without_code()
        if reply.cut:
            return self._finish(UNKNOWN, f"the last reply of {engine.llm.model} was cut off at its token limit")
        if message.blocks and way.searches:
            return await self._without_code()
        return self._finish(UNKNOWN if message.blocks else message.prose or UNKNOWN)

    async def _ask(self, messages: Sequence[ChatMessage]) -> Reply:
        self._asked = time.perf_counter() - self._started
        return await self._engine.llm.complete(messages, self._engine.budget)

    def _failed(self, error: ModelError) -> None:
        """Make a step of a call that failed: it is paid for. What its server said of it is no output."""
        self._note(Reply("", error.usage, error.cost_usd, 0.0), NO_REPLY)

    def _note(self, reply: Reply, output: str, code: tuple[str, ...] = (), calls: tuple[Call, ...] = ()) -> None:
        self._steps.append(Step.of(reply, output, self._asked, code, calls))

    async def _step(self, repl: Repl, reply: Reply, message: Message, remaining: int) -> tuple[Run, bool]:
        """Run a reply, and tell the model what came of it. Returns also whether it had no code that ran."""
        asked, used = len(self._way.subagents.calls), self._way.used
        try:
            run, objection = await self._run(repl, message, remaining)
        except NoSandbox as error:
            self._note(reply, f"({error})", message.blocks)
            raise
        calls = tuple(self._way.subagents.calls[asked:])
        self._note(reply, "\n".join(filter(None, (str(run), objection))), message.blocks, calls)
        self._messages.append({"role": "assistant", "content": reply.text})
        self._messages.append(self._next_message(reply, message, run, objection, calls, remaining))
        ran = message.blocks and (not run.error or bool(run.output) or self._way.used > used)
        return run, not ran and not message.final

    async def _run(self, repl: Repl, message: Message, remaining: int) -> tuple[Run, str]:
        """Run a message's code and take its answer. Returns also why an answer in it does not count, or ""."""
        false_quotes = len(self._way.false_quotes)
        run = await self._run_code(repl, message, is_last=not remaining)
        output, is_new = self._way.printed(run.output)
        run = replace(run, output=output)
        stated = False
        if run.final is None and message.final is not None and (not remaining or not run.error):
            run, stated = await _resolve(repl, message.final, run)
        if run.final is None or not remaining:
            return run, ""
        unseen = [line for line in run.output.splitlines() if line.strip() and not line.startswith(CITED)]
        if len(self._way.false_quotes) > false_quotes:
            return replace(run, final=None), FALSE_QUOTE.format(why=self._way.false_quotes[-1])
        if is_new or (stated and unseen):
            return replace(run, final=None), UNSEEN
        return run, ""

    async def _run_code(self, repl: Repl, message: Message, is_last: bool) -> Run:
        """Run the code, block by block, up to the first error or answer.

        The code of a last message may only answer, and in the search reading search for it and cite.
        """
        run = Run("")
        if self._way.searches or not is_last:
            run = await self._run_blocks(repl, message.blocks)
        if is_last and run.final is None:
            run = await self._run_blocks(repl, finals_only(message).blocks)
        return run

    async def _run_blocks(self, repl: Repl, blocks: Sequence[str]) -> Run:
        output = ""
        for block in blocks:
            run = await repl.run(self._way.prepare(block))
            output += run.output
            if run.error or run.final is not None:
                return Run(output, run.error, run.final)
        return Run(output)

    def _next_message(
        self, reply: Reply, message: Message, run: Run, objection: str, calls: Sequence[Call], remaining: int
    ) -> ChatMessage:
        """The root model's next message: the output of its code and what was not read, or what to do now."""
        forced = self._way.forced
        if reply.cut:
            return {"role": "user", "content": CUT_REPLY if remaining > 1 else forced}
        if not message.blocks and not run.error:
            return {"role": "user", "content": self._way.no_code if remaining > 1 else forced}
        coverage = Coverage.of(calls)
        not_read = sorted({call.number for call in calls if call.error and call.number is not None})
        told = [coverage_line(str(coverage), coverage.failures, not_read)] if calls else []
        return output_message(str(run), "\n".join([*told, objection] if objection else told), remaining, forced)

    async def _without_code(self) -> Answer:
        """Search with the question, and ask for the answer in one call; with less where that is too long."""
        for room in ROOMS:
            shown, turns = await self._way.record(room)
            try:
                reply = await self._ask(history_messages(shown, self._question, self._question_date, self._system))
                break
            except ContextExceeded as error:
                if room == ROOMS[-1]:
                    raise
                self._failed(error)
        told = "(the model wrote no code that ran: the engine searched by itself, and showed it this)"
        self._note(reply, f"{told}\n{shown}")
        message = parse_message(reply.text)
        text = to_text(message.final.text if message.final else message.prose)
        self._way.cited[:] = quoted(text, turns)
        return replace(self._finish(text), mode=NO_CODE)

    def _finish(self, text: str, error: str = "") -> Answer:
        """The answer, with the cost of all steps and of the embedder."""
        way, calls, trace = self._way, self._way.subagents.calls, Trace(tuple(self._steps))
        found = [*way.cited, *evidence_of(calls)] or quoted(text, way.shown())
        paid: list[Trace | Metered] = [trace, *([way.embedder] if way.embedder else [])]
        read = {(call.number, call.session) for call in calls if call.number is not None and not call.error}
        return Answer(
            text=text,
            evidence=tuple(found),
            coverage=Coverage.of(calls),
            usage=sum((each.usage for each in paid), Usage()),
            cost_usd=total_cost(each.cost_usd for each in paid),
            seconds=time.perf_counter() - self._started,
            trace=trace,
            error=error,
            false_quotes=sum(call.extract.false_quotes for call in calls) + len(way.false_quotes),
            sessions_read=tuple(sorted({number for number, _ in read})),
            sessions=way.sessions,
            pieces_read=len({text for _, text in read}),
            pieces=way.pieces,
            mode=way.name,
            model=self._engine.llm.label,
        )


async def _resolve(repl: Repl, final: Final, run: Run) -> tuple[Run, bool]:
    """The answer that a message gives outside its code, and whether it is stated there: not the value of code."""
    if final.kind == "value":
        value = await repl.value(final.text)
        return replace(run, final=to_text(final.text) if value is None else value), value is None
    value, error = await repl.variable(final.text)
    stated = value is None and final.kind == "word"
    if stated:
        value = to_text(final.text)
    return Run(run.output, "" if value is not None else error, value), stated
