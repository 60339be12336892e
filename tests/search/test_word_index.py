import pytest
from paper import indexed, opened

from rlm_memory_core import MemoryStore
from rlm_memory_core.search import word_index
from rlm_memory_core.search.ranking import rank_pieces, rank_sessions
from rlm_memory_core.search.word_index import PIECES, SPOKEN, TURNS, piece_number, take_in_new_turns

SESSIONS = [["about cats"], ["about dogs", "dogs " * 7990, "dogs at last"], [], ["about cats", "and birds"]]


@pytest.fixture
def long_store(store):
    """Four sessions; the second is two pieces, and an empty one follows."""
    for number, texts in enumerate(SESSIONS):
        store.start_session(f"day {number}")
        store.extend(("user", text) for text in texts)
    return store


def kept(store):
    """What is in the file of the index, but for how FTS5 lays out its words."""
    words = [
        store.query(f"SELECT term, doc, offset FROM temp.words_{table} ORDER BY term, doc, offset")
        for table in (SPOKEN, TURNS)
    ]
    return store.query(f"SELECT * FROM {PIECES} ORDER BY number"), words


def test_the_pieces_are_those_that_sub_agents_read(long_store):
    assert indexed(long_store) == opened(long_store, "Who?").pieces
    assert len(indexed(long_store)) == 4


def test_every_turn_lies_in_the_piece_that_is_named_for_it(long_store):
    pieces = indexed(long_store)
    for turn in long_store.turns:
        assert str(turn) in pieces[piece_number(long_store, turn.index) - 1].text


def test_a_turn_too_long_for_one_piece_is_read_whole_and_stands_alone(store):
    long = " ".join(f"word{number}" for number in range(12_000))
    store.extend([("user", "before"), ("user", long), ("user", "after")])
    texts = [piece.text for piece in indexed(store)]
    assert (texts[0], texts[-1]) == ("[Turn 1][user]: before", "[Turn 3][user]: after")
    said = "".join(text.removeprefix("[Turn 2][user]: ") for text in texts[1:-1])
    assert said.split() == long.split()
    assert "word11999" in texts[rank_pieces(store, "word11999", k=1)[0]]
    store.add("user", "more")
    assert [piece.text for piece in indexed(store)][: len(texts) - 1] == texts[:-1]


def test_pieces_that_are_said_later_have_no_position(long_store):
    before = long_store.snapshot()
    long_store.start_session()
    long_store.add("user", "dogs and birds")
    for history, count in ((long_store, 5), (before, 4)):
        assert sorted(rank_pieces(history, "dogs birds")) == list(range(count))


def test_an_empty_history_has_no_piece(store):
    assert (indexed(store), rank_pieces(store, "anything", k=5), piece_number(store, 1)) == ([], [], 0)


@pytest.mark.parametrize("question", ["cats", "dogs", "about birds", "nothing of it", "", "of the", '"', "NOT cats*"])
def test_sessions_of_one_piece_rank_as_in_ranking(store, question):
    for text in ("about cats", "about dogs and dogs", "cats and dogs and birds", "fish", "cat"):
        store.start_session()
        store.add("user", text)
    assert rank_pieces(store, question) == rank_sessions(store, question)
    assert rank_pieces(store, question, k=2) == rank_sessions(store, question, k=2)
    assert rank_pieces(store, question, k=0) == []


def test_common_words_are_left_out_where_a_rarer_one_decides(store, monkeypatch):
    for number in range(9):
        store.start_session()
        store.add("user", "bus bus bus" if number else "bus trumpet")
    assert rank_pieces(store, "bus trumpet", k=3)[0] == 0
    monkeypatch.setattr(word_index, "MOST_SCORED", 5)
    assert rank_pieces(store, "bus trumpet", k=3) == [0, 8, 7]  # the others come as if they had no word of it


def test_where_all_words_are_common_the_newest_pieces_are_ranked(store, monkeypatch):
    for number in range(9):
        store.start_session()
        store.add("user", "bus bus bus" if number in (1, 6) else "a bus went by in the rain")
    assert rank_pieces(store, "bus", k=3) == [6, 1, 8]
    monkeypatch.setattr(word_index, "MOST_SCORED", 5)
    assert rank_pieces(store, "bus", k=3) == [6, 8, 7]
    assert sorted(rank_pieces(store, "bus", k=99)) == list(range(9))


def test_an_index_that_grows_is_the_one_that_is_made_at_once(long_store, monkeypatch):
    with MemoryStore() as growing:
        for number, texts in enumerate(SESSIONS):
            growing.start_session(f"day {number}")
            for text in texts:
                growing.add("user", text)
                take_in_new_turns(growing)
        take_in_new_turns(long_store)
        for store in (growing, long_store):
            for table in (SPOKEN, TURNS):
                store.query(f"CREATE VIRTUAL TABLE temp.words_{table} USING fts5vocab (main, {table}, instance)")
                store.query(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
        assert kept(growing) == kept(long_store)
        for table, rows in ((SPOKEN, 4), (TURNS, 6)):
            assert growing.query(f"SELECT count(*) FROM {table}_docsize") == [(rows,)]
            totals = f"SELECT block FROM {table}_data WHERE id = 1"  # that BM25 goes by
            assert growing.query(totals) == long_store.query(totals)


@pytest.mark.parametrize(("turns", "characters"), [(1, 10**9), (2, 10**9), (50_000, 15), (50_000, 1)])
def test_the_size_of_the_blocks_does_not_matter(long_store, monkeypatch, turns, characters):
    expected = opened(long_store, "Who?").pieces
    monkeypatch.setattr(word_index, "_BLOCK_TURNS", turns)
    monkeypatch.setattr(word_index, "_BLOCK_CHARACTERS", characters)
    assert indexed(long_store) == expected


def test_what_a_stopped_run_has_done_is_kept_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(word_index, "_BLOCK_TURNS", 2)
    path = tmp_path / "history.db"

    def stop(text):
        if text == "cat4":
            raise KeyboardInterrupt
        return text

    with MemoryStore(path) as store, monkeypatch.context() as stopping:
        for number in range(7):
            store.start_session()
            store.add("user", f"cat{number}")
        stopping.setattr(word_index, "telling", stop)
        with pytest.raises(KeyboardInterrupt):
            take_in_new_turns(store)
    with MemoryStore(path) as store:
        assert store.query(f"SELECT count(*) FROM {PIECES}") == [(4,)]
        assert len(indexed(store)) == 7
        assert [rank_pieces(store, f"cat{number}", k=1) for number in range(7)] == [[number] for number in range(7)]
