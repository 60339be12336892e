"""The loop in the search reading: what a reply may do, weak models, empty replies, FINAL beside what was not seen."""

import httpx2
import pytest
from asking import refused

from rlm_memory_core import Budget, Limits, MemoryRLM, MemoryStore, ModelError, QueryFailed, Reading, connect
from rlm_memory_core.query.prompts import EMPTY, HISTORY_SYSTEM, SEARCH_FORCED, SEARCH_SUBAGENT_SYSTEM, UNSEEN
from rlm_memory_core.query.search_way import WITHOUT_CODE

QUESTION = "What is my cat called?"


def block(code):
    return f"```repl\n{code}\n```"


def empty(content="", **message):
    reply = {"role": "assistant", "content": content, **message}
    return httpx2.Response(
        200, json={"choices": [{"index": 0, "message": reply, "finish_reason": "stop"}], "usage": {}}
    )


def last(scripted):
    return scripted.conversation[-1]["content"]


def test_the_opening_search_is_in_the_first_message_and_one_reply_can_end_it(diary, scripted):
    answer = MemoryRLM(scripted([block('cite(1, "called Mochi")\nFINAL("Mochi")')])).query(
        diary, QUESTION, "2023/08/01"
    )
    assert (answer.text, answer.mode, answer.usage.calls) == ("Mochi", "search", 1)
    assert [(each.session, each.turn, each.quote) for each in answer.evidence] == [(1, 1, "called Mochi")]
    first = scripted.requests[0]["messages"]
    assert "1 user: My cat is called Mochi." in first[1]["content"]
    assert '<question date="2023/08/01">' in first[1]["content"]
    assert "3 sessions, 6 turns up to 2023/07/04 (Tue) 18:30" in first[1]["content"]


def test_bare_calls_print_and_variables_stay(diary, scripted):
    root = [
        block('x = find("bicycle")\nfind("Lisbon")'),
        block('x\nlen(x) > 3\nparse_date("20 May 2023")'),
        "FINAL(done)",
    ]
    MemoryRLM(scripted(root)).query(diary, "Who?")
    first, second = (request["messages"][-1]["content"] for request in scripted.requests[1:])
    assert "bicycle" not in first
    assert "5 user: I moved to Lisbon." in first
    assert "3 user: I bought a red bicycle." in second
    assert "True\n2023-05-20 Sat" in second


@pytest.mark.parametrize("final", ['FINAL("red")', "x = 1\n```\nFINAL(red)\n```repl\ny = 2"])
def test_final_beside_a_search_that_was_not_seen_does_not_count(diary, scripted, final):
    root = [block(f'find("bicycle")\n{final}'), block('find("bicycle")\nFINAL("blue")')]
    answer = MemoryRLM(scripted(root)).query(diary, "What did I move?")
    assert answer.text == "blue"  # the second time nothing was new
    assert UNSEEN in scripted.requests[1]["messages"][-1]["content"]
    assert "3 user: I bought a red bicycle." in scripted.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize("reading", [Reading("search"), Reading("paper")])
def test_an_answer_in_words_beside_unseen_output_does_not_count_and_a_computed_one_does(diary, scripted, reading):
    root = [f"{block('print(6 * 7)')}\nFINAL(41)", "FINAL(42)"]
    assert MemoryRLM(scripted(root), reading=reading).query(diary, "How many?").text == "42"
    root = [f"{block('n = 6 * 7' + chr(10) + 'print(n)')}\nFINAL(n)"]
    assert MemoryRLM(scripted(root), reading=reading).query(diary, "How many?").text == "42"
    root = [f"{block('n = 6 * 7')}\nFINAL(forty-two)"]
    assert MemoryRLM(scripted(root), reading=reading).query(diary, "How many?").text == "forty-two"


@pytest.mark.parametrize(
    "code",
    ['cite(1, "called Luna")\nFINAL("Luna")',
     'try:\n    cite(1, "called Luna")\nexcept ValueError:\n    pass\nFINAL("Luna")',
     'cite(1, "called Luna")\n```\nFINAL(Luna)\n```repl\nx = 1'],
)  # fmt: skip
def test_a_false_quote_stops_the_final_and_says_why(diary, scripted, code):
    answer = MemoryRLM(scripted([block(code), block('cite(1, "Mochi")\nFINAL("Mochi")')])).query(diary, QUESTION)
    assert (answer.text, answer.false_quotes) == ("Mochi", 1)
    assert "turn 1 does not say 'called Luna'; it says: My cat is called Mochi." in last(scripted)


