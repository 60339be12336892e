"""The words of a history, indexed beside its turns in SQLite's own FTS5: what each piece's user said, and each turn.

The indexes hold no second copy of the text, are made when they are first used, block by block, and take in what was
appended since. For millions of turns the first time takes minutes; what a stopped run has done is kept.
Nothing here grows in memory with the history. How scores make a ranking is `ranking`'s affair.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ..store.dates import parse_date
from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .pieces import parts, runs

# A change in how `pieces` cuts needs other names here (hence the 3): a piece is found again by cutting its turns anew.
PIECES = "pieces_3"
"""A row a piece: its number from 1, its session, its first and last turn, which part of a turn it is, its day."""
SPOKEN = "piece_words_3"
"""A row a piece in which anyone but the assistant spoke: what they said, under the piece's number."""
TURNS = "turn_words_3"
"""A row a turn, under its index."""
TOKENS = "tokenize = 'porter unicode61 remove_diacritics 2'"
"""How both cut texts into words."""

_BLOCK_TURNS, _BLOCK_CHARACTERS = 50_000, 20_000_000  # taken in at once, in one transaction
_HASH_BYTES = 16_000_000  # FTS5's own buffer while it takes in, for each of the two
_WORD = re.compile(r"\w+")
_SCHEMA = (
    f"""CREATE TABLE {PIECES} (
        number INTEGER PRIMARY KEY,
        session INTEGER NOT NULL,
        first_turn INTEGER NOT NULL,
        last_turn INTEGER NOT NULL,
        part INTEGER NOT NULL,
        day INTEGER
    )""",
    f"CREATE INDEX {PIECES}_by_turn ON {PIECES} (first_turn)",
    f"CREATE INDEX {PIECES}_by_day ON {PIECES} (day) WHERE day IS NOT NULL",
    f"CREATE VIRTUAL TABLE {SPOKEN} USING fts5 (content, content = '', {TOKENS})",
    f"CREATE VIRTUAL TABLE {TURNS} USING fts5 (content, content = 'turns', content_rowid = 'turn_index', {TOKENS})",
    *(f"INSERT INTO {table} ({table}, rank) VALUES ('hashsize', {_HASH_BYTES})" for table in (SPOKEN, TURNS)),
    # what earlier versions made
    *(
        f"DROP TABLE IF EXISTS {old}"
        for old in ("session_words", "turn_words", "session_days", "words_state", "pieces_2", "piece_index_2")
    ),
)

# The closed classes of English: articles, pronouns, auxiliaries, prepositions, conjunctions, quantifiers,
# the commonest adverbs, and what is left of a contraction ("I've" is read as "i" and "ve").
_FUNCTION_WORDS = frozenset(
    "a about above across after again against ago all almost along already also although always am among an and "
    "another any anybody anyone anything are around as at away be because been before being below between both but "
    "by can cannot could d did do does doing done down during each either else enough even ever every everybody "
    "everyone everything few for from further get gets getting got had has have having he her here hers herself him "
    "himself his how i if in into is it its itself just ll m many may me might mine more most much must my myself "
    "neither no nobody none nor not nothing now of off often on once one ones only onto or other others our ours out "
    "over own per quite rather re s same shall she should since so some somebody someone something such t than that "
    "the their theirs them themselves then there these they this those though through to together too toward "
    "towards under until unto up upon us ve very was we were what whatever when whenever where whether which while "
    "who whoever whom whose why will with within without would yes yet you your yours yourself".split()
)


def content_words(text: str) -> list[str]:
    """A text's words but for the function words, each once, in small letters.

    >>> content_words("What is my cat called? My cat!")
    ['cat', 'called']
    """
    words = dict.fromkeys(word.lower() for word in _WORD.findall(text))
    return [word for word in words if word not in _FUNCTION_WORDS]


def match_expression(words: Sequence[str]) -> str:
    """An FTS5 query for any of the words; "" where there is none.

    >>> match_expression(["cat", "called"])
    '"cat" OR "called"'
    """
    return " OR ".join(f'"{word}"' for word in words)


