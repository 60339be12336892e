"""Cuts a history into pieces. A sub-agent reads one piece, and rankings compare pieces.

A piece is a session, or a part of a session that is too long for one sub-agent. A turn that is too long is cut into
parts, and each part is a piece. The position of a cut depends only on the turns before it, so later turns do not move
it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..store.turns import Session, Turn

MAX_PIECE_CHARACTERS = 40_000  # about 10,000 tokens, which one sub-agent can read


@dataclass(frozen=True, slots=True)
class Piece:
    """The text that one sub-agent reads.

    Args:
        session: The number of the session, from 1; 0 for a text that is not part of the history.
        date: The date of the session, or None.
        text: The turns, serialised.
        turns: The turns. If the piece is a part of a long turn, that whole turn.
    """

    session: int
    date: str | None
    text: str
    turns: tuple[Turn, ...] = field(default=(), repr=False, compare=False)


def split(session: Session, limit: int = MAX_PIECE_CHARACTERS) -> list[Piece]:
    """Cut a session into pieces of at most `limit` characters, between turns.

    A longer turn is cut into parts at the end of a line, a sentence or a word. Each part gets the turn's heading.

    >>> [piece.text for piece in split(Session(1, None, (Turn(1, 1, "user", "Hi", ""),)))]
    ['[Turn 1][user]: Hi']
    """
    return [
        Piece(session.number, session.date, "\n".join(map(str, turns)), tuple(run))
        for run in runs(session.turns, limit)
        for turns in parts(run, limit)
    ]


def runs(turns: Iterable[Turn], limit: int = MAX_PIECE_CHARACTERS) -> Iterator[list[Turn]]:
    """Group turns of one session that fit into one piece. A turn that is too long forms its own group.

    Args:
        turns: Turns of any number of sessions, in order. The first one begins a piece.
        limit: The maximum number of characters in a serialised piece.
    """
    run: list[Turn] = []
    length = 0
    for turn in turns:
        size = len(str(turn))
        if run and (turn.session != run[0].session or length + size > limit):
            yield run
            run, length = [], 0
        run.append(turn)
        length += size + 1
    if run:
        yield run


def parts(run: list[Turn], limit: int = MAX_PIECE_CHARACTERS) -> Iterator[list[Turn]]:
    """Yield the pieces of a run: the run itself, or the parts of a long turn as turns with the same index.

    >>> [[turn.content for turn in part] for part in parts([Turn(1, 1, "user", "abcdefgh", "")], 20)]
    [['abcd'], ['efgh']]
    """
    turn = run[0]
    if len(run) > 1 or len(str(turn)) <= limit:
        yield run
        return
    room, start = max(limit - len(turn.heading) - 1, 1), 0
    while start < len(turn.content):
        stop = start + room
        while (excess := len(str(replace(turn, content=turn.content[start:stop]))) - limit) > 0 and stop - start > 1:
            stop = max(min(stop, len(turn.content)) - excess, start + 1)  # escaping adds characters
        if stop < len(turn.content):
            stop = _end(turn.content, start, stop)
        yield [replace(turn, content=turn.content[start:stop])]
        start = stop


def _end(text: str, start: int, stop: int) -> int:
    """Return the best place to cut: after a line, a sentence or a word that ends in the last fifth, or else `stop`."""
    earliest = stop - (stop - start) // 5
    ends = (text.rfind(mark, earliest, stop) + len(mark) for mark in ("\n", ". ", " "))
    return next((end for end in ends if end > earliest), stop)
