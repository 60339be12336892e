import pytest

from rlm_memory_core import MemoryStore, Session, Turn
from rlm_memory_core.escaping import unescape
from rlm_memory_core.prompts import session_prompt
from rlm_memory_core.workspace import Workspace, split


def session_of(*lengths, date="Monday"):
    turns = tuple(Turn(n, 3, "user", "x" * length, "") for n, length in enumerate(lengths, 1))
    return Session(3, date, turns)


def test_a_short_session_is_one_piece_without_its_marker():
    (piece,) = split(session_of(5, 5))
    assert (piece.session, piece.date, piece.text) == (3, "Monday", "[Turn 1][user]: xxxxx\n[Turn 2][user]: xxxxx")


def test_a_long_session_is_cut_between_turns_and_nothing_is_lost():
    session = session_of(*[50] * 20)
    pieces = split(session, limit=200)
    assert len(pieces) > 5
    assert all(len(piece.text) <= 200 for piece in pieces)
    assert "\n".join(piece.text for piece in pieces) == session.text
    assert {(piece.session, piece.date) for piece in pieces} == {(3, "Monday")}


def test_a_piece_that_fits_exactly_is_not_cut():
    session = session_of(10, 10)
    assert len(split(session, limit=len(session.text))) == 1
    assert len(split(session, limit=len(session.text) - 1)) == 2


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


@pytest.fixture
def long_store():
    """Three sessions; the middle one is two pieces, and an empty one lies between."""
    with MemoryStore() as store:
        for texts in (["about cats"], ["about dogs", "dogs " * 7995], [], ["about cats and birds"]):
            store.start_session()
            store.extend(("user", text) for text in texts)
        yield store


def test_ranked_positions_are_positions_of_pieces(long_store):
    workspace = Workspace(long_store, "dogs")
    sessions = workspace.values()["sessions"]
    assert [piece.session for piece in workspace.pieces] == [1, 2, 2, 4]
    assert workspace.rank_sessions() == [1, 2, 3, 0]
    assert workspace.rank_sessions("birds", 1) == [3]
    assert "birds" in sessions[3]
    assert workspace.rank_sessions("birds", k=2)[0] == 3


def test_the_values_are_those_that_the_prompt_promises(diary):
    values = Workspace(diary, "Who?", "2023/08/01").values()
    assert (values["question"], values["question_date"]) == ("Who?", "2023/08/01")
    assert values["sessions"][0] == "[Turn 1][user]: My cat is called Mochi.\n[Turn 2][assistant]: Noted."
    assert values["session_dates"] == ["2023/05/20 (Sat) 02:21", "2023/06/01 (Thu) 10:00", "2023/07/04 (Tue) 18:30"]
    assert values["history_turns"][2] == {"turn_index": 3, "role": "user", "content": "I bought a red bicycle."}
    assert len(values["history_turns"]) == 6
    assert values["context"] == diary.to_string()


def test_the_functions_give_turns_as_dicts(diary):
    functions = Workspace(diary, "Who?", "2023/08/01").functions()
    found = functions["search_history"]("MOCHI")
    assert found == [{"turn_index": 1, "role": "user", "content": "My cat is called Mochi."}]
    assert [turn["turn_index"] for turn in functions["get_recent"](2)] == [5, 6]
    assert functions["session_prompt"]("text") == session_prompt("text", None, "Who?", "2023/08/01")
    assert functions["session_prompt"]("text", "Monday", "When?") == session_prompt(
        "text", "Monday", "When?", "2023/08/01"
    )


def test_a_workspace_of_an_empty_store(store):
    workspace = Workspace(store, "Who?")
    assert workspace.values() == {
        "question": "Who?", "question_date": None, "sessions": [], "session_dates": [], "history_turns": [],
        "context": "",
    }  # fmt: skip
    assert workspace.rank_sessions() == []
