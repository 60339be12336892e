"""A trace as it is shown: a bar for each call on a time axis, then step by step what was written, run and asked.

Sizes are bounded, whatever a model wrote or a history holds; the whole of it is in the trace, and in its JSON lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..models.pricing import Usage
from ..query.coverage import Call, Coverage
from ..query.trace import Step, Trace, total_cost
from .rendering import clip, counted, dollars, duration, in_one_line, render
from .timeline import Span, timeline

_BARS = 2_000
_STEPS = 60
_ROWS_INLINE, _ROWS_PAGE = 25, 500  # calls in the table of a step
_WRITTEN = 6_000  # characters of a message, of code, of output
_THINNEST, _THICKEST, _HEIGHT = 1, 14, 300  # pixels: of a bar; of all bars, which are seen at once and overlap if many
_NARROWEST = 0.4  # percent of the axis
_KINDS = {"root": "root model", "found": "found something", "nothing": "found nothing", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One call on the axis, in percent of its width and pixels from above."""

    x: float
    width: float
    y: float
    kind: str
    classes: str
    title: str


def trace_html(trace: Trace) -> str:
    """The trace for a notebook."""
    return render("trace", **_values(trace, _ROWS_INLINE))


def trace_page(trace: Trace) -> str:
    """The trace as a page of its own."""
    return render("page", title="How an answer came about", body="trace", **_values(trace, _ROWS_PAGE))


def trace_text(trace: Trace) -> str:
    """The trace for a terminal.

    >>> print(trace_text(Trace((Step("FINAL(1)", (), "", (), Usage(9, 3, 1), 0.0, 0.5),))))
    --- step 1: 12 tokens, $0 [500 ms] ---
    FINAL(1)
    """
    lines = []
    for number, step in enumerate(trace.steps, 1):
        own = f"{counted(step.usage.total_tokens, 'token')}, {dollars(step.cost_usd)} [{_took([step])}]"
        lines += [f"--- step {number}: {own} ---", clip(step.reply.strip(), _WRITTEN)]
        if step.code:
            lines.append(f">>> {clip(step.output, _WRITTEN)}")
        if step.calls:
            lines += [clip(str(Coverage.of(step.calls)), _WRITTEN), f"    {_took_by(step.calls)} [{_took(step.calls)}]"]
    return "\n".join(lines)


def _values(trace: Trace, rows: int) -> dict[str, Any]:
    axis = timeline(trace)
    shown = axis.spans[:_BARS]
    pitch = min(_HEIGHT / max(len(shown), 1), _THICKEST + 2)
    shown_kinds = set(map(_kind, axis.spans))
    kinds = [kind for kind in _KINDS if kind in shown_kinds]
    return {
        "trace": trace,
        "coverage": clip(str(Coverage.of(trace.calls)), 1_000),
        "bars": [_bar(span, round(place * pitch, 2), axis.seconds) for place, span in enumerate(shown)],
        "bars_left_out": len(axis.spans) - len(shown),
        "height": round(pitch * len(shown)) + _THINNEST,
        "thickness": round(max(pitch - (2 if pitch > 6 else 1), _THINNEST), 2),
        "legend": [(kind, _KINDS[kind]) for kind in kinds],
        "code": "code" in shown_kinds,
        "copies": any(call.copies for call in trace.calls),
        "axis": axis,
        "steps": [_step(number, step, rows) for number, step in enumerate(trace.steps[:_STEPS], 1)],
        "steps_left_out": max(len(trace.steps) - _STEPS, 0),
        "written": _WRITTEN,
    }


def _bar(span: Span, y: float, whole: float) -> Bar:
    scale = 100 / whole if whole > 0 else 0.0
    width = max(span.seconds * scale, _NARROWEST)
    kind = _kind(span)
    replayed, copied = (span.call or span.of).recorded, bool(span.call and span.call.copies)
    classes = f"rlm-k-{kind}{' rlm-replayed' if replayed else ''}{' rlm-copied' if copied else ''}"
    return Bar(round(min(span.start * scale, 100 - width), 2), round(width, 2), y, kind, classes, _title(span))


def _kind(span: Span) -> str:
    if span.code:
        return "code"
    if span.call is None:
        return "root"
    return "failed" if span.call.error else "found" if span.call.found else "nothing"


def _title(span: Span) -> str:
    """What a bar says when one points at it."""
    call = span.call
    if span.code:
        return f"step {span.step}: code; {duration(span.seconds)} from {duration(span.start)}"
    took = f"{_took_by([call or span.of])}, {duration(span.seconds)} from {duration(span.start)}"
    if call is None:
        return f"step {span.step}: root model; {took}{', replayed' if span.of.recorded else ''}"
    marks = [", replayed"] if call.recorded else []
    marks += [", sent again"] if call.copies else []
    result = call.error or (call.reply if call.found else "found nothing")
    return f"{_read(call)}; {took}{''.join(marks)}\n{in_one_line(result, 100)}"


def _read(call: Call) -> str:
    """What a call read."""
    if call.number is None:
        return "a text of the code's own" if call.session else "a prompt of the code's own"
    return f"session {call.number}" + (f", {in_one_line(call.date, 40)}" if call.date else "")


def _step(number: int, step: Step, rows: int) -> dict[str, Any]:
    calls = sorted(step.calls, key=lambda call: (call.batch, call.number is None, call.number or 0, call.session))
    return {
        "number": number,
        "root": _took_by([step]),
        "root_took": _took([step]),
        "agents": _took_by(step.calls),
        "agents_took": _took(step.calls),
        "coverage": clip(str(Coverage.of(step.calls)), 1_000),
        "failures": Coverage.of(step.calls).failures,
        "reply": step.reply.strip(),
        "code": "\n\n".join(code.strip() for code in step.code),
        "output": step.output,
        "calls": [_row(call) for call in _chosen(calls, rows)],
        "calls_left_out": max(len(calls) - rows, 0),
        "count": len(calls),
    }


def _chosen(calls: Sequence[Call], rows: int) -> Sequence[Call]:
    """Those for which there is room: failures and findings first, in their order."""
    if len(calls) <= rows:
        return calls
    telling = sorted(range(len(calls)), key=lambda at: (not calls[at].error, not calls[at].found))
    return [calls[at] for at in sorted(telling[:rows])]


def _row(call: Call) -> dict[str, Any]:
    return {
        "read": _read(call),
        "failed": bool(call.error),
        "result": in_one_line(call.error or (call.reply if call.found else "found nothing"), 240),
        "tokens": f"{call.usage.total_tokens:,}",
        "cost": "?" if call.cost_usd is None else dollars(call.cost_usd),
        "took": _took([call]),
    }


def _took_by(parts: Iterable[Step | Call]) -> str:
    """Tokens and dollars, in words."""
    parts = list(parts)
    usage = sum((part.usage for part in parts), Usage())
    return f"{counted(usage.total_tokens, 'token')}, {dollars(total_cost(part.cost_usd for part in parts))}"


def _took(parts: Sequence[Step | Call]) -> str:
    """Seconds, in words: of one call, or of the fastest and the slowest; and how many were replayed."""
    if not parts:
        return ""
    fast, slow = (duration(pick(part.seconds for part in parts)) for pick in (min, max))
    replayed = sum(part.recorded for part in parts)
    copies = sum(part.copies for part in parts if isinstance(part, Call))
    told = [slow if fast == slow else f"{fast} to {slow}"]
    told += ["replayed" if replayed == len(parts) else f"{replayed} replayed"] if replayed else []
    return ", ".join([*told, f"{copies} sent again"] if copies else told)
