"""MemoryRLM answers questions over a history (paper Section 3.1).

The root model never sees the history. It writes code; the code runs in the REPL and sends sub-agents to sessions. The
root model sees what the code prints, writes more code, and so on, until it answers with FINAL; its last reply must
answer. Only the model ends a query: what the REPL prints is data. `MemoryRLM` holds what all its queries share, `Query`
runs one of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict

from ..models import background
from ..models.budget import Budget, BudgetExceeded
from ..models.hedging import HEDGE
from ..models.llm import LLM, OFFLINE, ModelError
from ..models.pricing import Usage
from ..models.types import ChatMessage, Reply
from ..repl.limits import Limits
from ..repl.output import UNKNOWN, to_text
from ..repl.repl import NoSandbox, Repl, Run
from ..store.memory_store import MemoryStore
from . import prompts
from .answer import Answer, QueryFailed
from .evidence import evidence_of
from .large_workspace import COPY_LIMIT, LargeWorkspace
from .parsing import Final, Message, finals_only, parse_message
from .reading import Reading
from .session_reader import SessionReader
from .subagents import Call, Coverage, Progress, SubAgents
from .trace import Step, Trace, total_cost
from .workspace import Workspace

_NO_USAGE = Usage()


class MemoryRLM:
    """The engine: a root model in a REPL, with sub-agents that read.

    Args:
        llm: The root model.
        sub_model: The model of the sub-agents; None for the same one.
        concurrency: Sub-agent calls in flight at once, over all queries of this engine.
        max_iterations: Replies of the root model; the last one must answer.
        budget: A limit shared by all queries of this engine, or None.
        parallel: Offer `llm_query_parallel`; without it the code asks one sub-agent after another.
        hedge: The share of sub-agent calls in a fan-out that may be sent a second time because they are late. The first
            answer wins, both are paid for; see `hedging.Siblings`. Always 0 for the offline reader and in replays.
        copy_limit: Characters; a longer history is not copied into the REPL, but reached through functions.
        limits: Limits on the code of a query; None for the defaults of `Limits`.
        reading: How histories are read, such as `Reading(first=10)`; None for all sessions at once, as in the paper.

    Raises:
        ValueError: Concurrency or max_iterations is below 1, or hedge is not between 0 and 1.

    >>> from rlm_memory_core import connect
    >>> store = MemoryStore()
    >>> turn = store.add("user", "My cat is called Mochi.")
    >>> print(MemoryRLM(connect("offline", recorded="off")).query(store, "What is my cat called?"))
    My cat is called Mochi.
    """

    def __init__(
        self,
        llm: LLM,
        sub_model: LLM | None = None,
        concurrency: int = 256,
        max_iterations: int = 8,
        budget: Budget | None = None,
        parallel: bool = True,
        hedge: float = HEDGE,
        copy_limit: int = COPY_LIMIT,
        limits: Limits | None = None,
        reading: Reading | None = None,
    ) -> None:
        if concurrency < 1 or max_iterations < 1:
            raise ValueError(f"concurrency ({concurrency}) and max_iterations ({max_iterations}) must be at least 1")
        if not 0 <= hedge <= 1:
            raise ValueError(f"hedge must be between 0 and 1, not {hedge}")
        self.llm = llm
        self.sub_model = sub_model or llm
        self.concurrency = concurrency
        self.max_iterations = max_iterations
        self.budget = budget
        self.parallel = parallel
        asks_a_model = self.sub_model.model != OFFLINE and self.sub_model.recorded != "replay"
        self.hedge = hedge if asks_a_model else 0.0
        self.copy_limit = copy_limit
        self.limits = limits or Limits()
        self.reading = reading or Reading()
        self._slots = asyncio.Semaphore(concurrency)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the settings only: the semaphore belongs to an event loop of this process."""
        return MemoryRLM, (
            self.llm, self.sub_model, self.concurrency, self.max_iterations, self.budget, self.parallel, self.hedge,
            self.copy_limit, self.limits, self.reading,
        )  # fmt: skip

    def query(
        self,
        store: MemoryStore,
        question: str,
        question_date: str | None = None,
        *,
        system: str | None = None,
        progress: Progress | None = None,
    ) -> Answer:
        """Answer a question over a history.

        Args:
            store: The history; it is only read.
            question: What is asked.
            question_date: The day on which it is asked, in any form, or None.
            system: An assistant's system prompt that says how the answer is worded, or None. Sub-agents do not see it.
            progress: Receives the sub-agent calls, on the background loop, or None.

        Returns:
            The answer. Its `error` says so if the budget ended the query or the root model's last reply was cut off.

        Raises:
            QueryFailed: The root model gave no answer (a ModelError). It carries what the query found and cost.
            ValueError: The question is empty.
        """
        return background.run(self._query(store, question, question_date, system, progress))

    async def aquery(
        self,
        store: MemoryStore,
        question: str,
        question_date: str | None = None,
        *,
        system: str | None = None,
        progress: Progress | None = None,
    ) -> Answer:
        """`query` for callers with an event loop of their own."""
        return await background.arun(self._query(store, question, question_date, system, progress))

    async def _query(
        self, store: MemoryStore, question: str, date: str | None, system: str | None, progress: Progress | None
    ) -> Answer:
        if not question.strip():
            raise ValueError("the question is empty")
        kind = LargeWorkspace if store.characters() > self.copy_limit else Workspace
        workspace = await asyncio.to_thread(kind, store, question, date)
        agents = SubAgents(self.sub_model, self._slots, self.budget, self.hedge, self.reading.facts, progress)
        return await Query(self, workspace, agents, system).answer()


