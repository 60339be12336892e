"""The paper's methods (Section 4.2), truncation, full context, and RLM with its sub-agents in turn or at once; and RAG.

Each is a `Method`: it turns a Sample into a Prediction. Labels of the sample are
never read here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlm_memory_core.models.budget import Budget, BudgetExceeded
from rlm_memory_core.models.hedging import HEDGE
from rlm_memory_core.models.llm import LLM, OFFLINE, ModelError
from rlm_memory_core.query.answer import Answer, QueryFailed
from rlm_memory_core.query.engine import MemoryRLM
from rlm_memory_core.query.prompts import history_messages
from rlm_memory_core.query.reading import Reading
from rlm_memory_core.search.vectors import Embedder

from .rag import RAG
from .types import Method, Prediction, Sample

PAPER_WINDOW = 32_000  # characters; paper Section 5.4
SYNTHETIC_WINDOW = 16_000  # characters; paper Section 4.2


@dataclass(frozen=True)
class Context:
    """The history, or its last `window` characters, in one call.

    Args:
        llm: The model.
        window: Characters kept, counted from the end; None keeps all.
        budget: A limit, or None.
    """

    llm: LLM
    window: int | None = None
    budget: Budget | None = None

    @property
    def name(self) -> str:
        """The method's name in tables."""
        return "full-context" if self.window is None else "truncation"

    async def __call__(self, sample: Sample) -> Prediction:
        """Answer one sample."""
        started = time.perf_counter()
        history = sample.store().to_string()
        if self.window is not None:
            history = history[-self.window :]
        messages = history_messages(history, sample.question, sample.question_date)
        reply = await self.llm.complete(messages, self.budget)
        return Prediction(
            reply.text.strip(),
            prompt_tokens=reply.usage.prompt_tokens,
            completion_tokens=reply.usage.completion_tokens,
            calls=reply.usage.calls,
            cost_usd=reply.cost_usd,
            seconds=time.perf_counter() - started + (reply.seconds if reply.recorded else 0.0),
        )


@dataclass(frozen=True)
class RLM:
    """The engine over the sample's history.

    Args:
        engine: With or without parallel sub-agents; its `reading` is in the method's name.
    """

    engine: MemoryRLM

    @property
    def name(self) -> str:
        """The method's name in tables."""
        reading = self.engine.reading
        scan = "rlm-parallel" if self.engine.parallel else "rlm-sequential"
        parts = [f"rlm-ranked-{reading.first}" if reading.first else scan]
        parts += [name for name in ("recency", "facts") if getattr(reading, name)]
        return "-".join([*parts, "embeddings"] if reading.embedder else parts)

    @property
    def budget(self) -> Budget | None:
        """The engine's limit, or None."""
        return self.engine.budget

    async def __call__(self, sample: Sample) -> Prediction:
        """Answer one sample."""
        try:
            answer = await self.engine.aquery(sample.store(), sample.question, sample.question_date)
        except QueryFailed as failed:  # what was found and paid for until then belongs in the row
            answer = failed.answer
        return _prediction(answer)


def _prediction(answer: Answer) -> Prediction:
    return Prediction(
        answer.text,
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        calls=answer.usage.calls,
        cost_usd=answer.cost_usd,
        seconds=answer.seconds + answer.trace.replayed_seconds,
        coverage=answer.coverage.share,
        subagents=answer.coverage.asked,
        failed_subagents=answer.coverage.failures,
        failures=answer.coverage.reasons,
        copies=answer.coverage.copies,
        error=answer.error,
        sessions_read=tuple(number - 1 for number in answer.sessions_read),
        details={"sessions_read": len(answer.sessions_read), "false_quotes": answer.false_quotes},
    )


async def attempt(method: Method, sample: Sample) -> Prediction:
    """Ask a method; where the model or the budget fails it, the prediction has the `error` and what was used."""
    try:
        return await method(sample)
    except BudgetExceeded as error:
        return Prediction("", error=str(error))
    except ModelError as error:
        used = error.usage
        return Prediction("", used.prompt_tokens, used.completion_tokens, used.calls, error.cost_usd, error=str(error))


_MAKERS: dict[str, Callable[[LLM, int, Budget | None, LLM | None, float], Method]] = {
    "truncation": lambda llm, window, budget, embedder, hedge: Context(llm, window, budget),
    "full-context": lambda llm, window, budget, embedder, hedge: Context(llm, None, budget),
    "rag": lambda llm, window, budget, embedder, hedge: RAG(llm, embedder, budget),
    "rlm-sequential": lambda llm, window, budget, embedder, hedge: RLM(MemoryRLM(llm, budget=budget, parallel=False)),
    "rlm-parallel": lambda llm, window, budget, embedder, hedge: RLM(MemoryRLM(llm, budget=budget, hedge=hedge)),
}
METHODS = tuple(_MAKERS)


def make(
    names: Sequence[str],
    llm: LLM,
    window: int,
    budget: Budget | None = None,
    embedding_model: str = "",
    hedge: float = HEDGE,
) -> list[Method]:
    """The methods of the given names.

    Args:
        names: Some of `METHODS`.
        llm: The model of all of them.
        window: Characters that truncation keeps.
        budget: A limit shared by all, or None.
        embedding_model: What RAG ranks turns with, on the same server; "" ranks them by words.
        hedge: As for `MemoryRLM`.

    Raises:
        ValueError: A name that is none of `METHODS`, a window below 1, an embedding
            model beside the offline reader, or a hedge that is no share.
    """
    check_names(names)
    if window < 1:
        raise ValueError(f"the truncation window must be at least 1 character, not {window}")
    check_embedder(embedding_model, llm)
    embedder = llm.another(embedding_model) if embedding_model else None
    return [_MAKERS[name](llm, window, budget, embedder, hedge) for name in names]


def beyond(llm: LLM, embedder: Embedder | None = None, budget: Budget | None = None) -> list[Method]:
    """The ablation of what goes beyond the paper: the full scan, ranked reading, and what is added to it.

    Args:
        llm: The model of all of them.
        embedder: What the last method ranks with as well; None leaves it out.
        budget: A limit shared by all, or None.

    >>> from rlm_memory_core import connect
    >>> [method.name for method in beyond(connect("offline"))]  # doctest: +NORMALIZE_WHITESPACE
    ['rlm-parallel', 'rlm-ranked-5', 'rlm-ranked-10', 'rlm-ranked-20',
     'rlm-ranked-10-recency', 'rlm-ranked-10-facts']
    """
    readings = [Reading(), *(Reading(first) for first in (5, 10, 20)), Reading(10, recency=True)]
    readings.append(Reading(10, facts=True))
    if embedder is not None:
        readings.append(Reading(10, embedder, facts=True))
    return [RLM(MemoryRLM(llm, budget=budget, reading=reading)) for reading in readings]


def check_embedder(embedding_model: str, llm: LLM) -> None:
    """See that the model's server can embed, as far as that is known.

    Raises:
        ValueError: An embedding model beside the offline reader.
    """
    if embedding_model and llm.model == OFFLINE:
        raise ValueError(f"the offline reader has no embeddings: leave embedding_model empty, not {embedding_model!r}")


def check_names(names: Sequence[str]) -> None:
    """See that there are such methods.

    Raises:
        ValueError: A name that is none of `METHODS`, or no name.
    """
    unknown = [str(name) for name in names if name not in METHODS]
    if unknown or not names:
        raise ValueError(f"no such method: {', '.join(unknown) or '(none given)'}; there are {', '.join(METHODS)}")
