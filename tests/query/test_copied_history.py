import asyncio
import threading

import pytest
from paper import PaperRLM, opened

from rlm_memory_core import MemoryStore
from rlm_memory_core.query import paper_way
from rlm_memory_core.query.prompts import session_prompt
from rlm_memory_core.search.ranking import arank_sessions
from rlm_memory_core.store.time_limit import in_search_thread


@pytest.fixture
def long_store():
    """Three sessions; the middle one is two pieces, and an empty one lies between."""
    with MemoryStore() as store:
        for texts in (["about cats"], ["about dogs", "dogs " * 7995], [], ["about cats and birds"]):
            store.start_session()
            store.extend(("user", text) for text in texts)
        yield store


def values_of(workspace):
    """The values as the REPL gives them to the code."""
    return {name: value() if callable(value) else value for name, value in workspace.values.items()}


def test_ranked_positions_are_positions_of_pieces(long_store):
    workspace = opened(long_store, "dogs")
    sessions = values_of(workspace)["sessions"]
    assert [piece.session for piece in workspace.pieces] == [1, 2, 2, 4]
    assert asyncio.run(workspace.rank_sessions()) == [2, 1, 3, 0]  # each piece by what is said in it
    assert asyncio.run(workspace.rank_sessions("birds", 1)) == [3]
    assert "birds" in sessions[3]
    assert asyncio.run(workspace.rank_sessions("birds", k=2))[0] == 3


def test_the_values_are_those_that_the_prompt_promises(diary):
    values = values_of(opened(diary, "Who?", "2023/08/01"))
    assert (values["question"], values["question_date"]) == ("Who?", "2023/08/01")
    assert values["sessions"][0] == "[Turn 1][user]: My cat is called Mochi.\n[Turn 2][assistant]: Noted."
    assert values["session_dates"] == ["2023/05/20 (Sat) 02:21", "2023/06/01 (Thu) 10:00", "2023/07/04 (Tue) 18:30"]
    assert values["history_turns"][2] == {"turn_index": 3, "role": "user", "content": "I bought a red bicycle."}
    assert len(values["history_turns"]) == 6
    assert values["context"] == diary.to_string()


def test_the_functions_give_turns_as_dicts(diary):
    functions = opened(diary, "Who?", "2023/08/01").functions
    found = asyncio.run(functions["search_history"]("MOCHI"))
    assert found == [{"turn_index": 1, "role": "user", "content": "My cat is called Mochi."}]
    assert [turn["turn_index"] for turn in asyncio.run(functions["get_recent"](2))] == [5, 6]
    assert asyncio.run(functions["session_prompt"]("text")) == session_prompt("text", None, "Who?", "2023/08/01")
    assert asyncio.run(functions["session_prompt"]("text", "Monday", "When?")) == session_prompt(
        "text", "Monday", "When?", "2023/08/01"
    )
    text, date = "[Turn 3][user]: I bought a red bicycle.\n[Turn 4][assistant]: Noted.", "2023/06/01 (Thu) 10:00"
    assert asyncio.run(functions["session_prompt"](1)) == session_prompt(text, date, "Who?", "2023/08/01")
    assert asyncio.run(functions["search_history"]("noted", 2)) == asyncio.run(functions["get_recent"](3))[::2]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("search_history", [3], "a keyword, not int"),
        ("search_history", ["a", -1], "must not be negative"),
        ("rank_sessions", [3], "a question, not int"),
        ("rank_sessions", ["a", -1], "k must not be negative, not -1"),
        ("session_prompt", [[1]], "a whole number, not list"),
        ("session_prompt", [True], "a whole number, not bool"),
        ("session_prompt", [3], "no session 3: positions go from 0 to 2"),
        ("session_prompt", [-4], "no session -4"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(diary, name, arguments, said):
    with pytest.raises((TypeError, ValueError, IndexError), match=said) as refused:
        asyncio.run(opened(diary, "Who?").functions[name](*arguments))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["search_history", "rank_sessions"])
def test_a_text_that_is_too_long_to_search_by_is_refused_unless_it_is_the_question(diary, name):
    with pytest.raises(ValueError, match="at most 10,000 characters"):
        asyncio.run(opened(diary, "Who?").functions[name]("word " * 3_000))
    question = "bicycle " * 3_000
    assert asyncio.run(opened(diary, question).rank_sessions(question, 1)) == [1]


def test_what_reads_the_file_leaves_the_loop_to_others(diary, monkeypatch):
    threads = []
    query = MemoryStore.query

    def noted(*args):
        threads.append(threading.get_ident())
        return query(*args)

    async def call():
        functions = opened(diary, "Who?").functions
        monkeypatch.setattr(MemoryStore, "query", noted)
        await functions["rank_sessions"]("cat", 1)
        await functions["search_history"]("cat")
        await arank_sessions(diary, "cat")
        return threading.get_ident()

    loop = asyncio.run(call())
    assert threads
    assert loop not in threads


def test_what_is_said_during_the_query_is_not_there(long_store):
    workspace = opened(long_store, "cats")
    before = long_store.to_string()
    long_store.start_session()
    long_store.add("user", "more cats")
    assert values_of(workspace)["context"] == before
    assert sorted(asyncio.run(workspace.rank_sessions())) == list(range(4))
    assert "more cats" not in str(workspace.search_history("cats") + workspace.get_recent(9))


def test_sessions_without_turns_are_headed_and_have_no_position(store):
    for date, said in (("Monday", ["cat", "dog"]), ("Tuesday", []), ("Wednesday", ["bird"]), ("Thursday", [])):
        store.start_session(date)
        store.extend(("user", text) for text in said)
    workspace = opened(store, "bird")
    assert all(day in values_of(workspace)["context"] for day in ("Monday", "Tuesday", "Wednesday", "Thursday"))
    assert asyncio.run(workspace.rank_sessions()) == [1, 0]
    assert [piece.session for piece in workspace.pieces] == [1, 3]


def test_a_workspace_of_an_empty_store(store):
    workspace = opened(store, "Who?")
    assert values_of(workspace) == {
        "question": "Who?", "question_date": None, "sessions": [], "session_dates": [], "history_turns": [],
        "context": "",
    }  # fmt: skip
    assert asyncio.run(workspace.rank_sessions()) == []


@pytest.mark.parametrize("search", ["search_history('a cat')", "rank_sessions('a cat')"])
def test_a_search_that_does_not_end_is_ended_and_the_code_goes_on(
    diary, root_and_subagents, scripted, monkeypatch, search
):
    forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n WHERE i < 0"
    monkeypatch.setattr(paper_way, "in_search_thread", lambda function, *_: in_search_thread(function, 0.05))
    for name in ("rank_pieces", "search_history"):
        owner = paper_way if name == "rank_pieces" else MemoryStore
        monkeypatch.setattr(owner, name, lambda store, *_: store.query(forever))
    llm = root_and_subagents([f"```repl\n{search}\n```", "```repl\nprint(get_recent(1))\n```", "FINAL(done)"])
    assert PaperRLM(llm).query(diary, "Who?").text == "done"
    shown = [request["messages"][-1]["content"] for request in scripted.requests]
    assert "took more than 0.05 s; search for a rarer word" in shown[1]
    assert "Noted." in shown[2]
