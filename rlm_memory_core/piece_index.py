"""The pieces of a history that is too large to be copied: where each lies, and which speak of a question.

Positions and words are kept in the history's own file. They are made block by block
when they are first asked for, which for millions of turns takes minutes, and take in
what was appended since. An index of words without the texts (a contentless FTS5 table)
ranks by BM25; the texts themselves are read from the turns. Nothing here grows in
memory with the history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, islice

from .store import MemoryStore, Session, Turn
from .word_index import match_expression
from .workspace import MAX_PIECE_CHARACTERS, Piece, split

_BLOCK_TURNS, _BLOCK_CHARACTERS = 50_000, 20_000_000  # taken in at once, in one transaction
_MOST_SCORED = 100_000  # rows; words that stand in so many pieces say little
_HASH_BYTES = 32_000_000  # FTS5's own buffer while it takes in
# A change in how `split` cuts needs other names here (hence the 2): a piece is found again by cutting its turns anew.
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS pieces_2 (
        number INTEGER PRIMARY KEY,
        session INTEGER NOT NULL,
        first_turn INTEGER NOT NULL,
        last_turn INTEGER NOT NULL,
        part INTEGER NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS pieces_2_by_turn ON pieces_2 (first_turn)",
    """CREATE VIRTUAL TABLE IF NOT EXISTS piece_index_2
        USING fts5 (content, content = '', tokenize = 'porter unicode61 remove_diacritics 2')""",
    f"INSERT INTO piece_index_2 (piece_index_2, rank) VALUES ('hashsize', {_HASH_BYTES})",
)


class PieceIndex:
    """The pieces of a history up to a turn, by position: from 0, the oldest first.

    Args:
        store: The history.
        last_turn: The index of the last turn that counts; None for all.
        progress: Told, while the index is made, how many turns are in it and how many there are.

    >>> store = MemoryStore()
    >>> for said in ("I bought a red bicycle.", "My cat is called Mochi."):
    ...     number = store.start_session(); turn = store.add("user", said)
    >>> index = PieceIndex(store)
    >>> len(index), index.rank("What is my cat called?", 1), index.piece(1).text
    (2, [1], '[Turn 2][user]: My cat is called Mochi.')
    """

    def __init__(
        self, store: MemoryStore, last_turn: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> None:
        self._store = store
        self.last_turn = len(store) if last_turn is None else last_turn
        _take_in(store, progress or (lambda done, turns: None))
        self._count = self.position_of(self.last_turn) + 1

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
        """The turns that the piece holds; where it is a part of one turn, that whole turn.

        Raises:
            IndexError: There is no such position.
        """
        _, first, last, _ = self._row(position)
        return self._store.turns[first - 1 : min(last, self.last_turn)]

    def date(self, position: int) -> str | None:
        """The date of its session.

        Raises:
            IndexError: There is no such position.
        """
        date: str | None
        ((date,),) = self._store.query("SELECT date FROM sessions WHERE number = ?", (self._row(position)[0],))
        return date

    def position_of(self, turn: int) -> int:
        """The position of the piece in which a turn lies, the last one if it is in several; -1 before the first."""
        rows = self._store.query(
            "SELECT number FROM pieces_2 WHERE first_turn <= ? ORDER BY first_turn DESC, number DESC LIMIT 1", (turn,)
        )
        return rows[0][0] - 1 if rows else -1

    def rank(self, question: str, k: int) -> list[int]:
        """Positions, the most relevant to the question first; at most k.

        Of a question's words the rarest decide, as many of them as stand in about 100,000 pieces together; where each
        stands in more, all of them rank the newest 100,000 pieces. The other pieces come last, newest first.
        """
        ranked = self._matching(match_expression(question), k)
        seen = set(ranked)
        rest = (position for position in range(len(self) - 1, -1, -1) if position not in seen)
        return [*ranked, *islice(rest, k - len(ranked))]

    def _matching(self, expression: str, k: int) -> list[int]:
        words, after = self._deciding(expression.split(" OR ") if expression else [])
        if not words:
            return []
        rows = self._store.query(
            "SELECT rowid FROM piece_index_2 WHERE piece_index_2 MATCH ? AND rowid > ? AND rowid <= ? "
            "ORDER BY bm25(piece_index_2), rowid DESC LIMIT ?",
            (" OR ".join(words), after, len(self), k),
        )
        return [number - 1 for (number,) in rows]

    def _deciding(self, words: list[str]) -> tuple[list[str], int]:
        """The words to rank by, the rarest first, and the number of pieces that are passed over, the oldest."""
        spread = sorted((self._spread(word), word) for word in words)
        known = [word for pieces, word in spread if pieces]
        totals = accumulate(pieces for pieces, _ in spread if pieces)
        few = [word for word, total in zip(known, totals, strict=True) if total <= _MOST_SCORED]
        return (few, 0) if few else (known, max(len(self) - _MOST_SCORED, 0))

    def _spread(self, word: str) -> int:
        """In how many pieces a word stands; counted no further than matters."""
        sql = "SELECT count(*) FROM (SELECT 1 FROM piece_index_2 WHERE piece_index_2 MATCH ? LIMIT ?)"
        return int(self._store.query(sql, (word, _MOST_SCORED + 1))[0][0])

    def _row(self, position: int) -> tuple[int, int, int, int]:
        if not 0 <= position < len(self):
            raise IndexError(f"no session {position}: positions go from 0 to {len(self) - 1}")
        sql = "SELECT session, first_turn, last_turn, part FROM pieces_2 WHERE number = ?"
        ((session, first, last, part),) = self._store.query(sql, (position + 1,))
        return session, first, last, part


def _take_in(store: MemoryStore, progress: Callable[[int, int], None]) -> None:
    """Cut and index what came since the last time. Each block is kept, so that a stopped run goes on from there."""
    if not store.query("SELECT 1 FROM sqlite_master WHERE name = 'piece_index_2'"):
        with store.transaction():
            for statement in _SCHEMA:
                store.query(statement)
    while True:
        if _taken_in(store) == len(store):
            return
        with store.transaction():
            _take_in_block(store, _taken_in(store))
        progress(_taken_in(store), len(store))


def _taken_in(store: MemoryStore) -> int:
    return int(store.query("SELECT coalesce((SELECT last_turn FROM pieces_2 ORDER BY number DESC LIMIT 1), 0)")[0][0])


def _take_in_block(store: MemoryStore, done: int) -> None:
    """The last piece may have grown: it is taken out, and cut anew with the turns after it."""
    start = done
    last = store.query("SELECT number, first_turn, part FROM pieces_2 ORDER BY number DESC LIMIT 1")
    if last and last[0][2] == 0:
        ((number, first, _),) = last
        start = first - 1
        content = _words(store.turns[start:done])
        store.query(
            "INSERT INTO piece_index_2 (piece_index_2, rowid, content) VALUES ('delete', ?, ?)", (number, content)
        )
        store.query("DELETE FROM pieces_2 WHERE number = ?", (number,))
    for run in _runs(store.turns[start : _block_end(store, done)]):
        parts = split(Session(run[0].session, None, tuple(run)))
        for part, piece in enumerate(parts):
            store.query(
                "INSERT INTO pieces_2 (session, first_turn, last_turn, part) VALUES (?, ?, ?, ?)",
                (run[0].session, run[0].index, run[-1].index, part),
            )
            store.query(
                "INSERT INTO piece_index_2 (rowid, content) VALUES (last_insert_rowid(), ?)",
                (_words(run) if len(parts) == 1 else piece.text,),
            )


def _words(run: Sequence[Turn]) -> str:
    """What is indexed of a piece: to take it out again, the very same text is needed."""
    return "\n".join(turn.content for turn in run)


def _block_end(store: MemoryStore, done: int) -> int:
    rows = store.query(
        "SELECT max(turn_index) FROM turns WHERE turn_index > ? AND turn_index <= ? AND total_characters <= ?",
        (done, done + _BLOCK_TURNS, store.characters(done) + _BLOCK_CHARACTERS),
    )
    return int(rows[0][0] or done + 1)


def _runs(turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    """Turns that form one piece as `split` cuts them; a turn too long for one stands alone, and is several."""
    run: list[Turn] = []
    length = 0
    for turn in turns:
        size = len(str(turn))
        if run and (turn.session != run[0].session or length + size > MAX_PIECE_CHARACTERS):
            yield run
            run, length = [], 0
        run.append(turn)
        length += size + 1
    if run:
        yield run
