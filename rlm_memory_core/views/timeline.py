"""When each call of a query ran: the root model's and the sub-agents', on one axis.

Where something was replayed, the clock of this run says nothing of the calls: they are laid out as they were when they
were recorded, one after another and batch by batch, as `Trace.replayed_seconds` counts them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import attrgetter

from ..query.coverage import Call
from ..query.trace import Step, Trace

_CODE = 0.05  # of the axis


@dataclass(frozen=True, slots=True)
class Span:
    """One call on the axis, or code between calls.

    Args:
        step: The number of its step, from 1.
        call: What a sub-agent was asked; None for the root model's own call, and for code.
        of: The step itself.
        start: Seconds from the query's start.
        seconds: How long it took.
        code: Whether it is no call: the step's code ran, and waited for none.
    """

    step: int
    call: Call | None
    of: Step
    start: float
    seconds: float
    code: bool = False

    @property
    def end(self) -> float:
        """Seconds from the query's start."""
        return self.start + self.seconds


@dataclass(frozen=True, slots=True)
class Timeline:
    """All calls of a query.

    Args:
        spans: Step by step: the root model's call, then the sub-agents' by their start; and the code before and after
            these, where it took a twentieth of the axis.
        laid_out: Whether some were replayed, and all stand as if they had been asked anew.
    """

    spans: tuple[Span, ...]
    laid_out: bool

    @property
    def seconds(self) -> float:
        """From the query's start to the end of the last call."""
        return max((span.end for span in self.spans), default=0.0)


def timeline(trace: Trace) -> Timeline:
    """Place the calls of a trace on one axis.

    >>> from rlm_memory_core import Usage
    >>> steps = (Step("", (), "", (), Usage(), 0.0, 2.0, True), Step("", (), "", (), Usage(), 0.0, 1.0, True))
    >>> [(span.start, span.end) for span in timeline(Trace(steps)).spans]
    [(0.0, 2.0), (2.0, 3.0)]
    """
    replayed = any(step.recorded for step in trace.steps) or any(call.recorded for call in trace.calls)
    if replayed:  # of code nothing is recorded
        return Timeline(tuple(_laid_out(trace)), replayed)
    spans = list(_measured(trace))
    least = _CODE * max((span.end for span in spans), default=0.0)
    return Timeline(tuple(span for span in spans if not span.code or span.seconds > least), replayed)


def _measured(trace: Trace) -> Iterator[Span]:
    for number, (step, following) in enumerate(pairwise([*trace.steps, None]), 1):
        assert step is not None
        root = Span(number, None, step, step.started, step.seconds)
        calls = [Span(number, call, step, call.started, call.seconds) for call in step.calls]
        stop = following.started if following else root.end  # when the last step's code ended is not known
        first, last = min((call.start for call in calls), default=stop), max((call.end for call in calls), default=stop)
        yield root
        yield Span(number, None, step, root.end, first - root.end, code=True)
        yield from sorted(calls, key=attrgetter("start"))
        yield Span(number, None, step, last, stop - last, code=True)


def _laid_out(trace: Trace) -> Iterator[Span]:
    now = 0.0
    for number, step in enumerate(trace.steps, 1):
        yield Span(number, None, step, now, step.seconds)
        now += step.seconds
        for _, batch in groupby(sorted(step.calls, key=attrgetter("batch")), key=attrgetter("batch")):
            calls = sorted(batch, key=attrgetter("started"))
            for call in calls:
                yield Span(number, call, step, now, call.seconds)
            now += max(call.seconds for call in calls)
