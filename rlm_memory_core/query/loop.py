"""One query: the conversation between the root model and its REPL, from a question to an Answer (paper Section 3.1).

The root model writes code. The code runs in the REPL and sends sub-agents to sessions. The root model sees what it
prints, writes more code, and so on, until it answers with FINAL; its last reply must answer. Only the model ends a
query: what the REPL prints is data.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..models.budget import Budget, BudgetExceeded
from ..models.llm import LLM, ModelError
from ..models.pricing import Usage
from ..models.types import ChatMessage, Reply
from ..repl.limits import Limits
from ..repl.output import UNKNOWN, to_text
from ..repl.repl import NoSandbox, Repl, Run
from . import prompts
from .answer import Answer, QueryFailed
from .coverage import Call, Coverage
from .evidence import evidence_of
from .parsing import Final, Message, finals_only, parse_message
from .reading import Reading
from .session_reader import SessionReader
from .subagents import SubAgents
from .trace import Step, Trace, total_cost
from .workspace import Workspace

_NO_USAGE = Usage()


@dataclass(eq=False, repr=False)
class Query:
    """One question: the conversation with the root model, and what it has cost so far.

    Args:
        workspace: The question and the history that the code reaches.
        llm: The root model.
        subagents: They read the history.
        reading, limits, max_iterations, parallel, budget: As for `engine.MemoryRLM`.
        system: An assistant's system prompt that says how the answer is worded, or None.
    """

    workspace: Workspace
    llm: LLM
    subagents: SubAgents
    reading: Reading
    limits: Limits
    max_iterations: int
    parallel: bool
    budget: Budget | None
    system: str | None = None

    def __post_init__(self) -> None:
        self._reader = SessionReader(self.workspace, self.subagents, self.reading, self.parallel, self.budget)
        self._steps: list[Step] = []
        self._started = time.perf_counter()
        self._messages = prompts.root_messages(
            self.workspace.question,
            self.workspace.question_date,
            **asdict(self.workspace.size),
            parallel=self.parallel,
            copied=self.workspace.copied,
            first=self.reading.first,
            facts=self.reading.facts,
            recency=self.reading.recency,
        )
        if self.system:
            self._messages[0] = prompts.in_the_words_of(self._messages[0], self.system)

    async def answer(self) -> Answer:
        """Run the loop until there is an answer.

        Raises:
            QueryFailed: The root model gave no answer, or the sandbox could not be started. The exception carries what
                the query found and cost.
        """
        async with self._repl() as repl:
            for remaining in range(self.max_iterations - 1, -1, -1):
                started = time.perf_counter() - self._started
                try:
                    reply = await self.llm.complete(self._messages, self.budget)
                except BudgetExceeded as error:
                    return self._finish(UNKNOWN, str(error))
                except ModelError as error:
                    raise QueryFailed(self._finish("", str(error), error.usage, error.cost_usd)) from error
                message = parse_message("" if reply.cut else reply.text)  # half a program must not run
                asked = len(self.subagents.calls)
                try:
                    run = await _run_message(repl, message, is_last=remaining == 0)
                except NoSandbox as error:
                    raise QueryFailed(self._finish("", str(error), reply.usage, reply.cost_usd)) from error
                calls = tuple(self.subagents.calls[asked:])
                taken = (reply.usage, reply.cost_usd, reply.seconds, reply.recorded)
                self._steps.append(Step(reply.text, message.blocks, str(run), calls, *taken, started))
                if run.final is not None:
                    return self._finish(run.final)
                self._messages.append({"role": "assistant", "content": reply.text})
                self._messages.append(_next_message(reply, message, run, calls, remaining))
        if reply.cut:
            return self._finish(UNKNOWN, f"the last reply of {self.llm.model} was cut off at its token limit")
        return self._finish(UNKNOWN if message.blocks else message.prose or UNKNOWN)

    def _repl(self) -> Repl:
        return Repl(
            self.workspace.values(),
            self.workspace.functions() | self._reader.ranking(),
            self._reader.asking(),
            replied=self.subagents.replied,
            limits=self.limits,
            at_once=self.parallel,
            today=self.workspace.question_date,
        )

    def _finish(self, text: str, error: str = "", usage: Usage = _NO_USAGE, cost_usd: float | None = 0.0) -> Answer:
        """The answer, with the cost of all steps and that of a last call without a step."""
        trace, calls, embedder = Trace(tuple(self._steps)), self.subagents.calls, self._reader.embedder
        usage, dollars = trace.usage + usage, [trace.cost_usd, cost_usd]
        if embedder:
            usage, dollars = usage + embedder.usage, [*dollars, embedder.cost_usd]
        read = [call for call in calls if call.number is not None and not call.error]
        return Answer(
            text=text,
            evidence=evidence_of(calls),
            coverage=Coverage.of(calls),
            usage=usage,
            cost_usd=total_cost(dollars),
            seconds=time.perf_counter() - self._started,
            trace=trace,
            error=error,
            false_quotes=sum(call.extract.false_quotes for call in calls),
            sessions_read=tuple(sorted({call.number for call in read if call.number is not None})),
            sessions=self.workspace.session_count(),
            pieces_read=len({call.session for call in read}),
            pieces=self.workspace.size.sessions,
        )


def _next_message(reply: Reply, message: Message, run: Run, calls: Sequence[Call], remaining: int) -> ChatMessage:
    """What the root model sees next: what its code printed and what was not read, or what is expected of it."""
    if reply.cut:
        return {"role": "user", "content": prompts.CUT_REPLY if remaining > 1 else prompts.FORCED}
    if not message.blocks and not run.error:
        return {"role": "user", "content": prompts.NO_CODE if remaining > 1 else prompts.FORCED}
    coverage = Coverage.of(calls)
    not_read = sorted({call.number for call in calls if call.error and call.number is not None})
    told = prompts.coverage_line(str(coverage), coverage.failures, not_read) if calls else ""
    return prompts.output_message(str(run), told, remaining)


async def _run_message(repl: Repl, message: Message, is_last: bool) -> Run:
    """Run the code of a message, then take the answer outside it. The code of the last message may only answer."""
    run = await _run_blocks(repl, finals_only(message) if is_last else message)
    if run.final is None and message.final is not None and (is_last or not run.error):
        return await _resolve(repl, message.final, run)
    return run


async def _run_blocks(repl: Repl, message: Message) -> Run:
    """Run the message's code, block by block, up to the first error or answer."""
    output = ""
    for block in message.blocks:
        run = await repl.run(block)
        output += run.output
        if run.error or run.final is not None:
            return Run(output, run.error, run.final)
    return Run(output)


async def _resolve(repl: Repl, final: Final, run: Run) -> Run:
    """The answer that the message gives outside its code: a value, or the name of a variable."""
    if final.kind == "value":
        return Run(run.output, final=await repl.value(final.text) or to_text(final.text))
    value, error = await repl.variable(final.text)
    if value is None and final.kind == "word":
        value = to_text(final.text)
    return Run(run.output, "" if value is not None else error, value)
