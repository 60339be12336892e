import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime

import httpx2
import pytest
from fault_server import always, events

from rlm_memory_core import (
    Budget,
    BudgetExceeded,
    MemoryChat,
    MemoryStore,
    ModelError,
    Reading,
    StoreError,
    connect,
)
from rlm_memory_core.models import background
from rlm_memory_core.query.prompts import CHAT_SYSTEM, SEARCH_SYSTEM
from rlm_memory_core.search.ranking import rank_sessions

USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
OPENING = SEARCH_SYSTEM.split("\n")[0]


def used_memory(request):
    return request["messages"][0]["content"].startswith(OPENING[:40])


class Clock:
    """A clock that the test sets."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return datetime.fromisoformat(self.now)


def chat_at(clock, llm, tz="UTC", **options):
    return MemoryChat(llm, store=MemoryStore(tz=tz), clock=clock, **options)


def said(scripted):
    """What the history says in the last request, without the markers of its sessions."""
    parts = [part for message in scripted.conversation[1:] for part in message["content"].split("\n\n")]
    return [part for part in parts if not part.startswith("[---")]


def contents(chat):
    return [(turn.role, turn.content) for turn in chat.store.turns]


def test_a_short_history_goes_to_the_model_as_a_chat(scripted):
    chat = chat_at(Clock("2023-05-20T02:21:00+00:00"), scripted([" Nairobi. "]))
    chat.add_turn("user", "I grew up in Nairobi.")
    chat.add_turn("assistant", "Noted.")
    answer = chat.query("Where did I grow up?")
    assert answer.text == "Nairobi."
    system, *others = scripted.conversation
    assert system["content"].startswith(f"{CHAT_SYSTEM}\n\nToday is 2023/05/20 (Sat).")
    assert others == [
        {"role": "user", "content": "[--- Session 1 | 2023/05/20 (Sat) 02:21 ---]\n\nI grew up in Nairobi."},
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
    assert said(scripted) == ["My cat is Mochi.", "Hello!", "Who is my cat?"]


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
        assert said(scripted) == ["My cat is Mochi.", "Noted.", "Who is my cat?"]
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
    """The question would match itself best; the search sees only what was said before."""
    root = iter(["```repl\nfind('cat')\n```", "FINAL(done)"])
    chat = MemoryChat(scripted(lambda messages: next(root)), threshold_chars=0)
    for said in ("My cat is called Mochi.", "It rains."):
        chat.store.start_session()
        chat.add_turn("user", said)
    chat.store.start_session()
    chat.send("What is my cat called, my cat?")
    assert "shown above: 1" in scripted.conversation[-1]["content"]
    assert "My cat is called Mochi." in scripted.conversation[1]["content"]
    assert "3 user" not in str(scripted.conversation)


def streamed(as_completion, text):
    return httpx2.Response(
        200, headers={"content-type": "text/event-stream"}, content=events(as_completion(text, usage=USAGE))
    )


def test_a_stream_gives_the_reply_in_pieces_and_then_stores_it(scripted, as_completion):
    chat = MemoryChat(scripted([streamed(as_completion, "Your cat is Mochi.")], rates=(1.0, 1.0)))
    stream = chat.stream("Who is my cat?")
    assert next(stream) == "Your "
    assert contents(chat) == [("user", "Who is my cat?")]
    assert "".join(stream) == "cat is Mochi."
    assert contents(chat) == [("user", "Who is my cat?"), ("assistant", "Your cat is Mochi.")]
    assert (stream.answer.text, stream.answer.usage.total_tokens, stream.answer.cost_usd) == (
        "Your cat is Mochi.",
        9,
        9,
    )
    assert list(stream) == []
    assert chat.stats()["completion_tokens"] == 2


def test_an_async_stream_does_the_same_on_a_loop_of_its_own(scripted, as_completion):
    chat = MemoryChat(scripted([streamed(as_completion, "Your cat is Mochi.")]))

    async def talk():
        stream = chat.stream("Who is my cat?")
        return [piece async for piece in stream], stream.answer.text

    assert asyncio.run(talk()) == (["Your ", "cat i", "s Moc", "hi."], "Your cat is Mochi.")
    assert len(chat.store) == 2


def test_a_stream_past_the_threshold_gives_the_answer_from_memory(scripted):
    chat = MemoryChat(scripted(["FINAL(Mochi the cat)"]), threshold_chars=0)
    stream = chat.stream("Who is my cat?")
    assert list(stream) == ["Mochi the cat"]
    assert len(stream.answer.trace.steps) == 1
    assert contents(chat) == [("user", "Who is my cat?"), ("assistant", "Mochi the cat")]


def test_a_recorded_reply_streams_again(scripted, as_completion):
    llm = scripted([streamed(as_completion, "Your cat is Mochi.")], recorded="auto")
    assert ["".join(MemoryChat(llm).stream("Who is my cat?")) for _ in range(2)] == ["Your cat is Mochi."] * 2
    assert MemoryChat(llm).send("Who is my cat?").trace.steps[0].recorded
    assert len(scripted.requests) == 1


def test_a_reply_that_breaks_off_leaves_the_users_turn_alone(fault_server):
    server = fault_server(lambda messages: "word " * 200, plan=always("dropped in mid-body"))
    with MemoryChat("m", base_url=server.url, api_key="k") as chat:
        chat.llm.rates = (1.0, 1.0)
        stream, pieces = chat.stream("Hello?"), []
        with pytest.raises(ModelError, match="broke off") as raised:
            pieces.extend(stream)
        assert raised.value.said == "".join(pieces) != ""
        assert contents(chat) == [("user", "Hello?")]
        assert list(stream) == []
        with pytest.raises(RuntimeError, match="no answer"):
            stream.answer  # noqa: B018
        stats = chat.stats()
        assert (stats["failed"], stats["calls"], stats["cost_usd"]) == (1, 1, raised.value.cost_usd)
        server.plan = always("")
        assert "".join(chat.stream("Again?")).startswith("word word")
        assert [role for role, _ in contents(chat)] == ["user", "user", "assistant"]


@pytest.mark.parametrize("how", ["close", "with", "break", "async break", "aclose", "cancel"])
def test_a_stream_that_is_given_up_stores_no_reply_and_leaves_nothing_running(fault_server, how):
    server = fault_server(lambda messages: "word " * 200, plan=always("stalls in mid-body"))
    budget = Budget()
    chat = MemoryChat(connect("m", server.url, "k", "off", rates=(1.0, 1.0)), budget=budget)

    async def give_up():
        stream = chat.stream("Hello?")
        async for _ in stream:
            if how == "async break":
                break
            if how == "aclose":
                await stream.aclose()
        if how == "async break":
            del stream

    async def cancel():
        reading = asyncio.create_task(read_all(chat.stream("Hello?")))
        while server.in_flight.now < 1:
            await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.wait([reading])

    if how == "close":
        stream = chat.stream("Hello?")
        next(stream)
        stream.close()
        assert list(stream) == []
    elif how == "with":
        with chat.stream("Hello?") as stream:
            next(stream)
    elif how == "break":
        for _ in chat.stream("Hello?"):
            break
    else:
        asyncio.run(cancel() if how == "cancel" else give_up())
    assert background.run(others_ended())
    assert contents(chat) == [("user", "Hello?")]
    assert (chat.stats()["failed"], chat.stats()["queries"]) == (1, {"normal": 1, "memory": 0})
    assert chat.stats()["cost_usd"] == budget.spent_usd > 0


@pytest.mark.parametrize("threshold", [0, 1000])
def test_a_send_that_is_cancelled_keeps_the_users_turn(scripted, threshold):
    asked = asyncio.Event()

    async def never(messages):
        asked.set()
        await asyncio.Event().wait()

    chat = MemoryChat(scripted(never), threshold_chars=threshold)

    async def cancel():
        sending = asyncio.create_task(chat.asend("Hello?"))
        await asked.wait()
        sending.cancel()
        assert contents(chat) == [("user", "Hello?")]
        await asyncio.wait([sending])

    background.run(cancel())
    assert contents(chat) == [("user", "Hello?")]


def test_closing_keeps_the_turn_of_a_stream_that_was_given_up(fault_server, tmp_path):
    server = fault_server(lambda messages: "word " * 200, plan=always("stalls in mid-body"))
    with MemoryChat(connect("m", server.url, "k", "off"), store=tmp_path / "history.db") as chat:
        for _ in chat.stream("Hello?"):
            break
    assert [turn.content for turn in MemoryStore(tmp_path / "history.db").turns] == ["Hello?"]


def test_streams_read_at_once_do_not_mix_their_turns(scripted, as_completion):
    chat = MemoryChat(scripted([streamed(as_completion, reply) for reply in ("one", "two")]))
    first, second = chat.stream("First?"), chat.stream("Second?")
    next(first)
    assert "".join(second) == "two"
    list(first)
    assert contents(chat) == [("user", "First?"), ("user", "Second?"), ("assistant", "two"), ("assistant", "one")]


async def read_all(stream):
    return [piece async for piece in stream]


async def others_ended():
    """Whether the background loop has nothing left to do, soon."""
    own = asyncio.current_task()
    for _ in range(500):
        if asyncio.all_tasks() == {own}:
            return True
        await asyncio.sleep(0.01)
    return False


def test_a_stream_that_nobody_reads_asks_nothing(scripted):
    chat = MemoryChat(scripted([]))
    chat.stream("Hello?")
    with chat.stream("Hello?"):
        pass
    assert (contents(chat), scripted.requests) == ([], [])


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_message_is_refused_before_a_stream_is_made(scripted, text):
    chat = MemoryChat(scripted([]))
    with pytest.raises(ValueError, match="empty"):
        chat.stream(text)


def test_a_spent_budget_ends_a_stream(scripted):
    chat = MemoryChat(scripted([]), budget=Budget(calls=0))
    with pytest.raises(BudgetExceeded):
        list(chat.stream("Hello?"))
    assert contents(chat) == [("user", "Hello?")]
    memory = MemoryChat(scripted([]), threshold_chars=0, budget=Budget(calls=0))
    stream = memory.stream("Hello?")
    assert list(stream) == ["I don't know"]
    assert "spent" in stream.answer.error
    assert contents(memory) == [("user", "Hello?")]


def test_streams_in_many_threads_keep_apart(scripted, as_completion):
    chats = [MemoryChat(scripted([streamed(as_completion, f"answer {n}")])) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda chat: "".join(chat.stream("Who?")), chats))
    assert said == [f"answer {n}" for n in range(8)]


def test_the_system_prompt_holds_in_both_modes_and_is_no_turn(scripted):
    chat = MemoryChat(scripted(["Arr!", "FINAL(Arr, Mochi!)"]), threshold_chars=10, system="You speak like a pirate.")
    chat.send("Ahoy!")
    chat.send("Who is my cat?")
    assert not any("pirate" in content for _, content in contents(chat))
    normal, memory = (request["messages"][0]["content"] for request in scripted.requests)
    assert normal.startswith(f"{CHAT_SYSTEM}\n\nYou speak like a pirate.\n\nToday is ")
    assert memory.startswith(SEARCH_SYSTEM[:40])
    assert memory.endswith("<instructions>\nYou speak like a pirate.\n</instructions>")


@pytest.mark.parametrize("threshold", [0, 1000])
def test_the_offline_reader_takes_no_system_prompt_for_history(threshold):
    chat = MemoryChat("offline", threshold, system="The user's parrot is called Kiwi. Answer in French.")
    chat.add_turn("user", "My cat is called Mochi.")
    assert chat.query("What is my cat called?").text == "My cat is called Mochi."
    assert chat.query("How old is my parrot?").text == "I don't know"


def test_stats_show_the_mode_and_why_and_what_was_taken(scripted):
    replies = ["direct", httpx2.Response(500), "FINAL(from memory)"]
    chat = MemoryChat(scripted(replies, rates=(0.0, 1.0)), threshold_chars=20)
    assert chat.stats() == {
        "model": "scripted", "mode": "normal", "characters": 0, "threshold_chars": 20, "turns": 0, "sessions": 0,
        "queries": {"normal": 0, "memory": 0}, "failed": 0, "calls": 0, "prompt_tokens": 0, "completion_tokens": 0,
        "cost_usd": 0.0,
    }  # fmt: skip
    chat.send("Hello?")
    with pytest.raises(ModelError):
        chat.query("Who?")
    assert chat.stats()["mode"] == "normal"
    chat.add_turn("user", "long enough by now")
    chat.query("Who?")
    stats = chat.stats()
    assert (stats["mode"], stats["queries"], stats["failed"]) == ("memory", {"normal": 2, "memory": 1}, 1)
    assert (stats["characters"], stats["turns"], stats["sessions"]) == (30, 3, 1)
    assert (stats["calls"], stats["completion_tokens"], stats["cost_usd"]) == (3, 24, 24.0)


def test_turns_are_added_from_an_event_loop():
    chat = MemoryChat()
    turn = asyncio.run(chat.aadd_turn("user", "My cat is Mochi."))
    assert (turn.index, contents(chat)) == (1, [("user", "My cat is Mochi.")])


def test_other_speakers_are_shown_as_the_protocol_has_it(scripted):
    chat = MemoryChat(scripted(["x"]))
    chat.add_turn("Caroline", "I paint.")
    chat.query("Who paints?")
    assert [message["role"] for message in scripted.conversation] == ["system", "user"]
    assert said(scripted) == ["Caroline: I paint.", "Who paints?"]


def test_closing_closes_the_file(tmp_path, scripted):
    with MemoryChat(scripted([]), store=tmp_path / "history.db") as chat:
        chat.add_turn("user", "Hi")
    for use in (lambda: len(chat.store), chat.stats, lambda: chat.send("Hi"), lambda: chat.add_turn("user", "Hi")):
        with pytest.raises(StoreError, match="the history is closed"):
            use()
    chat.close()
    assert repr(chat.store).endswith("closed>")
    with MemoryChat(scripted([]), store=tmp_path / "history.db") as again:
        assert again.stats()["turns"] == 1


def cut_off(as_completion, text="My dear friend, your cat is"):
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "length"}
    return as_completion(text, choices=[choice], usage=USAGE)


def test_a_reply_that_was_cut_off_is_said_and_not_stored(scripted, as_completion):
    chat = MemoryChat(scripted([httpx2.Response(200, json=cut_off(as_completion)), "Mochi."]))
    answer = chat.send("Who is my cat?")
    assert answer.text == "My dear friend, your cat is"
    assert answer.error == "the reply of scripted was cut off at its token limit"
    assert contents(chat) == [("user", "Who is my cat?")]
    assert (chat.stats()["failed"], chat.stats()["calls"]) == (1, 1)
    assert chat.send("Again?").error == ""
    assert chat.stats()["failed"] == 1


def test_a_stream_that_was_cut_off_is_said_and_not_stored(scripted, as_completion):
    body = events(cut_off(as_completion))
    chat = MemoryChat(scripted([httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)]))
    stream = chat.stream("Who is my cat?")
    assert "".join(stream) == "My dear friend, your cat is"
    assert "cut off" in stream.answer.error
    assert contents(chat) == [("user", "Who is my cat?")]
    assert chat.stats()["failed"] == 1


@pytest.mark.parametrize("threshold", [0, 1000])
def test_a_spent_budget_is_counted_as_failed_in_both_modes(scripted, threshold):
    chat = MemoryChat(scripted([]), threshold_chars=threshold, budget=Budget(calls=0))
    with suppress(BudgetExceeded):
        chat.send("Hello?")
    assert chat.stats()["failed"] == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"model": None}, "model is a model's name, or what connect.. returned, not None"),
        ({"threshold_chars": None}, "threshold_chars is a whole number of characters"),
        ({"threshold_chars": True}, "threshold_chars is a whole number of characters"),
        ({"budget": 0.5}, r"budget is a Budget, such as Budget\(usd=0.5\), or None, not 0.5"),
        ({"store": [{"role": "user", "content": "Hi"}]}, "store is a MemoryStore, a path or None"),
        ({"system": 5}, "system is a text or None, not 5"),
        ({"reading": 3}, "reading is a Reading"),
    ],
    ids=str,
)
def test_an_argument_of_another_type_is_refused_in_one_line(arguments, line):
    with pytest.raises(TypeError, match=line) as raised:
        MemoryChat(**arguments)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("what", [None, ["Hi"], b"Hi", {"role": "user"}], ids=str)
def test_only_texts_are_sent_and_asked(what):
    chat = MemoryChat()
    for ask in (chat.send, chat.stream):
        with pytest.raises(TypeError, match="a message is a string, not "):
            ask(what)
    with pytest.raises(TypeError, match="a question is a string, not "):
        chat.query(what)
    assert contents(chat) == []


def test_what_is_sent_at_once_is_stored_one_turn_after_another(scripted):
    async def slow(messages):
        await asyncio.sleep(0.01)
        return f"re: {messages[-1]['content']}"

    chat = MemoryChat(scripted(slow))

    async def talk():
        await asyncio.gather(*(chat.asend(f"message {n}") for n in range(4)))

    asyncio.run(talk())
    said = contents(chat)
    assert [role for role, _ in said] == ["user", "assistant"] * 4
    assert all(reply == f"re: {message}" for (_, message), (_, reply) in zip(said[::2], said[1::2], strict=True))


def test_a_chat_says_what_it_is_in_one_line(scripted):
    chat = MemoryChat(scripted(["Hello!"]))
    assert repr(chat) == (
        "<MemoryChat: scripted, memory past 20,000 characters; <MemoryStore in memory: 0 turns in 0 sessions>>"
    )
    chat.close()
    assert "closed" in repr(chat)


def test_closing_a_chat_ends_its_open_streams_and_keeps_their_messages(tmp_path, scripted):
    with MemoryChat(scripted(["Hello there."]), store=tmp_path / "history.db") as chat:
        reply = chat.stream("My message")
        next(reply)
    with MemoryStore(tmp_path / "history.db") as store:
        assert [turn.content for turn in store.turns] == ["My message"]
    reply.close()  # does nothing any more


def test_a_history_that_cannot_be_written_fails_before_a_model_is_asked(tmp_path, scripted, monkeypatch):
    llm = scripted(["Hello."])
    chat = MemoryChat(llm, store=tmp_path / "history.db")
    chat.add_turn("user", "Hi.")

    def locked():
        raise StoreError("another program has been writing")

    monkeypatch.setattr(chat.store, "transaction", locked)
    with pytest.raises(StoreError):
        chat.send("My message")
    assert scripted.requests == []


@pytest.mark.parametrize("threshold", [0, 1000])
def test_a_message_is_stored_before_the_model_is_asked_and_what_is_added_meanwhile_comes_after_it(scripted, threshold):
    def answer(messages):
        if (content := contents(chat)[-1:]) == [("user", "Hello?")]:
            chat.store.start_session("later")
            chat.add_turn("user", "Added meanwhile.")
        assert content
        return "FINAL(Hi!)"

    chat = MemoryChat(scripted(answer), threshold_chars=threshold)
    chat.add_turn("user", "Before.")
    chat.send("Hello?")
    assert [content for _, content in contents(chat)][:3] == ["Before.", "Hello?", "Added meanwhile."]
    assert "Added meanwhile." not in str(scripted.requests)


def test_a_message_that_waits_for_its_turn_is_kept_when_it_is_cancelled(scripted):
    asked = asyncio.Event()

    async def never(messages):
        asked.set()
        await asyncio.Event().wait()

    chat = MemoryChat(scripted(never))

    async def talk():
        tasks = [asyncio.create_task(chat.asend(text)) for text in ("one", "two")]
        await asked.wait()
        for task in tasks[::-1]:
            task.cancel()
            await asyncio.wait([task])
        return contents(chat)

    assert background.run(talk()) == [("user", "one"), ("user", "two")]


def test_a_message_cancelled_before_anything_happened_is_kept(scripted):
    chat = MemoryChat(scripted(["never"]))

    async def talk():
        task = asyncio.create_task(chat.asend("one"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(talk())
    assert contents(chat)[0] == ("user", "one")
    chat.close()  # waits for what has begun on the background loop


def test_search_and_ranking_of_a_message_do_not_find_the_message(scripted):
    """Also if another query has indexed the message meanwhile."""
    code = (
        "```repl\nprint('turns', len(search_history('zebra')), len(history_turns), 'zebra' in context)\n"
        "print('order', rank_sessions('zebra mochi'))\n```"
    )
    root = iter([code, "FINAL(done)"])

    def answer(messages):
        rank_sessions(chat.store, "zebra")
        return next(root)

    chat = MemoryChat(scripted(answer), threshold_chars=0, reading=Reading("paper"))
    for said_before in ("My cat is called Mochi.", "It rains."):
        chat.store.start_session()
        chat.store.add("user", said_before)
    chat.send("Does my zebra zebra zebra know Mochi?")
    shown = scripted.conversation[-1]["content"]
    assert "turns 0 2 False" in shown
    assert "order [0, 1]" in shown


WEEK = [
    ("2023-05-15T08:00:00+00:00", "My cat is called Mochi."),
    ("2023-05-15T14:30:00+00:00", "I sold my bicycle yesterday."),
    ("2023-05-21T03:00:00+00:00", "What did I sell?"),
]


def test_a_chat_of_a_week_shows_the_days_in_the_users_zone(scripted):
    clock = Clock("")
    chat = chat_at(clock, scripted(["Nice.", httpx2.Response(500), "Your bicycle."]), tz="America/Los_Angeles")
    for clock.now, message in WEEK:
        with suppress(ModelError):
            chat.send(message)
    dates = ["2023/05/15 (Mon) 01:00", "2023/05/15 (Mon) 07:30", "2023/05/20 (Sat) 20:00"]
    assert [session.date for session in chat.store.sessions] == dates
    assert "Today is 2023/05/20 (Sat)." in scripted.conversation[0]["content"]
    assert [date in str(scripted.conversation) for date in dates] == [True, True, False]
    assert [turn.role for turn in chat.store.turns] == ["user", "assistant", "user", "user", "assistant"]


@pytest.mark.parametrize("threshold", [10_000, 0])
def test_a_week_on_a_server_with_strict_roles_and_thoughts_and_one_failed_turn(scripted, threshold):
    def answer(messages):
        roles = [message["role"] for message in messages]
        if roles != [("user", "assistant")[at % 2] for at in range(len(roles))]:
            return httpx2.Response(400, json={"detail": "Roles must alternate user/assistant, and start with user"})
        if clock.now.startswith("2023-05-18"):
            return httpx2.Response(500)
        return f"<think>Secret {clock.now}.</think>FINAL(Noted.)" if threshold == 0 else "<think>Secret</think>Noted."

    clock = Clock("")
    with chat_at(clock, scripted(answer), threshold_chars=threshold, system="Be brief.") as chat:
        for day in range(15, 23):
            clock.now = f"2023-05-{day}T09:00:00+00:00"
            if day == 18:
                with pytest.raises(ModelError):
                    chat.send("This fails.")
            else:
                assert chat.send(f"It is day {day}.").text == "Noted."
        days = [f"2023/05/{day}" for day in range(15, 23)]
        assert [session.date[:10] for session in chat.store.sessions] == days
        assert [turn.role for turn in chat.store.turns] == ["user", "assistant"] * 3 + ["user"] + [
            "user",
            "assistant",
        ] * 4
        assert "Secret" not in chat.store.to_string()
    last = str(scripted.requests[-1]["messages"])
    assert "2023/05/22" in last
    assert threshold == 0 or all(day in last for day in days)
    assert "Secret" not in last


def test_the_day_of_asking_reaches_the_memory_too(root_and_subagents, scripted):
    prompts = []
    root = ["```repl\nread([1])\n```", "FINAL(ok)"]
    llm = root_and_subagents(root, lambda prompt: prompts.append(prompt) or "NOT_FOUND")
    clock = Clock("2023-05-21T03:00:00+00:00")
    chat = chat_at(clock, llm, tz="America/Los_Angeles", threshold_chars=0)
    chat.add_turn("user", "I sold my bicycle yesterday.", "2023-05-15T14:30:00Z")
    chat.query("What did I sell last week?")
    (prompt,) = prompts
    assert '<session date="2023/05/15 (Mon) 07:30">' in prompt
    assert '<question date="2023/05/20 (Sat)">' in prompt


def test_speakers_of_one_role_are_told_apart(scripted):
    chat = MemoryChat(scripted(["x"]))
    chat.add_turn("user", "I paint.", name="Ada")
    chat.add_turn("user", "I sing.", name="Ben")
    chat.query("Who paints?")
    assert said(scripted)[:2] == ["Ada: I paint.", "Ben: I sing."]


def test_the_offline_reader_does_not_quote_the_marker_of_a_session():
    chat = MemoryChat(store=MemoryStore(tz="UTC"), clock=Clock("2023-05-20T02:21:00+00:00"))
    chat.add_turn("user", "My cat is called Mochi.")
    assert chat.query("What is my cat called?").text == "My cat is called Mochi."
    assert chat.query("What is my session of 2023/05/20 called?").text != "[--- Session 1 | 2023/05/20 (Sat) 02:21 ---]"


@pytest.mark.parametrize("way", ["query", "send", "asend", "stream"])
def test_a_history_that_the_model_cannot_hold_is_answered_from_memory(scripted, way):
    """The threshold lets it through, and the server's window does not."""

    def model(messages):
        if used_memory({"messages": messages}):
            return "FINAL(Mochi)"
        if sum(len(message["content"]) for message in messages) > 2_000:
            return httpx2.Response(400, json={"error": {"message": "prompt is too long: 5000 tokens > 512 maximum"}})
        return "Hello."

    chat = MemoryChat(scripted(model), threshold_chars=100_000)
    assert chat.send("Hello!").text == "Hello."
    chat.add_turn("user", f"My cat is called Mochi. {'word ' * 1_000}")
    asked = "What is my cat called?"
    if way == "stream":
        assert "".join(chat.stream(asked)) == "Mochi"
    else:
        answer = asyncio.run(chat.asend(asked)) if way == "asend" else getattr(chat, way)(asked)
        assert (answer.text, answer.mode) == ("Mochi", "search")
    stored = [("user", asked), ("assistant", "Mochi")]
    assert (contents(chat)[-2:] == stored) is (way != "query")
    sent = len(scripted.requests)
    assert chat.query("And now?").text == "Mochi"
    assert len(scripted.requests) == sent + 1  # the history has not become shorter: it is not tried again
    stats = chat.stats()
    assert (stats["queries"], stats["failed"], stats["mode"]) == ({"normal": 1, "memory": 2}, 0, "memory")
    assert stats["calls"] == 4  # the refused one is counted once, however often it was sent


