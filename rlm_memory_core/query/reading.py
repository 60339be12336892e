"""How a history is read, beyond the paper: which sessions first, and in what form the findings come back.

A `Reading` only says what is wanted; `prompts` tells the root model of it, and `session_reader` does it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..search.vectors import Embedder


@dataclass(frozen=True, slots=True)
class Reading:
    """What the root model is told to do, and given to do it with. Without arguments: the paper's full scan.

    Each argument can be set by itself, so that what it brings can be measured.

    Args:
        first: The sessions that are read first, those that rank best for the question; further waves are
            read only while what was found does not settle the question, up to all sessions. None: all
            sessions at once, as in the paper (Section 3.1).
        embedder: `rank_sessions` compares meanings too (see `ranking`); its calls count into the answer's usage and
            dollars, and its budget is the engine's. None: words and dates alone.
        facts: Sub-agents are asked for a day and a value beside each quote. The code gets checked facts from
            `read_facts`, in the order in which they were said, newest last; quotes that are not in their session are
            dropped, and counted in `Answer.false_quotes`.
        recency: Findings reach the code in the order in which they were said, newest last, from `read_sessions`, and
            the root model is told that of two that contradict one another the last is right. With `facts` this is so
            in any case.

    Raises:
        ValueError: `first` is below 1.

    >>> Reading(first=10, facts=True).in_order
    True
    """

    first: int | None = None
    embedder: Embedder | None = None
    facts: bool = False
    recency: bool = False

    def __post_init__(self) -> None:
        if self.first is not None and self.first < 1:
            raise ValueError(f"first must be at least 1 session, not {self.first}; None reads all of them")

    @property
    def in_order(self) -> bool:
        """Whether findings come in the order in which they were said."""
        return self.facts or self.recency
