"""The words of a history, indexed beside its turns in SQLite's own FTS5: what each session's user said, and each turn.

The indexes hold no second copy of the text, are made when they are first used, and take
in what was appended since. How their scores make a ranking is `ranking`'s affair.
"""

from __future__ import annotations

import re

from .dates import parse_date
from .store import MemoryStore

SPOKEN = "session_words"
"""A row a session: what was said in it by anyone but the assistant."""
TURNS = "turn_words"
"""A row a turn."""
DAYS = "session_days"
"""The day of each session whose date can be read."""

_WORD = re.compile(r"\w+")
_TOKENS = "tokenize = 'porter unicode61 remove_diacritics 2'"
_SCHEMA = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {SPOKEN} USING fts5 (content, content = '', {_TOKENS})",
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {TURNS} "
    f"USING fts5 (content, content = 'turns', content_rowid = 'turn_index', {_TOKENS})",
    f"CREATE TABLE IF NOT EXISTS {DAYS} (session INTEGER PRIMARY KEY, day INTEGER NOT NULL)",
    f"CREATE INDEX IF NOT EXISTS {DAYS}_by_day ON {DAYS} (day)",
    "CREATE TABLE IF NOT EXISTS words_state (turns INTEGER NOT NULL, sessions INTEGER NOT NULL)",
)
_SAID = "SELECT session, group_concat(content, char(10)) FROM turns WHERE role <> 'assistant'"

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


def match_expression(question: str) -> str:
    """The question's content words as an FTS5 query; "" where it has none.

    >>> match_expression("What is my cat called?")
    '"cat" OR "called"'
    """
    words = dict.fromkeys(word.lower() for word in _WORD.findall(question))
    return " OR ".join(f'"{word}"' for word in words if word not in _FUNCTION_WORDS)


def take_in_new_turns(store: MemoryStore) -> None:
    """Index what came since the last call."""
    with store.transaction():
        for statement in _SCHEMA:
            store.query(statement)
        state = store.query("SELECT turns, sessions FROM words_state")
        turns, sessions = state[0] if state else (0, 0)
        if (turns, sessions) == (len(store), len(store.sessions)):
            return
        _add_said(store, turns)
        store.query(
            f"INSERT INTO {TURNS} (rowid, content) SELECT turn_index, content FROM turns WHERE turn_index > ?", (turns,)
        )
        for number, date in store.query("SELECT number, date FROM sessions WHERE number > ?", (sessions,)):
            day = parse_date(date)
            if day is not None:
                store.query(f"INSERT INTO {DAYS} VALUES (?, ?)", (number, day.toordinal()))
        store.query("DELETE FROM words_state")
        store.query("INSERT INTO words_state VALUES (?, ?)", (len(store), len(store.sessions)))


def _add_said(store: MemoryStore, done: int) -> None:
    """New sessions, and the one that may have grown: turns are only ever added to the last."""
    grown = store.query("SELECT session FROM turns WHERE turn_index = ?", (done,))
    first = grown[0][0] if grown else 0
    for number, text in store.query(f"{_SAID} AND session = ? AND turn_index <= ? GROUP BY session", (first, done)):
        store.query(f"INSERT INTO {SPOKEN} ({SPOKEN}, rowid, content) VALUES ('delete', ?, ?)", (number, text))
    store.query(f"INSERT INTO {SPOKEN} (rowid, content) {_SAID} AND session >= ? GROUP BY session", (first,))