def test_the_last_reply_may_cite_and_must_answer(diary, scripted):
    root = [block("x = 1"), block("x = 2"), block('cite(1, "Mochi")\nFINAL("Mochi")')]
    answer = MemoryRLM(scripted(root), max_iterations=3).query(diary, QUESTION)
    assert (answer.text, len(answer.evidence)) == ("Mochi", 1)
    assert last(scripted).endswith(SEARCH_FORCED)
    false = [block('cite(1, "Luna")\nFINAL("Mochi")')]
    assert MemoryRLM(scripted(false), max_iterations=1).query(diary, QUESTION).text == "Mochi"


WEAK = {
    "chatter": ["I would look for the cat.", "The cat, hm."],
    "code that never runs": [block("for x in"), block("1 / 0")],
    "names that are not there": [block("print(sessions[0])"), block("search('cat')")],
    "empty": [empty(), empty(None)],
    "one of each": [empty(None, tool_calls=[{"id": "1", "type": "function"}]), block("fnd('cat')")],
    "fences of other languages": ["```json\n{}\n```", "```\n```"],
}


@pytest.mark.parametrize("replies", WEAK.values(), ids=WEAK)
def test_a_weak_model_is_shown_a_search_and_answers_from_that(diary, scripted, replies):
    answer = MemoryRLM(scripted([*replies, "Your cat is called Mochi."])).query(diary, QUESTION, system="Be kind.")
    assert (answer.text, answer.mode) == ("Your cat is called Mochi.", WITHOUT_CODE)
    assert [(each.session, each.turn, each.quote) for each in answer.evidence] == [(1, 1, "My cat is called Mochi.")]
    system, record = scripted.conversation
    assert system["content"].startswith(HISTORY_SYSTEM)
    assert "Be kind." in system["content"]
    assert "1 user: My cat is called Mochi." in record["content"]
    assert len(answer.trace.steps) == answer.usage.calls == 3
    assert "the engine searched by itself" in answer.trace.steps[-1].output


def test_one_miss_is_forgiven(diary, scripted):
    root = ["Hm.", block('find("cat")'), "Hm.", block('cite(1, "Mochi")\nFINAL("Mochi")')]
    assert MemoryRLM(scripted(root)).query(diary, QUESTION).mode == "search"


def test_a_model_whose_code_never_answers_is_asked_once_more(diary, scripted):
    answer = MemoryRLM(scripted([block("print(1)")] * 3 + ["FINAL(Mochi)"]), max_iterations=3).query(diary, QUESTION)
    assert (answer.text, answer.mode) == ("Mochi", WITHOUT_CODE)


def test_a_small_context_window_is_shown_less(scripted):
    store = MemoryStore()
    for number in range(60):
        store.start_session()
        store.add("user", f"My cat number {number} sleeps. " + "It is a fine day. " * 20)
    store.add("user", "My cat is called Mochi.")

    def small(messages):
        if sum(len(message["content"]) for message in messages) > 2_000:
            told = "This model's maximum context length is 500 tokens."
            return httpx2.Response(400, json={"error": {"message": told, "code": "context_length_exceeded"}})
        return "Mochi"

    answer = MemoryRLM(scripted(small)).query(store, QUESTION)
    assert (answer.text, answer.mode) == ("Mochi", WITHOUT_CODE)
    assert "Mochi" in scripted.conversation[1]["content"]


@pytest.mark.parametrize("reading", [Reading("search"), Reading("paper")])
def test_an_empty_reply_is_asked_again_and_three_in_a_row_are_an_error(diary, scripted, reading):
    answer = MemoryRLM(scripted([empty(), "FINAL(Mochi)"]), reading=reading).query(diary, QUESTION)
    assert (answer.text, answer.usage.calls) == ("Mochi", 2)
    assert EMPTY in last(scripted)
    with pytest.raises(ModelError, match="empty") as failed:
        MemoryRLM(scripted([empty()] * 3), reading=reading).query(diary, QUESTION)
    assert failed.value.usage.calls == 3


