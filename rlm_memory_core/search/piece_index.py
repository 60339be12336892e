"""Gives access to the pieces of a history that is too large to be copied, by position.

`word_index` stores positions and words in the history's file; texts are read from the turns. Memory does not grow with
the history.
"""

from ..store.memory_store import MemoryStore
from ..store.turns import Session
from .pieces import Piece, split
from .word_index import PIECES, piece_number, take_in_new_turns


class PieceIndex:
    """The pieces of a history, by position: from 0, the oldest first.

    Args:
        store: The history.

    >>> store = MemoryStore()
    >>> for said in ("I bought a red bicycle.", "My cat is called Mochi."):
    ...     number = store.start_session(); turn = store.add("user", said)
    >>> index = PieceIndex(store)
    >>> len(index), index.piece(1).text
    (2, '[Turn 2][user]: My cat is called Mochi.')
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        take_in_new_turns(store)
        self._count = self.position_of(len(store)) + 1  # later pieces have no position here

    def __len__(self) -> int:
        return self._count

    def piece(self, position: int) -> Piece:
        """The piece at a position from 0 to the last."""
        sql = f"""SELECT session, first_turn, last_turn, part, date FROM {PIECES} JOIN sessions
            ON sessions.number = session WHERE {PIECES}.number = ?"""
        ((session, first, last, part, date),) = self._store.query(sql, (position + 1,))
        pieces = split(Session(session, date, tuple(self._store.turns[first - 1 : last])))
        return pieces[int(part)]

    def position_of(self, turn: int) -> int:
        """The position of the piece that holds a turn, the last one if several do; -1 before the first."""
        return piece_number(self._store, turn) - 1

    def session_numbers(self) -> list[int]:
        """The number of each piece's session, by position."""
        rows = self._store.query(f"SELECT session FROM {PIECES} WHERE number <= ? ORDER BY number", (len(self),))
        return [session for (session,) in rows]

    def session_count(self) -> int:
        """The number of sessions that have a piece."""
        ((count,),) = self._store.query(f"SELECT count(DISTINCT session) FROM {PIECES} WHERE number <= ?", (len(self),))
        return int(count)
