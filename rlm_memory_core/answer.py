"""What a query gives back: the answer, what it stands on, what it took, and how it came about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from .coverage import Call, Coverage
from .llm import ModelError
from .pricing import Usage
from .recording import saved_seconds


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a sub-agent found in one session.

    Args:
        session: The session's number, from 1; None where the code asked with a prompt of its own.
        date: The session's date, or None.
        turn: The number of the turn that is quoted, or None.
        quote: Words of that turn, exactly as they are stored; "" where the sub-agent quoted nothing.
        text: What the sub-agent says they say; all of its reply where it quoted nothing.
        day: The day of which it is true, where the sub-agent was asked for it (`Reading.facts`) and gave one.
        value: The number, amount or name that it gave likewise; else "".
    """

    session: int | None
    date: str | None
    turn: int | None
    quote: str
    text: str
    day: str | None = None
    value: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One reply of the root model, and what came of it.

    Args:
        reply: What the model wrote.
        code: The blocks that were run.
        output: What they printed, with errors.
        calls: The sub-agent calls they made.
        usage: The root model's own tokens.
        cost_usd: The root model's own dollars; None where the price is not known.
        seconds: Of the root model's call, without the code.
        recorded: Whether that call was replayed.
        started: Seconds from the query's start to that call's.
    """

    reply: str
    code: tuple[str, ...]
    output: str
    calls: tuple[Call, ...]
    usage: Usage
    cost_usd: float | None
    seconds: float
    recorded: bool = False
    started: float = 0.0


@dataclass(frozen=True, slots=True)
class Trace:
    """How an answer came about, step by step."""

    steps: tuple[Step, ...] = ()

    @property
    def calls(self) -> tuple[Call, ...]:
        """All sub-agent calls, in the order in which they ended."""
        return tuple(call for step in self.steps for call in step.calls)

    @property
    def usage(self) -> Usage:
        """All tokens and calls, the root model's and the sub-agents'."""
        return sum((part.usage for part in self._parts()), Usage())

    @property
    def cost_usd(self) -> float | None:
        """All dollars; None where a price is not known."""
        return total_cost(part.cost_usd for part in self._parts())

    @property
    def replayed_seconds(self) -> float:
        """How much longer the query would have taken, had nothing been replayed.

        The root model's replies come one after another, and so do the batches of sub-agent calls; a batch takes
        as long as its slowest call, as if there were a slot for each. With nothing replayed this is 0.
        """
        total = 0.0
        for step in self.steps:
            total += saved_seconds([(step.seconds, step.recorded)])
            in_batches = sorted(step.calls, key=attrgetter("batch"))  # calls are in the order in which they ended
            for _, calls in groupby(in_batches, key=attrgetter("batch")):
                total += saved_seconds((call.seconds, call.recorded) for call in calls)
        return total

    def _parts(self) -> Iterable[Step | Call]:
        for step in self.steps:
            yield step
            yield from step.calls

    def __str__(self) -> str:
        from . import views  # which stand on what they show; here and below loaded when something is shown

        return views.trace_text(self)

    def __repr__(self) -> str:
        tokens = f"{self.usage.total_tokens:,} tokens"
        return f"<Trace: {len(self.steps)} steps, {len(self.calls)} sub-agent calls, {tokens}>"

    def _repr_html_(self) -> str:
        from . import views

        return views.trace_html(self)

    def to_html(self, path: str | Path | None = None) -> str:
        """The trace as a page of its own, without script or external resource; written to the path if there is one."""
        from . import views

        return views.written(views.trace_page(self), path)

    def to_jsonl(self, path: str | Path | None = None) -> str:
        """The trace as JSON lines, one a step and one a call (`views.records`); written to the path if there is one."""
        from . import views

        return views.written(views.to_jsonl(self), path)

    @classmethod
    def from_jsonl(cls, text: str) -> Trace:
        """The trace that `to_jsonl` wrote.

        Raises:
            ValueError: A line is no step or call; the message says which line, and why.
        """
        from . import views

        return views.from_jsonl(text)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question.

    Args:
        text: The answer; "I don't know" where the history does not say.
        evidence: What the sub-agents found, oldest session first; each quote is in its turn.
        coverage: How many sub-agents were asked, and what became of them.
        usage: Tokens and calls, sub-agents included.
        cost_usd: Dollars; None where the price is not known.
        seconds: Wall time; `trace.replayed_seconds` is what replayed calls would have added.
        trace: How the answer came about.
        error: Why the query ended early, in one line; "" where it did not.
        false_quotes: How many quotes of sub-agents were not in the session they read, and are no evidence.
        sessions_read: The numbers of the sessions that sub-agents read and replied on, in order.
        sessions: How many sessions the history has; None where that is not known.
    """

    text: str
    evidence: tuple[Evidence, ...] = ()
    coverage: Coverage = field(default_factory=lambda: Coverage.of(()))
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = 0.0
    seconds: float = 0.0
    trace: Trace = field(default_factory=Trace)
    error: str = ""
    false_quotes: int = 0
    sessions_read: tuple[int, ...] = ()
    sessions: int | None = None

    @property
    def read(self) -> str:
        """How many sessions were read, in words, where that is not all of them; else "".

        >>> Answer("Mochi", sessions_read=(3, 7), sessions=400).read
        '2 of 400 sessions read'
        """
        if (
            self.sessions is None
            or not (self.sessions_read or self.coverage.asked)
            or len(self.sessions_read) >= self.sessions
        ):
            return ""
        return f"{len(self.sessions_read):,} of {self.sessions:,} sessions read"

    def standing_on(self) -> tuple[Evidence, ...]:
        """The evidence that the answer quotes, or else that has most of its words; what it quotes in full first.

        >>> cat, dog = Evidence(1, None, 1, "My cat is called Mochi.", ""), Evidence(2, None, 3, "I have a dog.", "")
        >>> [found.turn for found in Answer("Mochi", (cat, dog)).standing_on()]
        [1]
        """
        from . import views

        return views.standing(self)[0]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        shown = self.text if len(self.text) <= 200 else f"{self.text[:199]}…"
        error = f"; ended early: {self.error}" if self.error else ""
        told = [repr(shown)]
        if self.coverage.asked:
            told += [f"evidence: {len(self.evidence)}", str(self.coverage), *([self.read] if self.read else [])]
        return f"<Answer {'; '.join(told)}{error}>"

    def _repr_html_(self) -> str:
        from . import views

        return views.answer_html(self)

    def show(self) -> None:
        """Print the answer with the turns it stands on: in a notebook opened in place, in a terminal as plain text."""
        from . import views

        views.show_answer(self)


class QueryFailed(ModelError):
    """The root model gave no answer, or there was no sandbox to run its code in.

    Args:
        answer: What the query found and took until then, the failed call included; its `error` says why it failed
            and its `text` is "".
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.error, answer.usage, answer.cost_usd)
        self.answer = answer

    def __reduce__(self) -> tuple[type[QueryFailed], tuple[Answer]]:
        return type(self), (self.answer,)  # or a pickled one, from another process, could not be made again


def total_cost(parts: Iterable[float | None]) -> float | None:
    """The sum, or None where a part is not known.

    >>> total_cost([0.25, 0.5]), total_cost([0.25, None])
    (0.75, None)
    """
    total = 0.0
    for part in parts:
        if part is None:
            return None
        total += part
    return total