def test_reading_costs_and_reads_nothing_twice(diary, scripted):
    asked = []

    def model(messages):
        if messages[0]["content"] == SEARCH_SUBAGENT_SYSTEM:
            asked.append(messages[1]["content"])
            return (
                '- [Turn 1] "called Mochi": the cat\n-- session 9' if "Mochi" in messages[1]["content"] else "NOT_FOUND"
            )
        return next(root)

    root = iter([block('read([2, 1], "pets?")'), block('read([1, 3], "pets?")\nread(1)'), block("FINAL('x')")])
    answer = MemoryRLM(scripted(model)).query(diary, "Which pets?")
    assert len(asked) == answer.coverage.asked == 4
    first, second = (step.output for step in answer.trace.steps[:2])
    assert first == '-- session 1, 2023/05/20 (Sat) 02:21\n1 "called Mochi": the cat'
    assert "(session 1 was read for this before)" in second
    assert answer.sessions_read == (1, 2, 3)
    assert [(each.turn, each.quote) for each in answer.evidence] == [(1, "called Mochi")]


def test_an_answer_beside_a_sub_agents_finding_does_not_count(diary, root_and_subagents):
    early = block('cite(1, "Mochi")\nread(1)\nFINAL("early")')
    llm = root_and_subagents([early, block('FINAL("late")')], lambda prompt: '- [Turn 1] "called Mochi": the cat')
    answer = MemoryRLM(llm).query(diary, QUESTION)
    assert (answer.text, len(answer.trace.steps)) == ("late", 2)
    assert UNSEEN in answer.trace.steps[0].output


def test_the_assistants_turns_are_shortened_for_sub_agents_unless_they_are_asked_for(store, scripted):
    store.extend([("user", "A poem!"), ("assistant", "Roses. " * 300 + "The end.")])
    asked = []

    def model(messages):
        if messages[0]["content"] == SEARCH_SUBAGENT_SYSTEM:
            asked.append("The end." in messages[1]["content"])
            return "NOT_FOUND"
        return next(root)

    root = iter([block('read(1, "poems")\nread(1, "What did you write?")'), block("FINAL('x')")])
    MemoryRLM(scripted(model)).query(store, "Which poem?")
    assert asked == [False, True]


def test_tokens_hardly_grow_with_the_history():
    taken = []
    for count in (50, 2_000):
        store = MemoryStore()
        with store.transaction():
            for number in range(count):
                store.start_session(f"2023/{1 + number % 12:02}/{1 + number % 28:02}")
                said = "My cat is called Mochi." if number == 7 else f"Bus {number} was late again, like yesterday."
                store.extend([("user", said), ("assistant", "I see.")])
        taken.append(MemoryRLM(connect("offline", recorded="off")).query(store, QUESTION).usage.total_tokens)
    assert taken[1] < 1.15 * taken[0]


def test_an_answer_without_a_citation_gets_the_words_that_it_quotes(diary, scripted):
    answer = MemoryRLM(scripted(["FINAL(It is called Mochi)"])).query(diary, QUESTION)
    assert [(each.turn, each.quote) for each in answer.evidence] == [(1, "My cat is called Mochi.")]
    assert MemoryRLM(scripted(['FINAL("I don\'t know")'])).query(diary, QUESTION).evidence == ()


def test_a_false_quote_after_reading_names_the_turn_that_has_it(diary, scripted):
    replies = iter([block("read(1)\nlook(1)"), block('cite(2, "called Mochi")'), "FINAL(x)"])

    def model(messages):
        found = '- [Turn 1] "called Mochi": the cat'
        return found if messages[0]["content"] == SEARCH_SUBAGENT_SYSTEM else next(replies)

    MemoryRLM(scripted(model)).query(diary, "Who?")
    assert "turn 2 does not say 'called Mochi'; turn 1 does" in last(scripted)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("read([1])", "take 6 sub-agents, and 5 are left"),
        ("read(2, 'x' * 10_001)", "at most 10,000 characters"),
        ("read([1, 2])", "take 7 sub-agents, and 5 are left"),
        ("read([1, 2, 3])", "hold 630,011 characters: read fewer"),
    ],
)
def test_what_is_read_at_once_is_bounded(root_and_subagents, scripted, code, words):
    store = MemoryStore()
    for turns in (["word " * 6000] * 6, ["A cat."], ["word " * 90_001]):
        store.start_session()
        store.extend([("user", text) for text in turns])
    llm = root_and_subagents([f"```repl\n{code}\n```", "FINAL(it)"])
    limits = Limits(query_subcalls=5, query_prompt_characters=200_000)
    answer = MemoryRLM(llm, limits=limits).query(store, "Which?")
    assert words in answer.trace.steps[0].output
    assert answer.coverage.asked == 0


