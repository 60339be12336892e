"""The tables of a history's file, and how a file that an older version made is brought up to date.

Each turn carries the characters of all turns up to it (`total_characters`), so that the size of a history, or of
any part of it from the start, is one look-up; and whether a search for a substring must look at it itself
(`substring`). The content comes last in its row, where a long one hinders the reading of no other column.
"""

from __future__ import annotations

import sqlite3

APPLICATION_ID = 0x524C4D31  # "RLM1": tells our file from another program's
VERSION = 2  # of the tables, kept as the file's user_version; the first had no number
_TURNS = """CREATE TABLE {name} (
    turn_index INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (number),
    role TEXT NOT NULL,
    total_characters INTEGER NOT NULL,
    beyond_like INTEGER NOT NULL,
    timestamp TEXT NOT NULL,
    content TEXT NOT NULL
)"""
_INDEX = "CREATE INDEX turns_by_session ON turns (session)"
_TO_VERSION_2 = (
    _TURNS.format(name="turns_2"),
    """INSERT INTO turns_2 SELECT turn_index, session, role,
        sum(characters) OVER (ORDER BY turn_index),
        instr(content, char(0)) OR instr(content, char(304)) OR instr(content, char(8490)),
        timestamp, content FROM turns""",
    "DROP TABLE turns",
    "ALTER TABLE turns_2 RENAME TO turns",
    _INDEX,
)


class LayoutError(Exception):
    """A database that is no history of ours; the message says why, and what to do."""


def create(database: sqlite3.Connection) -> None:
    """Make the tables in an empty database.

    Raises:
        LayoutError: It is not empty.
    """
    if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise LayoutError("is a database of another program; give a new file for the history")
    for statement in (
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {VERSION}",
        "CREATE TABLE sessions (number INTEGER PRIMARY KEY, date TEXT)",
        _TURNS.format(name="turns"),
        _INDEX,
    ):
        database.execute(statement)


def update(database: sqlite3.Connection) -> None:
    """Bring the tables of a history up to date; nothing where they are.

    Raises:
        LayoutError: A newer version of the package made them.
    """
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise LayoutError("was made by a newer rlm-memory; update the package to read it")
    if version < 2:
        for statement in (*_TO_VERSION_2, f"PRAGMA user_version = {VERSION}"):
            database.execute(statement)
