import random
import sqlite3
from contextlib import closing

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.search.partial_piece import cut_piece
from rlm_memory_core.search.ranking import rank_pieces, rank_sessions
from rlm_memory_core.search.word_index import SPOKEN, content_words, match_expression, take_in_new_turns
from rlm_memory_core.store import database
from rlm_memory_core.store.memory_store import StoreError


@pytest.mark.parametrize("seed", range(20))
def test_a_piece_is_scored_as_fts5_scores_it(seed):
    """Where only the assistant speaks after the cut, the file's own index knows the same words."""
    rng = random.Random(seed)
    words = "violin violins teacher rain São_Paulo don't walking walked 2023 猫は bread".split()
    with MemoryStore() as store:
        for _ in range(rng.randint(1, 200)):
            store.start_session()
            store.add("user", " ".join(rng.choices([*words, "so", "it", "goes"], k=rng.randint(1, 40))))
        store.add("user", " ".join(rng.choices(words, k=30)))
        store.add("assistant", "violin bread " * 10)
        take_in_new_turns(store)
        asked = content_words(" ".join(rng.sample(words, 5)))
        found = store.query(
            f"SELECT rowid, -rank FROM {SPOKEN} WHERE {SPOKEN} MATCH ? ORDER BY rowid DESC LIMIT 1",
            (match_expression(asked),),
        )
        cut = cut_piece(store, len(store) - 1, asked)
        assert (cut.number, cut.score) == (len(store.sessions), pytest.approx(found[0][1]))


def test_words_after_the_cut_do_not_count(store):
    store.extend([("user", "It rains."), ("user", "The violin."), ("assistant", "A violin?"), ("user", "Violins!")])
    take_in_new_turns(store)
    assert cut_piece(store, 1, ["violin"]).score == 0
    assert 0 < cut_piece(store, 2, ["violin"]).score == cut_piece(store, 3, ["violin"]).score
    assert cut_piece(store, 4, ["violin"]) is cut_piece(store, 0, ["violin"]) is None


def test_a_piece_in_which_the_assistant_speaks_first(store):
    store.extend([("assistant", "The violin is here."), ("user", "Which violin?")])
    take_in_new_turns(store)
    assert cut_piece(store, 1, ["violin"]).score == 0


@pytest.fixture
def held(tmp_path, monkeypatch):
    """A history whose words are known, and a connection of another program that is writing to its file."""
    monkeypatch.setattr(database, "_PATIENCE", 0.05)
    with MemoryStore(tmp_path / "history.db") as store:
        for said in ("The violin is old.", "It rains."):
            store.start_session()
            store.extend([("user", said), ("user", "A violin teacher.")])
        take_in_new_turns(store)
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield store, other


@pytest.mark.parametrize("rank", [rank_sessions, rank_pieces])
def test_a_ranking_up_to_a_turn_waits_for_no_other_program(held, rank):
    store, _ = held
    assert rank(store, "violin", last_turn=3) == [0, 1]
    assert rank(store, "violin", last_turn=1) == [0]


def test_new_turns_that_cannot_be_taken_in_are_one_clear_line(held):
    store, other = held
    other.execute("ROLLBACK")
    store.add("user", "My cat is called Mochi.")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"another program is writing to .*history.db.*; try again"):
        rank_sessions(store, "cat")
    with pytest.raises(StoreError, match="another program is writing to"):
        store.add("user", "He is old.")
    other.execute("ROLLBACK")
    assert rank_sessions(store, "cat") == [1, 0]
