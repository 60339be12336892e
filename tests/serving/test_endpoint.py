"""The official client chats through an endpoint with memory, before models that the tests write."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import openai
import pytest
from aiohttp import web
from endpoints import command, running, upstream

from rlm_memory_core import MemoryStore
from rlm_memory_core.serving.people import People

SYSTEM = {"role": "system", "content": "You are a pirate."}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}


def user(text, **more):
    return {"role": "user", "content": text, **more}


def assistant(text):
    return {"role": "assistant", "content": text}


def client(url, key="none", **options):
    return openai.OpenAI(base_url=url, api_key=key, max_retries=0, **options)


def say(url, *messages, model="m", **options):
    """The text of a reply."""
    with client(url) as asking:
        return (
            asking.chat.completions.create(model=model, messages=list(messages), **options).choices[0].message.content
        )


def stored(path):
    with MemoryStore(path) as store:
        return [[(turn.role, turn.content) for turn in session.turns] for session in store.sessions]


def echo(body):
    """Replies with the number of the request's last message and its text."""
    return f"{len(body['messages'])}: {body['messages'][-1]['content']}"


def numbered():
    """Replies that differ."""
    count = iter(range(1, 10_000))
    return lambda body: f"reply {next(count)}"


def test_the_client_is_remembered_in_another_process(tmp_path):
    path = tmp_path / "h.db"
    with command("--store", path) as (url, _):
        say(url, user("My cat is called Mochi."))
    with command("--store", path) as (url, _):
        assert "Mochi" in say(url, user("What is my cat called?"))
    assert [len(session) for session in stored(path)] == [2, 2]


def test_a_conversation_that_is_sent_again_is_stored_once(tmp_path):
    path = tmp_path / "h.db"
    with upstream(numbered()) as (model, _), running(path, "m", model) as url:
        messages = [SYSTEM]
        for text in ("Hi.", "I live in Porto.", "Good night."):
            messages.append(user(text))
            messages.append(assistant(say(url, *messages)))
    (session,) = stored(path)
    assert session == [
        ("user", "Hi."), ("assistant", "reply 1"), ("user", "I live in Porto."), ("assistant", "reply 2"),
        ("user", "Good night."), ("assistant", "reply 3"),
    ]  # fmt: skip


def test_another_reply_and_an_edited_message_add_what_is_new(tmp_path):
    path = tmp_path / "h.db"
    with upstream(numbered()) as (model, _), running(path, "m", model) as url:
        begun = [user("Hi."), assistant(say(url, user("Hi.")))]
        assert say(url, *begun, user("A poem?")) == "reply 2"
        assert say(url, *begun, user("A poem?")) == "reply 3"
        assert say(url, *begun, user("A song?")) == "reply 4"
        assert say(url, *begun, user("A song?"), assistant(" reply 4\n"), user("Thanks.")) == "reply 5"
    (session,) = stored(path)
    assert [text for _, text in session] == [
        "Hi.", "reply 1", "A poem?", "reply 2", "reply 3", "A song?", "reply 4", "Thanks.", "reply 5"
    ]  # fmt: skip


def test_conversations_at_once_have_sessions_of_their_own(tmp_path):
    path = tmp_path / "h.db"
    with upstream(numbered()) as (model, _), running(path, "m", model) as url:
        one, two = [user("One.")], [user("Two.")]
        for _ in range(2):
            for talk in (one, two):
                talk += [assistant(say(url, *talk)), user("Go on.")]
    sessions = stored(path)
    assert [len(session) for session in sessions] == [2, 2, 2, 2]
    assert [session[0][1] for session in sessions] == ["One.", "Two.", "Go on.", "Go on."]


def test_a_conversation_that_began_elsewhere_is_stored_whole(tmp_path):
    path = tmp_path / "h.db"
    with upstream(numbered()) as (model, _), running(path, "m", model) as url:
        say(url, user("I have a dog."), assistant("Nice."), user("It is called Rex."))
    assert stored(path) == [
        [("user", "I have a dog."), ("assistant", "Nice."), ("user", "It is called Rex."), ("assistant", "reply 1")]
    ]


