"""Indexes the words of a history beside its turns, in SQLite's FTS5: what the user says in each piece, and each turn.

The indexes hold no second copy of the text. They are made on first use, block by block, and then take in the turns
that were appended since. For millions of turns the first use takes minutes; an interrupted run continues where it
stopped. Memory does not grow with the history. `words` says what a word is; `ranking` makes rankings of the scores.
"""

from collections.abc import Sequence

from ..store.dates import parse_date
from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .pieces import parts, runs
from .words import TOKENS, indexed_form, telling

# Change these names whenever `pieces` cuts or `words` folds otherwise: a piece is read by cutting its turns again.
PIECES = "pieces_6"
"""One row for each piece: its number from 1, its session, its first and last turn, its part of a long turn, its day."""
SPOKEN = "piece_words_6"
"""What anyone but the assistant says in a piece, under the number of the piece."""
TURNS = "turn_words_6"
"""The telling words of each turn, under its index."""
_BLOCK_TURNS, _BLOCK_CHARACTERS = 50_000, 20_000_000  # indexed in one transaction
_HASH_BYTES = 16_000_000  # FTS5's buffer while indexing, for each of the two indexes
_SCHEMA = (
    f"""CREATE TABLE IF NOT EXISTS {PIECES} (number INTEGER PRIMARY KEY, session INTEGER NOT NULL,
        first_turn INTEGER NOT NULL, last_turn INTEGER NOT NULL, part INTEGER NOT NULL, day INTEGER)""",
    f"CREATE INDEX IF NOT EXISTS {PIECES}_by_turn ON {PIECES} (first_turn)",
    f"CREATE INDEX IF NOT EXISTS {PIECES}_by_day ON {PIECES} (day) WHERE day IS NOT NULL",
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {SPOKEN} USING fts5 (content, content = '', {TOKENS})",
    f"""CREATE VIRTUAL TABLE IF NOT EXISTS {TURNS} USING fts5 (content, content = 'turns',
        content_rowid = 'turn_index', {TOKENS})""",
    *(f"INSERT INTO {table} ({table}, rank) VALUES ('hashsize', {_HASH_BYTES})" for table in (SPOKEN, TURNS)),
)

_INSERT = f"INSERT INTO {SPOKEN} (rowid, content) VALUES (?, ?)"
_REMOVE = f"INSERT INTO {SPOKEN} ({SPOKEN}, rowid, content) VALUES ('delete', ?, ?)"  # FTS5 needs the indexed text


def take_in_new_turns(store: MemoryStore) -> None:
    """Cut and index the turns appended since the last call, block by block; each block is committed."""
    if not store.query("SELECT 1 FROM sqlite_master WHERE name = ?", (TURNS,)):
        with store.transaction(derived=True):
            for statement in _SCHEMA:
                store.query(statement)
    while _indexed(store) < len(store):
        with store.transaction(derived=True):
            _index_block(store, _indexed(store))


def piece_number(store: MemoryStore, turn: int) -> int:
    """The number of the piece that holds a turn, the last one if several do; 0 before the first."""
    sql = f"SELECT number FROM {PIECES} WHERE first_turn <= ? ORDER BY first_turn DESC, number DESC LIMIT 1"
    return int(store.query(f"SELECT coalesce(({sql}), 0)", (turn,))[0][0])


def _indexed(store: MemoryStore) -> int:
    return int(store.query(f"SELECT coalesce((SELECT last_turn FROM {PIECES} ORDER BY number DESC LIMIT 1), 0)")[0][0])


def _index_block(store: MemoryStore, done: int) -> None:
    """Index the next block. The last piece may have grown: it is removed, and cut again with the new turns."""
    rows = store.query(f"SELECT number, first_turn, part FROM {PIECES} ORDER BY number DESC LIMIT 1")
    number, first, part = rows[0] if rows else (0, 1, 1)
    start = done if part else first - 1
    if start < done:
        _change_spoken(store, _REMOVE, number, store.turns[start:done])
        store.query(f"DELETE FROM {PIECES} WHERE number = ?", (number,))
        number -= 1
    most = (done, min(done + _BLOCK_TURNS, len(store)), store.characters(done) + _BLOCK_CHARACTERS)
    in_block = "SELECT max(turn_index) FROM turns WHERE turn_index > ? AND turn_index <= ? AND total_characters <= ?"
    end = store.query(in_block, most)[0][0] or done + 1
    for turn in store.turns[done:end]:
        store.query(f"INSERT INTO {TURNS} (rowid, content) VALUES (?, ?)", (turn.index, telling(turn.content)))
    for run in runs(store.turns[start:end]):
        session = run[0].session
        day = parse_date(store.query("SELECT date FROM sessions WHERE number = ?", (session,))[0][0])
        for part, turns in enumerate(parts(run)):
            number += 1
            row = (number, session, run[0].index, run[-1].index, part, day and day.toordinal())
            store.query(f"INSERT INTO {PIECES} VALUES (?, ?, ?, ?, ?, ?)", row)
            _change_spoken(store, _INSERT, number, turns)


def _change_spoken(store: MemoryStore, sql: str, number: int, turns: Sequence[Turn]) -> None:
    """Insert or remove what anyone but the assistant says in a piece."""
    said = [turn.content for turn in turns if turn.role != "assistant"]
    if said:
        store.query(sql, (number, indexed_form("\n".join(said))))
