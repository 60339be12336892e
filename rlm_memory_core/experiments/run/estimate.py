"""Estimates what a run will take, from the data, before anything is spent: calls, tokens, dollars, minutes.

An upper estimate of one pass: every sub-agent reads its session once, and nothing is replayed. Two methods may take
more. For ranked reading the estimate counts the first three waves, and it goes on through all sessions if it finds
nothing; for the search reading it counts one further search, as a strong model makes. How much a model writes and how
long it takes are unknown; the lengths and seconds below are assumptions. A judge's calls are estimated separately.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from rlm_memory_core.models.llm import LLM, OFFLINE
from rlm_memory_core.models.normalise import batches
from rlm_memory_core.models.pricing import Usage, cost
from rlm_memory_core.query.answer import total_cost
from rlm_memory_core.query.prompts import HISTORY_SYSTEM, ROOT_SYSTEM, SEARCH_SYSTEM, SUBAGENT_SYSTEM
from rlm_memory_core.search.word_index import split

from ..methods import NEIGHBOURS, SEARCHED, TOP, TURN_CHARACTERS
from ..types import Sample

CHARACTERS_PER_TOKEN = 4.0  # English prose; the paper's histories: 490,000 characters, 115,000 tokens
_ROOT_REPLIES = 3
_SEARCH_REPLIES = 2  # of the search reading: one searches again, one answers
_SEARCH_CHARACTERS = 2_000  # that a search shows
_ROOT_TOKENS = 250  # a reply with code
_ANSWER_TOKENS = 40  # an answer, or a sub-agent's reply
_ROOT_SECONDS = 3.0  # a reply of the root model, or an answer
_CALL_SECONDS = 1.0  # median of a sub-agent's call, lognormal with this sigma
_CALL_SIGMA = 0.5
_SLOTS = 256  # sub-agent calls in flight
_RANKED = re.compile(r"rlm-ranked-(\d+)")  # sessions per wave; three waves are counted
_JUDGE_PROMPT_TOKENS = 300  # rubric, question, gold answer and a short answer
_JUDGE_TOKENS = 1  # yes or no


@dataclass(frozen=True, slots=True)
class Estimate:
    """The expected cost of some methods over some samples.

    Args:
        usage: Calls and tokens.
        usd: Dollars; None if the price is unknown.
        seconds: Assumed time of waiting for a model; None if none is asked.
    """

    usage: Usage
    usd: float | None
    seconds: float | None = None

    def __str__(self) -> str:
        parts = [f"{self.usage.calls:,} calls", f"{self.usage.total_tokens:,} tokens"]
        parts.append(f"about ${self.usd:,.2f}" if self.usd is not None else "price not known")
        if self.seconds is not None:
            parts.append(
                f"about {math.ceil(self.seconds / 60):,} min at an assumed {_ROOT_SECONDS:g} s a root reply "
                f"and {_CALL_SECONDS:g} s a sub-agent's"
            )
        return ", ".join(parts)

    def __add__(self, other: "Estimate") -> "Estimate":
        seconds = [part for part in (self.seconds, other.seconds) if part is not None]
        return Estimate(self.usage + other.usage, total_cost([self.usd, other.usd]), sum(seconds) if seconds else None)


NOTHING = Estimate(Usage(), 0.0)


def estimate(
    methods: Sequence[str], samples: Sequence[Sample], window: int, llm: LLM, embedder: LLM | None = None
) -> Estimate:
    """Estimates what the methods take over the samples.

    Args:
        methods: Names, as in `methods.METHODS`.
        samples: The questions, asked one after another.
        window: Characters that truncation keeps.
        llm: The model, for its price and its limits per minute; it is not asked.
        embedder: The model that embeds turns for "rag" and for ranked reading with embeddings, or None.
    """
    total, embedded, waited = Usage(), Usage(), 0.0
    sized: object = None
    for sample in samples:
        if sized is not sample.sessions:  # consecutive questions may share a history
            pieces, sized = piece_sizes(sample), sample.sessions
            turns = [turn for session in sample.numbered() for turn in session.turns]
            lengths = [len(str(turn)) for turn in turns]
        for method in methods:
            total += usage(method, pieces, lengths, window)
            waited += seconds(method, sessions_read(method, len(pieces)))
            if embedder is not None and (method == "rag" or method.endswith("-embeddings")):
                embedded += _embedding([sample.question, *(turn.content for turn in turns)])
                waited += _CALL_SECONDS
    all_usage = total + embedded
    waited = max(
        waited,
        60 * all_usage.calls / (llm.requests_per_minute or math.inf),
        60 * all_usage.total_tokens / (llm.tokens_per_minute or math.inf),
    )
    dollars = [cost(total, llm.rates), cost(embedded, embedder.rates) if embedder else 0.0]
    return Estimate(all_usage, total_cost(dollars), None if llm.model == OFFLINE else waited)


def piece_sizes(sample: Sample) -> list[int]:
    """Returns the characters of each piece of a history that one sub-agent would read."""
    return [len(piece.text) for session in sample.numbered() for piece in split(session)]


def judging(methods: int, samples: int, rates: tuple[float, float] | None) -> Estimate:
    """Estimates what judging takes: one call per answer. A judge that says neither yes nor no takes one more.

    Args:
        methods: The number of methods.
        samples: The number of questions each answers.
        rates: Dollars per prompt and per completion token of the judge, or None.

    >>> judging(4, 100, None).usage.calls
    400
    """
    calls = methods * samples
    total = Usage(_JUDGE_PROMPT_TOKENS * calls, _JUDGE_TOKENS * calls, calls)
    return Estimate(total, cost(total, rates))


def usage(method: str, pieces: Sequence[int], turns: Sequence[int], window: int) -> Usage:
    """Estimates what one method takes over one history, from sizes only and without embeddings.

    Args:
        method: A name, as in `methods.METHODS`.
        pieces: Characters of each piece that one sub-agent would read.
        turns: Characters of each turn; only "rag" looks at them.
        window: Characters that truncation keeps.

    >>> usage("truncation", [20_000, 20_000], [], 16_000).calls
    1
    """
    count = sessions_read(method, len(pieces))
    total = sum(pieces) * count // max(1, len(pieces)) if method.startswith("rlm") else sum(pieces)
    if not method.startswith("rlm"):
        read = {"full-context": total, "rag": _retrieved(turns)}.get(method, min(total, window))
        return Usage(_tokens(read + len(HISTORY_SYSTEM)), _ANSWER_TOKENS, 1)
    if method == SEARCHED:
        seen = min(_SEARCH_CHARACTERS, sum(pieces))  # after k replies k + 1 searches are in the conversation
        sent = [_tokens(len(SEARCH_SYSTEM) + (k + 1) * seen) + k * _ROOT_TOKENS for k in range(_SEARCH_REPLIES)]
        return Usage(sum(sent), len(sent) * _ROOT_TOKENS, len(sent))
    reading = _tokens(total + count * len(SUBAGENT_SYSTEM))
    findings = count * _ANSWER_TOKENS
    root = _ROOT_REPLIES * (_tokens(len(ROOT_SYSTEM)) + _ROOT_TOKENS + findings)
    return Usage(reading + root, findings + _ROOT_REPLIES * _ROOT_TOKENS, count + _ROOT_REPLIES)


def sessions_read(method: str, pieces: int) -> int:
    """Returns the assumed number of pieces of a history that sub-agents read.

    >>> [sessions_read(method, 50) for method in ("rlm-parallel", "rlm-ranked-10", "rlm-ranked-20", "rlm-search")]
    [50, 30, 50, 0]
    """
    if method == SEARCHED:
        return 0
    ranked = _RANKED.match(method)
    return min(pieces, 3 * int(ranked[1])) if ranked else pieces


def seconds(method: str, calls: int) -> float:
    """Returns the assumed time that one question waits for its model.

    Args:
        method: A name, as in `methods.METHODS`.
        calls: Calls of sub-agents.

    >>> seconds("truncation", 50), round(seconds("rlm-sequential", 50)), round(seconds("rlm-parallel", 50))
    (3.0, 66, 12)
    """
    if not method.startswith("rlm") or not calls:
        return _ROOT_SECONDS * (_SEARCH_REPLIES if method == SEARCHED else 1)
    mean = _CALL_SECONDS * math.exp(_CALL_SIGMA**2 / 2)
    if method == "rlm-sequential":
        return _ROOT_REPLIES * _ROOT_SECONDS + calls * mean
    at_once = min(calls, _SLOTS)
    slowest = _CALL_SECONDS * math.exp(_CALL_SIGMA * NormalDist().inv_cdf(at_once / (at_once + 1)))
    return _ROOT_REPLIES * _ROOT_SECONDS + slowest + (calls - at_once) * mean / _SLOTS


def _embedding(texts: Sequence[str]) -> Usage:
    """Estimates the embedding of a question and all turns."""
    cut = [text[:TURN_CHARACTERS] for text in texts]
    return Usage(_tokens(sum(map(len, cut))), 0, sum(1 for _ in batches(cut)))


def _retrieved(turns: Sequence[int]) -> int:
    """Characters that RAG shows at most: the longest turns, each with neighbours of average length."""
    lengths = sorted((min(length, TURN_CHARACTERS) for length in turns), reverse=True)
    beside = 2 * NEIGHBOURS * TOP * sum(lengths) // max(1, len(lengths))
    return min(sum(lengths), sum(lengths[:TOP]) + beside)


def _tokens(characters: int) -> int:
    return round(characters / CHARACTERS_PER_TOKEN)
