"""MemoryRLM: from a question over a history to an Answer (paper Section 3.1).

The root model never sees the history. It writes code; the code runs in the REPL and
sends sub-agents to read sessions; what it prints comes back; and so on until FINAL,
or until the iterations are spent and an answer is asked for. Only the model ends a
query: what the REPL prints is data.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from . import background
from .answer import Answer, Evidence, Step, Trace, total_cost
from .limits import Limits
from .llm import LLM, ModelError
from .parsing import Final, Message, finals_only, parse_message
from .pricing import Budget, BudgetExceeded
from .prompts import FORCED, NO_CODE, UNKNOWN, ChatMessage, output_message, root_messages
from .repl import Repl, Run
from .store import MemoryStore
from .subagents import Call, Coverage, SubAgents
from .text import to_text
from .workspace import Workspace


class MemoryRLM:
    """The engine: a root model in a REPL, with sub-agents that read.

    Args:
        llm: The root model.
        sub_model: The model of the sub-agents; None for the same one.
        concurrency: Sub-agent calls in flight at once, over all queries of this engine.
        max_iterations: Replies of the root model; the last one must answer.
        budget: A limit shared by all queries of this engine, or None.
        parallel: Offer `llm_query_parallel`; without it the code asks one sub-agent after another.
        limits: What the code of a query may take; None for the defaults of `Limits`.

    Raises:
        ValueError: Concurrency or max_iterations below 1.

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
        limits: Limits | None = None,
    ) -> None:
        if concurrency < 1 or max_iterations < 1:
            raise ValueError(f"concurrency ({concurrency}) and max_iterations ({max_iterations}) must be at least 1")
        self.llm = llm
        self.sub_model = sub_model or llm
        self.max_iterations = max_iterations
        self.budget = budget
        self.parallel = parallel
        self.limits = limits or Limits()
        self._slots = asyncio.Semaphore(concurrency)

    def query(
        self, store: MemoryStore, question: str, question_date: str | None = None, last_turn: int | None = None
    ) -> Answer:
        """Answer a question over a history.

        Args:
            store: The history; it is only read.
            question: What is asked.
            question_date: The day on which it is asked, in any form, or None.
            last_turn: The index of the last turn that counts; None for all. A chat leaves out the question itself.

        Returns:
            The answer. Where the budget ended the query, its `error` says so.

        Raises:
            ModelError: The root model gave no answer; it carries what the query took.
            ValueError: The question is empty.
        """
        return background.run(self._query(store, question, question_date, last_turn))

    async def aquery(
        self, store: MemoryStore, question: str, question_date: str | None = None, last_turn: int | None = None
    ) -> Answer:
        """`query` for callers with an event loop of their own."""
        return await background.arun(self._query(store, question, question_date, last_turn))

    async def _query(
        self, store: MemoryStore, question: str, question_date: str | None, last_turn: int | None = None
    ) -> Answer:
        if not question.strip():
            raise ValueError("the question is empty")
        workspace = Workspace(store, question, question_date, last_turn)
        query = _Query(self, workspace)
        return await query.answer()


class _Query:
    """One question on its way: the conversation with the root model, and what it has taken so far."""

    def __init__(self, engine: MemoryRLM, workspace: Workspace) -> None:
        self._engine = engine
        self._workspace = workspace
        self._subagents = SubAgents(engine.sub_model, engine._slots, engine.budget, workspace.question_date)
        self._steps: list[Step] = []
        self._started = time.perf_counter()
        self._messages: list[ChatMessage] = root_messages(
            workspace.question,
            workspace.question_date,
            sessions=len(workspace.pieces),
            turns=len(workspace.turns),
            characters=sum(len(turn.content) for turn in workspace.turns),
            parallel=engine.parallel,
        )

    async def answer(self) -> Answer:
        """Run the loop until there is an answer."""
        async with self._repl() as repl:
            for remaining in range(self._engine.max_iterations - 1, -1, -1):
                try:
                    reply = await self._engine.llm.complete(self._messages, self._engine.budget)
                except BudgetExceeded as error:
                    return self._finish(UNKNOWN, str(error))
                except ModelError as error:  # what the query took so far is not lost with it
                    trace = Trace(tuple(self._steps))
                    dollars = total_cost((trace.cost_usd, error.cost_usd))
                    raise ModelError(str(error), trace.usage + error.usage, dollars) from error
                message = parse_message(reply.text)
                before = len(self._subagents.calls)
                run = await _run_blocks(repl, message if remaining else finals_only(message))
                if run.final is None and message.final is not None and (not run.error or remaining == 0):
                    run = await _resolve(repl, message.final, run)
                calls = tuple(self._subagents.calls[before:])
                self._steps.append(
                    Step(reply.text, message.blocks, str(run), calls, reply.usage, reply.cost_usd, reply.seconds)
                )
                if run.final is not None:
                    return self._finish(run.final)
                self._messages.append({"role": "assistant", "content": reply.text})
                self._messages.append(_next_message(message, run, calls, remaining))
        return self._finish(UNKNOWN if message.blocks else message.prose or UNKNOWN)

    def _repl(self) -> Repl:
        subagents: dict[str, Callable[..., object]] = {"llm_query": self._subagents.query}
        if self._engine.parallel:
            subagents["llm_query_parallel"] = self._query_parallel
        return Repl(
            self._workspace.values(),
            self._workspace.functions(),
            subagents,
            limits=self._engine.limits,
            at_once=self._engine.parallel,
            today=self._workspace.question_date,
        )

    async def _query_parallel(
        self, sessions: Sequence[str], session_dates: Sequence[str | None] | None = None, question: str | None = None
    ) -> list[str]:
        return await self._subagents.query_parallel(sessions, session_dates, question or self._workspace.question)

    def _finish(self, text: str, error: str = "") -> Answer:
        trace = Trace(tuple(self._steps))
        return Answer(
            text=text,
            evidence=self._evidence(),
            coverage=self._subagents.coverage(),
            usage=trace.usage,
            cost_usd=trace.cost_usd,
            seconds=time.perf_counter() - self._started,
            trace=trace,
            error=error,
        )

    def _evidence(self) -> tuple[Evidence, ...]:
        """What was found, in the order of the history."""
        pieces = {piece.text: piece for piece in self._workspace.pieces}
        found = []
        for call in self._subagents.calls:
            piece = pieces.get(call.session)
            if call.found and piece is not None:
                found.append(Evidence(piece.session, piece.date, call.reply))
            elif call.found:
                found.append(Evidence(None, None, call.reply))
        return tuple(sorted(found, key=lambda evidence: (evidence.session is None, evidence.session or 0)))


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


def _next_message(message: Message, run: Run, calls: Sequence[Call], remaining: int) -> ChatMessage:
    """What the root model sees next: what its code did, or what is expected of it."""
    if not message.blocks and not run.error:
        return {"role": "user", "content": NO_CODE if remaining > 1 else FORCED}
    return output_message(str(run), f"Sub-agents: {Coverage.of(calls)}." if calls else "", remaining)