@pytest.mark.parametrize("reply", ["```repl\n" + "a = 1\n" * 150_000 + "```", "FINAL([" + "1, " * 300_000 + "])"])
@pytest.mark.parametrize("reading", ["search", "paper"])
def test_a_reply_of_a_million_characters_is_not_parsed(diary, root_and_subagents, reply, reading, monkeypatch):
    monkeypatch.setattr("rlm_memory_core.models.normalise._MOST_SAID", 800_000)
    llm = root_and_subagents([reply, "FINAL(it)"])
    answer = MemoryRLM(llm, reading=Reading(reading)).query(diary, "Which?")
    assert answer.text == "it"
    assert answer.trace.steps[0].code == ()


def test_the_first_message_says_that_the_search_took_too_long(diary, root_and_subagents, scripted, monkeypatch):
    def slow(*args):
        raise TimeoutError("the search took more than 10 s; search for a rarer word")

    monkeypatch.setattr("rlm_memory_core.query.search_tools.find_turns", slow)
    assert MemoryRLM(root_and_subagents(["FINAL(it)"])).query(diary, "Which?").text == "it"
    assert "took more than" in scripted.conversation[1]["content"]


EARLY = block('cite(1, "called Mochi")\nfind("bicycle", "Lisbon")\nFINAL("Mochi")')


def cut(text):
    return httpx2.Response(
        200, json={"choices": [{"index": 0, "message": {"content": text}, "finish_reason": "length"}], "usage": {}}
    )


ASKED = "(the engine asked which of the new turns may change the answer)"


@pytest.mark.parametrize(
    "checked",
    ["none", "None of 3, 5.", "1. none\n2. none\n3. none", "99", "1", "Hm.\nTurn 3 is about a bicycle.", cut("3")],
)
def test_an_answer_beside_a_search_stands_if_a_check_finds_no_turn_that_may_change_it(diary, scripted, checked):
    answer = MemoryRLM(scripted([EARLY, checked])).query(diary, QUESTION, "2023/08/01")
    assert (answer.text, answer.usage.calls) == ("Mochi", 2)
    system, asked = scripted.conversation
    assert system["content"].startswith("An answer about a user's chat history")
    assert f'<question date="2023/08/01">\n{QUESTION}\n' in asked["content"]
    assert asked["content"].endswith(
        """
Answer: Mochi
<output>
The answer rests on:
-- session 1, 2023/05/20 (Sat) 02:21
1: called Mochi
New turns:
-- session 3, 2023/07/04 (Tue) 18:30
5 user: I moved to Lisbon.
-- session 2, 2023/06/01 (Thu) 10:00
3 user: I bought a red bicycle.
</output>"""
    )
    first, second = answer.trace.steps
    assert (first.code, second.code, second.output) == ((EARLY[8:-4],), (), ASKED)
    assert first.started < second.started
    assert ASKED in str(answer.trace)


def test_an_answer_beside_a_search_does_not_count_if_a_check_names_a_turn(diary, scripted):
    replies = [EARLY, "3 may: it is red.", block('cite(3, "red bicycle")\nFINAL("red")')]
    answer = MemoryRLM(scripted(replies)).query(diary, QUESTION)
    assert (answer.text, answer.usage.calls) == ("red", 3)
    told = "FINAL does not count yet: turn 3 is new to you and may change the answer."
    assert told in last(scripted)
    assert told in answer.trace.steps[1].output
    assert [each.quote for each in answer.evidence] == ["called Mochi", "red bicycle"]


def test_an_answer_is_not_checked_if_nothing_is_new_or_no_reply_is_left(diary, scripted):
    seen = [block("look([1, 2, 3])"), EARLY]
    assert MemoryRLM(scripted(seen)).query(diary, QUESTION).usage.calls == 2
    assert MemoryRLM(scripted([EARLY]), max_iterations=1).query(diary, QUESTION).text == "Mochi"


