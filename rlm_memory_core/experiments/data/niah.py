"""Needle in a haystack: chats of small talk that hide three facts, and a question about the first of them.

Follows the shape of the paper's generator (Section 4.1) in our own words: the lengths are the paper's, the sentences
(`sentences.toml`) are ours. Each sample is one undated session and depends only on its seed.

The positions of the facts decide what truncation can find. The paper does not say in which order its generator draws.
We chose the order for which the paper's seeds give the paper's 0.2 at 200 pairs. Over many seeds the expected share is
near 0.3 (`share_in_window` measures it).
"""

import random
import re
from collections.abc import Sequence

from ..types import Sample
from .smalltalk import SENTENCES, chatter, session

FACTS = 3  # the question asks for the earliest; the others distract


def load(turns: Sequence[int] = (20, 50, 100, 200), runs: int = 5, seed: int = 100) -> list[Sample]:
    """Makes one sample per length and run, in the order of `turns`.

    Length N means N pairs of a user's and an assistant's turn; three user turns are facts. Run r, counted from 1, at
    length N uses the seed `seed * r + N`.

    Args:
        turns: Lengths in pairs, each at least 3.
        runs: Samples per length, at least 1.
        seed: The multiplier of the run.

    Raises:
        ValueError: `turns` is empty, or a length or the number of runs is too small.

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
    """Counts characters without the `[Turn n][role]:` prefixes, as the paper's Table 2 does."""
    return sum(len(turn.content) for session in sample.sessions for turn in session.turns)


def pairs(sample: Sample) -> int:
    """Counts pairs of a user's and an assistant's turn; the paper calls them turns."""
    return sum(len(session.turns) for session in sample.sessions) // 2


def share_in_window(samples: Sequence[Sample], window: int) -> float:
    """Returns the share of samples whose fact lies in the last `window` characters: the best that truncation can do."""
    return sum(sample.answer in sample.text()[-window:] for sample in samples) / len(samples)


def _sample(length: int, run: int, rng: random.Random) -> Sample:
    # in this order the paper's seeds lose 4 facts of 5 at 200 pairs and ask for a home town at 50, as Table 2 suggests
    kinds = rng.sample(range(len(SENTENCES["needles"])), FACTS)
    positions = rng.sample(range(length), FACTS)
    said = chatter(rng, length)
    facts = []
    for position, kind in sorted(zip(positions, kinds, strict=True)):
        needle = SENTENCES["needles"][kind]
        value = _value(needle["values"], rng)
        said[position] = needle["told"].format(value)
        facts.append((needle["asked"], value))
    question, answer = facts[0]
    return Sample(
        id=f"niah-{length}-{run}",
        kind=f"{length} pairs",
        question=question,
        answer=answer,
        sessions=(session(said),),
        evidence=(0,),
    )


def _value(values: Sequence[str], rng: random.Random) -> str:
    """Draws one of the values; "{11..99}" in it becomes a random number of that range."""
    chosen = rng.choice(values) if len(values) > 1 else values[0]
    return re.sub(r"\{(\d+)\.\.(\d+)\}", lambda span: str(rng.randint(int(span[1]), int(span[2]))), chosen)
