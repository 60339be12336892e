"""One query: the conversation with the root model, and what it has cost so far.

A root model that twice in a row writes no code that runs is not asked for code again: the engine searches by itself,
and the model answers from what that shows.
"""

import time
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import TypeVar

from ..models.budget import BudgetExceeded
from ..models.llm import ModelError
from ..models.pricing import Usage
from ..models.types import UNKNOWN, ChatMessage, ContextExceeded, EmptyReply, Reply
from ..repl.output import to_text
from ..repl.repl import NoSandbox, Repl, Run
from ..search.vectors import Metered
from .answer import Answer, QueryFailed
from .findings import Evidence
from .parsing import Final, Message, final_lines, parse_message
from .prompts import paper, record, search
from .search_tools import CITED
from .search_way import ROOMS, quoted
from .subagents import Call, Coverage
from .trace import Step, Trace, total_cost
from .way import Way

NO_CODE = "no code"
"""The mode of an answer that the model gave without code."""

NO_REPLY = "(the model gave no reply)"
"""The output of a step whose call failed: what its server said of it is no output."""

_MOST_EMPTY = 3  # empty replies in a row that end the query
_T = TypeVar("_T")


class Query:
    """One question.

    Args:
        way: How it is answered, with the question and the engine's settings.
        system: As for `MemoryRLM.query`.
    """

    def __init__(self, way: Way, system: str | None) -> None:
        self._way, self._engine, self._system = way, way.engine, system
        self._steps: list[Step] = []
        self._messages: list[ChatMessage] = []
        self._asked = 0.0

    async def answer(self) -> Answer:
        """Run the loop until there is an answer.

        Raises:
            QueryFailed: The root model gave no answer, or the sandbox could not be started. The exception carries what
                the query found and cost.
        """
        way, engine = self._way, self._engine
        try:
            self._messages = await self._paid(way.open(engine.max_iterations, self._system))
            async with Repl(
                way.values, way.functions, way.asking, way.subagents.replied, engine.limits, engine.parallel,
                way.question_date,
            ) as repl:  # fmt: skip
                return await self._converse(repl)
        except BudgetExceeded as error:
            return self._finish(UNKNOWN, str(error))
        except (ModelError, NoSandbox, TimeoutError) as error:  # the last is a search's
            raise QueryFailed(self._finish("", str(error))) from error

    async def _converse(self, repl: Repl) -> Answer:
        empty = misses = 0
        for remaining in range(self._engine.max_iterations - 1, -1, -1):
            try:
                reply = await self._ask(self._messages)
            except EmptyReply:
                empty, misses = empty + 1, misses + 1
                if empty == _MOST_EMPTY or not remaining:
                    raise
                last = self._messages[-1]
                self._messages[-1] = {"role": last["role"], "content": f"{last['content']}\n\n{record.EMPTY}"}
            except ContextExceeded as error:
                return await self._without_code(error)
            else:
                message = parse_message("" if reply.cut else reply.text)  # half a program must not run
                run, ran = await self._step(repl, reply, message, remaining)
                if run.final is not None:
                    return self._finish(run.final)
                empty, misses = 0, 0 if ran else misses + 1
            if remaining and misses >= self._way.patience:
                return await self._without_code()
        if reply.cut:
            return self._finish(UNKNOWN, f"the last reply of {self._engine.llm.model} was cut off at its token limit")
        return await self._without_code() if message.blocks else self._finish(message.prose or UNKNOWN)

    async def _ask(self, messages: Sequence[ChatMessage]) -> Reply:
        return await self._paid(self._engine.llm.complete(messages, self._engine.budget))

    async def _paid(self, asking: Awaitable[_T]) -> _T:
        """Wait for a call. One that fails is a step of its own, for it is paid for."""
        self._asked = time.perf_counter() - self._way.subagents.began
        try:
            return await asking
        except ModelError as error:
            self._note(Reply("", error.usage, error.cost_usd), NO_REPLY)
            raise

    def _note(self, reply: Reply, output: str, code: tuple[str, ...] = (), calls: tuple[Call, ...] = ()) -> None:
        self._steps.append(Step.of(reply, output, self._asked, code, calls))

    async def _step(self, repl: Repl, reply: Reply, message: Message, remaining: int) -> tuple[Run, bool]:
        """Run a reply, and tell the model what came of it. Returns also whether it had code that ran, or an answer."""
        asked, called = len(self._way.subagents.calls), repl.meter.calls
        try:
            run, objection = await self._run(repl, message, remaining)
        except NoSandbox as error:
            self._note(reply, f"({error})", message.blocks)
            raise
        calls = tuple(self._way.subagents.calls[asked:])
        self._note(reply, "\n".join(filter(None, (str(run), objection))), message.blocks, calls)
        self._messages.append({"role": "assistant", "content": reply.text})
        told = self._told(reply, message, run, objection, calls, remaining)
        self._messages.append({"role": "user", "content": told})
        ran = message.blocks and (not run.error or run.output or repl.meter.calls > called)
        return run, bool(ran or message.final)

    async def _run(self, repl: Repl, message: Message, remaining: int) -> tuple[Run, str]:
        """Run a message's code and take its answer. Returns also why an answer in it does not count, or ""."""
        way, false_quotes, stated = self._way, len(self._way.false_quotes), False
        run = await self._run_blocks(repl, message.blocks if remaining or way.runs_last else ())
        if not remaining and run.final is None:
            run = await self._run_blocks(repl, final_lines(message))
        output, is_new = way.printed(run.output)
        run = replace(run, output=output)
        if run.final is None and message.final is not None and not (remaining and run.error):
            run, stated = await _resolve(repl, message.final, run)
        if run.final is None or not remaining:
            return run, ""
        unseen = [line for line in run.output.splitlines() if line.strip() and not line.startswith(CITED)]
        if len(way.false_quotes) > false_quotes:
            return replace(run, final=None), search.FALSE_QUOTE.format(why=way.false_quotes[-1])
        if is_new or (stated and unseen):
            return replace(run, final=None), f"{record.UNSEEN}{search.CITES_STAND * bool(way.cited)}"
        return run, ""

    async def _run_blocks(self, repl: Repl, blocks: Sequence[str]) -> Run:
        """Run code, block by block, up to the first error or answer."""
        run, output = Run(""), ""
        for block in blocks:
            run = await repl.run(self._way.prepare(block))
            output += run.output
            if run.error or run.final is not None:
                break
        return replace(run, output=output)

    def _told(
        self, reply: Reply, message: Message, run: Run, objection: str, calls: Sequence[Call], remaining: int
    ) -> str:
        """What the root model is told next: the output of its code and what was not read, or what to do now."""
        forced = self._way.forced
        if reply.cut or not (message.blocks or run.error):
            return forced if remaining <= 1 else record.CUT_REPLY if reply.cut else self._way.no_code
        coverage = Coverage.of(calls)
        not_read = sorted({call.number for call in calls if call.error and call.number is not None})
        told = [paper.coverage_line(str(coverage), coverage.failures, not_read)] if calls else []
        return paper.output_message(str(run), "\n".join(filter(None, [*told, objection])), remaining, forced)

    async def _without_code(self, error: ContextExceeded | None = None) -> Answer:
        """Search with the question, and ask for the answer in one call; with less where that is too long.

        Raises:
            ContextExceeded: The way has no search of its own, and this is why there is no answer yet.
        """
        way = self._way
        for room in ROOMS:
            found = await way.record(room)
            if found is None:
                if error:
                    raise error
                return self._finish(UNKNOWN)
            shown, turns = found
            try:
                reply = await self._ask(record.history_messages(shown, way.question, way.question_date, self._system))
                break
            except ContextExceeded:
                if room == ROOMS[-1]:
                    raise
        told = "(the model wrote no code that ran: the engine searched by itself, and showed it this)"
        self._note(reply, f"{told}\n{shown}")
        message = parse_message(reply.text)
        text = to_text(message.final.text if message.final else message.prose)
        way.cited[:] = quoted(text, turns)
        return replace(self._finish(text), mode=NO_CODE)

    def _finish(self, text: str, error: str = "") -> Answer:
        """The answer, with the cost of all steps and of the embedder."""
        way, calls, trace = self._way, self._way.subagents.calls, Trace(tuple(self._steps))
        read_there = sorted((each for call in calls for each in call.evidence), key=_in_history)
        found = [*way.cited, *read_there] or quoted(text, way.shown())
        paid: list[Trace | Metered] = [trace, *([way.embedder] if way.embedder else [])]
        read = {(call.number, call.session) for call in calls if call.number is not None and not call.error}
        return Answer(
            text=text,
            evidence=tuple(found),
            coverage=Coverage.of(calls),
            usage=sum((each.usage for each in paid), Usage()),
            cost_usd=total_cost(each.cost_usd for each in paid),
            seconds=time.perf_counter() - way.subagents.began,
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


def _in_history(evidence: Evidence) -> tuple[bool, int, int]:
    """Sorts evidence in the order of the history; what was read outside it comes last."""
    return evidence.session is None, evidence.session or 0, evidence.turn or 0


async def _resolve(repl: Repl, final: Final, run: Run) -> tuple[Run, bool]:
    """The answer that a message gives outside its code, and whether it is stated there: not the value of code."""
    if final.kind == "variable":
        value, error = await repl.variable(final.text)
        return Run(run.output, error, value), False
    value = await repl.value(final.text) if final.kind == "value" else None
    return replace(run, final=to_text(final.text) if value is None else value), value is None
