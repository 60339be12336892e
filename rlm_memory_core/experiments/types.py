"""The whole contract of an experiment: a Sample goes in, a Method answers, a Prediction comes out.

A benchmark is a function that returns Samples; a method is anything with a name
and an async call. Nothing here knows a particular benchmark, method or model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from rlm_memory_core.store.memory_store import MemoryStore


class ChatTurn(NamedTuple):
    """One message of a history: who said it, and what."""

    role: str
    content: str


class ChatSession(NamedTuple):
    """One dated conversation; `date` is None where the benchmark has none."""

    date: str | None
    turns: Sequence[ChatTurn]


@dataclass(frozen=True)
class Sample:
    """One question over one history.

    Only `question`, `question_date` and `sessions` may reach a model. `answer`,
    `kind`, `abstain` and `evidence` are labels: for scoring alone.

    Args:
        id: The question's id in its benchmark.
        kind: The question's type, such as "temporal-reasoning".
        question: What is asked.
        answer: The gold answer, as a string.
        sessions: The history, oldest session first.
        question_date: The day on which it is asked, as the benchmark writes it.
        abstain: True where the right answer is that the history does not say.
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
        """The history as a fresh in-memory store."""
        store = MemoryStore()
        with store.transaction():
            for session in self.sessions:
                if session.date is not None or len(self.sessions) > 1:
                    store.start_session(session.date)
                store.extend(session.turns)
        return store


@dataclass(frozen=True)
class Prediction:
    """What a method answered, and what it took.

    Args:
        text: The answer; "" where the method failed.
        prompt_tokens, completion_tokens: Over all calls of the question, sub-agents included.
        calls: Model calls, sub-agents included.
        cost_usd: Dollars, or None where the model's price is not known.
        seconds: Wall time, and what replayed calls took when they were recorded: a replay is no faster than a run.
        coverage: Share of the asked sub-agents that answered, or None where there were none.
        subagents: How many were asked.
        failed_subagents: Those that gave no answer, whether or not the method did.
        failures: Why they gave none, in one line.
        copies: Further requests that went out for calls of sub-agents that were late; they are in `calls`.
        error: One line, where the method failed.
        sessions_read: Positions in `Sample.sessions` of what sub-agents read; None where there were none.
        details: Anything more that a report may want, by name.
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
    details: dict[str, float] = field(default_factory=dict)


class Method(Protocol):
    """A way to answer a question over a history."""

    @property
    def name(self) -> str:
        """How tables and files call it, such as "rlm-parallel"."""

    async def __call__(self, sample: Sample) -> Prediction:
        """Answer one sample."""