def test_the_model_gets_the_earlier_conversations_and_the_request_unchanged(tmp_path):
    path = tmp_path / "h.db"
    with upstream(numbered()) as (model, bodies), running(path, "m", model) as url:
        say(url, SYSTEM, user("Hi."))
        assert bodies[0]["messages"] == [SYSTEM, user("Hi.")]
        say(url, SYSTEM, user("Hi."), assistant("reply 1"), user("Again."))
        assert bodies[1]["messages"][1:] == [user("Hi."), assistant("reply 1"), user("Again.")]
        say(url, SYSTEM, user("What now?"))
    first, *rest = bodies[2]["messages"]
    assert "You are a pirate." in first["content"]
    assert [message["content"].splitlines()[-1] for message in rest] == [
        "Hi.",
        "reply 1",
        "Again.",
        "reply 2",
        "What now?",
    ]


def test_parameters_reach_the_model(tmp_path):
    sent = {
        "temperature": 0.3, "max_tokens": 17, "seed": 4, "stop": ["END"], "top_p": 0.5,
        "response_format": {"type": "json_object"},
    }  # fmt: skip
    with upstream(numbered()) as (model, bodies), running(tmp_path / "h.db", "m", model) as url:
        say(url, user("Hi."), model="another", **sent, extra_body={"top_k": 3})
    assert {name: bodies[0][name] for name in sent} == sent
    assert (bodies[0]["top_k"], bodies[0]["model"]) == (3, "m")


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_pass_through_and_their_calls_and_results_are_stored(tmp_path, streamed):
    path = tmp_path / "h.db"

    def answer(body):
        return {"content": None, "tool_calls": [CALL]} if body["messages"][-1]["role"] == "user" else "18 degrees."

    with upstream(answer) as (model, bodies), running(path, "m", model) as url, client(url) as asking:
        messages = [user("Weather in Rome?")]
        if streamed:
            with asking.chat.completions.stream(model="m", messages=messages, tools=TOOLS) as events:
                (call,) = events.get_final_completion().choices[0].message.tool_calls
        else:
            done = asking.chat.completions.create(model="m", messages=messages, tools=TOOLS, tool_choice="auto")
            (call,) = done.choices[0].message.tool_calls
        assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Rome"})
        messages.append(
            {"role": "assistant", "content": None, "tool_calls": [call.model_dump(include={"id", "type", "function"})]}
        )
        messages.append({"role": "tool", "tool_call_id": "c1", "content": "18"})
        assert say(url, *messages, tools=TOOLS) == "18 degrees."
    assert bodies[0]["tools"] == TOOLS
    assert [message["role"] for message in bodies[1]["messages"]] == ["user", "assistant", "tool"]
    assert stored(path) == [
        [
            ("user", "Weather in Rome?"), ("assistant", '[called weather({"city": "Rome"})]'), ("tool", "18"),
            ("assistant", "18 degrees."),
        ]
    ]  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True])
def test_the_next_message_joins_the_session_however_soon_it_comes(tmp_path, monkeypatch, streamed):
    path, close = tmp_path / "h.db", MemoryStore.close

    def slowly(store):
        time.sleep(0.3)
        close(store)

    monkeypatch.setattr(MemoryStore, "close", slowly)
    with upstream(numbered()) as (model, _), running(path, "m", model) as url, client(url) as asking:
        messages = []
        for text in ("Hi.", "I live in Porto.", "Good night."):
            messages.append(user(text))
            done = asking.chat.completions.create(model="m", messages=messages, stream=streamed)
            messages.append(assistant(text_of(done, streamed)))
    assert [len(session) for session in stored(path)] == [6]


