import random

import pytest
from paper import indexed, opened

from rlm_memory_core import MemoryStore, Session, Turn
from rlm_memory_core.search.word_index import MAX_PIECE_CHARACTERS, split
from rlm_memory_core.store.escaping import unescape


def session_of(*lengths, date="Monday"):
    turns = tuple(Turn(n, 3, "user", "x" * length, "") for n, length in enumerate(lengths, 1))
    return Session(3, date, turns)


def said(session):
    return "\n".join(map(str, session.turns))


def test_a_short_session_is_one_piece_without_its_marker():
    (piece,) = split(session_of(5, 5))
    assert (piece.session, piece.date, piece.text) == (3, "Monday", "[Turn 1][user]: xxxxx\n[Turn 2][user]: xxxxx")


def test_a_long_session_is_cut_between_turns_and_nothing_is_lost():
    session = session_of(*[50] * 20)
    pieces = split(session, limit=200)
    assert len(pieces) > 5
    assert all(len(piece.text) <= 200 for piece in pieces)
    assert "\n".join(piece.text for piece in pieces) == said(session)
    assert {(piece.session, piece.date) for piece in pieces} == {(3, "Monday")}


def test_a_piece_that_fits_exactly_is_not_cut():
    session = session_of(10, 10)
    assert len(split(session, limit=len(said(session)))) == 1
    assert len(split(session, limit=len(said(session)) - 1)) == 2


LONG = ["x" * 500, "word " * 100, "One. Two! " * 50, "[Turn 9][user]: \n" * 30, "\\" * 500, "</session>" * 50]


@pytest.mark.parametrize("content", LONG)
def test_a_turn_longer_than_the_limit_is_cut_into_parts_under_its_heading(content):
    session = Session(3, None, (*session_of(5).turns, Turn(2, 3, "user", content, ""), Turn(3, 3, "user", "last", "")))
    pieces = split(session, limit=100)
    texts = [piece.text for piece in pieces]
    assert max(map(len, texts)) <= 100
    headings = [line[:16] for text in texts for line in text.split("\n") if line.startswith("[Turn ")]
    assert headings == sorted(headings)
    assert set(headings) == {"[Turn 1][user]: ", "[Turn 2][user]: ", "[Turn 3][user]: "}
    parts = "\n".join(texts).partition("\n[Turn 3]")[0].split("\n[Turn 2][user]: ")
    assert "".join(map(unescape, parts[1:])) == content


def test_a_long_turn_is_cut_between_words_and_nothing_is_lost():
    words = [f"word{n}" for n in range(4000)]
    pieces = split(Session(1, None, (Turn(1, 1, "user", " ".join(words), ""),)), limit=1000)
    assert [word for piece in pieces for word in piece.text.removeprefix("[Turn 1][user]: ").split()] == words


def test_ten_million_characters_in_one_line_are_many_prompts_of_the_usual_size():
    pieces = split(Session(1, None, (Turn(1, 1, "user", "x" * 10_000_000, ""),)))
    assert len(pieces) == 251
    assert sum(len(piece.text.removeprefix("[Turn 1][user]: ")) for piece in pieces) == 10_000_000


def test_an_empty_session_has_no_piece():
    assert split(Session(1, "Monday", ())) == []


def random_history(rng):
    """Sessions of turns of which some are longer than a piece, some just as long, some empty."""
    store = MemoryStore()
    for _ in range(rng.randint(1, 3)):
        store.start_session(rng.choice([None, "2023/05/20"]))
        for _ in range(rng.randint(0, 6)):
            length = rng.choice(
                [0, 3, 12_000, 39_900, MAX_PIECE_CHARACTERS - 16, 40_100, 85_000, rng.randint(1, 90_000)]
            )
            words = rng.choice(["x", "word ", "One. Two!\n", "[Turn 9][user]: \n"])
            store.add(rng.choice(["user", "assistant"]), (words * length)[:length])
    return store


@pytest.mark.parametrize("seed", range(8))
def test_a_ranking_and_a_reading_go_by_the_same_pieces(seed):
    rng = random.Random(seed)
    with random_history(rng) as store:
        pieces = opened(store, "Who?").pieces
        assert indexed(store) == pieces
        assert all(len(piece.text) <= MAX_PIECE_CHARACTERS for piece in pieces)
        store.add("user", "One more.")
        assert indexed(store) == opened(store, "Who?").pieces


def test_a_short_turn_after_a_long_one_is_a_piece_of_its_own():
    session = Session(1, None, tuple(Turn(n, 1, "user", "x" * size, "") for n, size in enumerate((5, 150, 5, 5), 1)))
    texts = [piece.text for piece in split(session, limit=100)]
    assert [text.count("[Turn ") for text in texts] == [1, 1, 1, 2]
