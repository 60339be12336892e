"""How an answer came about, step by step, and the trace as JSON lines.

Each line is an object with `kind` ("step" or "call") and `step`, the step's number from 1. The other keys are the
fields of `Step` (without its calls) or of `Call` (without its extract); `usage` is an object of `prompt_tokens`,
`completion_tokens`, `calls` and `estimated`. A call holds the whole text that its sub-agent read.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from ..models.pricing import Usage
from ..models.recorded_calls import saved_seconds
from ..models.types import Reply
from ..store.display import as_html, as_page, as_text
from ..store.escaping import well_formed
from .subagents import Call


@dataclass(frozen=True, slots=True)
class Step:
    """One reply of the root model, and what its code did.

    Args:
        reply: What the model wrote.
        code: The blocks of code that ran.
        output: What they printed, with errors.
        calls: The sub-agent calls that they made.
        usage: The tokens of the root model's call.
        cost_usd: The dollars of the root model's call; None if the price is not known.
        seconds: How long the root model's call took.
        recorded: Whether that call was replayed.
        started: Seconds from the start of the query to the start of that call.
        thoughts: What the model thought before it wrote, where its server shows it.
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
    thoughts: str = ""

    @classmethod
    def of(
        cls, reply: Reply, output: str = "", started: float = 0.0, code: tuple[str, ...] = (),
        calls: tuple[Call, ...] = (),
    ) -> "Step":  # fmt: skip
        """The step of a reply."""
        taken = (reply.usage, reply.cost_usd, reply.seconds, reply.recorded)
        return cls(reply.text, code, output, calls, *taken, started, reply.thoughts)


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
        """All dollars; None if a price is not known."""
        return total_cost(part.cost_usd for part in self._parts())

    @property
    def replayed_seconds(self) -> float:
        """How many seconds longer the query would have taken if nothing had been replayed.

        The root model's calls and the batches of sub-agent calls are made one after another. A batch takes as long as
        its slowest call, as if all of its calls were in flight at once.
        """
        total = 0.0
        for step in self.steps:
            total += saved_seconds([(step.seconds, step.recorded)])
            in_batches = sorted(step.calls, key=attrgetter("batch"))
            for _, calls in groupby(in_batches, key=attrgetter("batch")):
                total += saved_seconds((call.seconds, call.recorded) for call in calls)
        return total

    def _parts(self) -> Iterable[Step | Call]:
        for step in self.steps:
            yield step
            yield from step.calls

    def __str__(self) -> str:
        return as_text(self)

    def __repr__(self) -> str:
        tokens = f"{self.usage.total_tokens:,} tokens"
        return f"<Trace: {len(self.steps)} steps, {len(self.calls)} sub-agent calls, {tokens}>"

    def _repr_html_(self) -> str:
        return as_html(self) or ""

    def to_html(self, path: str | Path | None = None) -> str:
        """The trace as an HTML page without scripts or external resources; written to `path` if given."""
        return _written(as_page(self), path)

    def to_jsonl(self, path: str | Path | None = None) -> str:
        """The trace as JSON lines, one for each step and call (see this module); written to `path` if given."""
        return _written("".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in _objects(self)), path)


_NOT_WRITTEN = ("calls", "extract")  # calls have lines of their own; extracts are not kept


def _written(text: str, path: str | Path | None) -> str:
    """The text, written to the path if there is one."""
    if path is not None:
        Path(path).write_text(well_formed(text), encoding="utf-8", newline="\n")
    return text


def _objects(trace: Trace) -> Iterator[dict[str, Any]]:
    for number, step in enumerate(trace.steps, 1):
        parts: list[Step | Call] = [step, *step.calls]
        for part in parts:
            values = {field.name: getattr(part, field.name) for field in fields(part) if field.name not in _NOT_WRITTEN}
            yield {"kind": type(part).__name__.lower(), "step": number, **values, "usage": asdict(part.usage)}


def total_cost(parts: Iterable[float | None]) -> float | None:
    """The sum; None if a part is not known.

    >>> total_cost([0.25, 0.5]), total_cost([0.25, None])
    (0.75, None)
    """
    parts = list(parts)
    return None if None in parts else sum((part for part in parts if part is not None), 0.0)
