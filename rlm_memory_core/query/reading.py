"""How a history is read: the root model searches it by itself, or sends sub-agents to sessions as in the paper.

A `Reading` holds settings only. `prompts` explains them to the root model; `search_way` and `paper_way` do what they
say.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..search.vectors import Embedder

SEARCH, PAPER = "search", "paper"


@dataclass(frozen=True, slots=True)
class Reading:
    """How the root model reads a history.

    `Reading("search")`, which is `Reading()`: the root model searches single turns, looks at sessions and cites what it
    answers from; sub-agents read only what it asks them to. `Reading("paper")`: sub-agents read all sessions at once
    (Section 3.1 of the paper), or the best-ranked ones first. Each further argument can be set by itself, so that its
    effect can be measured.

    Args:
        way: "search" or "paper". None: "paper" if `first` is given, and otherwise "search".
        first: How many of the best-ranked sessions are read first. More are read, in waves, only if their findings do
            not settle the question. None: all sessions at once.
        embedder: Rankings and searches also compare meanings. Its calls count in the answer's usage and dollars and in
            the engine's budget. None: words and dates alone.

    Raises:
        ValueError: There is no such way, or `first` is below 1 or given for "search".

    >>> Reading().way, Reading(first=10).way
    ('search', 'paper')
    """

    way: str | None = None
    first: int | None = None
    embedder: Embedder | None = None

    def __post_init__(self) -> None:
        if self.way is None:
            object.__setattr__(self, "way", SEARCH if self.first is None else PAPER)
        if self.way not in (SEARCH, PAPER):
            raise ValueError(f'way must be "{SEARCH}" or "{PAPER}", not {self.way!r}; write Reading(first=10) for ten')
        if self.first is not None and self.way == SEARCH:
            raise ValueError(f'first belongs to Reading("{PAPER}"): Reading("{SEARCH}") searches by itself')
        if self.first is not None and self.first < 1:
            raise ValueError(f"first must be at least 1 session, not {self.first}; None reads all of them")
