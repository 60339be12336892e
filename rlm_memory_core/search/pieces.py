"""Cuts a history into pieces: what one sub-agent reads at a time, and what is ranked.

A piece is a session, or a part of a session that is too long for one sub-agent. A turn that is too long is cut into
parts, each a piece of its own. Only the turns before a cut decide where it is: later turns do not move it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..store.turns import Session, Turn

MAX_PIECE_CHARACTERS = 40_000  # about 10,000 tokens: one sub-agent's reading


@dataclass(frozen=True, slots=True)
class Piece:
    """What one sub-agent reads.

    Args:
        session: The number of its session, from 1; 0 for a text that is not part of the history.
        date: The date of its session, or None.
        text: Its turns, serialised.
        turns: Its turns; for a part of a long turn, that whole turn.
    """

    session: int
    date: str | None
    text: str
    turns: tuple[Turn, ...] = field(default=(), repr=False, compare=False)


def split(session: Session, limit: int = MAX_PIECE_CHARACTERS) -> list[Piece]:
    """Cut a session into pieces of at most `limit` characters, between turns.

    A longer turn is cut into parts at the end of a line, a sentence or a word; each part gets the turn's heading.

    >>> [piece.text for piece in split(Session(1, None, (Turn(1, 1, "user", "Hi", ""),)))]
    ['[Turn 1][user]: Hi']
    """
    return [
        Piece(session.number, session.date, "\n".join(map(str, turns)), tuple(run))
        for run in runs(session.turns, limit)
        for turns in parts(run, limit)
    ]


def runs(turns: Iterable[Turn], limit: int = MAX_PIECE_CHARACTERS) -> Iterator[list[Turn]]:
    """Group turns of one session that fit into one piece; a turn that is too long is alone.

    Args:
        turns: In order, of any number of sessions; the first one begins a piece.
        limit: Most characters of a serialised piece.
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
    """The pieces of a run, as turns: the run itself, or the parts of a long turn as turns with the same index.

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
            stop = max(min(stop, len(turn.content)) - excess, start + 1)  # escaping lengthens it
        if stop < len(turn.content):
            stop = _end(turn.content, start, stop)
        yield [replace(turn, content=turn.content[start:stop])]
        start = stop


def _end(text: str, start: int, stop: int) -> int:
    """The last good place to cut before `stop`: after a line, a sentence or a word, if one ends in the last fifth."""
    earliest = stop - (stop - start) // 5
    ends = (text.rfind(mark, earliest, stop) + len(mark) for mark in ("\n", ". ", " "))
    return next((end for end in ends if end > earliest), stop)
