"""Draws questions balanced over their types; knows only ids and types, no benchmark."""

import random
from collections import Counter
from collections.abc import Sequence


def balanced(questions: Sequence[tuple[str, str]], size: int, seed: int) -> list[str]:
    """Draws ids from every type in turn, so that any beginning of the draw is balanced as well.

    Args:
        questions: Ids and types; their order does not matter.
        size: The number of questions.
        seed: The seed; a smaller draw with the same seed is the beginning of a larger one.

    Raises:
        ValueError: `size` is below 1, or there are fewer questions.

    >>> balanced([("a", "x"), ("b", "x"), ("c", "y")], size=2, seed=0)
    ['a', 'c']
    """
    kinds = Counter(kind for _, kind in questions)
    if not 1 <= size <= len(questions):
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        raise ValueError(f"cannot draw {size} of {len(questions)} questions ({counts})")
    rng = random.Random(seed)
    piles = []
    for kind in sorted(kinds):
        pile = sorted(question for question, of in questions if of == kind)
        rng.shuffle(pile)
        piles.append(pile)
    rounds = range(max(map(len, piles)))
    return [pile[turn] for turn in rounds for pile in piles if turn < len(pile)][:size]
