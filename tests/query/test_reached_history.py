import asyncio
from functools import partial

import pytest
from paper import PaperRLM, opened

from rlm_memory_core import connect
from rlm_memory_core.query import paper_way
from rlm_memory_core.query.prompts.record import session_prompt

reached = partial(opened, copied=False)
QUESTIONS = ["What is my cat called?", "What did I buy?", "Where did I move?", "What is the name of my parrot Kiwi?"]


def call(large, name, *args, **kwargs):
    return asyncio.run(large.functions[name](*args, **kwargs))


def test_the_limit_decides_whether_texts_are_copied(diary, root_and_subagents, scripted):
    size = diary.characters()
    for limit, copied in ((size, True), (size - 1, False)):
        PaperRLM(root_and_subagents(["FINAL(x)"]), copy_limit=limit).query(diary, "Who?")
        assert ("history_turns" in scripted.conversation[0]["content"]) is copied


def test_both_tell_the_same_size(diary, store):
    for history in (diary, store):
        large, copied = reached(history, "Who?"), opened(history, "Who?")
        assert (large.sessions, large.pieces) == (copied.sessions, copied.pieces)


def test_no_text_is_among_the_values(diary):
    values = reached(diary, "Who?", "2023/08/01").values
    assert values == {"question": "Who?", "question_date": "2023/08/01", "session_count": 3}


def test_sessions_are_reached_by_position(diary):
    large, copied = reached(diary, "Who?"), opened(diary, "Who?").values
    assert [call(large, "get_session", position) for position in range(3)] == copied["sessions"]
    assert [call(large, "get_date", position) for position in range(3)] == copied["session_dates"]
    assert call(large, "get_session", -1) == copied["sessions"][-1]


def test_ranking_searching_and_recent_turns_name_positions(diary):
    large = reached(diary, "What is my cat called?")
    assert call(large, "rank_sessions", k=1) == [0]
    assert call(large, "rank_sessions", "bicycle", 2) == [1, 2]
    assert call(large, "rank_sessions", "bicycle") == [1, 2, 0]
    found = call(large, "search_history", "BICYCLE")
    assert found == [{"turn_index": 3, "role": "user", "content": "I bought a red bicycle.", "position": 1}]
    assert [turn["turn_index"] for turn in call(large, "search_history", "noted", 2)] == [4, 6]
    assert [(turn["turn_index"], turn["position"]) for turn in call(large, "get_recent", 3)] == [(4, 1), (5, 2), (6, 2)]


def test_the_prompt_for_a_sub_agent_takes_a_position_or_a_text(diary):
    large = reached(diary, "Who?", "2023/08/01")
    text, date = "[Turn 3][user]: I bought a red bicycle.\n[Turn 4][assistant]: Noted.", "2023/06/01 (Thu) 10:00"
    assert call(large, "session_prompt", 1) == session_prompt(text, date, "Who?", "2023/08/01")
    assert call(large, "session_prompt", 1, "Monday", "When?") == session_prompt(text, "Monday", "When?", "2023/08/01")
    assert call(large, "session_prompt", "a text") == session_prompt("a text", None, "Who?", "2023/08/01")


def test_what_is_said_during_the_query_is_not_there(diary):
    large = reached(diary, "Paris")
    diary.start_session("2023/08/01")
    diary.add("user", "I moved to Paris. Noted.")
    assert large.values["session_count"] == 3
    assert sorted(call(large, "rank_sessions")) == [0, 1, 2]
    assert call(large, "search_history", "Paris") == []
    assert [turn["turn_index"] for turn in call(large, "get_recent", 2)] == [5, 6]
    with pytest.raises(IndexError):
        call(large, "get_session", 3)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("get_session", ["a"], "a whole number, not str"),
        ("get_session", [True], "a whole number, not bool"),
        ("get_session", [1.0], "a whole number, not float"),
        ("get_session", [3], "no session 3: positions go from 0 to 2"),
        ("get_date", [-4], "no session -"),
        ("get_date", [None], "a whole number, not NoneType"),
        ("search_history", [3], "a keyword, not int"),
        ("search_history", ["a", -1], "from 0 to 1,000, not -1"),
        ("search_history", ["a", "b"], "a whole number, not str"),
        ("get_recent", [10_000_000], "from 0 to 1,000, not 10,000,000"),
        ("get_recent", ["all"], "a whole number, not str"),
        ("rank_sessions", [3], "a question, not int"),
        ("rank_sessions", ["a", 1001], "from 0 to 1,000, not 1,001"),
        ("session_prompt", [[1]], "a whole number, not list"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(diary, name, arguments, said):
    with pytest.raises((TypeError, ValueError, IndexError), match=said) as refused:
        call(reached(diary, "Who?"), name, *arguments)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["search_history", "rank_sessions"])