def test_images_reach_the_model_and_are_named_in_the_store(tmp_path):
    parts = [
        {"type": "text", "text": "Who is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
    ]
    with upstream(lambda body: "Ada.") as (model, bodies), running(tmp_path / "h.db", "m", model) as url:
        assert say(url, {"role": "user", "content": parts}) == "Ada."
    assert bodies[0]["messages"] == [{"role": "user", "content": parts}]
    ((question, _),) = stored(tmp_path / "h.db")
    assert re.fullmatch(r"Who is this\?\n\[image_url [0-9a-f]{8}\]", question[1])


def test_a_stream_gives_the_text_and_the_usage_if_it_is_asked_for(tmp_path):
    path = tmp_path / "h.db"
    with (
        upstream(lambda body: "One two three.") as (model, _),
        running(path, "m", model) as url,
        client(url) as asking,
    ):
        ask = {"model": "m", "stream": True}
        chunks = list(asking.chat.completions.create(messages=[user("A?")], **ask))
        counted = list(
            asking.chat.completions.create(messages=[user("B?")], stream_options={"include_usage": True}, **ask)
        )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "One two three."
    assert len(chunks) > 3
    assert all(chunk.usage is None for chunk in chunks)
    assert (counted[-1].choices, counted[-1].usage.total_tokens) == ([], 10)
    assert [len(session) for session in stored(path)] == [2, 2]


FIRST = [{"index": 0}, {"index": "0"}, {"index": None}, {}, {"index": 1}]


@pytest.mark.parametrize(
    ("first", "later"),
    [*((first, {}) for first in FIRST[:4]), *((first, first) for first in FIRST), ({}, FIRST[0]), ({}, FIRST[2])],
)
def test_a_stream_whose_choices_and_tool_calls_are_numbered_anyhow_is_stored_whole(tmp_path, first, later):
    halves = {"name": "weather", "arguments": '{"city": '}, {"arguments": '"Rome"}'}
    deltas = [{"content": "On it: "}, {"content": "Rome."}]
    deltas += [{"tool_calls": [index | {"function": half}]} for index, half in zip((first, later), halves, strict=True)]
    chunks = [{"choices": [(later if at else first) | {"delta": delta}]} for at, delta in enumerate(deltas)]
    chunks.append({"choices": [later | {"delta": {}, "finish_reason": "stop"}]})
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in [*chunks, {"choices": None}])
    answer = web.Response(text=body, content_type="text/event-stream")
    path = tmp_path / "h.db"
    with upstream(lambda _: answer) as (model, _), running(path, "m", model) as url:
        sent = httpx2.post(f"{url}/chat/completions", json={"model": "m", "messages": [user("?")], "stream": True})
    assert '"Rome."' in sent.text
    assert stored(path) == [[("user", "?"), ("assistant", 'On it: Rome.\n[called weather({"city": "Rome"})]')]]


def long_history(path):
    with MemoryStore(path, tz="UTC") as store:
        store.start_session("2023/05/20 (Sat) 02:21")
        store.add("user", "My cat is called Mochi.", "2023-05-20T02:21:00")
        for number in range(40):
            store.add("user", f"Walk number {number} was long and the weather was mild.")


def memory(final):
    """A model that answers from memory by code, and other requests by `final`."""

    def answer(body):
        is_root = "FINAL" in body["messages"][0]["content"]
        return '```repl\ncite(1, "called Mochi")\nFINAL("Mochi")\n```' if is_root else final

    return answer


