"""How an answer came about, step by step, and the trace as JSON lines.

Each line is an object with `kind` ("step" or "call") and `step`, the step's number from 1. The other keys are the
fields of `Step` (without its calls) or of `Call` (without its extract); `usage` is an object of `prompt_tokens`,
`completion_tokens`, `calls` and `estimated`. A call holds the whole text that its sub-agent read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from ..models.pricing import Usage
from ..models.recorded_calls import saved_seconds
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

    @classmethod
    def from_jsonl(cls, text: str) -> Trace:
        """The trace that `to_jsonl` wrote; keys that this version does not know are ignored.

        Raises:
            ValueError: A line is not a step or a call; the message says which line, and why.
        """
        steps: list[Step] = []
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            try:
                part, step = _part(json.loads(line))
                expected = len(steps) + isinstance(part, Step)
                if step != expected or not expected:
                    raise ValueError(f"found step {step} instead of step {expected}")
            except (ValueError, RecursionError) as error:  # a JSONDecodeError is a ValueError
                raise ValueError(f"line {number} of the trace: {error}") from error
            if isinstance(part, Step):
                steps.append(part)
            else:
                steps[-1] = replace(steps[-1], calls=(*steps[-1].calls, part))
        return cls(tuple(steps))


_KINDS: dict[str, type[Step | Call]] = {"step": Step, "call": Call}
_NOT_WRITTEN = ("calls", "extract")  # calls have lines of their own; extracts are not kept
_NUMBER: tuple[type, ...] = (int, float)
_TYPES: dict[str, tuple[type, ...]] = {"seconds": _NUMBER, "started": _NUMBER, "reply": (str,), "code": (list,)}


def _written(text: str, path: str | Path | None) -> str:
    """The text, written to the path if there is one."""
    if path is not None:
        Path(path).write_text(well_formed(text), encoding="utf-8", newline="\n")
    return text


def _objects(trace: Trace) -> Iterator[dict[str, Any]]:
    for number, step in enumerate(trace.steps, 1):
        yield {"kind": "step", "step": number, **_written_fields(step)}
        for call in step.calls:
            yield {"kind": "call", "step": number, **_written_fields(call)}


def _written_fields(part: Step | Call) -> dict[str, Any]:
    values = {field.name: getattr(part, field.name) for field in fields(part) if field.name not in _NOT_WRITTEN}
    return values | {"usage": asdict(part.usage)}


def _part(value: Any) -> tuple[Step | Call, int]:
    """A step without its calls, or a call; and the number of its step."""
    kind = _KINDS.get(str(value.get("kind"))) if isinstance(value, Mapping) else None
    if kind is None:
        raise ValueError('neither a step nor a call; an object with "kind": "step" or "call" is expected')
    names = [field.name for field in fields(kind) if field.name not in _NOT_WRITTEN]
    given = {name: value[name] for name in names if name in value}
    missing = [each.name for each in fields(kind) if each.default is MISSING and each.name in set(names) - set(given)]
    if missing or not isinstance(value.get("step"), int):
        raise ValueError(f"{', '.join(missing) or 'a whole number as step'} missing in a {value['kind']}")
    for name, types in _TYPES.items():
        if name in given and not isinstance(given[name], types):
            raise ValueError(f"{name} of a {value['kind']} is {given[name]!r}")
    try:
        given["usage"] = Usage(**given["usage"])
    except TypeError as error:
        raise ValueError(f"usage of a {value['kind']} is {given['usage']!r}") from error
    if kind is Step:
        given |= {"code": tuple(given["code"]), "calls": ()}
    return kind(**given), value["step"]


def total_cost(parts: Iterable[float | None]) -> float | None:
    """The sum; None if a part is not known.

    >>> total_cost([0.25, 0.5]), total_cost([0.25, None])
    (0.75, None)
    """
    parts = list(parts)
    return None if None in parts else sum((part for part in parts if part is not None), 0.0)
