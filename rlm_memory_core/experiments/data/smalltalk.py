"""Small talk: the everyday sentences around the facts of the generated benchmarks, in our own words.

No sentence holds a figure, a name or a fact that a question could ask for.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from ..types import ChatSession, ChatTurn

ACKNOWLEDGEMENT = "Thank you for telling me."

FILLER = (
    "The bus was late again this morning, as usual.",
    "I finally watered the plants on the balcony today.",
    "We had soup and fresh bread for lunch, very nice.",
    "My neighbour is practising the trumpet again.",
    "It has been raining on and off since breakfast.",
    "I am halfway through a rather long novel.",
    "The bakery round the corner has new opening hours.",
    "I went for a short walk along the river.",
    "Somebody left an umbrella at the office last week.",
    "I am trying to drink a little less coffee.",
    "The washing machine makes a strange noise when it spins.",
    "Our meeting ran much longer than we had planned.",
    "I could not decide what to cook, so we ordered in.",
    "The park was full of people enjoying the sunshine.",
    "I should really tidy up my desk this weekend.",
)


def chatter(rng: random.Random, count: int) -> list[str]:
    """So many sentences, drawn with replacement."""
    return rng.choices(FILLER, k=count)


def session(said: Iterable[str]) -> ChatSession:
    """An undated session in which the user says this, and the assistant acknowledges each time.

    >>> [turn.role for turn in session(["Hello."]).turns]
    ['user', 'assistant']
    """
    return ChatSession(None, [turn for text in said for turn in _pair(text)])


def _pair(text: str) -> tuple[ChatTurn, ChatTurn]:
    return ChatTurn("user", text), ChatTurn("assistant", ACKNOWLEDGEMENT)
