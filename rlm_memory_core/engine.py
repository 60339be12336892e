"""MemoryRLM: from a question over a history to an Answer (paper Section 3.1).

The root model never sees the history. It writes code; the code runs in the REPL and
sends sub-agents to read sessions; what it prints comes back; and so on until FINAL,
or until the iterations are spent and an answer is asked for. Only the model ends a
query: what the REPL prints is data.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, replace

from . import background
from .answer import Answer, QueryFailed, Step, Trace, total_cost
from .budget import Budget, BudgetExceeded
from .hedging import HEDGE
from .large_workspace import COPY_LIMIT, LargeWorkspace, open_workspace
from .limits import Limits
from .llm import LLM, OFFLINE, ModelError
from .parsing import Final, Message, finals_only, parse_message
from .pricing import Usage
from .prompts import (
    CUT_REPLY,
    FORCED,
    NO_CODE,
    UNKNOWN,
    ChatMessage,
    coverage_line,
    in_the_words_of,
    output_message,
    root_messages,
)
from .reading import Reading
from .repl import Repl, Run
from .session_reader import SessionReader
from .store import MemoryStore
from .subagents import Call, Coverage, Progress, SubAgents
from .text import to_text
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
        hedge: Late sub-agent calls are sent a second time, the first answer wins, and both are paid for; this is the
            share of extra calls in a fan-out, see `hedging.Siblings`. 0 for none, as with the offline reader and in
            replays.
        copy_limit: A history of more characters is not copied into the REPL, but reached through functions.
        limits: What the code of a query may take; None for the defaults of `Limits`.
        reading: How histories are read, such as `Reading(first=10)`; None for all sessions at once, as in the paper.

    Raises:
        ValueError: Concurrency or max_iterations below 1, or hedge not between 0 and 1.

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
        """Another process makes slots of its own: these belong to an event loop of this one."""
        return MemoryRLM, (
            self.llm, self.sub_model, self.concurrency, self.max_iterations, self.budget, self.parallel, self.hedge,
            self.copy_limit, self.limits, self.reading,
        )  # fmt: skip

    def query(
        self,
        store: MemoryStore,
        question: str,
        question_date: str | None = None,
        last_turn: int | None = None,
        *,
        system: str | None = None,
        progress: Progress | None = None,
    ) -> Answer:
        """Answer a question over a history.

        Args:
            store: The history; it is only read.
            question: What is asked.
            question_date: The day on which it is asked, in any form, or None.
            last_turn: The index of the last turn that counts; None for all. A chat leaves out the question itself.
            system: An assistant's system prompt: the answer is worded as it says. Sub-agents are not told of it.
            progress: Is told of the sub-agent calls, on the background loop; None for nobody.

        Returns:
            The answer. Where the budget ended the query, or the root model's last reply was cut off, its `error`
            says so.

        Raises:
            QueryFailed: The root model gave no answer (a ModelError); it carries what the query found and took.
            ValueError: The question is empty.
        """
        return background.run(self._query(store, question, question_date, last_turn, system, progress))

    async def aquery(
        self,
        store: MemoryStore,
        question: str,
        question_date: str | None = None,
        last_turn: int | None = None,
        *,
        system: str | None = None,
        progress: Progress | None = None,
    ) -> Answer:
        """`query` for callers with an event loop of their own."""
        return await background.arun(self._query(store, question, question_date, last_turn, system, progress))

    async def _query(
        self,
        store: MemoryStore,
        question: str,
        question_date: str | None,
        last_turn: int | None,
        system: str | None,
        progress: Progress | None,
    ) -> Answer:
        if not question.strip():
            raise ValueError("the question is empty")
        limit = self.copy_limit
        workspace = await asyncio.to_thread(open_workspace, store, question, question_date, last_turn, limit)
        query = _Query(self, workspace)
        query._subagents.progress = progress
        if system:
            query._messages[0] = in_the_words_of(query._messages[0], system)
        return await query.answer()


class _Query:
    """One question on its way: the conversation with the root model, and what it has taken so far."""

    def __init__(self, engine: MemoryRLM, workspace: Workspace | LargeWorkspace) -> None:
        self._engine = engine
        self._workspace = workspace
        self._subagents = SubAgents(
            engine.sub_model, engine._slots, engine.budget, workspace.question_date, engine.hedge, engine.reading.facts
        )
        self._reader = SessionReader(workspace, self._subagents, engine.reading, engine.parallel, engine.budget)
        self._steps: list[Step] = []
        self._started = time.perf_counter()
        self._messages: list[ChatMessage] = root_messages(
            workspace.question,
            workspace.question_date,
            **asdict(workspace.size),
            parallel=engine.parallel,
            copied=workspace.copied,
            first=engine.reading.first,
            facts=engine.reading.facts,
            recency=engine.reading.recency,
        )

    async def answer(self) -> Answer:
        """Run the loop until there is an answer."""
        async with self._repl() as repl:
            for remaining in range(self._engine.max_iterations - 1, -1, -1):
                started = time.perf_counter() - self._started
                try:
                    reply = await self._engine.llm.complete(self._messages, self._engine.budget)
                except BudgetExceeded as error:
                    return self._finish(UNKNOWN, str(error))
                except ModelError as error:  # what the query found and took so far is not lost with it
                    raise QueryFailed(self._finish("", str(error), error.usage, error.cost_usd)) from error
                message = parse_message("" if reply.cut else reply.text)  # half a program, or half an answer, is none
                before = len(self._subagents.calls)
                run = await _run_blocks(repl, message if remaining else finals_only(message))
                if run.final is None and message.final is not None and (not run.error or remaining == 0):
                    run = await _resolve(repl, message.final, run)
                calls = tuple(self._subagents.calls[before:])
                self._steps.append(
                    Step(
                        reply.text,
                        message.blocks,
                        str(run),
                        tuple(map(self._placed, calls)),
                        reply.usage,
                        reply.cost_usd,
                        reply.seconds,
                        reply.recorded,
                        started,
                    )
                )
                if run.final is not None:
                    return self._finish(run.final)
                self._messages.append({"role": "assistant", "content": reply.text})
                if reply.cut:
                    self._messages.append({"role": "user", "content": CUT_REPLY if remaining > 1 else FORCED})
                else:
                    self._messages.append(self._next_message(message, run, calls, remaining))
        if reply.cut:
            return self._finish(UNKNOWN, f"the last reply of {self._engine.llm.model} was cut off at its token limit")
        return self._finish(UNKNOWN if message.blocks else message.prose or UNKNOWN)

    def _next_message(self, message: Message, run: Run, calls: Sequence[Call], remaining: int) -> ChatMessage:
        """What the root model sees next: what its code did and what was not read, or what is expected of it."""
        if not message.blocks and not run.error:
            return {"role": "user", "content": NO_CODE if remaining > 1 else FORCED}
        coverage = Coverage.of(calls)
        pieces = [self._workspace.piece_of(call.session) for call in calls if call.error]
        not_read = sorted({piece.session for piece in pieces if piece})
        told = coverage_line(str(coverage), coverage.failures, not_read) if calls else ""
        return output_message(str(run), told, remaining)

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
        """The answer, with what its steps took and what a last call took beside them."""
        trace = Trace(tuple(self._steps))
        evidence, false_quotes = self._reader.evidence()
        embedder = self._reader.embedder
        usage, dollars = trace.usage + usage, [trace.cost_usd, cost_usd]
        if embedder:
            usage, dollars = usage + embedder.usage, [*dollars, embedder.cost_usd]
        return Answer(
            text=text,
            evidence=evidence,
            coverage=self._subagents.coverage(),
            usage=usage,
            cost_usd=total_cost(dollars),
            seconds=time.perf_counter() - self._started,
            trace=trace,
            error=error,
            false_quotes=false_quotes,
            sessions_read=self._reader.sessions_read(),
        )

    def _placed(self, call: Call) -> Call:
        """A call with the session that it read."""
        piece = self._workspace.piece_of(call.session)
        return replace(call, number=piece.session, date=piece.date) if piece else call


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
