"""What a model that writes no code is shown: the turns that a search with the question finds, as a short history.

Small models answer better from little, and some servers take 2,000 tokens in all: the record starts small, and shrinks
where it is still too long.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from ..store.turns import Session, Turn, serialise
from .evidence import Evidence, supporting
from .excerpts import excerpt
from .search_tools import SearchTools

ROOMS = (4_000, 2_000, 800)
"""Characters of the record, each tried where the one before is too long."""

_HITS, _SESSIONS = 8, 3  # turns that are found, and best sessions whose turns by the user follow
_TURN = 500  # characters of one turn
_QUOTED = 5  # pieces of evidence
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


async def record(tools: SearchTools, room: int) -> tuple[str, list[Turn]]:
    """The turns that fit the question best, in at most `room` characters of content, in the order of the history.

    Returns:
        The record as text, and its turns as they are stored.
    """
    hits = (await tools.best())[:_HITS]
    best = list(dict.fromkeys(hit.turn.session for hit in hits))[:_SESSIONS]
    of_user = [turn for number in best for turn in tools.listing.session(number) if turn.role != "assistant"]
    shown: dict[int, Turn] = {}
    for turn, text in [
        *((hit.turn, excerpt(hit, _TURN)) for hit in hits),
        *((t, t.content[:_TURN]) for t in of_user),
    ]:
        if turn.index not in shown and len(text) <= room:
            shown[turn.index] = replace(turn, content=text)
            room -= len(text)
    turns = [shown[index] for index in sorted(shown)]
    sessions = [
        Session(number, tools.listing.date(number), tuple(each)) for number, each in groupby(turns, lambda t: t.session)
    ]
    return serialise(sessions), [tools.turn(index) for index in sorted(shown)]


def quoted(text: str, turns: Sequence[Turn]) -> list[Evidence]:
    """The sentences of turns that an answer quotes, or else those that hold most of its words."""
    sentences = [
        Evidence(turn.session, None, turn.index, sentence.strip(), "")
        for turn in turns
        for sentence in _SENTENCE.split(turn.content)
        if sentence.strip()
    ]
    return list(supporting(text, sentences)[0][:_QUOTED])
