"""Places every call of a query on one time axis: the root model's, the sub-agents', and code that took long.

The clock of this run says nothing about replayed calls. So if there are any, the axis shows the recorded times: calls
one after another and batch by batch, as `Trace.replayed_seconds` counts them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from operator import attrgetter

from ..query.answer import Step, Trace
from ..query.evidence import Call

_CODE = 0.05  # code gets a span if it takes more than this share of the axis


@dataclass(frozen=True, slots=True)
class Span:
    """One call on the axis, or code that ran between calls.

    Args:
        step: The number of the step, from 1.
        of: The step, for the root model's call or code; otherwise the sub-agent's call.
        start: Seconds from the start of the query.
        seconds: How long the call or the code took.
        code: Whether this is the step's code, running without waiting for a call.
    """

    step: int
    of: Step | Call
    start: float
    seconds: float
    code: bool = False

    @property
    def end(self) -> float:
        """When the span ends, in seconds from the start of the query."""
        return self.start + self.seconds


@dataclass(frozen=True)
class Timeline:
    """All calls of a query.

    Args:
        spans: For each step, the root model's call and then the sub-agents' calls in the order in which they started.
            Code before and after them is included if it takes more than a twentieth of the axis.
        replayed: Whether some calls were replayed, so that all calls are shown at their recorded times.
    """

    spans: tuple[Span, ...]
    replayed: bool

    @cached_property
    def seconds(self) -> float:
        """Seconds from the start of the query to the end of the last call."""
        return max((span.end for span in self.spans), default=0.0)


def timeline(trace: Trace) -> Timeline:
    """Place the calls of a trace on one axis.

    >>> from rlm_memory_core import Usage
    >>> steps = (Step("", (), "", (), Usage(), 0.0, 2.0, True), Step("", (), "", (), Usage(), 0.0, 1.0, True))
    >>> [(span.start, span.end) for span in timeline(Trace(steps)).spans]
    [(0.0, 2.0), (2.0, 3.0)]
    """
    if any(step.recorded for step in trace.steps) or any(call.recorded for call in trace.calls):
        return Timeline(tuple(_recorded(trace)), True)  # the time of code is not recorded
    spans = list(_measured(trace))
    shortest = _CODE * max((span.end for span in spans), default=0.0)
    return Timeline(tuple(span for span in spans if not span.code or span.seconds > shortest), False)


def _measured(trace: Trace) -> Iterator[Span]:
    for number, (step, following) in enumerate(pairwise([*trace.steps, None]), 1):
        assert step is not None
        root = Span(number, step, step.started, step.seconds)
        calls = sorted((Span(number, call, call.started, call.seconds) for call in step.calls), key=attrgetter("start"))
        end = following.started if following else root.end  # the end of the last step's code is not known
        yield root
        yield Span(number, step, root.end, (calls[0].start if calls else end) - root.end, code=True)
        yield from calls
        last = max((call.end for call in calls), default=end)
        yield Span(number, step, last, end - last, code=True)


def _recorded(trace: Trace) -> Iterator[Span]:
    now = 0.0
    for number, step in enumerate(trace.steps, 1):
        yield Span(number, step, now, step.seconds)
        now += step.seconds
        for _, batch in groupby(sorted(step.calls, key=attrgetter("batch")), key=attrgetter("batch")):
            calls = sorted(batch, key=attrgetter("started"))
            yield from (Span(number, call, now, call.seconds) for call in calls)
            now += max(call.seconds for call in calls)
