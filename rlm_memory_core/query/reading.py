"""How a history is read, beyond the paper: which sessions first, and in what form findings come back.

A `Reading` holds settings only. `prompts` explains them to the root model; `session_reader` does what they say.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..search.vectors import Embedder


@dataclass(frozen=True, slots=True)
class Reading:
    """How the root model reads a history. Without arguments: all sessions at once, as in the paper (Section 3.1).

    Each argument can be set by itself, so that its effect can be measured.

    Args:
        first: How many of the best-ranked sessions are read first. More are read, in waves, only if their findings do
            not settle the question. None: all sessions at once.
        embedder: `rank_sessions` also compares meanings (see `search.ranking`). Its calls count in the answer's usage
            and dollars and in the engine's budget. None: words and dates alone.
        facts: Sub-agents give a day and a value with each quote. The code gets checked facts from `read_facts`, in
            the order in which they were said, newest last. Quotes that are not in their session are dropped and
            counted in `Answer.false_quotes`.
        recency: The code gets findings from `read_sessions` in the order in which they were said, newest last. The
            prompt says that the last of two contradicting findings is right. `facts` includes this.

    Raises:
        ValueError: `first` is below 1.

    >>> Reading(first=10, facts=True).first
    10
    """

    first: int | None = None
    embedder: Embedder | None = None
    facts: bool = False
    recency: bool = False

    def __post_init__(self) -> None:
        if self.first is not None and self.first < 1:
            raise ValueError(f"first must be at least 1 session, not {self.first}; None reads all of them")
