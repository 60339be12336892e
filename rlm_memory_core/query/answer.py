"""What a query gives back: the answer, its evidence, what it took, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..models.llm import ModelError
from ..models.pricing import Usage
from ..store.display import as_html, show
from .coverage import Coverage
from .evidence import Evidence, supporting
from .trace import Trace


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question.

    Args:
        text: The answer; "I don't know" where the history does not say.
        evidence: What the sub-agents found, oldest session first; each quote is in its turn.
        coverage: How many sub-agents were asked, and what became of them.
        usage: Tokens and calls, sub-agents included.
        cost_usd: Dollars; None where the price is not known.
        seconds: Wall time; `trace.replayed_seconds` is what replayed calls would have added.
        trace: How the answer came about.
        error: Why the query ended early, in one line; "" where it did not.
        false_quotes: How many quotes of sub-agents were not in the session they read, and are no evidence.
        sessions_read: The numbers of the sessions that sub-agents read and replied on, in order.
        sessions: How many sessions the history has; None where that is not known.
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

    @property
    def read(self) -> str:
        """How many sessions were read, in words, where that is not all of them; else "".

        >>> Answer("Mochi", sessions_read=(3, 7), sessions=400).read
        '2 of 400 sessions read'
        """
        if (
            self.sessions is None
            or not (self.sessions_read or self.coverage.asked)
            or len(self.sessions_read) >= self.sessions
        ):
            return ""
        return f"{len(self.sessions_read):,} of {self.sessions:,} sessions read"

    def standing_on(self) -> tuple[Evidence, ...]:
        """The evidence that the answer quotes, or else that has most of its words; what it quotes in full first.

        >>> cat, dog = Evidence(1, None, 1, "My cat is called Mochi.", ""), Evidence(2, None, 3, "I have a dog.", "")
        >>> [found.turn for found in Answer("Mochi", (cat, dog)).standing_on()]
        [1]
        """
        return supporting(self.text, self.evidence)[0]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        shown = self.text if len(self.text) <= 200 else f"{self.text[:199]}…"
        error = f"; ended early: {self.error}" if self.error else ""
        told = [repr(shown)]
        if self.coverage.asked:
            told += [f"evidence: {len(self.evidence)}", str(self.coverage), *([self.read] if self.read else [])]
        return f"<Answer {'; '.join(told)}{error}>"

    def _repr_html_(self) -> str:
        return as_html(self) or ""

    def show(self) -> None:
        """Print the answer with the turns it stands on: in a notebook opened in place, in a terminal as plain text."""
        show(self)


class QueryFailed(ModelError):
    """The root model gave no answer, or there was no sandbox to run its code in.

    Args:
        answer: What the query found and took until then, the failed call included; its `error` says why it failed
            and its `text` is "".
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.error, answer.usage, answer.cost_usd)
        self.answer = answer

    def __reduce__(self) -> tuple[type[QueryFailed], tuple[Answer]]:
        return type(self), (self.answer,)  # or a pickled one, from another process, could not be made again
