"""What a run will take, from the data itself, before anything is spent: calls, tokens, dollars.

An upper estimate of one pass: every sub-agent reads its session once, nothing is
replayed. The embeddings of RAG, where a model is named for them, are left out; a
judge's calls are estimated by themselves. What a model really writes is not known;
the lengths below stand for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlm_memory_core.answer import total_cost
from rlm_memory_core.pricing import Usage, cost
from rlm_memory_core.prompts import HISTORY_SYSTEM, ROOT_SYSTEM, SUBAGENT_SYSTEM
from rlm_memory_core.workspace import split

from .rag import NEIGHBOURS, TOP, TURN_CHARACTERS
from .types import Sample

CHARACTERS_PER_TOKEN = 4.0  # English prose; the paper's histories: 490,000 characters, 115,000 tokens
_ROOT_REPLIES = 3
_ROOT_TOKENS = 250  # a reply with code
_EXTRACT_TOKENS = 40  # a sub-agent's reply
_ANSWER_TOKENS = 40
_JUDGE_PROMPT_TOKENS = 300  # rubric, question, gold answer and a short answer
_JUDGE_TOKENS = 1  # yes or no


@dataclass(frozen=True, slots=True)
class Estimate:
    """What some methods over some samples will take.

    Args:
        usage: Calls and tokens.
        usd: Dollars; None where the price is not known.
    """

    usage: Usage
    usd: float | None

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(self.usage + other.usage, total_cost((self.usd, other.usd)))

    def __str__(self) -> str:
        tokens = f"{self.usage.calls:,} calls, {self.usage.total_tokens:,} tokens"
        return f"{tokens}, about ${self.usd:,.2f}" if self.usd is not None else f"{tokens}, price not known"


def estimate(
    methods: Sequence[str], samples: Sequence[Sample], window: int, rates: tuple[float, float] | None
) -> Estimate:
    """Estimate what the methods take over the samples.

    Args:
        methods: Names, as in `methods.METHODS`.
        samples: All that will be asked.
        window: Characters that truncation keeps.
        rates: Dollars per prompt and per completion token, or None.
    """
    total = Usage()
    for sample in samples:
        store = sample.store()
        pieces = [len(piece.text) for session in store.sessions for piece in split(session)]
        turns = [len(str(turn)) for turn in store.turns]
        for method in methods:
            total += usage(method, pieces, turns, window)
    return Estimate(total, cost(total, rates))


def judging(methods: int, samples: int, rates: tuple[float, float] | None) -> Estimate:
    """Estimate what judging takes: one call an answer. A judge that says neither yes nor no takes one more.

    Args:
        methods: How many there are.
        samples: How many questions each answers.
        rates: Dollars per prompt and per completion token of the judge, or None.

    >>> judging(4, 100, None).usage.calls
    400
    """
    calls = methods * samples
    total = Usage(_JUDGE_PROMPT_TOKENS * calls, _JUDGE_TOKENS * calls, calls)
    return Estimate(total, cost(total, rates))


def usage(method: str, pieces: Sequence[int], turns: Sequence[int], window: int) -> Usage:
    """What one method takes over one history of which only the sizes are known.

    Args:
        method: A name, as in `methods.METHODS`.
        pieces: Characters of each piece that one sub-agent would read.
        turns: Characters of each turn; only "rag" looks at them.
        window: Characters that truncation keeps.

    >>> usage("truncation", [20_000, 20_000], [], 16_000).calls
    1
    """
    total = sum(pieces)
    if not method.startswith("rlm"):
        read = {"full-context": total, "rag": _retrieved(turns)}.get(method, min(total, window))
        return Usage(_tokens(read + len(HISTORY_SYSTEM)), _ANSWER_TOKENS, 1)
    reading = _tokens(total + len(pieces) * len(SUBAGENT_SYSTEM))
    findings = len(pieces) * _EXTRACT_TOKENS
    root = _ROOT_REPLIES * (_tokens(len(ROOT_SYSTEM)) + _ROOT_TOKENS + findings)
    return Usage(reading + root, findings + _ROOT_REPLIES * _ROOT_TOKENS, len(pieces) + _ROOT_REPLIES)


def _retrieved(turns: Sequence[int]) -> int:
    """Characters that RAG shows at most: its top turns are the longest, each with neighbours of average length."""
    lengths = sorted((min(length, TURN_CHARACTERS) for length in turns), reverse=True)
    beside = 2 * NEIGHBOURS * TOP * sum(lengths) // max(1, len(lengths))
    return min(sum(lengths), sum(lengths[:TOP]) + beside)


def _tokens(characters: int) -> int:
    return round(characters / CHARACTERS_PER_TOKEN)
