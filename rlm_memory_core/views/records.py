"""A trace as JSON lines, and back: one object a step and one a call, a step before the calls that it made.

Every object has `kind` ("step" or "call") and `step`, the step's number from 1; the rest are the fields of `Step`
(without its calls) and of `Call` under their own names, with `usage` as an object of `prompt_tokens`,
`completion_tokens` and `calls`. Nothing is cut: a call holds the text that its sub-agent read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import Any

from ..answer import Step, Trace
from ..coverage import Call
from ..escaping import well_formed
from ..pricing import Usage

_KINDS: dict[str, type[Step | Call]] = {"step": Step, "call": Call}
_NUMBER: tuple[type, ...] = (int, float)
_TYPES: dict[str, tuple[type, ...]] = {"seconds": _NUMBER, "started": _NUMBER, "reply": (str,), "code": (list,)}


def to_jsonl(trace: Trace) -> str:
    """The trace as JSON lines, each with its line's end.

    >>> print(to_jsonl(Trace((Step("FINAL(1)", (), "", (), Usage(9, 3, 1), 0.0, 0.5),))), end="")
    {"kind": "step", "step": 1, "reply": "FINAL(1)", "code": [], "output": "", "usage": {"prompt_tokens": 9, \
"completion_tokens": 3, "calls": 1}, "cost_usd": 0.0, "seconds": 0.5, "recorded": false, "started": 0.0}
    """
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in _objects(trace))


def from_jsonl(text: str) -> Trace:
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


def written(text: str, path: str | Path | None) -> str:
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