def test_a_long_history_is_searched_and_all_is_counted(tmp_path):
    path = tmp_path / "h.db"
    long_history(path)
    with (
        upstream(memory("Mochi, I think.")) as (model, bodies),
        running(path, "m", model, threshold=500) as url,
        client(url) as asking,
    ):
        done = asking.chat.completions.create(model="m", messages=[SYSTEM, user("What is my cat called?")])
        chunks = list(
            asking.chat.completions.create(
                model="m", messages=[user("My cat's name?")], stream=True, stream_options={"include_usage": True}
            )
        )
    assert done.choices[0].message.content == "Mochi, I think."
    assert done.usage.prompt_tokens == 7 * (len(bodies) // 2)
    assert "pirate" in json.dumps(bodies[len(bodies) // 2 - 1])
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Mochi, I think."
    assert chunks[-1].usage.completion_tokens == 3 * (len(bodies) // 2)
    assert stored(path)[-1] == [("user", "My cat's name?"), ("assistant", "Mochi, I think.")]


def is_search(body):
    return "FINAL" in body["messages"][0]["content"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_follow_up_past_the_threshold_reaches_the_model_with_its_conversation(tmp_path, streamed):
    path = tmp_path / "h.db"
    long_history(path)
    talk = [
        user("We went to a wedding in Porto."), assistant("Lovely."), user("It was on a Sunday."), assistant("I see."),
        user("And who came with her?"),
    ]  # fmt: skip
    with (
        upstream(memory("Her aunt.")) as (model, bodies),
        running(path, "m", model, threshold=500) as url,
        client(url) as asking,
    ):
        done = asking.chat.completions.create(model="m", messages=talk, stream=streamed)
        assert text_of(done, streamed) == "Her aunt."
    *searches, last = bodies
    assert last["messages"][-4:] == talk[1:]
    assert last["messages"][-5]["content"].endswith("\n\nWe went to a wedding in Porto.")
    assert "Mochi" in last["messages"][-5]["content"]
    assert all(is_search(body) and "wedding in Porto" in json.dumps(body) for body in searches)


def test_a_long_conversation_that_the_request_holds_needs_no_search(tmp_path):
    talk = [
        each for number in range(50) for each in (user(f"Question {number} about the weather?"), assistant("Mild."))
    ]
    with upstream(memory("Yes.")) as (model, bodies), running(tmp_path / "h.db", "m", model, threshold=300) as url:
        assert say(url, *talk, user("Is it so?")) == "Yes."
        assert bodies[0]["messages"] == [*talk, user("Is it so?")]
        assert say(url, user("What did I ask?")) == "Yes."
    assert len(bodies) > 2


def test_the_steps_of_a_tool_loop_search_once_and_keep_what_was_found(tmp_path):
    path = tmp_path / "h.db"
    long_history(path)

    def answer(body):
        if is_search(body):
            return '```repl\ncite(1, "called Mochi")\nFINAL("Mochi")\n```'
        return {"content": None, "tool_calls": [CALL]} if len(body["messages"]) < 7 else "Rain."

    with upstream(answer) as (model, bodies), running(path, "m", model, threshold=500) as url:
        messages = [user("Weather for my cat?")]
        say(url, *messages, tools=TOOLS, user="")
        searches = sum(map(is_search, bodies))
        for _ in range(3):
            messages.append({"role": "assistant", "content": None, "tool_calls": [CALL]})
            messages.append({"role": "tool", "tool_call_id": "c1", "content": "18"})
            reply = say(url, *messages, tools=TOOLS, user="")
        assert (reply, sum(map(is_search, bodies))) == ("Rain.", searches)
        assert all("Mochi" in json.dumps(body) for body in bodies if not is_search(body))
        say(url, *messages, assistant("Rain."), user("And my cat's name?"), tools=TOOLS, user="")
    assert sum(map(is_search, bodies)) > searches


def test_a_request_with_parameters_is_worded_by_the_model_from_what_the_memory_says(tmp_path):
    path = tmp_path / "h.db"
    long_history(path)
    with (
        upstream(memory("Arr, Mochi!")) as (model, bodies),
        running(path, "m", model, threshold=500) as url,
        client(url) as asking,
    ):
        asked = {"model": "m", "messages": [SYSTEM, user("What is my cat called?")], "temperature": 0.7, "tools": TOOLS}
        done = asking.chat.completions.create(**asked)
    assert done.choices[0].message.content == "Arr, Mochi!"
    last = bodies[-1]
    assert (last["temperature"], last["tools"]) == (0.7, TOOLS)
    said = last["messages"][-1]["content"]
    assert "Mochi" in said
    assert said.endswith("What is my cat called?")
    assert "turn 1, 2023/05/20" in said
    assert done.usage.prompt_tokens == 7 * len(bodies)


@pytest.mark.parametrize("streamed", [False, True])
def test_what_does_not_fit_the_models_context_is_the_models_error(tmp_path, streamed):
    said = "This model's maximum context length is 100 tokens"
    error = {"error": {"message": said, "code": "context_length_exceeded"}}
    path = tmp_path / "h.db"
    with (
        upstream(lambda body: web.json_response(error, status=400)) as (model, _),
        running(path, "m", model) as url,
        pytest.raises(openai.BadRequestError, match=said),
    ):
        say(url, user("Is it so?"), stream=streamed)
    assert stored(path) == []


@pytest.mark.parametrize("size", [2, 3, 4, 5, 9])
def test_a_client_that_sends_its_last_messages_is_stored_once(tmp_path, size):
    path = tmp_path / "h.db"
    with upstream(numbered()) as (model, _), running(path, "m", model) as url:
        talk = []
        for number in range(8):
            talk.append(user(f"Message {number}."))
            talk.append(assistant(say(url, *talk[-size:])))
    turns = [text for session in stored(path) for _, text in session]
    assert turns == [message["content"] for message in talk]
    assert len(stored(path)) == 1


@pytest.mark.parametrize("size", [2, 3, 6])
def test_clients_that_send_their_last_messages_in_turn_and_ask_for_other_replies_are_stored_once(tmp_path, size):
    path = tmp_path / "h.db"
    with upstream(numbered()) as (model, _), running(path, "m", model) as url:
        talks = [], []
        for number in range(10):
            for name, talk in zip(("Ada", "Ben"), talks, strict=True):
                talk.append(user(f"Message {number} of {name}."))
                replies = [say(url, *talk[-size:]) for _ in range(1 + number % 2)]
                talk.append(assistant(replies[-1]))
    turns = [text for session in stored(path) for _, text in session]
    assert sorted(turns) == sorted(
        {message["content"] for talk in talks for message in talk} | {f"reply {each}" for each in range(1, 31)}
    )


@pytest.mark.parametrize("size", [2, 3])
def test_a_client_that_sends_the_users_last_messages_alone_is_stored_once(tmp_path, size):
    path = tmp_path / "h.db"
    with upstream(numbered()) as (model, _), running(path, "m", model) as url:
        said = [user(f"Message {number}.") for number in range(6)]
        for stop in range(1, 7):
            say(url, *said[max(stop - size, 0) : stop])
    turns = [text for session in stored(path) for role, text in session if role == "user"]
    assert turns == [message["content"] for message in said]


@pytest.mark.parametrize("first", ["It is {}:00. Hi.", "Summary of what was said, {}."])
def test_a_first_message_that_changes_does_not_store_the_rest_again(tmp_path, first):
    path = tmp_path / "h.db"
    with upstream(numbered()) as (model, _), running(path, "m", model) as url:
        talk = []
        for number in range(6):
            talk.append(user(f"Message {number}."))
            kept = talk if "Hi" in first else talk[-5:]
            sent = [user(first.format(number)), *kept]
            talk.append(assistant(say(url, *sent)))
    turns = [text for session in stored(path) for _, text in session]
    assert [text for text in turns if text.startswith("reply")] == [f"reply {number}" for number in range(1, 7)]
    for number in range(2, 6):
        assert turns.count(f"Message {number}.") == 1


def test_the_first_message_with_the_last_ones_is_stored_once(tmp_path):
    path = tmp_path / "h.db"
    with upstream(numbered()) as (model, _), running(path, "m", model) as url:
        talk = []
        for number in range(8):
            talk.append(user(f"Message {number}."))
            sent = talk if len(talk) < 6 else [talk[0], *talk[-5:]]
            talk.append(assistant(say(url, *sent)))
    (session,) = stored(path)
    assert [text for _, text in session] == [message["content"] for message in talk]


def test_conversations_with_the_same_replies_are_kept_apart(tmp_path):
    path = tmp_path / "h.db"
    with upstream(lambda body: "I don't know") as (model, _), running(path, "m", model) as url:
        for name in ("Ada", "Bob", "Cy"):
            talk = []
            for text in (f"Who is {name}?", "Why?", "Really?", "Thanks."):
                talk += [user(text)]
                talk += [assistant(say(url, *talk))]
    assert [[text for _, text in session][0::2] for session in stored(path)] == [
        [f"Who is {name}?", "Why?", "Really?", "Thanks."] for name in ("Ada", "Bob", "Cy")
    ]


def test_a_window_shows_the_model_what_fell_out_of_it(tmp_path):
    with upstream(numbered()) as (model, bodies), running(tmp_path / "h.db", "m", model) as url:
        talk = []
        for number in range(5):
            talk.append(user(f"Message {number}."))
            talk.append(assistant(say(url, *talk[-3:])))
    assert re.findall(r"Message \d", json.dumps(bodies[-1])) == [f"Message {number}" for number in range(5)]


def test_another_reply_does_not_see_the_old_one_as_an_earlier_conversation(tmp_path):
    with upstream(numbered()) as (model, bodies), running(tmp_path / "h.db", "m", model) as url:
        say(url, user("A poem?"))
        say(url, user("A poem?"))
        say(url, user("A song?"))
    assert bodies[1]["messages"] == [user("A poem?")]
    assert "reply 1" in json.dumps(bodies[2])


NAMES = [
    "ada", "Ada", "ada ", "../ada", "..", ".", "/etc/passwd", "ada/../bob", "a\\b", "CON", "x" * 5000, "Zoë",
    "Zoe\u0308", "猫", "ada\0", "a\nb", "%2e%2e", "h.db", "😀", "'; DROP TABLE turns; --",
]  # fmt: skip


def test_people_never_see_each_other(tmp_path):
    path = tmp_path / "sub" / "h.db"
    path.parent.mkdir()
    with upstream(lambda body: "ok") as (model, bodies), running(path, "m", model) as url:
        say(url, user("The secret of nobody."))
        for number, name in enumerate(NAMES):
            say(url, user(f"The secret of {number}."), user=name)
        bodies.clear()
        for name in NAMES:
            say(url, user("What do you know?"), user=name)
    for number, body in enumerate(bodies):
        assert re.findall(r"secret of (\w+)", json.dumps(body)) == [str(number)]
    assert len({People(path).file(name) for name in ["", *NAMES]}) == len(NAMES) + 1
    assert {file.name for file in tmp_path.iterdir()} == {"sub"}
    assert {file.name for file in path.parent.iterdir() if "-" not in file.name} == {"h.db", "h.db.people"}


@pytest.mark.slow
def test_requests_at_fifty_at_once_are_stored_once_and_in_order(tmp_path, times):
    path, rounds = tmp_path / "h.db", times(5, 20)
    sizes = []

    def talk(url, number):
        """Messages of one person, each with the whole conversation before it."""
        messages = []
        with client(url) as asking:
            for each in range(rounds):
                messages.append(user(f"Message {each} of {number}."))
                ask = {"model": "m", "messages": messages, "user": f"person {number % 10}", "stream": bool(number % 2)}
                done = asking.chat.completions.create(**ask)
                messages.append(assistant(text_of(done, bool(number % 2))))
                if not number:
                    sizes.append(resident(process.pid))
        return [(message["role"], message["content"]) for message in messages]

    with upstream(lambda body: f"Reply to {body['messages'][-1]['content']}") as (model, _):
        serving = command("--store", path, "--model", "m", "--base-url", model)
        with serving as (url, process), ThreadPoolExecutor(50) as threads:
            said = list(threads.map(lambda number: talk(url, number), range(50)))
    for person in range(10):
        turns = [turn for session in stored(People(path).file(f"person {person}")) for turn in session]
        assert len(turns) == 5 * 2 * rounds
        for number in range(person, 50, 10):
            assert [turn for turn in turns if turn[1].endswith(f" of {number}.")] == said[number]
    assert not path.exists() or stored(path) == []
    assert max(sizes[rounds // 2 :]) - sizes[rounds // 2] < 40_000  # KB


def text_of(done, is_stream):
    if is_stream:
        return "".join(chunk.choices[0].delta.content or "" for chunk in done)
    return done.choices[0].message.content


def resident(process):
    """The memory of a process in KB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1])
