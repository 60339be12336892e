"""Calls of sub-agents: what became of one, and the count of many. `subagents` makes the calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..models.pricing import Usage
from .findings import NO_EXTRACT, Extract
from .prompts import NOT_FOUND

_REASONS = 3  # named in a line: a server may word every failure differently


@dataclass(frozen=True, slots=True)
class Call:
    """One sub-agent call.

    Args:
        session: The text that the sub-agent read; "" for a prompt that the model wrote itself.
        reply: What the sub-agent replied; "" for a call that failed.
        usage: Its tokens; an estimate for a call that was stopped or timed out.
        cost_usd: Its dollars; None if the price is not known.
        started: Seconds from the start of the query to the start of the call.
        seconds: How long it took.
        recorded: Whether the reply was replayed.
        error: Why the call failed, in one line; "" if it did not.
        cut: Whether the model's token limit cut the reply off; the reply then says so.
        batch: The number of its batch. The calls of a batch went out at once; a batch begins after the code has seen
            the replies to the one before.
        number: The number of the session that it read, from 1; None if the text is no part of the history.
        date: The date of that session, or None.
        extract: What the reply quotes, looked up in the session.
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
    extract: Extract = field(default=NO_EXTRACT, repr=False, compare=False)

    @property
    def found(self) -> bool:
        """Whether the reply says anything about the question."""
        return not self.error and not is_not_found(self.reply)

    @property
    def copies(self) -> int:
        """How many further requests were sent because the reply was late or broke off; `usage` includes them."""
        return max(self.usage.calls - 1, 0)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts what became of the calls of a query: asked = found + not_found + failed.

    Args:
        asked: All calls.
        found: Calls that found something.
        not_found: Calls that found nothing.
        failed: Calls without a reply, counted by reason.
        cut: How many of the calls that found something were cut off at the model's token limit.
        copies: Further requests, sent because a reply was late or broke off. The text does not mention them, so that
            the root model's prompt does not depend on the server's speed.

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
        """Count calls, such as those of a query or of one of its steps."""
        failed = Counter(call.error for call in calls if call.error)
        found = sum(call.found for call in calls)
        cut = sum(call.found and call.cut for call in calls)
        copies = sum(call.copies for call in calls)
        return cls(len(calls), found, len(calls) - found - failed.total(), dict(failed.most_common()), cut, copies)

    @property
    def answered(self) -> int:
        """Calls that found something or nothing."""
        return self.found + self.not_found

    @property
    def share(self) -> float | None:
        """Answered over asked; None if nothing was asked."""
        return self.answered / self.asked if self.asked else None

    @property
    def failures(self) -> int:
        """Calls without a reply."""
        return sum(self.failed.values())

    @property
    def reasons(self) -> str:
        """Why calls failed, the most frequent reasons first; "" if none failed."""
        named = [f"{count}x {reason}" for reason, count in list(self.failed.items())[:_REASONS]]
        others = sum(list(self.failed.values())[_REASONS:])
        return "; ".join([*named, f"{others}x for other reasons"] if others else named)

    def __str__(self) -> str:
        cut = f" ({self.cut} of them cut off)" if self.cut else ""
        agents = "sub-agent" if self.asked == 1 else "sub-agents"
        text = f"asked {self.asked} {agents}: {self.found} found something{cut}, {self.not_found} found nothing"
        return f"{text}, {self.failures} failed ({self.reasons})" if self.failed else text


def is_not_found(reply: str) -> bool:
    """Whether a sub-agent replies that its session says nothing, with or without marks around that word.

    >>> is_not_found(" NOT_FOUND. "), is_not_found("The file was NOT_FOUND, he said.")
    (True, False)
    """
    return reply.strip().strip("`*'\".").strip().upper() == NOT_FOUND