def test_a_question_that_is_too_long_by_itself_fails_and_the_chat_goes_on(scripted):
    def model(messages):
        if sum(len(message["content"]) for message in messages) > 9_000:
            return httpx2.Response(400, json={"error": {"message": "prompt is too long: 5000 tokens > 512 maximum"}})
        return "Hello."

    chat = MemoryChat(scripted(model), threshold_chars=100_000)
    with pytest.raises(ModelError, match="too long"):
        chat.query("word " * 5_000)
    assert (chat.query("Hi!").text, chat.stats()["failed"], chat.stats()["mode"]) == ("Hello.", 1, "normal")


@pytest.mark.parametrize("threshold", [0, 20_000])
class TestOfflineReaderInAChat:
    def test_says_what_it_is_to_what_is_no_question(self, threshold):
        chat = MemoryChat(threshold_chars=threshold)
        for message in ("Hi there!", "My cat is called Mochi.", "Thanks"):
            text = chat.send(message).text
            assert text.startswith("I am the offline reader (no LLM)")
            assert 'name one: model="gpt-4o-mini" in Python, --model gpt-4o-mini in the shell' in text

    def test_never_quotes_what_it_said_of_itself_and_still_does_not_know(self, threshold):
        chat = MemoryChat(threshold_chars=threshold)
        chat.send("Hello")
        assert chat.send("Which model did I set, and what was said before?").text == "I don't know"
