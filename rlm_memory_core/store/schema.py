"""The tables of a history's file.

`total_characters` counts the characters of all turns up to this one, so the size of a history is one look-up.
`beyond_like` marks turns in which SQLite's LIKE may miss a match (see `substring`). `content` is the last column, so a
long text does not slow down reading the others. `writer` names the open store that a session belongs to, `until` is
the last time that a turn of the session was given.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

APPLICATION_ID = 0x524C4D31  # "RLM1": tells our file from another program's
VERSION = 3  # of the tables; the file's user_version

_TABLES = (
    f"PRAGMA application_id = {APPLICATION_ID}",
    "CREATE TABLE sessions (number INTEGER PRIMARY KEY, date TEXT)",
    """CREATE TABLE turns (
        turn_index INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES sessions (number),
        role TEXT NOT NULL,
        total_characters INTEGER NOT NULL,
        beyond_like INTEGER NOT NULL,
        timestamp TEXT NOT NULL,
        {name}content TEXT NOT NULL
    )""",
    "CREATE INDEX turns_by_session ON turns (session)",
)
_NAME = "name TEXT NOT NULL DEFAULT ''"
_SINCE_VERSION_2 = (
    "ALTER TABLE sessions ADD COLUMN title TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN until TEXT",
    "ALTER TABLE sessions ADD COLUMN writer TEXT",
    f"PRAGMA user_version = {VERSION}",
)


class StoreError(Exception):
    """A history file cannot be used; the message says why and what to do."""


def prepare(database: sqlite3.Connection, path: Path | None) -> None:
    """Create the tables in an empty database; check that any other one is a history, and bring it up to date.

    Args:
        database: An open connection, in a transaction.
        path: The database's file, for the error message.

    Raises:
        StoreError: It is another program's database, or another version of the package made it.
    """
    ((application,),) = database.execute("PRAGMA application_id")
    ((version,),) = database.execute("PRAGMA user_version")
    statements: tuple[str, ...] = ()
    if application != APPLICATION_ID:
        if database.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise StoreError(f"{path} is a database of another program; give a new file for the history")
        statements = (*(table.replace("{name}", f"{_NAME}, ") for table in _TABLES), *_SINCE_VERSION_2)
    elif version > VERSION:
        raise StoreError(f"{path} was made by a newer rlm-memory; update the package to read it")
    elif version == 2:
        statements = (f"ALTER TABLE turns ADD COLUMN {_NAME}", *_SINCE_VERSION_2)
    elif version < VERSION:
        raise StoreError(f"{path} was made by an unreleased rlm-memory; import the history again into a new file")
    for statement in statements:
        database.execute(statement)