def take_in_new_turns(store: MemoryStore, progress: Callable[[int, int], None] | None = None) -> None:
    """Cut and index what came since the last call. Each block is kept, so that a stopped run goes on from there.

    Args:
        store: The history.
        progress: Told, after each block, how many turns are in the index and how many there are.
    """
    if not store.query("SELECT 1 FROM sqlite_master WHERE name = ?", (PIECES,)):
        with store.transaction():
            if not store.query("SELECT 1 FROM sqlite_master WHERE name = ?", (PIECES,)):  # another process may have
                for statement in _SCHEMA:
                    store.query(statement)
    while _taken_in(store) < len(store):
        with store.transaction():
            _take_in_block(store, _taken_in(store))
        if progress is not None:
            progress(_taken_in(store), len(store))


def piece_number(store: MemoryStore, turn: int) -> int:
    """The number of the piece in which a turn lies, the last one if it is in several; 0 before the first."""
    rows = store.query(
        f"SELECT number FROM {PIECES} WHERE first_turn <= ? ORDER BY first_turn DESC, number DESC LIMIT 1", (turn,)
    )
    return int(rows[0][0]) if rows else 0


def said_by_others(turns: Sequence[Turn]) -> str | None:
    """What anyone but the assistant says in these turns; None where nobody else speaks."""
    said = [turn.content for turn in turns if turn.role != "assistant"]
    return "\n".join(said) if said else None


def _taken_in(store: MemoryStore) -> int:
    return int(store.query(f"SELECT coalesce((SELECT last_turn FROM {PIECES} ORDER BY number DESC LIMIT 1), 0)")[0][0])


def _take_in_block(store: MemoryStore, done: int) -> None:
    """The last piece may have grown: it is taken out, and cut anew with the turns after it."""
    start = done
    last = store.query(f"SELECT number, first_turn, part FROM {PIECES} ORDER BY number DESC LIMIT 1")
    if last and last[0][2] == 0:
        ((number, first, _),) = last
        start = first - 1
        _forget(store, number, store.turns[start:done])
        store.query(f"DELETE FROM {PIECES} WHERE number = ?", (number,))
    end = _block_end(store, done)
    store.query(
        f"INSERT INTO {TURNS} (rowid, content) "
        "SELECT turn_index, content FROM turns WHERE turn_index > ? AND turn_index <= ?",
        (done, end),
    )
    session, day, number = 0, None, int(store.query(f"SELECT coalesce(max(number), 0) FROM {PIECES}")[0][0])
    for run in runs(store.turns[start:end]):
        if run[0].session != session:
            session = run[0].session
            day = _day(store, session)
        for part, turns in enumerate(parts(run)):
            number += 1
            row = (number, session, run[0].index, run[-1].index, part, day)
            store.query(f"INSERT INTO {PIECES} VALUES (?, ?, ?, ?, ?, ?)", row)
            _know(store, number, turns)


def _know(store: MemoryStore, number: int, turns: Sequence[Turn]) -> None:
    said = said_by_others(turns)
    if said is not None:
        store.query(f"INSERT INTO {SPOKEN} (rowid, content) VALUES (?, ?)", (number, said))


def _forget(store: MemoryStore, number: int, turns: Sequence[Turn]) -> None:
    """Take a piece's words out again: for that the index needs the very turns that it took in."""
    said = said_by_others(turns)
    if said is not None:
        store.query(f"INSERT INTO {SPOKEN} ({SPOKEN}, rowid, content) VALUES ('delete', ?, ?)", (number, said))


def _day(store: MemoryStore, session: int) -> int | None:
    ((date,),) = store.query("SELECT date FROM sessions WHERE number = ?", (session,))
    day = parse_date(date)
    return None if day is None else day.toordinal()


def _block_end(store: MemoryStore, done: int) -> int:
    rows = store.query(
        "SELECT max(turn_index) FROM turns WHERE turn_index > ? AND turn_index <= ? AND total_characters <= ?",
        (done, done + _BLOCK_TURNS, store.characters(done) + _BLOCK_CHARACTERS),
    )
    return int(rows[0][0] or done + 1)
