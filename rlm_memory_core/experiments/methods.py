"""The methods of the experiments by name: RLM with its sub-agents one by one or at once, and those of `single_call`.

Each is a `Method`: it turns a Sample into a Prediction, and never reads the labels of the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlm_memory_core.models.budget import Budget, BudgetExceeded
from rlm_memory_core.models.hedging import HEDGE
from rlm_memory_core.models.llm import LLM, OFFLINE, ModelError
from rlm_memory_core.query.answer import QueryFailed
from rlm_memory_core.query.engine import MemoryRLM
from rlm_memory_core.query.reading import Reading
from rlm_memory_core.search.vectors import Embedder

from .single_call import RAG, Context
from .types import Method, Prediction, Sample

METHODS = ("truncation", "full-context", "rag", "rlm-sequential", "rlm-parallel")
FULL_SCAN = "rlm-parallel"
RANKED = "rlm-ranked-10"
PAPER_WINDOW = 32_000  # characters; paper Section 5.4
SYNTHETIC_WINDOW = 16_000  # characters; paper Section 4.2


@dataclass(frozen=True)
class RLM:
    """The engine over the sample's history.

    Args:
        engine: The engine; its `reading` is in the method's name.
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
        """Answers one sample."""
        try:
            answer = await self.engine.aquery(sample.store(), sample.question, sample.question_date)
        except QueryFailed as failed:  # the row still shows what was found and paid for
            answer = failed.answer
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
        )


async def attempt(method: Method, sample: Sample) -> Prediction:
    """Asks a method; if the model or the budget fails it, the prediction has the `error` and what was used."""
    try:
        return await method(sample)
    except BudgetExceeded as error:
        return Prediction("", error=str(error))
    except ModelError as error:
        used = error.usage
        return Prediction("", used.prompt_tokens, used.completion_tokens, used.calls, error.cost_usd, error=str(error))


def make(
    names: Sequence[str],
    llm: LLM,
    window: int,
    budget: Budget | None = None,
    embedding_model: str = "",
    hedge: float = HEDGE,
) -> list[Method]:
    """Makes the methods with the given names.

    Args:
        names: Some of `METHODS`.
        llm: The model of all of them.
        window: Characters that truncation keeps.
        budget: A limit shared by all, or None.
        embedding_model: The model that embeds turns for RAG, on the same server; "" ranks them by words.
        hedge: As for `MemoryRLM`.

    Raises:
        ValueError: A name is not in `METHODS` or there is none, the window is below 1, an embedding model is named for
            the offline reader, or `hedge` is not a share.
    """
    unknown = [str(name) for name in names if name not in METHODS]
    if unknown or not names:
        raise ValueError(f"no such method: {', '.join(unknown) or '(none given)'}; there are {', '.join(METHODS)}")
    if window < 1:
        raise ValueError(f"the truncation window must be at least 1 character, not {window}")
    check_embedder(embedding_model, llm)
    embedder = llm.another(embedding_model) if embedding_model else None
    makers: dict[str, Callable[[], Method]] = {
        "truncation": lambda: Context(llm, window, budget),
        "full-context": lambda: Context(llm, None, budget),
        "rag": lambda: RAG(llm, embedder, budget),
        "rlm-sequential": lambda: RLM(MemoryRLM(llm, budget=budget, parallel=False)),
        "rlm-parallel": lambda: RLM(MemoryRLM(llm, budget=budget, hedge=hedge)),
    }
    return [makers[name]() for name in names]


def beyond(llm: LLM, embedder: Embedder | None = None, budget: Budget | None = None) -> list[Method]:
    """Makes the methods of the ablation beyond the paper: the full scan, ranked reading, and additions to it.

    Args:
        llm: The model of all of them.
        embedder: The last method ranks with it too; None leaves that method out.
        budget: A limit shared by all, or None.

    >>> from rlm_memory_core import connect
    >>> [method.name for method in beyond(connect("offline"))]  # doctest: +NORMALIZE_WHITESPACE
    ['rlm-parallel', 'rlm-ranked-5', 'rlm-ranked-10', 'rlm-ranked-20',
     'rlm-ranked-10-recency', 'rlm-ranked-10-facts']
    """
    readings = [Reading(), Reading(5), Reading(10), Reading(20), Reading(10, recency=True), Reading(10, facts=True)]
    if embedder is not None:
        readings.append(Reading(10, embedder, facts=True))
    return [RLM(MemoryRLM(llm, budget=budget, reading=reading)) for reading in readings]


def check_embedder(embedding_model: str, llm: LLM) -> None:
    """Checks that the model's server can embed, as far as is known.

    Raises:
        ValueError: An embedding model is named for the offline reader.
    """
    if embedding_model and llm.model == OFFLINE:
        raise ValueError(f"the offline reader has no embeddings: leave embedding_model empty, not {embedding_model!r}")
