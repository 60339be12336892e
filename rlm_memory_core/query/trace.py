"""How an answer came about, step by step; and a trace as JSON lines, and back.

Every object has `kind` ("step" or "call") and `step`, the step's number from 1; the rest are the fields of `Step`
(without its calls) and of `Call` under their own names, with `usage` as an object of `prompt_tokens`,
`completion_tokens` and `calls`. Nothing is cut: a call holds the text that its sub-agent read.
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
from .coverage import Call


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
        return as_text(self)

    def __repr__(self) -> str:
        tokens = f"{self.usage.total_tokens:,} tokens"
        return f"<Trace: {len(self.steps)} steps, {len(self.calls)} sub-agent calls, {tokens}>"

    def _repr_html_(self) -> str:
        return as_html(self) or ""

    def to_html(self, path: str | Path | None = None) -> str:
        """The trace as a page of its own, without script or external resource; written to the path if there is one."""
        return _written(as_page(self), path)

    def to_jsonl(self, path: str | Path | None = None) -> str:
        """The trace as JSON lines, one a step and one a call (see the module); written to the path if there is one."""
        return _written("".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in _objects(self)), path)

    @classmethod
    def from_jsonl(cls, text: str) -> Trace:
        """The trace that `to_jsonl` wrote.

        Raises:
            ValueError: A line is no step or call; the message says which line, and why.
        """
        return _parsed(text)


_KINDS: dict[str, type[Step | Call]] = {"step": Step, "call": Call}
_NUMBER: tuple[type, ...] = (int, float)
_TYPES: dict[str, tuple[type, ...]] = {"seconds": _NUMBER, "started": _NUMBER, "reply": (str,), "code": (list,)}


def _parsed(text: str) -> Trace:
    """The trace that `to_jsonl` wrote; keys that this version does not know are passed over.

    Raises:
        ValueError: A line is no step or call; the message says which line, and why.
    """
    steps: list[Step] = []
    calls: list[list[Call]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            made, of = _made(json.loads(line))
            if of != len(steps) + isinstance(made, Step):
                raise ValueError(f"step {of} stands where step {len(steps) + isinstance(made, Step)} should")
        except ValueError as error:  # a JSONDecodeError is one
            raise ValueError(f"line {number} of the trace: {error}") from error
        if isinstance(made, Step):
            steps.append(made)
            calls.append([])
        else:
            calls[-1].append(made)
    return Trace(tuple(replace(step, calls=tuple(made)) for step, made in zip(steps, calls, strict=True)))


def _written(text: str, path: str | Path | None) -> str:
    """The text, and written to the path if there is one."""
    if path is not None:
        Path(path).write_text(well_formed(text), encoding="utf-8", newline="\n")
    return text


def _objects(trace: Trace) -> Iterator[dict[str, Any]]:
    for number, step in enumerate(trace.steps, 1):
        own = asdict(replace(step, calls=()))
        del own["calls"]
        yield {"kind": "step", "step": number, **own}
        for call in step.calls:
            yield {"kind": "call", "step": number, **asdict(call)}


def _made(value: Any) -> tuple[Step | Call, int]:
    """A step without its calls, or a call; and the number of its step."""
    kind = _KINDS.get(str(value.get("kind"))) if isinstance(value, Mapping) else None
    if kind is None:
        raise ValueError('neither a step nor a call; an object with "kind": "step" or "call" is expected')
    given = {field.name: value[field.name] for field in fields(kind) if field.name in value}
    missing = [each.name for each in fields(kind) if each.default is MISSING and each.name not in {*given, "calls"}]
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
