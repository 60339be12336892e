"""Synthetic LongMemEval: five kinds of question over chats of small talk, ten of each kind.

Follows the shape of the paper's generators (Section 4.1, Table 1) in our own words: the paper says how much small talk
stands before and after a fact; the sentences (`sentences.toml`) are ours. Samples depend only on their seeds and have
no dates.
"""

import random
from collections.abc import Callable

from rlm_memory_core.query.prompts import UNKNOWN

from ..types import Sample
from .smalltalk import SENTENCES, chatter, session

_SENTENCES = SENTENCES["synthetic"]
FACTS: list[tuple[str, str, list[str]]] = [
    (fact["told"], fact["asked"], fact["values"]) for fact in _SENTENCES["facts"]
]
"""What the user tells, the question about it, and the possible values."""

UPDATES: list[tuple[str, str, str, list[str]]] = [
    (each["first"], each["later"], each["asked"], each["values"]) for each in _SENTENCES["updates"]
]
"""What the user tells first, what later, the question, and the possible values of both."""

NEVER_SAID: list[str] = _SENTENCES["never_said"]
"""Questions that no history answers."""


_Case = tuple[list[list[str]], str, str]
"""What the user says, session by session; the question; and the answer."""


def load(n_per_type: int = 10, seed: int = 42) -> list[Sample]:
    """Makes `n_per_type` samples of each kind, kind by kind.

    Sample i of a kind, counted from 0, uses the seed `seed + 37 * i`. Its history has about 50 to 130 turns, in three
    sessions for a multi-session question and in one for any other.

    Args:
        n_per_type: Samples of each kind, at least 1.
        seed: The seed of the first sample.

    Raises:
        ValueError: `n_per_type` is too small.

    Example:
        >>> sample = load(n_per_type=1)[1]
        >>> sample.id, len(sample.sessions), sample.answer
        ('multi-session-user-1', 3, 'MERIDIAN')

    Source:
        Paper, Section 4.1 and Table 1.
    """
    if n_per_type < 1:
        raise ValueError(f"n_per_type must be at least 1, not {n_per_type}")
    return [_sample(kind, number, random.Random(seed + 37 * number)) for kind in TYPES for number in range(n_per_type)]


def _sample(kind: str, number: int, rng: random.Random) -> Sample:
    said, question, answer = _GENERATORS[kind](number, rng)
    abstain = kind == "abstention"
    return Sample(
        id=f"{kind}-{number + 1}",
        kind=kind,
        question=question,
        answer=answer,
        sessions=tuple(map(session, said)),
        abstain=abstain,
        evidence=() if abstain else tuple(range(len(said))),
    )


def _single_session(number: int, rng: random.Random) -> _Case:
    told, asked, values = FACTS[number % len(FACTS)]
    value = rng.choice(values)
    return [_said(rng, (5, 15), told.format(value), (20, 50))], asked, value


def _multi_session(number: int, rng: random.Random) -> _Case:
    project = rng.choice(_SENTENCES["projects"])
    said = [_said(rng, opening.format(project), (8, 15)) for opening in _SENTENCES["project_openings"]]
    return said, "What is the name of the project that I keep telling you about?", project


def _temporal(number: int, rng: random.Random) -> _Case:
    event = _SENTENCES["events"][number % len(_SENTENCES["events"])]
    code = f"ref_{rng.randint(100, 999)}"
    told = f"Please note down a reference code for me: {code}."
    said = _said(rng, told, (10, 25), f"I have news for you: {event}.", (10, 25))
    return [said], f"Which reference code did I mention before {event}?", code


def _knowledge_update(number: int, rng: random.Random) -> _Case:
    first, later, asked, values = UPDATES[number % len(UPDATES)]
    old, new = rng.sample(values, 2)
    return [_said(rng, (5, 10), first.format(old), (15, 30), later.format(new), (10, 20))], asked, new


def _abstention(number: int, rng: random.Random) -> _Case:
    return [_said(rng, (30, 60))], NEVER_SAID[number % len(NEVER_SAID)], UNKNOWN


def _said(rng: random.Random, *parts: str | tuple[int, int]) -> list[str]:
    """Sentences in order; a pair of numbers stands for small talk of at least and at most so many sentences."""
    return [text for part in parts for text in ([part] if isinstance(part, str) else chatter(rng, rng.randint(*part)))]


_GENERATORS: dict[str, Callable[[int, random.Random], _Case]] = {
    "single-session-user": _single_session,
    "multi-session-user": _multi_session,
    "temporal-reasoning": _temporal,
    "knowledge-update": _knowledge_update,
    "abstention": _abstention,
}
TYPES = tuple(_GENERATORS)
