"""What a chat tells of itself: its mode and size, and what it was asked and took. Counts, and asks nothing."""

from __future__ import annotations

from typing import Literal, TypedDict

from ..models.pricing import Usage
from ..query.trace import total_cost

Mode = Literal["normal", "memory"]
"""Who answers: the model with the whole history in its context, or MemoryRLM."""


class Figures(TypedDict):
    """What a chat was asked, and what that took.

    Args:
        queries: How many, by mode, failed ones included.
        failed: How many of them ended without a whole answer: an error was raised, or stands in the answer's `error`,
            or a stream was given up.
        calls, prompt_tokens, completion_tokens: Of all of them, replayed calls included.
        cost_usd: Likewise; None where a price is not known.
    """

    queries: dict[Mode, int]
    failed: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


class ChatStats(Figures):
    """What `MemoryChat.stats` tells.

    Args:
        model: As tables name it.
        mode: Who answers the next question: "memory" where `characters` are more than `threshold_chars`.
        characters: Of the history, as the store counts them.
        threshold_chars: Up to so many the history goes to the model as it is.
        turns, sessions: Of the store.
    """

    model: str
    mode: Mode
    characters: int
    threshold_chars: int
    turns: int
    sessions: int


class Asked:
    """The running count behind `ChatStats`.

    >>> asked = Asked()
    >>> asked.queries["memory"] += 1
    >>> asked.add(Usage(100, 20, 3), 0.25)
    >>> asked.figures()["calls"], asked.figures()["cost_usd"]
    (3, 0.25)
    """

    def __init__(self) -> None:
        self.queries: dict[Mode, int] = {"normal": 0, "memory": 0}
        self.failed = 0
        self.usage = Usage()
        self.cost_usd: float | None = 0.0

    def add(self, usage: Usage, cost_usd: float | None) -> None:
        """Count what a query took."""
        self.usage += usage
        self.cost_usd = total_cost((self.cost_usd, cost_usd))

    def figures(self) -> Figures:
        """All of it so far."""
        return {
            "queries": self.queries.copy(),
            "failed": self.failed,
            "calls": self.usage.calls,
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
            "cost_usd": self.cost_usd,
        }