def test_a_text_that_is_too_long_to_search_by_is_refused_unless_it_is_the_question(diary, name):
    with pytest.raises(ValueError, match="at most 10,000 characters"):
        call(reached(diary, "Who?"), name, "word " * 3_000)
    question = "bicycle " * 3_000
    assert call(reached(diary, question), "rank_sessions", question, 1) == [1]


def test_turns_that_hold_too_much_together_are_refused(diary, monkeypatch):
    monkeypatch.setattr(paper_way, "COPY_LIMIT", 29)
    large = reached(diary, "Who?")
    assert len(call(large, "get_recent", 2)) == 2
    for name, argument in (("get_recent", 3), ("search_history", "")):
        with pytest.raises(ValueError, match="over 29 characters; ask for fewer"):
            call(large, name, argument)


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_offline_reader_answers_alike_from_copies_and_through_functions(diary, question, parallel):
    copied, large = (
        PaperRLM(connect("offline", recorded="off"), parallel=parallel, copy_limit=limit).query(diary, question)
        for limit in (20_000_000, 0)
    )
    assert (large.text, large.evidence, large.coverage) == (copied.text, copied.evidence, copied.coverage)


def test_of_many_sessions_the_best_ranked_are_read(store):
    for number in range(300):
        store.start_session(f"2023/05/{number % 28 + 1:02}")
        store.add("user", "My cat is called Mochi." if number == 123 else f"It rained on my walk number {number}.")
    llm = connect("offline", recorded="off")
    answer = PaperRLM(llm, copy_limit=100).query(store, "What is my cat called?")
    assert answer.text == PaperRLM(llm).query(store, "What is my cat called?").text == "My cat is called Mochi."
    assert answer.coverage.asked == 10
    assert [evidence.session for evidence in answer.evidence] == [124]


def test_sub_agents_are_sent_to_positions_and_the_sandbox_sees_no_text(diary, root_and_subagents, scripted):
    code = "```repl\nprint(llm_query_parallel([2, 0], None, question), llm_query_parallel(['x'], ['Monday']))\n```"
    llm = root_and_subagents([code, "FINAL(done)"], lambda prompt: "Lisbon" if "Lisbon" in prompt else "NOT_FOUND")
    answer = PaperRLM(llm, copy_limit=0).query(diary, "Where did I move?")
    system = scripted.requests[0]["messages"][0]["content"]
    assert "session_count" in system
    assert "history_turns" not in system
    prompts = [request["messages"][1]["content"] for request in scripted.requests[1:4]]
    assert sorted(prompt.splitlines()[0] for prompt in prompts) == [
        '<session date="2023/05/20 (Sat) 02:21">', '<session date="2023/07/04 (Tue) 18:30">', '<session date="Monday">',
    ]  # fmt: skip
    assert [(evidence.session, evidence.text) for evidence in answer.evidence] == [(3, "Lisbon")]
    assert "['Lisbon', 'NOT_FOUND'] ['NOT_FOUND']" in scripted.conversation[-1]["content"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("llm_query_parallel('text')", "a list of positions first"),
        ("llm_query_parallel(5)", "a list of positions first"),
        ("llm_query_parallel([7])", "no session 7"),
        ("llm_query_parallel([None])", "a whole number, not NoneType"),
        ("llm_query_parallel([0, 1], ['Monday'])", "2 sessions but 1 dates"),
        ("llm_query_parallel(list(range(1001)))", "at most 1,000"),
        ("get_session()", "position"),
        ("print(len(sessions))", "sessions"),
    ],
)
def test_an_error_is_shown_to_the_root_model(diary, root_and_subagents, scripted, code, said):
    llm = root_and_subagents([f"```repl\n{code}\n```", "FINAL(done)"])
    assert PaperRLM(llm, copy_limit=0).query(diary, "Who?").coverage.asked == 0
    assert "Error" in scripted.conversation[-1]["content"]
    assert said in scripted.conversation[-1]["content"]


def test_quotes_are_looked_up_in_the_turns_of_a_position(diary, root_and_subagents, scripted):
    reply = '- [Turn 9] "I bought a red bicycle": a bicycle\n- [Turn 3] "My dog is called Rex.": the dog'
    llm = root_and_subagents(["```repl\nprint(llm_query_parallel([1]))\n```", "FINAL(done)"], lambda prompt: reply)
    answer = PaperRLM(llm, copy_limit=0).query(diary, "What did I buy?")
    assert [(each.session, each.turn, each.quote) for each in answer.evidence] == [(2, 3, "I bought a red bicycle")]
    assert answer.false_quotes == 1
    assert "a quote that is not in the session" in scripted.conversation[-1]["content"]
