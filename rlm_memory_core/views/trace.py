"""Shows a trace: a bar for each call on a time axis, then each step with its message, code, output and sub-agents.

The size is limited, whatever a model wrote or a history contains.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ..models.pricing import Usage
from ..query.answer import Coverage, Step, Trace, total_cost
from ..query.evidence import Call
from .rendering import clip, counted, dollars, duration, in_one_line, render
from .timeline import Span, timeline

_BARS = 2_000
_STEPS = 60
_ROWS_INLINE, _ROWS_PAGE = 25, 500  # calls in a step's table
_TEXT, _LINE = 6_000, 1_000  # maximum characters of a message, code or output; of a line of counts
_THINNEST, _THICKEST, _HEIGHT = 1, 14, 300  # pixels: thickness of a bar, height of all bars together
_NARROWEST = 0.4  # percent of the axis
_KINDS = {"root": "root model", "found": "found something", "nothing": "found nothing", "failed": "failed"}


def trace_html(trace: Trace, is_page: bool = False) -> str:
    """Return the trace as HTML for a notebook, or as a complete HTML page."""
    if is_page:
        return render("page", title="How an answer came about", body="trace", **_values(trace, _ROWS_PAGE))
    return render("trace", **_values(trace, _ROWS_INLINE))


def trace_text(trace: Trace) -> str:
    """Return the trace as text for a terminal.

    >>> print(trace_text(Trace((Step("FINAL(1)", (), "", (), Usage(9, 3, 1), 0.0, 0.5),))))
    --- step 1: 12 tokens, $0 [500 ms] ---
    FINAL(1)
    """
    lines = []
    for number, step in enumerate(trace.steps, 1):
        lines += [f"--- step {number}: {_price([step])} [{_time([step])}] ---", clip(step.reply.strip(), _TEXT)]
        if step.code or step.output:
            lines.append(f"{'>>> ' if step.code else ''}{clip(step.output, _TEXT)}")
        if step.calls:
            lines += [clip(str(Coverage.of(step.calls)), _TEXT), f"    {_price(step.calls)} [{_time(step.calls)}]"]
    return "\n".join(lines)


def _values(trace: Trace, rows: int) -> dict[str, Any]:
    """Return the variables of the template `trace`, with at most `rows` calls for each step."""
    axis = timeline(trace)
    bars = axis.spans[:_BARS]
    pitch = min(_HEIGHT / max(len(bars), 1), _THICKEST + 2)  # pixels from one bar to the next
    kinds = set(map(_kind, axis.spans))
    return {
        "trace": trace,
        "coverage": clip(str(Coverage.of(trace.calls)), _LINE),
        "axis": axis,
        "bars": [_bar(span, round(place * pitch, 2), axis.seconds) for place, span in enumerate(bars)],
        "bars_left_out": len(axis.spans) - len(bars),
        "height": round(pitch * len(bars)) + _THINNEST,
        "thickness": round(max(pitch - (2 if pitch > 6 else 1), _THINNEST), 2),
        "legend": [(kind, meaning) for kind, meaning in _KINDS.items() if kind in kinds],
        "code": "code" in kinds,
        "copies": any(call.copies for call in trace.calls),
        "steps": [_step(number, step, rows) for number, step in enumerate(trace.steps[:_STEPS], 1)],
        "steps_left_out": max(len(trace.steps) - _STEPS, 0),
        "limit": _TEXT,
        "thought": _LINE,
    }


def _bar(span: Span, y: float, axis_seconds: float) -> dict[str, Any]:
    """Return a bar of the chart: `x` and `width` in percent of the axis, `y` in pixels from the top."""
    percent = 100 / axis_seconds if axis_seconds > 0 else 0.0
    width = max(span.seconds * percent, _NARROWEST)
    classes = f"rlm-k-{_kind(span)}"
    classes += " rlm-replayed" if span.of.recorded else ""
    classes += " rlm-copied" if isinstance(span.of, Call) and span.of.copies else ""
    x = round(min(span.start * percent, 100 - width), 2)
    return {"x": x, "width": round(width, 2), "y": y, "classes": classes, "title": _title(span)}


def _kind(span: Span) -> str:
    if span.code:
        return "code"
    if isinstance(span.of, Step):
        return "root"
    return "failed" if span.of.error else "found" if span.of.found else "nothing"


def _title(span: Span) -> str:
    """Return the tooltip of a bar."""
    when = f"{duration(span.seconds)} from {duration(span.start)}"
    if span.code:
        return f"step {span.step}: code; {when}"
    replayed = ", replayed" if span.of.recorded else ""
    if isinstance(span.of, Step):
        return f"step {span.step}: root model; {_price([span.of])}, {when}{replayed}"
    copies = ", sent again" if span.of.copies else ""
    return f"{_source(span.of)}; {_price([span.of])}, {when}{replayed}{copies}\n{_result(span.of, 100)}"


def _source(call: Call) -> str:
    """Return in words what a sub-agent read."""
    if call.number is None:
        return "a text of the code's own" if call.session else "a prompt of the code's own"
    return f"session {call.number}" + (f", {in_one_line(call.date, 40)}" if call.date else "")


def _result(call: Call, limit: int) -> str:
    return in_one_line(call.error or (call.reply if call.found else "found nothing"), limit)


def _step(number: int, step: Step, rows: int) -> dict[str, Any]:
    calls = sorted(step.calls, key=lambda call: (call.batch, call.number is None, call.number or 0, call.session))
    coverage = Coverage.of(calls)
    return {
        "number": number,
        "root": _price([step]),
        "root_time": _time([step]),
        "thoughts": step.thoughts.strip(),
        "agents": _price(calls),
        "agents_time": _time(calls),
        "coverage": clip(str(coverage), _LINE),
        "failures": coverage.failures,
        "reply": step.reply.strip(),
        "code": "\n\n".join(code.strip() for code in step.code),
        "output": step.output,
        "calls": [_row(call) for call in _most_telling(calls, rows)],
        "calls_left_out": max(len(calls) - rows, 0),
        "count": len(calls),
    }


def _most_telling(calls: Sequence[Call], rows: int) -> list[Call]:
    """Return at most `rows` calls, in order. Failures are kept first, then findings."""
    order = sorted(range(len(calls)), key=lambda place: (not calls[place].error, not calls[place].found))
    return [calls[place] for place in sorted(order[:rows])]


def _row(call: Call) -> dict[str, Any]:
    return {
        "source": _source(call),
        "thoughts": call.thoughts.strip(),
        "failed": bool(call.error),
        "result": _result(call, 240),
        "tokens": f"{call.usage.total_tokens:,}",
        "cost": "?" if call.cost_usd is None else dollars(call.cost_usd),
        "time": _time([call]),
    }


def _price(parts: Iterable[Step | Call]) -> str:
    """Return tokens and dollars in words."""
    parts = list(parts)
    tokens = sum((part.usage for part in parts), Usage()).total_tokens
    return f"{counted(tokens, 'token')}, {dollars(total_cost(part.cost_usd for part in parts))}"


def _time(parts: Sequence[Step | Call]) -> str:
    """Return in words how long the fastest and the slowest call took, and how many were replayed or sent again."""
    if not parts:
        return ""
    fast, slow = (duration(end(part.seconds for part in parts)) for end in (min, max))
    words = [slow if fast == slow else f"{fast} to {slow}"]
    if replayed := sum(part.recorded for part in parts):
        words.append("replayed" if replayed == len(parts) else f"{replayed} replayed")
    if copies := sum(part.copies for part in parts if isinstance(part, Call)):
        words.append(f"{copies} sent again")
    return ", ".join(words)