class Query:
    """One question: the conversation with the root model, and what it has cost so far.

    Args:
        engine: The root model and the settings.
        workspace: The question and the history that the code reaches.
        subagents: They read the history.
        system: An assistant's system prompt that says how the answer is worded, or None.
    """

    def __init__(self, engine: MemoryRLM, workspace: Workspace, subagents: SubAgents, system: str | None) -> None:
        reading = engine.reading
        self._engine, self._workspace, self._subagents = engine, workspace, subagents
        self._reader = SessionReader(workspace, subagents, reading, engine.parallel, engine.budget)
        self._steps: list[Step] = []
        self._started = time.perf_counter()
        self._messages = prompts.root_messages(
            workspace.question,
            workspace.question_date,
            **asdict(workspace.size),
            parallel=engine.parallel,
            copied=workspace.copied,
            first=reading.first,
            facts=reading.facts,
            recency=reading.recency,
            instructions=system,
        )

    async def answer(self) -> Answer:
        """Run the loop until there is an answer.

        Raises:
            QueryFailed: The root model gave no answer, or the sandbox could not be started. The exception carries what
                the query found and cost.
        """
        async with self._repl() as repl:
            for remaining in range(self._engine.max_iterations - 1, -1, -1):
                started = time.perf_counter() - self._started
                try:
                    reply = await self._engine.llm.complete(self._messages, self._engine.budget)
                except BudgetExceeded as error:
                    return self._finish(UNKNOWN, str(error))
                except ModelError as error:
                    raise QueryFailed(self._finish("", str(error), error.usage, error.cost_usd)) from error
                message = parse_message("" if reply.cut else reply.text)  # half a program must not run
                asked = len(self._subagents.calls)
                try:
                    run = await _run_message(repl, message, is_last=remaining == 0)
                except NoSandbox as error:
                    raise QueryFailed(self._finish("", str(error), reply.usage, reply.cost_usd)) from error
                calls = tuple(self._subagents.calls[asked:])
                taken = (reply.usage, reply.cost_usd, reply.seconds, reply.recorded)
                self._steps.append(Step(reply.text, message.blocks, str(run), calls, *taken, started))
                if run.final is not None:
                    return self._finish(run.final)
                self._messages.append({"role": "assistant", "content": reply.text})
                self._messages.append(_next_message(reply, message, run, calls, remaining))
        if reply.cut:
            return self._finish(UNKNOWN, f"the last reply of {self._engine.llm.model} was cut off at its token limit")
        return self._finish(UNKNOWN if message.blocks else message.prose or UNKNOWN)

    def _repl(self) -> Repl:
        return Repl(
            self._workspace.values(),
            self._workspace.functions() | self._reader.ranking(),
            self._reader.asking(),
            replied=self._subagents.replied,
            limits=self._engine.limits,
            at_once=self._engine.parallel,
            today=self._workspace.question_date,
        )

    def _finish(self, text: str, error: str = "", usage: Usage = _NO_USAGE, cost_usd: float | None = 0.0) -> Answer:
        """The answer, with the cost of all steps and that of a last call without a step."""
        trace, calls, embedder = Trace(tuple(self._steps)), self._subagents.calls, self._reader.embedder
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
            sessions=self._workspace.session_count(),
            pieces_read=len({call.session for call in read}),
            pieces=self._workspace.size.sessions,
            model=self._engine.llm.label,
        )


def _next_message(reply: Reply, message: Message, run: Run, calls: Sequence[Call], remaining: int) -> ChatMessage:
    """The root model's next message: the output of its code and what was not read, or what to do now."""
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
