"""Synthetic LongMemEval: five kinds of question over chats of small talk, ten of each kind.

Rebuilt from the shape of the paper's generators (Section 4.1, Table 1), in our own
words: how much small talk stands before and after a fact is theirs, the sentences
are not. Everything comes from seeds; nothing is read or downloaded. No dates.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rlm_memory_core.query.prompts import UNKNOWN

from .smalltalk import chatter, session
from ..types import Sample


class _Case(NamedTuple):
    """What a generator makes: what the user says, session by session, and what is asked."""

    said: Sequence[Sequence[str]]
    question: str
    answer: str


# Told, asked, and what it may be. Some are told without the words of their question.
FACTS = (
    (
        "I grew up in {} and only left when I went to university.",
        "What is my home town?",
        ("Nairobi", "Lisbon", "Kyoto", "Tromsø", "Cusco", "Ghent", "Tbilisi", "Adelaide"),
    ),
    (
        "For some years now I have earned my living as a {}.",
        "What is my profession?",
        ("beekeeper", "glassblower", "cartographer", "stonemason", "locksmith", "bookbinder"),
    ),
    (
        "My sister {} is going to stay with us for a while.",
        "What is the name of my sister?",
        ("Ingrid", "Tomoko", "Beatriz", "Leila", "Siobhan", "Noor"),
    ),
    (
        "If I had to choose one dish for the rest of my life, it would be {}.",
        "What is my favourite dish?",
        ("ramen", "paella", "pierogi", "moussaka", "biryani", "goulash"),
    ),
    (
        "I have to be careful in restaurants, because I am allergic to {}.",
        "What am I allergic to?",
        ("peanuts", "shellfish", "sesame", "celery", "mustard", "walnuts"),
    ),
)

_PROJECTS = ("HELIOS", "MERIDIAN", "TOPAZ", "CASCADE", "ALBATROSS", "JUNIPER", "SEXTANT", "MONSOON")
_OPENINGS = (
    "Good morning! They have put me in charge of a project called {}.",
    "Hello again. There is news of {}: the first prototype works.",
    "I am back. Everybody who works on {} will meet the client on Thursday.",
)

_EVENTS = (
    "the board approved our plan",
    "we moved into the new building",
    "the contract was signed",
    "my flight was cancelled",
    "the kitchen was finished",
)

# Told first, told later, asked, and what both may be.
UPDATES = (
    (
        "Our project has a codename at last: it is {}.",
        "A correction about our project: the codename is {} now.",
        "What is the codename of our project now?",
        _PROJECTS,
    ),
    (
        "The weekly meeting takes place in room {}.",
        "They have moved the weekly meeting: it takes place in room {} from now on.",
        "In which room does the weekly meeting take place now?",
        tuple(map(str, range(101, 400))),
    ),
    (
        "My appointment with the dentist is on {}.",
        "The dentist called, and my appointment is on {} instead.",
        "On which day is my appointment with the dentist?",
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    ),
    (
        "I have enrolled in an evening course in {}.",
        "I have changed my evening course: I am taking {} now.",
        "Which evening course am I taking now?",
        ("pottery", "Portuguese", "astronomy", "carpentry", "fencing", "calligraphy"),
    ),
    (
        "We are going to call our boat {}.",
        "We have thought again about the boat: she is called {} now.",
        "What is our boat called now?",
        ("Kittiwake", "Saltwind", "Marigold", "Nomad", "Perseverance", "Tern"),
    ),
)

NEVER_SAID = (
    "What is my blood type?",
    "Which size of shoe do I wear?",
    "What is the number of my library card?",
    "In which year did I finish school?",
    "What was my mother's maiden name?",
    "What colour is my bicycle?",
    "How much rent do I pay?",
    "What is the name of my doctor?",
    "Which football club do I support?",
    "What is the licence plate of my car?",
)


def load(n_per_type: int = 10, seed: int = 42, types: Sequence[str] | None = None) -> list[Sample]:
    """So many samples of each kind, kind by kind.

    Sample i of a kind, counted from 0, draws from `seed + 37 * i`. Its history has some
    50 to 130 turns; a multi-session one is three sessions, any other one.

    Args:
        n_per_type: Samples of each kind, at least 1.
        seed: Of the first sample.
        types: Some of `TYPES`, in the order wanted; None for all.

    Raises:
        ValueError: The number is too small, or a kind is none of `TYPES`.

    Example:
        >>> sample = load(n_per_type=1, types=["multi-session-user"])[0]
        >>> sample.id, len(sample.sessions), sample.answer
        ('multi-session-user-1', 3, 'MERIDIAN')

    Source:
        Paper, Section 4.1 and Table 1.
    """
    chosen = TYPES if types is None else tuple(types)
    unknown = [kind for kind in chosen if kind not in _GENERATORS]
    if unknown or not chosen:
        raise ValueError(f"no such type: {', '.join(unknown) or '(none given)'}; there are {', '.join(TYPES)}")
    if n_per_type < 1:
        raise ValueError(f"n_per_type must be at least 1, not {n_per_type}")
    return [_sample(kind, number, random.Random(seed + 37 * number)) for kind in chosen for number in range(n_per_type)]


def _sample(kind: str, number: int, rng: random.Random) -> Sample:
    case = _GENERATORS[kind](number, rng)
    abstain = kind == "abstention"
    return Sample(
        id=f"{kind}-{number + 1}",
        kind=kind,
        question=case.question,
        answer=case.answer,
        sessions=tuple(map(session, case.said)),
        abstain=abstain,
        evidence=() if abstain else tuple(range(len(case.said))),
    )


def _single_session(number: int, rng: random.Random) -> _Case:
    told, asked, values = FACTS[number % len(FACTS)]
    value = rng.choice(values)
    return _Case([_said(rng, (5, 15), told.format(value), (20, 50))], asked, value)


def _multi_session(number: int, rng: random.Random) -> _Case:
    project = rng.choice(_PROJECTS)
    said = [_said(rng, opening.format(project), (8, 15)) for opening in _OPENINGS]
    return _Case(said, "What is the name of the project that I keep telling you about?", project)


def _temporal(number: int, rng: random.Random) -> _Case:
    event = _EVENTS[number % len(_EVENTS)]
    code = f"ref_{rng.randint(100, 999)}"
    told = f"Please note down a reference code for me: {code}."
    said = _said(rng, told, (10, 25), f"I have news for you: {event}.", (10, 25))
    return _Case([said], f"Which reference code did I mention before {event}?", code)


def _knowledge_update(number: int, rng: random.Random) -> _Case:
    first, later, asked, values = UPDATES[number % len(UPDATES)]
    old, new = rng.sample(values, 2)
    return _Case([_said(rng, (5, 10), first.format(old), (15, 30), later.format(new), (10, 20))], asked, new)


def _abstention(number: int, rng: random.Random) -> _Case:
    return _Case([_said(rng, (30, 60))], NEVER_SAID[number % len(NEVER_SAID)], UNKNOWN)


def _said(rng: random.Random, *parts: str | tuple[int, int]) -> list[str]:
    """Sentences in order; a pair of numbers is that much small talk, from so many sentences to so many."""
    return [text for part in parts for text in ([part] if isinstance(part, str) else chatter(rng, rng.randint(*part)))]


_GENERATORS: dict[str, Callable[[int, random.Random], _Case]] = {
    "single-session-user": _single_session,
    "multi-session-user": _multi_session,
    "temporal-reasoning": _temporal,
    "knowledge-update": _knowledge_update,
    "abstention": _abstention,
}
TYPES = tuple(_GENERATORS)
