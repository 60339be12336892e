"""Which evidence supports an answer.

Evidence supports an answer if its words match. Nothing here checks that it proves the answer.
"""

import math
from collections import Counter
from collections.abc import Sequence

from ..models.types import UNKNOWN
from ..search.words import content_words
from .findings import Evidence as Evidence

_ANSWER, _FOUND = 20_000, 4_000  # characters compared: of the answer, of one piece of evidence
_SHARE = 0.5  # of the best weight: evidence above it supports the answer


def supporting(text: str, evidence: Sequence[Evidence]) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    """Split the evidence into what supports an answer and the rest.

    Evidence weighs as much as the words that it shares with the answer; a rare word weighs more. It supports the answer
    if it weighs half as much as the heaviest, or if the answer holds all of its words. The answer that the history does
    not say has no support.

    Args:
        text: The answer.
        evidence: What was found, oldest session first.

    Returns:
        The supporting evidence, the heaviest first; and the rest, oldest session first.

    >>> cat, dog = Evidence(1, None, 1, "My cat is called Mochi.", ""), Evidence(2, None, 3, "I have a dog.", "")
    >>> [found.quote for found in supporting("It is Mochi.", (dog, cat))[0]]
    ['My cat is called Mochi.']
    """
    said = set() if text.strip() == UNKNOWN else set(content_words(text[:_ANSWER]))
    quoted = [set(content_words(each.quote[:_FOUND])) for each in evidence]
    held = [words | set(content_words(each.text[:_FOUND])) for words, each in zip(quoted, evidence, strict=True)]
    spread = Counter(word for words in held for word in words)
    weights = [sum(math.log((len(evidence) + 1) / spread[word]) for word in words & said) for words in held]
    least = _SHARE * max(weights, default=0.0)
    on = [
        at for at, weight in enumerate(weights) if weight and (weight >= least or (quoted[at] and quoted[at] <= said))
    ]
    others = [each for at, each in enumerate(evidence) if at not in set(on)]
    return tuple(evidence[at] for at in sorted(on, key=lambda at: -weights[at])), tuple(others)
