"""Cuts a history into pieces, and indexes its words with SQLite's FTS5.

A piece is a session, or a part of a session that is too long for one sub-agent. A turn that is too long is cut into
parts, and each part is a piece. The position of a cut depends only on the turns before it, so later turns do not move
it. One index is for the user's words in each piece, one for turns.

The indexes do not contain a second copy of the text. They are created on first use, block by block. Later uses add the
turns that were appended since. For millions of turns the first use takes minutes. If it is interrupted, the next run
continues where it stopped. Memory use does not grow with the history. `words` defines what a word is, and `ranking`
turns the scores into rankings.

`Terms` says how many turns contain each word of a question. Common words take time and say little. So the rarest words
are used, as many as are together in at most 5,000 turns, and the others are ignored. Nothing here counts beyond that,
however long the history is.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, groupby

from more_itertools import constrained_batches

from ..store.dates import parse_date
from ..store.memory_store import MemoryStore
from ..store.turns import Session, Turn
from .words import TOKENS, indexed_form, loosened, match_expression, telling, with_other_vowels

MAX_PIECE_CHARACTERS = 40_000  # about 10,000 tokens, which one sub-agent can read
# Change these names whenever history is cut or `words` folds differently: positions must be those of `split`.
PIECES = "pieces_7"
"""A row for each piece: its number from 1, session, first and last turn, part number within a long turn, and day."""
SPOKEN = "piece_words_7"
"""The words of everyone but the assistant in a piece, under the number of the piece."""
TURNS = "turn_words_7"
"""The words of each turn, as `words.telling` returns them, under its index."""
MOST_SCORED = 5_000  # maximum turns that are scored by words; words in more turns say little
_BLOCK_TURNS, _BLOCK_CHARACTERS = 5_000, 2_000_000  # maximum that is indexed in one transaction: others wait for it
_HASH_BYTES = 16_000_000  # size of FTS5's buffer while indexing, for each of the two indexes
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


@dataclass(frozen=True, slots=True)
class Terms:
    """The words of a question, with their frequencies in the history.

    Args:
        counts: How many turns contain each form that is searched for, rarest first. Counts stop at 5,001.
        deciding: The rarest forms, as many as are together in at most 5,000 turns. If each form is in more, all forms.
        after: Only turns after this one are searched: 0, or the last 5,000 turns if each form is in more.
        missing: The words that no turn contains unchanged.
        nowhere: The missing words whose beginning is in no turn either.
    """

    counts: dict[str, int]
    deciding: list[str]
    after: int
    missing: tuple[str, ...]
    nowhere: tuple[str, ...]

    @classmethod
    def of(cls, store: MemoryStore, words: Sequence[str]) -> "Terms":
        """Look up words from `words.content_words`. If no turn contains a word, look up its beginning."""
        counts = spread(store, words)
        missing = tuple(word for word in counts if not counts[word])
        counts |= spread(store, list(filter(None, map(loosened, missing))))
        nowhere = tuple(word for word in missing if not counts.get(loosened(word)))
        if not any(counts.values()):
            counts |= spread(store, list(filter(None, map(with_other_vowels, missing))))
        counts = {form: count for count, form in sorted((count, form) for form, count in counts.items() if count)}
        totals = accumulate(counts.values())
        few = [form for form, total in zip(counts, totals, strict=True) if total <= MOST_SCORED]
        after = len(store) - MOST_SCORED if counts and not few else 0
        return cls(counts, few or list(counts), after, missing, nowhere)


def take_in_new_turns(store: MemoryStore) -> None:
    """Cut and index the turns appended since the last call. Each block of turns is committed."""
    if not store.query("SELECT 1 FROM sqlite_master WHERE name = ?", (TURNS,)):
        with store.transaction(derived=True):
            for statement in _SCHEMA:
                store.query(statement)
    while _last_piece(store)[-1] < len(store):
        with store.transaction(derived=True):
            if _last_piece(store)[-1] < len(store):  # another thread may have indexed more meanwhile
                _index_block(store)


def piece_number(store: MemoryStore, turn: int) -> int:
    """Return the number of the last piece that contains a turn; 0 before the first turn."""
    sql = f"SELECT number FROM {PIECES} WHERE first_turn <= ? ORDER BY first_turn DESC, number DESC LIMIT 1"
    return int(store.query(f"SELECT coalesce(({sql}), 0)", (turn,))[0][0])


def spread(store: MemoryStore, forms: Sequence[str], most: int = MOST_SCORED) -> dict[str, int]:
    """Count the turns that contain each form of a word. Counts stop above `most`, because more does not matter."""
    count = f"(SELECT count(*) FROM (SELECT 1 FROM {TURNS} WHERE {TURNS} MATCH ? AND rowid <= {len(store)} LIMIT ?))"
    values = [value for form in forms for value in (match_expression([form]), most + 1)]
    ((*found,),) = store.query(f"SELECT {', '.join([count] * len(forms)) or 1}", values)
    return dict(zip(forms, found, strict=False))


def _last_piece(store: MemoryStore) -> tuple[int, int, int, int]:
    """Return the number, the first turn, the part and the last turn of the last piece."""
    rows = store.query(f"SELECT number, first_turn, part, last_turn FROM {PIECES} ORDER BY number DESC LIMIT 1")
    return rows[0] if rows else (0, 1, 1, 0)


def _index_block(store: MemoryStore) -> None:
    """Index the next block. The last piece may have grown, so it is removed and cut again with the new turns."""
    number, first, part, done = _last_piece(store)
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
    """Insert or remove the words of everyone but the assistant in a piece."""
    said = [turn.content for turn in turns if turn.role != "assistant"]
    if said:
        store.query(sql, (number, indexed_form("\n".join(said))))


def split(session: Session, limit: int = MAX_PIECE_CHARACTERS) -> list[Piece]:
    """Cut a session into pieces of at most `limit` characters, between turns.

    A longer turn is cut into parts at the end of a line, a sentence or a word. Each part gets the turn's heading.

    >>> [piece.text for piece in split(Session(1, None, (Turn(1, 1, "user", "Hi", ""),)))]
    ['[Turn 1][user]: Hi']
    """
    return [
        Piece(session.number, session.date, "\n".join(map(str, turns)), run)
        for run in runs(session.turns, limit)
        for turns in parts(run, limit)
    ]


def runs(turns: Iterable[Turn], limit: int = MAX_PIECE_CHARACTERS) -> Iterator[tuple[Turn, ...]]:
    """Group turns of one session that fit into one piece. A turn that is too long forms its own group.

    Args:
        turns: Turns of any number of sessions, in order. The first one begins a piece.
        limit: The maximum number of characters in a serialised piece.
    """
    for _, of_session in groupby(turns, lambda turn: turn.session):
        yield from constrained_batches(of_session, limit + 1, get_len=lambda turn: len(str(turn)) + 1, strict=False)


def parts(run: Sequence[Turn], limit: int = MAX_PIECE_CHARACTERS) -> Iterator[Sequence[Turn]]:
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
            stop = place_to_cut(turn.content, start, stop)
        yield [replace(turn, content=turn.content[start:stop])]
        start = stop


def place_to_cut(text: str, start: int, stop: int) -> int:
    """Return the best place to cut: after a line, a sentence or a word that ends in the last fifth, or else `stop`."""
    earliest = stop - (stop - start) // 5
    ends = (text.rfind(mark, earliest, stop) + len(mark) for mark in ("\n", ". ", " "))
    return next((end for end in ends if end > earliest), stop)
