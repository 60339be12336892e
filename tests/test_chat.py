import asyncio

import httpx2
import pytest

from rlm_memory_core import Budget, BudgetExceeded, MemoryChat, MemoryStore, ModelError, background
from rlm_memory_core.prompts import CHAT_SYSTEM, ROOT_SYSTEM

OPENING = ROOT_SYSTEM.split("\n")[0]


def used_memory(request):
    return request["messages"][0]["content"].startswith(OPENING[:40])


def contents(chat):
    return [(turn.role, turn.content) for turn in chat.store.turns]


def test_a_short_history_goes_to_the_model_as_a_chat(scripted):
    chat = MemoryChat(scripted([" Nairobi. "]))
    chat.add_turn("user", "I grew up in Nairobi.")
    chat.add_turn("assistant", "Noted.")
    answer = chat.query("Where did I grow up?")
    assert answer.text == "Nairobi."
    assert scripted.conversation == [
        {"role": "system", "content": CHAT_SYSTEM},
        {"role": "user", "content": "I grew up in Nairobi."},
        {"role": "assistant", "content": "Noted."},
        {"role": "user", "content": "Where did I grow up?"},
    ]


def test_query_adds_no_turn(scripted):
    chat = MemoryChat(scripted(["x", "FINAL(x y)"]), threshold_chars=3)
    chat.query("Who?")
    chat.add_turn("user", "long enough")
    chat.query("Who?")
    assert contents(chat) == [("user", "long enough")]


def test_the_threshold_decides_who_answers(scripted):
    chat = MemoryChat(scripted(["direct", "FINAL(from memory)"]), threshold_chars=10)
    chat.add_turn("user", "x" * 10)
    assert not chat.uses_memory
    assert chat.query("Who?").text == "direct"
    chat.add_turn("user", "y")
    assert chat.uses_memory
    assert chat.query("Who?").text == "from memory"
    assert [used_memory(request) for request in scripted.requests] == [False, True]


def test_send_stores_message_and_reply_and_asks_the_message_once(scripted):
    chat = MemoryChat(scripted(["Hello!", "Your cat is Mochi."]))
    chat.send("My cat is Mochi.")
    assert chat.send("Who is my cat?").text == "Your cat is Mochi."
    assert contents(chat) == [
        ("user", "My cat is Mochi."), ("assistant", "Hello!"), ("user", "Who is my cat?"),
        ("assistant", "Your cat is Mochi."),
    ]  # fmt: skip
    assert [message["content"] for message in scripted.conversation[1:]] == [
        "My cat is Mochi.", "Hello!", "Who is my cat?",
    ]  # fmt: skip


def test_send_past_the_threshold_stores_the_answer_from_memory(scripted):
    chat = MemoryChat(scripted(["FINAL(Mochi the cat)"]), threshold_chars=0)
    assert chat.send("Who is my cat?").text == "Mochi the cat"
    assert contents(chat) == [("user", "Who is my cat?"), ("assistant", "Mochi the cat")]


@pytest.mark.parametrize("threshold", [0, 1000])
def test_a_failure_keeps_the_users_turn_and_nothing_else(scripted, threshold):
    chat = MemoryChat(scripted([httpx2.Response(500), "FINAL(fine now)"]), threshold_chars=threshold)
    with pytest.raises(ModelError):
        chat.send("Hello?")
    assert contents(chat) == [("user", "Hello?")]
    chat.send("Again?")
    assert len(chat.store) == 3


def test_a_spent_budget_is_no_reply_of_the_assistant(scripted):
    chat = MemoryChat(scripted([]), threshold_chars=0, budget=Budget(calls=0))
    assert "spent" in chat.send("Hello?").error
    assert contents(chat) == [("user", "Hello?")]


def test_a_spent_budget_ends_a_direct_question(scripted):
    chat = MemoryChat(scripted([]), budget=Budget(calls=0))
    with pytest.raises(BudgetExceeded):
        chat.send("Hello?")
    assert contents(chat) == [("user", "Hello?")]


@pytest.mark.parametrize("threshold", [0, 1000])
@pytest.mark.parametrize("text", ["", " \n"])
def test_empty_messages_and_questions_are_refused_and_not_stored(scripted, threshold, text):
    chat = MemoryChat(scripted([]), threshold_chars=threshold)
    chat.add_turn("user", "Hi")
    for ask in (chat.send, chat.query):
        with pytest.raises(ValueError, match="empty"):
            ask(text)
    assert contents(chat) == [("user", "Hi")]


def test_the_date_of_the_question_is_passed_on(scripted):
    chat = MemoryChat(scripted(["x", "FINAL(x y)"]), threshold_chars=3)
    chat.query("Who?", question_date="2023/08/01")
    chat.add_turn("user", "long enough")
    chat.query("Who?", question_date="2023/08/01")
    assert all("2023/08/01" in request["messages"][-1]["content"] for request in scripted.requests)


def test_the_async_twins_do_the_same(scripted):
    chat = MemoryChat(scripted(["one", "two", "three"]))

    async def talk():
        return (await chat.aquery("Who?")).text, (await chat.asend("Hello?")).text

    assert asyncio.run(talk()) == ("one", "two")
    assert contents(chat) == [("user", "Hello?"), ("assistant", "two")]
    assert background.run(chat.aquery("Who?")).text == "three"


def test_a_history_on_disk_is_taken_up_again(scripted, tmp_path):
    path = tmp_path / "history.db"
    first = MemoryChat(scripted(["Noted."]), store=path)
    first.send("My cat is Mochi.")
    first.store.close()
    with MemoryStore(path) as store:
        again = MemoryChat(scripted(["Mochi."]), store=store)
        again.send("Who is my cat?")
        assert again.store is store
        assert len(scripted.conversation) == 4
        assert len(store) == 4


def test_usage_and_cost_of_a_direct_answer(scripted):
    chat = MemoryChat(scripted(["abc"], rates=(0.0, 2.0)))
    answer = chat.query("Who?")
    assert (answer.usage.calls, answer.usage.completion_tokens, answer.cost_usd) == (1, 3, 6.0)
    assert answer.trace.usage == answer.usage
    assert answer.coverage.asked == 0


def test_a_negative_threshold_is_refused(scripted):
    with pytest.raises(ValueError, match="threshold_chars"):
        MemoryChat(scripted([]), threshold_chars=-1)


def test_the_question_itself_is_no_evidence_for_its_answer():
    chat = MemoryChat(model="offline", threshold_chars=0)
    chat.add_turn("user", "My cat is called Mochi.")
    assert chat.send("What is my cat called?").text == "My cat is called Mochi."


def test_the_question_itself_is_not_ranked(scripted):
    """In a session of its own the question would come first; the sub-agents are sent to what was said before."""
    root = iter(["```repl\nprint(rank_sessions())\n```", "FINAL(done)"])
    chat = MemoryChat(scripted(lambda messages: next(root)), threshold_chars=0)
    for said in ("My cat is called Mochi.", "It rains."):
        chat.store.start_session()
        chat.add_turn("user", said)
    chat.store.start_session()
    chat.send("What is my cat called, my cat?")
    assert "[0, 1]" in scripted.conversation[-1]["content"]
