"""The tables of a history's file.

`total_characters` counts the characters of all turns up to this one, so that one look-up gives the size of a history.
`folded` is the text that a search compares (see `substring`). `content` comes after the short columns, so that long
texts do not slow down queries for these columns only. `writer` identifies the open store that a session belongs to.
`until` is the latest timestamp given for a turn of the session.
"""

import sqlite3
from pathlib import Path

APPLICATION_ID = 0x524C4D31  # "RLM1": identifies our files
VERSION = 4  # version of the tables, stored as the file's user_version

_TABLES = f"""
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {VERSION};
    CREATE TABLE sessions (
        number INTEGER PRIMARY KEY, date TEXT, title TEXT NOT NULL DEFAULT '', until TEXT, writer TEXT
    );
    CREATE TABLE turns (
        turn_index INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES sessions (number),
        role TEXT NOT NULL,
        total_characters INTEGER NOT NULL,
        timestamp TEXT NOT NULL,
        name TEXT NOT NULL,
        content TEXT NOT NULL,
        folded TEXT
    );
    CREATE INDEX turns_by_session ON turns (session)
"""


class StoreError(Exception):
    """A history file cannot be used. The message says why and what to do."""


def prepare(database: sqlite3.Connection, path: Path | None) -> None:
    """Create the tables in an empty database. Check that any other database is a history of this version.

    Args:
        database: An open connection, in a transaction.
        path: The database's file, for the error message.

    Raises:
        StoreError: Another program or another version of the package created the database.
    """
    marks = ("application_id", "user_version")
    application, version = (database.execute(f"PRAGMA {mark}").fetchone()[0] for mark in marks)
    if (application, version) == (APPLICATION_ID, VERSION):
        return
    if application == APPLICATION_ID:
        raise StoreError(f"{path} was made by another version of rlm-memory; update it, or import the history again")
    is_one_byte = path and path.stat().st_size == 1  # SQLite takes it for an empty database
    if is_one_byte or database.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise StoreError(f"{path} is a database of another program; give another file for the history")
    for statement in _TABLES.split(";"):
        database.execute(statement)