@pytest.mark.parametrize(
    ("checked", "why"), [(empty(), "answer is empty"), (refused(400, "busy"), "busy"), (refused(401), "API key")]
)
def test_an_answer_that_cannot_be_checked_stands_and_the_trace_says_why(diary, scripted, checked, why):
    answer = MemoryRLM(scripted([EARLY, checked])).query(diary, QUESTION)
    assert (answer.text, answer.error, answer.usage.calls) == ("Mochi", "", 2)
    assert answer.trace.steps[-1].output.startswith("(this answer was not checked: ")
    assert why in answer.trace.steps[-1].output


@pytest.mark.parametrize("calls", [1, 2])
def test_an_answer_that_no_money_is_left_to_check_or_to_change_stands(diary, scripted, calls):
    answer = MemoryRLM(scripted([EARLY, "3"]), budget=Budget(calls=calls)).query(diary, QUESTION)
    assert answer.text == "Mochi"
    assert bool(answer.error) is (calls == 2)  # then it should have been given again


def test_an_answer_that_a_server_lets_nobody_change_is_in_the_error(diary, scripted):
    with pytest.raises(QueryFailed) as failed:
        MemoryRLM(scripted([EARLY, "3", refused(400)])).query(diary, QUESTION)
    assert failed.value.answer.text == "Mochi"


def test_a_replay_without_the_check_is_refused(diary, scripted, tmp_path):
    calls = {"calls_path": tmp_path / "calls.db"}
    MemoryRLM(scripted([EARLY, empty()], recorded="auto", **calls)).query(diary, QUESTION)  # it is not recorded
    with pytest.raises(ModelError, match="not recorded"):
        MemoryRLM(scripted([], recorded="replay", **calls)).query(diary, QUESTION)


def test_an_early_answer_stands_if_the_last_reply_is_cut_off(diary, scripted):
    answer = MemoryRLM(scripted([EARLY, "3", cut("FIN")]), max_iterations=2).query(diary, QUESTION)
    assert answer.text == "Mochi"
    assert "cut off" in answer.error


def test_what_a_model_without_code_did_not_see_is_no_evidence(scripted):
    store = MemoryStore()
    store.extend([("user", f"My trip, day {number}. " + "It was a long and sunny day. " * 12) for number in range(30)])
    store.add("user", "We rented the cabin near Lake Vilnisk with Marek.")
    said = "You rented the cabin near Lake Vilnisk with Marek."
    answer = MemoryRLM(scripted(["Hm.", "Hm.", said])).query(store, "What was my trip like on day 3?")
    assert "Vilnisk" not in scripted.conversation[1]["content"]
    assert answer.evidence == ()


def test_what_look_lists_beside_an_open_answer_is_checked(diary, scripted):
    unknown = block('cite(1, "Mochi")\nlook()\nFINAL("I don\'t know: you never said")')
    replies = [unknown, "5", block('cite(5, "Lisbon")\nFINAL("in Lisbon")')]
    answer = MemoryRLM(scripted(replies)).query(diary, "Where does my cat sleep?")
    assert (answer.text, answer.usage.calls) == ("in Lisbon", 3)


def test_a_question_of_thousands_of_words_beside_a_last_search(diary, scripted):
    question = f"{QUESTION} {' '.join(f'word{number}' for number in range(2_500))}"
    assert MemoryRLM(scripted([EARLY, "none"])).query(diary, question).text == "Mochi"


def test_what_the_code_cited_stays_where_its_replies_end_without_final(diary, scripted):
    replies = [block('cite(1, "called Mochi")'), block("print(1)"), "It is Mochi."]
    answer = MemoryRLM(scripted(replies), max_iterations=2).query(diary, QUESTION)
    assert (answer.text, answer.mode) == ("It is Mochi.", WITHOUT_CODE)
    assert [each.quote for each in answer.evidence] == ["called Mochi"]


def test_evidence_that_the_engine_finds_has_the_date_of_its_session(diary, scripted):
    answer = MemoryRLM(scripted([*WEAK["chatter"], "Your cat is called Mochi."])).query(diary, QUESTION)
    assert [each.date for each in answer.evidence] == [diary.sessions[0].date]
