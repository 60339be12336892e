"""What became of the sub-agents that were asked: one call, and the count of many.

Nothing is asked here; `subagents` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..models.pricing import Usage
from .prompts import NOT_FOUND

_REASONS = 3  # named in a line: a server may word every failure anew


@dataclass(frozen=True, slots=True)
class Call:
    """One sub-agent call.

    Args:
        session: The text it was asked to read; "" for a prompt of the model's own making.
        reply: What it said; "" where it failed.
        usage: Its tokens; an estimate where it was stopped or timed out.
        cost_usd: Its dollars; None where the price is not known.
        started: Seconds from the query's start to the call's.
        seconds: How long it took.
        recorded: Whether it was replayed.
        error: Why it failed, in one line; "" where it did not.
        cut: Whether the reply ends where the model's token limit did; it then says so itself.
        batch: Calls of one batch went out at once: a batch begins when the one before it has ended, and the code knows
            what came of it.
        number: The number of the session it read, from 1; None where the text is none of the history's.
        date: That session's date, or None.
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

    @property
    def found(self) -> bool:
        """Whether the reply says anything on the question."""
        return not self.error and not is_not_found(self.reply)

    @property
    def copies(self) -> int:
        """Further requests that were sent for its answer, as it was late or broke on its way; they are in its usage."""
        return max(self.usage.calls - 1, 0)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was asked of sub-agents, and what became of it: asked = found + not_found + failed.

    Args:
        asked: Calls.
        found: Those that found something.
        not_found: Those that found nothing.
        failed: Those that gave no answer, counted by the reason.
        cut: How many of the findings the model did not finish.

    `copies` says how many further requests went out for calls that were late, or whose answer broke on its way. It is
    not in the text, which the root model is shown: what it is told does not depend on the server's mood.

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
    def of(cls, calls: Sequence[Call]) -> Coverage:
        """Count the calls of a query, or of one step of it."""
        failed = Counter(call.error for call in calls if call.error)
        found = sum(call.found for call in calls)
        cut = sum(call.found and call.cut for call in calls)
        copies = sum(call.copies for call in calls)
        return cls(len(calls), found, len(calls) - found - failed.total(), dict(failed.most_common()), cut, copies)

    @property
    def answered(self) -> int:
        """Calls that came back, with something or with nothing."""
        return self.found + self.not_found

    @property
    def share(self) -> float | None:
        """Answered over asked; None where nothing was asked."""
        return self.answered / self.asked if self.asked else None

    @property
    def failures(self) -> int:
        """Calls that gave no answer."""
        return sum(self.failed.values())

    @property
    def reasons(self) -> str:
        """Why calls failed, the most frequent reasons first; "" where none did."""
        named = [f"{count}x {reason}" for reason, count in list(self.failed.items())[:_REASONS]]
        others = sum(list(self.failed.values())[_REASONS:])
        return "; ".join([*named, f"{others}x for other reasons"] if others else named)

    def __str__(self) -> str:
        cut = f" ({self.cut} of them cut off)" if self.cut else ""
        agents = "sub-agent" if self.asked == 1 else "sub-agents"
        text = f"asked {self.asked} {agents}: {self.found} found something{cut}, {self.not_found} found nothing"
        return f"{text}, {self.failures} failed ({self.reasons})" if self.failed else text


def is_not_found(reply: str) -> bool:
    """Whether a sub-agent says that its session holds nothing, however it dressed that up.

    >>> is_not_found(" NOT_FOUND. "), is_not_found("The file was NOT_FOUND, he said.")
    (True, False)
    """
    return reply.strip().strip("`*'\".").strip().upper() == NOT_FOUND
