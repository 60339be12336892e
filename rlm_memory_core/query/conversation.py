"""Runs one query: the root model writes code and the REPL runs it, in turns, until there is an answer.

`Query` contains what both readings share. `search_way` and `paper_way` extend it: they define the names in the REPL
and the messages to the root model.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from ..models.budget import GRACE, BudgetExceeded
from ..models.pricing import Usage
from ..models.types import UNKNOWN, ChatMessage, ContextExceeded, EmptyReply, ModelError, Reply
from ..repl.date_functions import days_between
from ..repl.repl import NoSandbox, Repl, Run
from ..repl.values import to_text
from ..search.semantic import Metered
from ..store.escaping import well_formed
from ..store.memory_store import MemoryStore
from . import prompts
from .answer import Answer, Coverage, QueryFailed, Step, Trace, total_cost
from .evidence import CITED, Call, quoted
from .parsing import Message, final_lines, parse_message
from .reading import Settings
from .search_tools import SearchTools
from .subagents import SubAgents

_MOST_EMPTY = 3  # after this many empty replies in a row, the query ends


class Query:
    """One question over a history. Each reading is a subclass.

    Args:
        engine: The settings.
        store: The history. Turns that are added during the query are ignored.
        question, question_date: The question, and the day on which it is asked, or None.
        system: See `MemoryRLM.query`.

    A subclass sets:
        name: The name of the reading. It becomes the answer's `mode`.
        agents_told: The system prompt of the sub-agents.
        no_code, forced: The messages to the root model after a reply without code, and before its last reply.
        patience: After this many replies in a row in which no code ran, `without_code` answers.
        runs_last: Whether all the code in the last reply runs, or only its FINAL.
        values, functions, asking: The names in the REPL: data, functions, and functions that ask sub-agents.
        sessions, piece_count: The numbers of sessions and pieces in the history.
    """

    name = agents_told = no_code = forced = ""
    patience, runs_last = float("inf"), False

    def __init__(
        self, engine: Settings, store: MemoryStore, question: str, question_date: str | None = None,
        system: str | None = None,
    ) -> None:  # fmt: skip
        self.engine, self.store, self.system = engine, store.snapshot(), system
        self.question, self.question_date = well_formed(question), well_formed(question_date or "") or None
        self.values: dict[str, Any] = {"question": self.question, "question_date": self.question_date}
        self.functions: dict[str, Callable[..., Any]] = {"days_between": days_between}
        self.asking: dict[str, Callable[..., Any]] = {}
        self.sessions, self.piece_count = len(self.store.sessions), 0
        self.embedder = Metered(engine.reading.embedder) if engine.reading.embedder else None
        self.tools = SearchTools(self.store, self.question, self.question_date, self.embedder, engine.budget)
        self.listing, self.cited, self.false_quotes = self.tools.listing, self.tools.cited, self.tools.false_quotes
        self.subagents = SubAgents(engine.sub_model, engine.slots, engine.budget, engine.hedge, self.agents_told)
        self._messages: list[ChatMessage] = []
        self._steps: list[Step] = []
        self._early = ""  # the latest answer that came too early
        self._asked = 0.0  # when the root model was last called, in seconds since the query began

    async def open(self) -> list[ChatMessage]:
        """Return the first messages to the root model."""
        raise NotImplementedError

    def prepare(self, code: str) -> str:
        """Return the model's code as it should run."""
        return code

    async def check(self, new: Collection[int], output: str, answer: str) -> str:
        """Return why new turns in the output make the answer beside it too early, or ""."""
        return ""

    async def without_code(self, error: ContextExceeded | None = None) -> Answer:
        """Answer if no code of the model runs, or if the conversation exceeds the context window.

        Raises:
            ContextExceeded: The conversation is too long, and this reading cannot answer without code.
        """
        if error:
            raise error
        return self.finish(UNKNOWN)

    async def answer(self) -> Answer:
        """Run the query.

        Raises:
            QueryFailed: The root model gave no answer, or the sandbox could not be started. The exception carries what
                the query found and cost.
        """
        engine = self.engine
        try:
            self._messages = await engine.budget.wait_for(self.open(), GRACE)
            async with Repl(
                self.values, self.functions, self.asking, self.subagents.replied, self.subagents.lost, engine.limits,
                engine.parallel, self.question_date, engine.budget,
            ) as self._repl:  # fmt: skip
                return await self._converse()
        except BudgetExceeded as error:
            return self.finish(self._early or UNKNOWN, str(error))
        except (ModelError, NoSandbox, TimeoutError) as error:  # a search may raise the last
            raise QueryFailed(self.finish(self._early, str(error))) from error

    async def _converse(self) -> Answer:
        empty = misses = 0  # consecutive empty replies; consecutive replies in which no code ran
        for remaining in range(self.engine.max_iterations - 1, -1, -1):
            try:
                reply = await self.ask(self._messages)
            except EmptyReply:
                empty, misses = empty + 1, misses + 1
                if empty == _MOST_EMPTY or not remaining:
                    raise
                last = self._messages[-1]
                self._messages[-1] = {"role": last["role"], "content": f"{last['content']}\n\n{prompts.EMPTY}"}
            except ContextExceeded as error:
                return await self.without_code(error)
            else:
                message = parse_message("" if reply.cut else reply.text)  # an incomplete program must not run
                final, did_anything = await self._step(reply, message, remaining)
                if final is not None:
                    return self.finish(final)
                empty, misses = 0, 0 if did_anything else misses + 1
            if remaining and misses >= self.patience:
                return await self.without_code()
        if reply.cut:
            why = f"the last reply of {self.engine.llm.model} was cut off at its token limit"
            return self.finish(self._early or UNKNOWN, why)
        return await self.without_code() if message.blocks else self.finish(message.prose or UNKNOWN)

    async def ask(self, messages: Sequence[ChatMessage]) -> Reply:
        """Call the root model. If the call fails, add a step, so that the trace includes its cost."""
        self._asked = time.perf_counter() - self.subagents.began
        try:
            return await self.engine.llm.complete(messages, self.engine.budget)
        except ModelError as error:
            self.note(Reply("", error.usage, error.cost_usd), "(the model gave no reply)")  # the error says why
            raise

    def note(self, reply: Reply, output: str, code: tuple[str, ...] = (), calls: Sequence[Call] = ()) -> None:
        """Add a step to the trace."""
        taken = reply.usage, reply.cost_usd, reply.seconds, reply.recorded
        self._steps.append(Step(reply.text, code, output, tuple(calls), *taken, self._asked, reply.thoughts))

    async def _step(self, reply: Reply, message: Message, remaining: int) -> tuple[str | None, bool]:
        """Run a reply and add the outcome to the messages.

        Returns:
            The reply's answer or None, and whether it ran any code or gave a FINAL.
        """
        asked, called = len(self.subagents.calls), self._repl.meter.calls
        try:
            run, new, objection = await self._run(message, remaining)
        except (NoSandbox, BudgetExceeded) as error:
            self.note(reply, f"({error})", message.blocks, self.subagents.calls[asked:])
            raise
        calls = self.subagents.calls[asked:]
        self.note(reply, str(run), message.blocks, calls)
        if run.final is not None and remaining:
            if not objection:
                objection = await self.check(new, run.output, run.final)
                self._early = run.final
            if objection:
                run = replace(run, final=None)
                last = self._steps[-1]
                self._steps[-1] = replace(last, output=f"{last.output}\n{objection}".lstrip("\n"))
        if reply.cut or not (message.blocks or run.error):
            told = self.forced if remaining <= 1 else prompts.CUT_REPLY if reply.cut else self.no_code
        else:
            coverage, failed = Coverage.of(calls), {call.number for call in calls if call.error and call.number}
            asked_for = prompts.coverage_line(str(coverage), coverage.failures, sorted(failed)) if calls else ""
            notes = "\n".join(filter(None, (asked_for, objection)))
            told = prompts.output_message(str(run), notes, remaining, self.forced)
        self._messages += [{"role": "assistant", "content": reply.text}, {"role": "user", "content": told}]
        code_ran = message.blocks and (not run.error or run.output or self._repl.meter.calls > called)
        return run.final, bool(code_ran or message.final)

    async def _run(self, message: Message, remaining: int) -> tuple[Run, set[int], str]:
        """Run a message's code and find its answer.

        Returns:
            The run, the numbers of the turns that it printed for the first time, and why its answer cannot count, or
            "".
        """
        false_quotes, final, objection = len(self.false_quotes), message.final, ""
        run = await self._run_blocks(message.blocks if remaining or self.runs_last else ())
        if not remaining and run.final is None:
            run = await self._run_blocks(final_lines(message))
        output, new = self.listing.printed(run.output)
        run = replace(run, output=output)
        if final and run.final is None and not (run.error and remaining):
            value = None if final.is_text else await self._repl.value(final.text)
            run = replace(run, final=to_text(final.text) if value is None else value)
            if value is None and any(line.strip() and not line.startswith(CITED) for line in output.splitlines()):
                objection = prompts.unseen(bool(self.cited))
        if len(self.false_quotes) > false_quotes:
            objection = prompts.FALSE_QUOTE.format(why=self.false_quotes[-1])
        return run, new, objection

    async def _run_blocks(self, blocks: Sequence[str]) -> Run:
        """Run blocks of code until one fails or answers. Return a run with the output of all of them."""
        run, output = Run(""), ""
        for block in blocks:
            run = await self._repl.run(self.prepare(block))
            output += run.output
            if run.error or run.final is not None:
                break
        return replace(run, output=output)

    def finish(self, text: str, error: str = "") -> Answer:
        """Build the answer from everything that the query did."""
        calls, trace = self.subagents.calls, Trace(tuple(self._steps))
        read_there = [each for call in calls for each in call.evidence]
        read_there.sort(key=lambda each: (each.session is None, each.session or 0, each.turn or 0))  # unknown ones last
        found = [*self.cited, *dict.fromkeys(read_there)] or quoted(text, self.listing.shown_turns(), self.store)
        paid: list[Trace | Metered] = [trace, *([self.embedder] if self.embedder else [])]
        read = {(call.number, call.session) for call in calls if call.number is not None and not call.error}
        return Answer(
            text=text,
            evidence=tuple(found),
            coverage=Coverage.of(calls),
            usage=sum((each.usage for each in paid), Usage()),
            cost_usd=total_cost(each.cost_usd for each in paid),
            seconds=time.perf_counter() - self.subagents.began,
            trace=trace,
            error=error,
            false_quotes=sum(call.false_quotes for call in calls) + len(self.false_quotes),
            sessions_read=tuple(sorted({number for number, _ in read})),
            sessions=self.sessions,
            pieces_read=len({text for _, text in read}),
            pieces=self.piece_count,
            mode=self.name,
            model=self.engine.llm.label,
        )
