"""What a query returns: the answer with its evidence, its cost, and its trace."""

from dataclasses import dataclass, field

from ..models.pricing import Usage
from ..models.types import ModelError
from ..store.display import as_html, show
from ..store.memory_store import MemoryStore
from .evidence import Evidence, supporting
from .trace import Coverage, Trace


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
        sessions_read: The numbers of the sessions that sub-agents read, whole or in part, in order.
        sessions: How many sessions the history has; None if that is not known.
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
    mode: str = ""
    model: str = ""

    @property
    def read(self) -> str:
        """How much of the history the sub-agents read, in words; "" if they read all of it or none was asked.

        >>> Answer("Mochi", sessions_read=(3, 7), sessions=400).read
        '2 of 400 sessions read'
        """
        read, was_asked = len(self.sessions_read), self.sessions_read or self.coverage.asked
        is_part = self.sessions is not None and was_asked and read < self.sessions
        return f"{read:,} of {self.sessions:,} sessions read" if is_part else ""

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
        shown = self.text if len(self.text) <= 200 else f"{self.text[:199]}…"
        error = f"; ended early: {self.error}" if self.error else ""
        told = [repr(shown)]
        if self.coverage.asked:
            told += [f"evidence: {len(self.evidence)}", str(self.coverage), *([self.read] if self.read else [])]
        return f"<Answer {'; '.join(told)}{error}>"

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
