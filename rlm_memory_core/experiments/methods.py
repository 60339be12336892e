"""The methods of the experiments by name: truncation, full context (both in the paper, Section 4.2), RAG and RLM.

Each is a `Method`: it turns a Sample into a Prediction, and never reads the labels of the sample. RAG is the later
baseline of the paper's repository: the turns most like the question, by words (BM25 in the store's own index) or, with
an embedding model, by vectors, as the authors did. RLM asks its sub-agents one by one or at once, as in the paper and
its repository, or lets the root model search the history by itself, which is this package's default. `functions` makes
any other memory system a method.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rlm_memory_core.models.budget import Budget, BudgetExceeded
from rlm_memory_core.models.hedging import HEDGE
from rlm_memory_core.models.llm import LLM, OFFLINE, ModelError
from rlm_memory_core.models.normalise import Embeddings
from rlm_memory_core.models.pricing import Usage
from rlm_memory_core.query.answer import QueryFailed, total_cost
from rlm_memory_core.query.engine import MemoryRLM
from rlm_memory_core.query.prompts import history_messages
from rlm_memory_core.query.reading import PAPER, SEARCH, Reading
from rlm_memory_core.search.ranking import rank_turns
from rlm_memory_core.search.semantic import Embedder
from rlm_memory_core.store.memory_store import MemoryStore

from .functions import Function, load
from .types import Method, Prediction, Sample

FULL_SCAN, RANKED, SEARCHED = "rlm-parallel", "rlm-ranked-10", "rlm-search"
READINGS = (FULL_SCAN, RANKED, SEARCHED)  # what the curve by length compares
METHODS = ("truncation", "full-context", "rag", "rlm-sequential", FULL_SCAN, SEARCHED)
PAPER_WINDOW = 32_000  # characters; paper Section 5.4
SYNTHETIC_WINDOW = 16_000  # characters; paper Section 4.2
TURN_CHARACTERS = 2_000  # RAG neither embeds nor shows the rest of a turn
TOP = 20  # turns that RAG retrieves
NEIGHBOURS = 1  # turns that RAG shows on either side of each

_NOT_EMBEDDED = Embeddings([], Usage(), 0.0)


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
        """Answers one sample."""
        store, started = sample.store(), time.perf_counter()
        history = store.to_string()
        kept = history if self.window is None else history[-self.window :]
        return await _ask(self.llm, kept, sample, self.budget, started)


@dataclass(frozen=True)
class RAG:
    """The top turns and their neighbours, in their order, in one call.

    Args:
        llm: The model that answers.
        embedder: The model that embeds turns and question; None ranks the turns by words.
        budget: A limit, or None.
    """

    llm: LLM
    embedder: LLM | None = None
    budget: Budget | None = None
    name = "rag"

    async def __call__(self, sample: Sample) -> Prediction:
        """Answers one sample."""
        store, started, embedded = sample.store(), time.perf_counter(), _NOT_EMBEDDED
        if self.embedder is None:
            ranked: Sequence[int] = rank_turns(store, sample.question, TOP)
        else:
            texts = [turn.content[:TURN_CHARACTERS] for turn in store.turns]
            embedded = await self.embedder.embed([sample.question, *texts], self.budget)
            ranked = by_cosine(embedded.vectors[1:], embedded.vectors[0])
        history = excerpt(store, with_neighbours(ranked[:TOP], len(store)))
        return await _ask(self.llm, history, sample, self.budget, started, embedded)


async def _ask(
    llm: LLM, history: str, sample: Sample, budget: Budget | None, started: float, embedded: Embeddings = _NOT_EMBEDDED
) -> Prediction:
    reply = await llm.complete(history_messages(history, sample.question, sample.question_date), budget)
    replayed = embedded.replayed_seconds + (reply.seconds if reply.recorded else 0.0)
    paid = embedded.usage + reply.usage, total_cost([embedded.cost_usd, reply.cost_usd])
    return Prediction.of(reply.text.strip(), *paid, time.perf_counter() - started + replayed)


def by_cosine(vectors: Sequence[Sequence[float]], query: Sequence[float]) -> list[int]:
    """Returns positions of vectors, the most similar to the query first; of equals the earlier one.

    >>> by_cosine([[0.0, 1.0], [2.0, 0.1], [1.0, 1.0]], [1.0, 0.0])
    [1, 2, 0]
    """
    if not vectors:
        return []
    rows, wanted = np.asarray(vectors, dtype=float), np.asarray(query, dtype=float)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted)
    similarity = np.divide(rows @ wanted, lengths, out=np.zeros(len(rows)), where=lengths > 0)
    return [int(position) for position in np.argsort(-similarity, kind="stable")]


def with_neighbours(positions: Iterable[int], count: int) -> list[int]:
    """Returns positions and those next to them, each once and in order, within 0..count.

    >>> with_neighbours([7, 0], count=8)
    [0, 1, 6, 7]
    """
    near = {position + step for position in positions for step in range(-NEIGHBOURS, NEIGHBOURS + 1)}
    return sorted(near.intersection(range(count)))


def excerpt(store: MemoryStore, positions: Sequence[int]) -> str:
    """Serialises some turns of a history, each cut to `TURN_CHARACTERS`; a dated session keeps its marker.

    >>> store = MemoryStore()
    >>> store.extend([("user", "My cat is called Mochi."), ("assistant", "Noted."), ("user", "It rains.")])
    >>> print(excerpt(store, [0, 2]))
    [Turn 1][user]: My cat is called Mochi.
    [Turn 3][user]: It rains.
    """
    wanted = {position + 1 for position in positions}
    lines = []
    for session in store.sessions:
        found = [turn for turn in session.turns if turn.index in wanted]
        if found and session.date is not None:
            lines.append(session.marker)
        lines += [str(replace(turn, content=turn.content[:TURN_CHARACTERS])) for turn in found]
    return "\n".join(lines)


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
        scan = FULL_SCAN if self.engine.parallel else "rlm-sequential"
        name = SEARCHED if reading.way == SEARCH else f"rlm-ranked-{reading.first}" if reading.first else scan
        return f"{name}-embeddings" if reading.embedder else name

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
        read = None if self.engine.reading.way == SEARCH else tuple(number - 1 for number in answer.sessions_read)
        return Prediction.of(
            answer.text,
            answer.usage,
            answer.cost_usd,
            answer.seconds + answer.trace.replayed_seconds,
            coverage=answer.coverage.share,
            subagents=answer.coverage.asked,
            failed_subagents=answer.coverage.failures,
            failures=answer.coverage.reasons,
            copies=answer.coverage.copies,
            error=answer.error,
            sessions_read=read,
        )


async def attempt(method: Method, sample: Sample) -> Prediction:
    """Asks a method; if the model or the budget fails it, the prediction has the `error` and what was used."""
    try:
        return await method(sample)
    except BudgetExceeded as error:
        return Prediction("", error=str(error))
    except ModelError as error:
        return Prediction.of("", error.usage, error.cost_usd, error=str(error))


def make(
    names: Sequence[str | Callable[..., str]],
    llm: LLM,
    window: int,
    budget: Budget | None = None,
    embedding_model: str = "",
    hedge: float = HEDGE,
) -> list[Method]:
    """Makes the methods with the given names.

    Args:
        names: Some of `METHODS`; or functions, or their places such as "examples/full_text.py:full_text", each of which
            becomes a `functions.Function`.
        llm: The model of all of them.
        window: Characters that truncation keeps.
        budget: A limit shared by all, or None.
        embedding_model: The model that embeds turns for RAG, on the same server; "" ranks them by words.
        hedge: As for `MemoryRLM`.

    Raises:
        ValueError: A name is not in `METHODS` or there is none, two methods have one name, a place holds no function,
            the window is below 1, an embedding model is named for the offline reader, or `hedge` is not a share.
    """
    if window < 1:
        raise ValueError(f"the truncation window must be at least 1 character, not {window}")
    check_embedder(embedding_model, llm)
    embedder = llm.another(embedding_model) if embedding_model else None
    paper = Reading(PAPER)
    makers: dict[str, Callable[[], Method]] = {
        "truncation": lambda: Context(llm, window, budget),
        "full-context": lambda: Context(llm, None, budget),
        "rag": lambda: RAG(llm, embedder, budget),
        "rlm-sequential": lambda: RLM(MemoryRLM(llm, budget=budget, parallel=False, reading=paper)),
        FULL_SCAN: lambda: RLM(MemoryRLM(llm, budget=budget, hedge=hedge, reading=paper)),
        SEARCHED: lambda: RLM(MemoryRLM(llm, budget=budget, hedge=hedge, reading=Reading(SEARCH))),
    }
    unknown = [str(name) for name in names if not (callable(name) or ":" in str(name) or name in makers)]
    if unknown or not names:
        raise ValueError(
            f"no such method: {', '.join(unknown) or '(none given)'}; there are {', '.join(METHODS)}, "
            'and functions of your own, such as "my_memory.py:answer"'
        )
    made = [
        makers[name]() if name in makers else Function(load(name) if isinstance(name, str) else name, llm, budget)
        for name in names
    ]
    called = [method.name for method in made]
    if doubled := sorted({name for name in called if called.count(name) > 1}):
        raise ValueError(f"more than one method is called {', '.join(doubled)}: give each function a name of its own")
    return made


def beyond(llm: LLM, embedder: Embedder | None = None, budget: Budget | None = None) -> list[Method]:
    """Makes the methods of the ablation beyond the paper: the full scan, ranked reading, and the search reading.

    Args:
        llm: The model of all of them.
        embedder: The last method is ranked reading with it; None leaves that method out.
        budget: A limit shared by all, or None.

    >>> from rlm_memory_core import connect
    >>> [method.name for method in beyond(connect("offline"))]
    ['rlm-parallel', 'rlm-ranked-5', 'rlm-ranked-10', 'rlm-ranked-20', 'rlm-search']
    """
    readings = [Reading(PAPER), *(Reading(PAPER, first) for first in (5, 10, 20)), Reading(SEARCH)]
    if embedder is not None:
        readings.append(Reading(PAPER, 10, embedder))
    return [RLM(MemoryRLM(llm, budget=budget, reading=reading)) for reading in readings]


def check_embedder(embedding_model: str, llm: LLM) -> None:
    """Checks that the model's server can embed, as far as is known.

    Raises:
        ValueError: An embedding model is named for the offline reader.
    """
    if embedding_model and llm.model == OFFLINE:
        raise ValueError(f"the offline reader has no embeddings: leave embedding_model empty, not {embedding_model!r}")
