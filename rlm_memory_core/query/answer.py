"""What a query returns: the answer with its evidence, its cost, and its trace.

`Trace.to_jsonl` writes a line for each step and each call: an object with `kind` ("step" or "call") and `step`, the
step's number from 1. The other keys are the fields of `Step` (without its calls) or of `Call`. A call contains the
whole text that its sub-agent read.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..models.pricing import Usage
from ..models.recorded_calls import saved_seconds
from ..models.types import ModelError
from ..store.display import as_html, as_text, show
from ..store.escaping import well_formed
from ..store.memory_store import MemoryStore
from .evidence import Call, Evidence, supporting

_REASONS = 3  # a line lists only so many: a server may word every failure differently


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

    def _parts(self) -> "list[Step | Call]":
        return [*self.steps, *self.calls]

    @property
    def usage(self) -> Usage:
        """All tokens and calls, of the root model and of the sub-agents."""
        return sum((part.usage for part in self._parts()), Usage())

    @property
    def cost_usd(self) -> float | None:
        """The whole cost in dollars; None if a price is not known."""
        return total_cost(part.cost_usd for part in self._parts())

    @property
    def replayed_seconds(self) -> float:
        """How many seconds longer the query would have taken if nothing had been replayed.

        The root model's calls and the batches of sub-agent calls are made one after another. A batch takes as long as
        its slowest call, as if all of its calls were in flight at once.
        """
        total = 0.0
        for step in self.steps:
            batches = {-1: [(step.seconds, step.recorded)]}
            for call in step.calls:
                batches.setdefault(call.batch, []).append((call.seconds, call.recorded))
            total += sum(map(saved_seconds, batches.values()))
        return total

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
        for number, step in enumerate(self.steps, 1):
            parts: list[Step | Call] = [step, *step.calls]
            for part in parts:
                fields = {"kind": type(part).__name__.lower(), "step": number, **asdict(part)}
                fields.pop("calls", None)  # they have lines of their own
                lines.append(f"{json.dumps(fields, ensure_ascii=False)}\n")
        return _written("".join(lines), path)


def _written(text: str, path: str | Path | None) -> str:
    """Write the text to the path, if there is one, and return it."""
    if path is not None:
        Path(path).write_text(well_formed(text), encoding="utf-8", newline="\n")
    return text


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question.

    Args:
        text: The answer; "I don't know" if the history does not say.
        evidence: What the model cited or sub-agents found, oldest session first. Each quote was looked up in its turn.
        coverage: How many sub-agents were asked, and how many found something, found nothing or failed.
        usage: Tokens and calls, sub-agents included.
        cost_usd: Dollars; None if the price is not known.
        seconds: Wall time. `trace.replayed_seconds` says how much longer it would have been without recorded answers.
        trace: How the answer came about, step by step.
        error: Why the query ended early, in one line; "" if it did not.
        false_quotes: How many quotes of sub-agents and of the code were not in the history. `evidence` leaves them out.
        sessions_read: The numbers of the sessions that sub-agents read, in order.
        sessions: How many sessions the history has; None if that is not known.
        pieces_read, pieces: How many pieces sub-agents read, and how many there are. A long session has several pieces.
        mode: The reading: "search" or "paper". "no code" means that the model's code did not run, or
            did not end with FINAL: the engine searched instead, and the model answered from the results in one call. ""
            means that there was no query.
        model: The model that answered, as in `LLM.label`; "" if it is not known.
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
    pieces_read: int = 0
    pieces: int = 0
    mode: str = ""
    model: str = ""

    @property
    def read(self) -> str:
        """How much of the history the sub-agents read, in words; "" if they read all of it or none was asked.

        >>> Answer("Mochi", sessions_read=(3, 7), sessions=400).read
        '2 of 400 sessions read'
        >>> Answer("Mochi", sessions_read=(1,), sessions=1, pieces_read=3, pieces=50).read
        '1 of 1 sessions read (3 of 50 pieces)'
        """
        read, nothing_asked = len(self.sessions_read), not (self.sessions_read or self.coverage.asked)
        if self.sessions is None or nothing_asked or (read >= self.sessions and self.pieces_read >= self.pieces):
            return ""
        of_pieces = f" ({self.pieces_read:,} of {self.pieces:,} pieces)" if self.pieces > self.sessions else ""
        return f"{read:,} of {self.sessions:,} sessions read{of_pieces}"

    def standing_on(self) -> tuple[Evidence, ...]:
        """Return the evidence that supports the answer, best first. See `evidence.supporting`.

        >>> cat, dog = Evidence(1, None, 1, "My cat is called Mochi.", ""), Evidence(2, None, 3, "I have a dog.", "")
        >>> [found.turn for found in Answer("Mochi", (cat, dog)).standing_on()]
        [1]
        """
        return supporting(self.text, self.evidence)[0]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Answer {'; '.join(filter(None, (repr(self.text[:200]), self.read, self.error)))}>"

    def _repr_html_(self) -> str:
        return as_html(self) or ""

    def show(self, store: MemoryStore | None = None) -> None:
        """Display the answer and the turns that support it in a notebook, or print the answer in a terminal.

        Args:
            store: The history, to show the turns around each quote. Without it, only turns that a sub-agent read are
                shown.
        """
        show(self, store)


class QueryFailed(ModelError):
    """The root model gave no answer, or the sandbox for its code could not be started.

    Args:
        answer: What the query found and cost before it failed, including the failed call. `answer.error` says why the
            query failed, and `answer.text` is the last answer that came too early, or "".
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.error, answer.usage, answer.cost_usd)
        self.answer = answer

    def __reduce__(self) -> "tuple[type[QueryFailed], tuple[Answer]]":
        return type(self), (self.answer,)  # by default, pickle would call QueryFailed with the message


def total_cost(parts: Iterable[float | None]) -> float | None:
    """Return the sum of costs; None if one of them is not known.

    >>> total_cost([0.25, 0.5]), total_cost([0.25, None])
    (0.75, None)
    """
    parts = list(parts)
    return None if None in parts else sum((part for part in parts if part is not None), 0.0)
