"""One query: the conversation with the root model, and what it has cost so far.

A root model that twice in a row writes no code that runs is not asked for code again: the engine searches by itself,
and the model answers from what that shows (`unaided`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from ..models.budget import Budget, BudgetExceeded
from ..models.llm import LLM, ModelError
from ..models.pricing import Usage
from ..models.types import ChatMessage, ContextExceeded, EmptyReply, Reply
from ..repl.limits import Limits
from ..repl.output import UNKNOWN, to_text
from ..repl.repl import NoSandbox, Repl, Run
from .answer import Answer, QueryFailed
from .evidence import evidence_of
from .parsing import Final, Message, finals_only, parse_message
from .prompts.paper import coverage_line, output_message
from .prompts.record import CUT_REPLY, EMPTY, UNSEEN, history_messages
from .prompts.search import FALSE_QUOTE
from .search_tools import CITED
from .subagents import Call, Coverage, SubAgents
from .trace import Step, Trace, total_cost
from .unaided import ROOMS, quoted
from .way import Way

NO_CODE = "no code"
"""The mode of an answer that the model gave without code."""

_NO_USAGE = Usage()
_MOST_EMPTY = 3  # empty replies in a row that end the query
_MOST_MISSES = 2  # replies in a row without code that ran, before the engine searches by itself


class Query:
    """One question.

    Args:
        llm: The root model.
        way: What the REPL holds and what the root model is told.
        subagents: They read the history.
        question, question_date: What is asked, and when, or None.
        system: An assistant's system prompt that says how the answer is worded, or None.
        replies: How many replies the root model has; the last one must answer.
        budget, limits, parallel: As for `MemoryRLM`.
    """

    def __init__(
        self, llm: LLM, way: Way, subagents: SubAgents, question: str, question_date: str | None, system: str | None,
        replies: int, budget: Budget | None, limits: Limits, parallel: bool,
    ) -> None:  # fmt: skip
        self._llm, self._way, self._subagents = llm, way, subagents
        self._question, self._question_date, self._system = question, question_date, system
        self._replies, self._budget, self._limits, self._parallel = replies, budget, limits, parallel
        self._steps: list[Step] = []
        self._messages: list[ChatMessage] = []
        self._started = time.perf_counter()

    async def answer(self) -> Answer:
        """Run the loop until there is an answer.

        Raises:
            QueryFailed: The root model gave no answer, or the sandbox could not be started. The exception carries what
                the query found and cost.
        """
        try:
            self._messages = await self._way.open(self._replies, self._system)
            return await self._converse()
        except BudgetExceeded as error:
            return self._finish(UNKNOWN, str(error))
        except ModelError as error:
            if isinstance(error, QueryFailed):
                raise
            raise QueryFailed(self._finish("", str(error), error.usage, error.cost_usd)) from error

    async def _converse(self) -> Answer:
        empty = misses = 0
        async with self._repl() as repl:
            for remaining in range(self._replies - 1, -1, -1):
                started = time.perf_counter() - self._started
                try:
                    reply = await self._llm.complete(self._messages, self._budget)
                except ModelError as error:
                    if self._way.searches and isinstance(error, ContextExceeded):
                        return await self._without_code()
                    empty, misses = empty + 1, misses + 1
                    if not isinstance(error, EmptyReply) or empty == _MOST_EMPTY or not remaining:
                        raise
                    self._note_empty(error, started)
                else:
                    empty = 0
                    message = parse_message("" if reply.cut else reply.text)  # half a program must not run
                    run, missed = await self._step(repl, reply, message, started, remaining)
                    if run.final is not None:
                        return self._finish(run.final)
                    misses = misses + 1 if missed else 0
                if self._way.searches and remaining and misses >= _MOST_MISSES:
                    return await self._without_code()
        if reply.cut:
            return self._finish(UNKNOWN, f"the last reply of {self._llm.model} was cut off at its token limit")
        if message.blocks and self._way.searches:
            return await self._without_code()
        return self._finish(UNKNOWN if message.blocks else message.prose or UNKNOWN)

    async def _step(
        self, repl: Repl, reply: Reply, message: Message, started: float, remaining: int
    ) -> tuple[Run, bool]:
        """Run a reply, and tell the model what came of it. Returns also whether it had no code that ran."""
        asked, used = len(self._subagents.calls), self._way.used
        try:
            run, objection = await self._run(repl, message, remaining)
        except NoSandbox as error:
            raise QueryFailed(self._finish("", str(error), reply.usage, reply.cost_usd)) from error
        calls = tuple(self._subagents.calls[asked:])
        output = "\n".join(filter(None, (str(run), objection)))
        taken = (reply.usage, reply.cost_usd, reply.seconds, reply.recorded)
        self._steps.append(Step(reply.text, message.blocks, output, calls, *taken, started, reply.thoughts))
        self._messages.append({"role": "assistant", "content": reply.text})
        self._messages.append(self._next_message(reply, message, run, objection, calls, remaining))
        ran = message.blocks and (not run.error or bool(run.output) or self._way.used > used)
        return run, not ran and not message.final

    async def _run(self, repl: Repl, message: Message, remaining: int) -> tuple[Run, str]:
        """Run a message's code and take its answer. Returns also why an answer in it does not count, or ""."""
        false_quotes = len(self._way.false_quotes)
        run = await self._run_code(repl, message, is_last=not remaining)
        is_new = self._way.printed(run.output)
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

    def _note_empty(self, error: ModelError, started: float) -> None:
        """Count an empty reply, and tell the model what is expected."""
        self._steps.append(Step("", (), f"({error})", (), error.usage, error.cost_usd, 0.0, started=started))
        last = self._messages[-1]
        self._messages[-1] = {"role": last["role"], "content": f"{last['content']}\n\n{EMPTY}"}

    async def _without_code(self) -> Answer:
        """Search with the question, and ask for the answer in one call; with less where that is too long."""
        for room in ROOMS:
            shown, turns = await self._way.record(room)
            messages = history_messages(shown, self._question, self._question_date, self._system)
            started = time.perf_counter() - self._started
            try:
                reply = await self._llm.complete(messages, self._budget)
                break
            except ContextExceeded as error:
                if room == ROOMS[-1]:
                    raise
                self._steps.append(Step("", (), f"({error})", (), error.usage, error.cost_usd, 0.0, started=started))
        output = f"(the model wrote no code that ran: the engine searched by itself, and showed it this)\n{shown}"
        taken = (reply.usage, reply.cost_usd, reply.seconds, reply.recorded)
        self._steps.append(Step(reply.text, (), output, (), *taken, started, reply.thoughts))
        message = parse_message(reply.text)
        text = to_text(message.final.text if message.final else message.prose)
        self._way.cited[:] = quoted(text, turns)
        return replace(self._finish(text), mode=NO_CODE)

    def _repl(self) -> Repl:
        return Repl(
            self._way.values,
            self._way.functions,
            self._way.asking,
            replied=self._subagents.replied,
            limits=self._limits,
            at_once=self._parallel,
            today=self._question_date,
        )

    def _finish(self, text: str, error: str = "", usage: Usage = _NO_USAGE, cost_usd: float | None = 0.0) -> Answer:
        """The answer, with the cost of all steps and that of a last call without a step."""
        way, calls = self._way, self._subagents.calls
        found = [*way.cited, *evidence_of(calls)] or quoted(text, way.shown())
        trace = Trace(tuple(self._steps))
        usage, dollars = trace.usage + usage, [trace.cost_usd, cost_usd]
        if way.embedder:
            usage, dollars = usage + way.embedder.usage, [*dollars, way.embedder.cost_usd]
        read = [call for call in calls if call.number is not None and not call.error]
        return Answer(
            text=text,
            evidence=tuple(found),
            coverage=Coverage.of(calls),
            usage=usage,
            cost_usd=total_cost(dollars),
            seconds=time.perf_counter() - self._started,
            trace=trace,
            error=error,
            false_quotes=sum(call.extract.false_quotes for call in calls) + len(way.false_quotes),
            sessions_read=tuple(sorted({call.number for call in read if call.number is not None})),
            sessions=way.sessions,
            pieces_read=len({call.session for call in read}),
            pieces=way.pieces,
            mode=way.name,
            model=self._llm.label,
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
