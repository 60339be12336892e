"""How an answer came about: the steps of the root model and the sub-agent calls that their code made.

`Trace.to_jsonl` writes a line for each step and each call: an object with `kind` ("step" or "call") and `step`, the
step's number from 1. The other keys are the fields of `Step` (without its calls) or of `Call` (without its extract).
`usage` is an object with `prompt_tokens`, `completion_tokens`, `calls` and `estimated`. A call contains the whole text
that its sub-agent read.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from ..models.pricing import Usage
from ..models.recorded_calls import saved_seconds
from ..store.display import as_html, as_text
from ..store.escaping import well_formed
from .evidence import Evidence, Extract, is_not_found

_REASONS = 3  # a line lists only so many: a server may word every failure differently
_NOT_WRITTEN = ("calls", "extract")  # calls have their own lines, and extracts are not written


@dataclass(frozen=True, slots=True)
class Call:
    """One sub-agent call.

    Args:
        session: The text that the sub-agent read; "" for a prompt that the model wrote itself.
        reply: The sub-agent's reply; "" if the call failed.
        usage: Tokens; an estimate for a call that was stopped or timed out.
        cost_usd: Cost in dollars; None if the price is not known.
        started: Seconds from the start of the query to the start of the call.
        seconds: How long the call took.
        recorded: Whether the reply was replayed.
        error: Why the call failed, in one line; "" if it did not.
        cut: Whether the model's token limit cut the reply off. The reply then ends with a note.
        batch: The number of the batch. The calls of a batch are sent at once. A new batch begins after the code has
            seen a reply to the one before.
        number: The number of the session that was read, from 1; None if the text is not part of the history.
        date: The date of that session, or None.
        thoughts: The sub-agent's reasoning before its reply, if the server shows it.
        extract: The reply's quotes, looked up in the session.
    """

    session: str = field(repr=False)
    reply: str
    usage: Usage
    cost_usd: float | None
    started: float
    seconds: float
    recorded: bool
    error: str = ""
    cut: bool = False
    batch: int = 0
    number: int | None = None
    date: str | None = None
    thoughts: str = ""
    extract: Extract = field(default=Extract(), repr=False, compare=False)

    @property
    def found(self) -> bool:
        """Whether the reply says anything about the question."""
        return not self.error and not is_not_found(self.reply)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The findings, without quotes that are not in the session. If the reply quotes nothing, the whole reply."""
        if not self.found or self.extract.findings or self.extract.false_quotes:
            return self.extract.findings
        return (Evidence(self.number, self.date, None, "", self.reply),)

    @property
    def copies(self) -> int:
        """The number of extra requests sent because the reply was late or broke off. `usage` includes them."""
        return max(self.usage.calls - 1, 0)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts the outcomes of a query's sub-agent calls: asked = found + not_found + failed.

    Args:
        asked: All calls.
        found: Calls that found something.
        not_found: Calls that found nothing.
        failed: Calls without a reply, counted by reason.
        cut: How many of the replies that found something were cut off at the model's token limit.
        copies: Extra requests, sent because a reply was late or broke off. `str` does not mention them, so that the
            root model's prompt does not depend on the server's speed.

    >>> print(Coverage(asked=3, found=1, not_found=1, failed={"no answer within 120 s": 1}))
    asked 3 sub-agents: 1 found something, 1 found nothing, 1 failed (1x no answer within 120 s)
    """

    asked: int
    found: int
    not_found: int
    failed: dict[str, int]
    cut: int = 0
    copies: int = 0

    @classmethod
    def of(cls, calls: Sequence[Call]) -> "Coverage":
        """Count calls, such as those of a query or of one of its steps."""
        failed = Counter(call.error for call in calls if call.error)
        found = [call for call in calls if call.found]
        not_found = len(calls) - len(found) - failed.total()
        cut, copies = sum(call.cut for call in found), sum(call.copies for call in calls)
        return cls(len(calls), len(found), not_found, dict(failed.most_common()), cut, copies)

    @property
    def share(self) -> float | None:
        """The share of calls with a reply; None if there were no calls."""
        return (self.found + self.not_found) / self.asked if self.asked else None

    @property
    def failures(self) -> int:
        """The number of calls without a reply."""
        return sum(self.failed.values())

    @property
    def reasons(self) -> str:
        """Why calls failed, the most frequent reasons first; "" if none failed."""
        named = [f"{count}x {reason}" for reason, count in self.failed.items()][:_REASONS]
        others = sum([*self.failed.values()][_REASONS:])
        return "; ".join([*named, f"{others}x for other reasons"] if others else named)

    def __str__(self) -> str:
        cut = f" ({self.cut} of them cut off)" if self.cut else ""
        agents = "sub-agent" if self.asked == 1 else "sub-agents"
        text = f"asked {self.asked} {agents}: {self.found} found something{cut}, {self.not_found} found nothing"
        return f"{text}, {self.failures} failed ({self.reasons})" if self.failed else text


@dataclass(frozen=True, slots=True)
class Step:
    """One reply of the root model, and what its code did. A check of an answer is a step without code.

    Args:
        reply: What the model wrote.
        code: The blocks of code that ran.
        output: What the code printed, with errors.
        calls: The sub-agent calls that the code made.
        usage: The tokens of the root model's call.
        cost_usd: The cost of the root model's call in dollars; None if the price is not known.
        seconds: How long the root model's call took.
        recorded: Whether that call was replayed.
        started: Seconds from the start of the query to the start of that call.
        thoughts: The model's reasoning before its reply, if the server shows it.
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
        """All tokens and calls, of the root model and of the sub-agents."""
        return sum((part.usage for _, part in self._parts()), Usage())

    @property
    def cost_usd(self) -> float | None:
        """The whole cost in dollars; None if a price is not known."""
        return total_cost(part.cost_usd for _, part in self._parts())

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

    def _parts(self) -> Iterator[tuple[int, Step | Call]]:
        """Yield each step and then its calls, with the number of the step."""
        for number, step in enumerate(self.steps, 1):
            yield number, step
            yield from ((number, call) for call in step.calls)

    def __str__(self) -> str:
        return as_text(self)

    def __repr__(self) -> str:
        tokens = f"{self.usage.total_tokens:,} tokens"
        return f"<Trace: {len(self.steps)} steps, {len(self.calls)} sub-agent calls, {tokens}>"

    def _repr_html_(self) -> str:
        return as_html(self) or ""

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the trace as an HTML page without scripts or external resources. Write it to `path` if given."""
        return _written(as_html(self, is_page=True) or "", path)

    def to_jsonl(self, path: str | Path | None = None) -> str:
        """Return the trace as JSON lines, one for each step and call (see this module). Write it to `path` if given."""
        lines = []
        for number, part in self._parts():
            values = {name: value for name, value in asdict(part).items() if name not in _NOT_WRITTEN}
            line = {"kind": type(part).__name__.lower(), "step": number, **values}
            lines.append(f"{json.dumps(line, ensure_ascii=False)}\n")
        return _written("".join(lines), path)


def _written(text: str, path: str | Path | None) -> str:
    """Write the text to the path, if there is one, and return it."""
    if path is not None:
        Path(path).write_text(well_formed(text), encoding="utf-8", newline="\n")
    return text


def total_cost(parts: Iterable[float | None]) -> float | None:
    """Return the sum of costs; None if one of them is not known.

    >>> total_cost([0.25, 0.5]), total_cost([0.25, None])
    (0.75, None)
    """
    parts = list(parts)
    return None if None in parts else sum((part for part in parts if part is not None), 0.0)
