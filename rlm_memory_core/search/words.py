"""The content words of a text: its words without those that only carry grammar."""

from __future__ import annotations

import re

# The closed classes of English: articles, pronouns, auxiliaries, prepositions, conjunctions, quantifiers,
# the commonest adverbs, and the parts of contractions ("I've" is read as "i" and "ve").
FUNCTION_WORDS = frozenset(
    "a about above across after again against ago all almost along already also although always am among an and "
    "another any anybody anyone anything are around as at away be because been before being below between both but "
    "by can cannot could d did do does doing done down during each either else enough even ever every everybody "
    "everyone everything few for from further get gets getting got had has have having he her here hers herself him "
    "himself his how i if in into is it its itself just ll m many may me might mine more most much must my myself "
    "neither no nobody none nor not nothing now of off often on once one ones only onto or other others our ours out "
    "over own per quite rather re s same shall she should since so some somebody someone something such t than that "
    "the their theirs them themselves then there these they this those though through to together too toward "
    "towards under until unto up upon us ve very was we were what whatever when whenever where whether which while "
    "who whoever whom whose why will with within without would yes yet you your yours yourself".split()
)
_WORD = re.compile(r"\w+")


def content_words(text: str) -> list[str]:
    """A text's words without the function words, each once, in lower case.

    >>> content_words("What is my cat called? My cat!")
    ['cat', 'called']
    """
    words = dict.fromkeys(word.lower() for word in _WORD.findall(text))
    return [word for word in words if word not in FUNCTION_WORDS]
