"""The contract of an experiment: a Sample goes in, a Method answers, a Prediction comes out, Results are measured.

A benchmark is a function that returns Samples; a method is anything with a name and an async call. Nothing here knows
a particular benchmark, method or model.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple, Protocol

from rlm_memory_core.models.pricing import Usage
from rlm_memory_core.store.memory_store import MemoryStore
from rlm_memory_core.store.turns import Session, Turn, serialise


class ChatTurn(NamedTuple):
    """One message of a history."""

    role: str
    content: str


class ChatSession(NamedTuple):
    """One dated conversation; `date` is None if the benchmark gives none."""

    date: str | None
    turns: Sequence[ChatTurn]


_STORED: deque[tuple[Sequence[ChatSession], MemoryStore]] = deque(maxlen=1)  # the history that was stored last


@dataclass(frozen=True)
class Sample:
    """One question over one history.

    Only `question`, `question_date` and `sessions` may reach a model. `answer`, `kind`, `abstain` and `evidence` are
    labels, for scoring only.

    Args:
        id: The question's id in its benchmark.
        kind: The question's type, such as "temporal-reasoning".
        question: The question.
        answer: The gold answer, as a string.
        sessions: The history, oldest session first.
        question_date: The date of the question, as the benchmark writes it.
        abstain: True if the right answer is that the history does not say.
        evidence: Positions in `sessions` that hold the answer.
    """

    id: str
    kind: str
    question: str
    answer: str
    sessions: Sequence[ChatSession]
    question_date: str | None = None
    abstain: bool = False
    evidence: tuple[int, ...] = ()

    def store(self) -> MemoryStore:
        """Returns the history in memory, to be read only.

        Questions that are asked one after another of the same `sessions` share a store and its indexes.
        """
        for sessions, store in tuple(_STORED):
            if sessions is self.sessions:
                return store
        store = MemoryStore()
        with store.transaction():
            for session in self.sessions:
                number = store.start_session(session.date)
                for turn in session.turns:
                    store.insert(number, *turn, timestamp="", name="")
        _STORED.append((self.sessions, store))
        return store

    def numbered(self) -> list[Session]:
        """Returns the sessions as the store has them, without storing them: for sizes."""
        indexes = count(1)
        return [
            Session(number, date, tuple(Turn(next(indexes), number, *turn, timestamp="") for turn in turns))
            for number, (date, turns) in enumerate(self.sessions, 1)
        ]

    def text(self) -> str:
        """Returns the history as one text, as the store writes it."""
        return serialise(self.numbered())


@dataclass(frozen=True)
class Prediction:
    """A method's answer and its cost.

    Args:
        text: The answer; "" if the method failed.
        prompt_tokens, completion_tokens: Over all calls of the question, sub-agents included.
        calls: Model calls, sub-agents included.
        cost_usd: Dollars, or None if the model's price is unknown.
        seconds: Wall time, plus the recorded time of replayed calls, so that a replay is no faster than a run.
        coverage: Share of the asked sub-agents that answered, or None without sub-agents.
        subagents: The number of sub-agents that were asked.
        failed_subagents: The number of sub-agents that gave no answer.
        failures: Why they gave none, in one line.
        copies: Second requests for late calls of sub-agents; `calls` includes them.
        error: Why the method failed, in one line; "" if it did not.
        sessions_read: Positions in `Sample.sessions` that sub-agents read; None for a method that does not read by
            sub-agents: the search reading's root model looks at single turns by itself.
    """

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0
    cost_usd: float | None = 0.0
    seconds: float = 0.0
    coverage: float | None = None
    subagents: int = 0
    failed_subagents: int = 0
    failures: str = ""
    copies: int = 0
    error: str = ""
    sessions_read: tuple[int, ...] | None = None

    @classmethod
    def of(cls, text: str, usage: Usage, cost_usd: float | None, seconds: float = 0.0, **others: Any) -> "Prediction":
        """Makes a prediction from the usage of its calls. `others` are further fields."""
        return cls(text, usage.prompt_tokens, usage.completion_tokens, usage.calls, cost_usd, seconds, **others)


class Method(Protocol):
    """A way to answer a question over a history."""

    @property
    def name(self) -> str:
        """The name in tables and files, such as "rlm-parallel"."""

    async def __call__(self, sample: Sample) -> Prediction:
        """Answers one sample."""


@dataclass(frozen=True, slots=True)
class Result:
    """One measured number.

    Args:
        id: Its name, as in `paper.toml`, such as "table5.rlm.em".
        value: The number.
        n: The number of questions or runs that it covers.
        low, high: Its 95% interval, if it has one.
    """

    id: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None
