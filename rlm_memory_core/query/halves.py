"""Halves a text that does not fit a model's context window, and joins what is said of both halves.

How many tokens a text has is known to the server alone: 37,800 Chinese characters may be 37,800 tokens. So a piece of
the history is halved when the server refuses it, and again if need be.
"""

from collections.abc import Sequence
from dataclasses import replace

from ..models.pricing import Usage
from ..models.types import Reply
from ..search.pieces import Piece, split
from ..store.escaping import escape_tags, unescape
from ..store.turns import Session
from .findings import is_not_found
from .prompts.record import NOT_FOUND

_SHORTEST = 500  # characters; a shorter text is not halved


def halves(prompt: str, piece: Piece) -> list[tuple[str, Piece]]:
    """Split a piece between turns or within its only turn.

    Args:
        prompt: A prompt that holds the piece's text.
        piece: What it asks to read.

    Returns:
        The prompts and the pieces, two or a few more; none if the text is short or the prompt does not hold it.
    """
    text = escape_tags(piece.text)
    if len(text) < _SHORTEST or text not in prompt:
        return []
    before, _, after = prompt.partition(text)
    limit = len(piece.text) // 2
    if piece.turns:
        turns = piece.turns
        if len(turns) == 1:  # the piece may be a part of it
            turns = (replace(turns[0], content=unescape(piece.text[len(turns[0].heading) + 1 :])),)
        pieces = split(Session(piece.session, piece.date, turns), limit)
    else:
        middle = piece.text.rfind("\n", 1, limit) + 1 or limit
        pieces = [replace(piece, text=each) for each in (piece.text[:middle], piece.text[middle:])]
    return [(f"{before}{escape_tags(each.text)}{after}", each) for each in pieces]


def joined(replies: Sequence[Reply]) -> Reply:
    """One reply out of those on the parts of a text; its usage is counted with theirs, not here."""
    found = [reply.text for reply in replies if not is_not_found(reply.text)]
    seconds, recorded = sum(reply.seconds for reply in replies), all(reply.recorded for reply in replies)
    return Reply("\n".join(found) or NOT_FOUND, Usage(), 0.0, seconds, recorded, any(reply.cut for reply in replies))
