"""Gives access to the pieces of a history that is too large to be copied, by position and by question.

`word_index` stores positions and words in the history's file; texts are read from the turns. Memory does not grow with
the history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..store.memory_store import MemoryStore
from ..store.turns import Session, Turn
from .pieces import Piece, split
from .ranking import rank_pieces
from .word_index import PIECES, piece_number, take_in_new_turns


class PieceIndex:
    """The pieces of a history, by position: from 0, the oldest first.

    Args:
        store: The history.
        progress: Called while the index is made, with the number of indexed turns and of all turns.

    >>> store = MemoryStore()
    >>> for said in ("I bought a red bicycle.", "My cat is called Mochi."):
    ...     number = store.start_session(); turn = store.add("user", said)
    >>> index = PieceIndex(store)
    >>> len(index), index.rank("What is my cat called?", 1), index.piece(1).text
    (2, [1], '[Turn 2][user]: My cat is called Mochi.')
    """

    def __init__(self, store: MemoryStore, progress: Callable[[int, int], None] | None = None) -> None:
        self._store = store
        take_in_new_turns(store, progress)
        self._count = self.position_of(len(store)) + 1  # later pieces have no position here

    def __len__(self) -> int:
        return self._count

    def piece(self, position: int) -> Piece:
        """The piece at a position.

        Raises:
            IndexError: There is no such position.
        """
        session, _, _, part = self._row(position)
        return split(Session(session, self.date(position), tuple(self.turns(position))))[part]

    def turns(self, position: int) -> Sequence[Turn]:
        """The turns of the piece; if it is a part of a long turn, that whole turn.

        Raises:
            IndexError: There is no such position.
        """
        _, first, last, _ = self._row(position)
        return self._store.turns[first - 1 : last]

    def date(self, position: int) -> str | None:
        """The date of its session.

        Raises:
            IndexError: There is no such position.
        """
        date: str | None
        ((date,),) = self._store.query("SELECT date FROM sessions WHERE number = ?", (self._row(position)[0],))
        return date

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

    def rank(self, question: str, k: int, question_date: str | None = None) -> list[int]:
        """At most k positions, the most relevant to the question first. See `ranking.rank_pieces`."""
        ranked = rank_pieces(self._store, question, question_date, k)
        return [position for position in ranked if position < len(self)]

    def _row(self, position: int) -> tuple[int, int, int, int]:
        if not 0 <= position < len(self):
            raise IndexError(f"no session {position}: positions go from 0 to {len(self) - 1}")
        sql = f"SELECT session, first_turn, last_turn, part FROM {PIECES} WHERE number = ?"
        ((session, first, last, part),) = self._store.query(sql, (position + 1,))
        return session, first, last, part
