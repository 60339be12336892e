import sqlite3

import pytest

from rlm_memory_core import MemoryStore, StoreError

FIRST_VERSION = """
PRAGMA application_id = 0x524C4D31;
CREATE TABLE sessions (number INTEGER PRIMARY KEY, date TEXT);
CREATE TABLE turns (
    turn_index INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions (number), role TEXT NOT NULL,
    content TEXT NOT NULL, characters INTEGER NOT NULL, timestamp TEXT NOT NULL
);
CREATE INDEX turns_by_session ON turns (session);
INSERT INTO sessions VALUES (1, NULL), (2, 'Monday');
INSERT INTO turns VALUES (1, 1, 'user', 'Hello.', 6, 'T1'), (2, 2, 'user', 'a' || char(0) || 'cat', 5, 'T2'),
    (3, 2, 'assistant', char(304) || 'zmir', 5, 'T3');
"""


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path):
    database = sqlite3.connect(tmp_path / "old.db")
    database.executescript(FIRST_VERSION)
    database.close()
    for turns in (3, 4):
        with MemoryStore(tmp_path / "old.db") as store:
            assert len(store) == turns
            assert [(t.session, t.role, t.content, t.timestamp) for t in store.turns][:3] == [
                (1, "user", "Hello.", "T1"), (2, "user", "a\0cat", "T2"), (2, "assistant", "İzmir", "T3"),
            ]  # fmt: skip
            assert [store.characters(last) for last in (1, 2, 3)] == [6, 11, 16]
            assert [turn.index for turn in store.search_history("cat")] == [2]
            assert [turn.index for turn in store.search_history("i")] == [3]
            store.add("user", "no")
            assert store.characters() == 16 + 2 * (turns - 2)


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_was(tmp_path):
    path = tmp_path / "new.db"
    with MemoryStore(path) as store:
        store.query("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"new\.db was made by a newer rlm-memory; update"):
        MemoryStore(path)
    assert path.read_bytes() == before
