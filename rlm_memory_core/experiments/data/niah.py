"""Needle in a haystack: chats of small talk that hide three facts, and a question about the first of them.

Rebuilt from the shape of the paper's generator (Section 4.1), in our own words:
the lengths are the paper's, the sentences are not. Everything comes from seeds;
nothing is read or downloaded. One undated session a sample.

Where the facts fall decides what truncation can find. The order of the draws is not
known; it was chosen so that the paper's seeds give the paper's 0.2 at 200 pairs. Over
many seeds the expected share is near 0.3 (`share_in_window` measures it).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from .smalltalk import chatter, session
from ..types import Sample

FACTS = 3  # the question asks for the earliest; the others distract

_COLOURS = ("teal", "crimson", "amber", "violet", "olive", "turquoise", "maroon", "indigo")
_PETS = ("Mochi", "Biscuit", "Pepper", "Waffles", "Juniper", "Nimbus", "Clover", "Ziggy")
_TOWNS = ("Nairobi", "Lisbon", "Kyoto", "Tromsø", "Cusco", "Ghent", "Tbilisi", "Adelaide")
_CODENAMES = ("Blue Heron", "Iron Lantern", "Quiet Harbour", "Paper Tiger", "Glass Falcon", "Copper Moon")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

# A fact: how its value is drawn, how the user tells it, and what is asked about it.
# The home town is told without the words of its question: a keyword search must do more than match.
_Draw = Callable[[random.Random], str]
_KINDS: dict[str, tuple[_Draw, str, str]] = {
    "colour": (
        lambda rng: rng.choice(_COLOURS),
        "By the way, of all the colours in the world my favourite one is {}.",
        "What is my favourite colour?",
    ),
    "number": (
        lambda rng: str(rng.randint(100, 999)),
        "In case it ever comes up in a game, my lucky number has always been {}.",
        "What is my lucky number?",
    ),
    "pet": (
        lambda rng: rng.choice(_PETS),
        "We adopted a small dog from the shelter, and we have called it {}.",
        "What is the name of my dog?",
    ),
    "home town": (
        lambda rng: rng.choice(_TOWNS),
        "I grew up in {}, and I still miss the street markets there sometimes.",
        "What is my home town?",
    ),
    "codename": (
        lambda rng: rng.choice(_CODENAMES),
        "Please keep this between us: the codename of our project is {}.",
        "What is the codename of my project?",
    ),
    "budget": (
        lambda rng: f"${rng.randint(11, 99)},{rng.randint(100, 999)}",
        "Finance came back to us, and the approved budget for the launch is {}.",
        "What is the approved budget for the launch?",
    ),
    "metric": (
        lambda rng: f"{rng.randint(11, 89)}.{rng.randint(1, 9)}%",
        "The quarterly figures are in: our customer retention rate was {}.",
        "What was our customer retention rate?",
    ),
    "anniversary": (
        lambda rng: f"{rng.choice(_MONTHS)} {rng.randint(1, 28)}",
        "Help me never to forget it: our wedding anniversary is on {}.",
        "When is our wedding anniversary?",
    ),
    "PIN": (
        lambda rng: f"{rng.randint(1000, 9999)}",
        "I know that I should not say it, but the PIN of my locker is {}.",
        "What is the PIN of my locker?",
    ),
    "magic number": (
        lambda rng: f"{rng.randint(10_000, 99_999)}",
        "Please keep this one safe for later: the magic number is {}.",
        "What is the magic number?",
    ),
}


def load(turns: Sequence[int] = (20, 50, 100, 200), runs: int = 5, seed: int = 100) -> list[Sample]:
    """One sample per length and run, the shortest first as listed.

    A length N is N pairs of a user's and an assistant's turn, of which three user
    turns are facts. Run r, counted from 1, at length N draws from `seed * r + N`.

    Args:
        turns: Lengths in pairs, each at least 3.
        runs: Samples per length, at least 1.
        seed: The multiplier of the run.

    Raises:
        ValueError: A length or the number of runs is too small, or no length is given.

    Example:
        >>> sample = load(turns=[20], runs=1)[0]
        >>> sample.id, pairs(sample), sample.evidence
        ('niah-20-1', 20, (0,))

    Source:
        Paper, Section 4.1 and Table 2.
    """
    if not turns or min(turns) < FACTS:
        raise ValueError(f"turns needs lengths of at least {FACTS} pairs, not {list(turns)}")
    if runs < 1:
        raise ValueError(f"runs must be at least 1, not {runs}")
    return [_sample(length, run, random.Random(seed * run + length)) for length in turns for run in range(1, runs + 1)]


def content_characters(sample: Sample) -> int:
    """Characters of what was said, without the `[Turn n][role]:` prefixes; what the paper's Table 2 prints."""
    return sum(len(turn.content) for session in sample.sessions for turn in session.turns)


def pairs(sample: Sample) -> int:
    """Pairs of a user's and an assistant's turn; what the paper calls turns."""
    return sum(len(session.turns) for session in sample.sessions) // 2


def share_in_window(samples: Sequence[Sample], window: int) -> float:
    """The share of samples whose fact lies in the last `window` characters: what truncation can find at best."""
    return sum(sample.answer in sample.store().to_string()[-window:] for sample in samples) / len(samples)


def _sample(length: int, run: int, rng: random.Random) -> Sample:
    # in this order the paper's seeds lose 4 facts of 5 at 200 pairs and ask for a home town at 50, as Table 2 suggests
    kinds = rng.sample(list(_KINDS), FACTS)
    positions = rng.sample(range(length), FACTS)
    said = chatter(rng, length)
    facts = []
    for position, kind in sorted(zip(positions, kinds, strict=True)):
        draw, told, asked = _KINDS[kind]
        value = draw(rng)
        said[position] = told.format(value)
        facts.append((asked, value))
    question, answer = facts[0]
    return Sample(
        id=f"niah-{length}-{run}",
        kind=f"{length} pairs",
        question=question,
        answer=answer,
        sessions=(session(said),),
        evidence=(0,),
    )
