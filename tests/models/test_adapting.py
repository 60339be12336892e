import json

import httpx2
import pytest
from asking import ask, refused
from fault_server import events

from rlm_memory_core import MemoryChat, ModelError, connect
from rlm_memory_core.models import background
from rlm_memory_core.models.adapting import MOST, SYSTEM, accepted, alternating, is_too_long, lessons
from rlm_memory_core.models.streaming import Listener
from rlm_memory_core.models.types import ContextExceeded, count_tokens


def said(role, content):
    return {"role": role, "content": content}


PAPER = [said("system", "S"), said("user", "Q"), said("assistant", "A"), said("user", "Q2")]


def test_messages_that_alternate_stay_as_they_are():
    for messages in (PAPER[:2], PAPER, [said("user", "Q")]):
        assert alternating(messages) == messages


@pytest.mark.parametrize(
    ("messages", "sent"),
    [
        ([said("user", "a"), said("user", "b")], [said("user", "a\n\nb")]),
        ([said("system", "s"), said("system", "t"), said("user", "a")], [said("system", "s\n\nt"), said("user", "a")]),
        ([said("user", "a"), said("system", "s"), said("user", "b")], [said("system", "s"), said("user", "a\n\nb")]),
        ([said("user", "a"), said("assistant", " "), said("user", "b")], [said("user", "a\n\nb")]),
    ],
)
def test_neighbours_of_one_role_are_merged(messages, sent):
    assert alternating(messages) == sent


IN_PARTS = {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]}


@pytest.mark.parametrize("odd", [IN_PARTS, {"role": "system", "content": None}, {**said("system", "s"), "name": "n"}])
def test_a_system_message_that_is_more_than_a_text_stays_as_it_is(odd):
    user = said("user", "Q")
    assert alternating([odd, user]) == [odd, user]
    assert alternating([odd, user], fold_system=True) == [{**odd, "role": "user"}, user]
    assert alternating([said("system", "t"), odd, user]) == [said("system", "t"), odd, user]


def test_messages_in_parts_are_sent_and_told_from_the_system_role_that_is_refused(scripted):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    asked = [IN_PARTS, {"role": "user", "content": [{"type": "text", "text": "a\0\ud800"}, image]}]
    llm = scripted(strict_of_system)
    assert ask(llm, messages=asked).text == "yes"
    assert scripted.conversation[0] == {**IN_PARTS, "role": "user"}
    assert scripted.conversation[1]["content"] == [{"type": "text", "text": "a\ufffd\ufffd"}, image]


def strict_of_system(messages):
    return refused(400, "System role not supported") if messages[0]["role"] == "system" else "yes"


def test_an_assistant_never_speaks_first():
    roles = [
        message["role"] for message in alternating([said("system", "s"), said("assistant", "Hi"), said("user", "a")])
    ]
    assert roles == ["system", "user", "assistant", "user"]


def strict(messages):
    """A server with a template that raises where roles do not alternate."""
    roles = [message["role"] for message in messages]
    if roles[0] == "system":
        return refused(400, "System role not supported")
    if roles != [("user", "assistant")[at % 2] for at in range(len(roles))]:
        return refused(400, "Conversation roles must alternate user/assistant/user/assistant/...")
    return "yes"


def test_a_chat_goes_on_after_a_failed_turn_on_a_strict_server(scripted):
    fails = [True]

    def answer(messages):
        return refused(401) if fails[0] else strict(messages)

    chat = MemoryChat(scripted(answer), system="Be brief.")
    chat.add_turn("assistant", "Welcome!")
    chat.add_turn("Ada", "Hi.")
    chat.add_turn("system", "A note.")
    with pytest.raises(ModelError):
        chat.send("Hello?")
    fails[0] = False
    assert chat.send("Hello?").text == "yes"
    assert chat.send("And now?").text == "yes"
    assert "Be brief." in scripted.requests[-1]["messages"][0]["content"]
    assert len(scripted.requests) == 4  # the system role is refused once


SHAPES = [
    lambda text: {"error": text},
    lambda text: {"error": {"message": text}},
    lambda text: {"detail": text},
    lambda text: {"detail": [{"loc": ["body"], "msg": text}]},
    lambda text: {"message": text},
    lambda text: text,
]


@pytest.mark.parametrize("status", [400, 422, 404, 500])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_refused_parameter_is_left_out_once_and_for_all(scripted, status, shape):
    error = shape("Temperature is not supported: `temperature`")

    def answer(messages):
        if "temperature" not in scripted.requests[-1]:
            return "yes"
        return httpx2.Response(status, content=error if isinstance(error, str) else json.dumps(error))

    llm = scripted(answer)
    assert [ask(llm).text, ask(llm).text] == ["yes", "yes"]
    assert ask(connect("scripted", llm.base_url, "k", "off")).text == "yes"
    assert ["temperature" in request for request in scripted.requests] == [True, False, False, False]


def test_another_name_of_max_tokens_is_learnt(scripted):
    def answer(messages):
        if "max_tokens" in scripted.requests[-1]:
            return refused(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return "yes"

    llm = scripted(answer)
    assert [ask(llm).text, ask(llm).text] == ["yes", "yes"]
    assert scripted.requests[-1]["max_completion_tokens"] == 8_192
    assert len(scripted.requests) == 3


def test_a_limit_on_max_tokens_is_learnt(scripted):
    def answer(messages):
        if scripted.requests[-1]["max_tokens"] > 4_096:
            return refused(400, "max_tokens is too large: 8192. This model supports at most 4096 completion tokens.")
        return "yes"

    llm = scripted(answer)
    assert [ask(llm).text, ask(llm).text] == ["yes", "yes"]
    assert [request["max_tokens"] for request in scripted.requests] == [8_192, 4_096, 4_096]


def test_a_reply_that_does_not_fit_into_the_window_may_be_shorter_this_time(scripted):
    window = "This model's maximum context length is 8192 tokens, but you requested 9000 (8192 in the completion)."

    def answer(messages):
        has_room = messages[-1]["content"] == "short" or "max_tokens" not in scripted.requests[-1]
        return "yes" if has_room else refused(400, window)

    llm = scripted(answer)
    for text in ("long", "short", "long"):
        assert ask(llm, messages=[said("user", text)]).text == "yes"
    assert ["max_tokens" in request for request in scripted.requests] == [True, False, True, True, False]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."),
        (400, "the request exceeds the available context size, try increasing it"),
        (400, "prompt is too long: 208000 tokens > 200000 maximum"),
        (400, "Input is too long for requested model."),
        (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
        (400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens."),
        (422, "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000"),
        (413, "Request Entity Too Large"),
        (500, "the input length exceeds the context length"),
        (429, "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000."),
    ],
)
def test_a_prompt_that_is_too_long_is_an_error_of_its_own_kind(scripted, status, text):
    with pytest.raises(ContextExceeded):
        ask(scripted(lambda messages: refused(status, text)))


@pytest.mark.parametrize("text", ["no such model", "your account is not active", "Rate limit: 30000 tokens per min"])
def test_other_refusals_are_not_of_that_kind(scripted, text):
    with pytest.raises(ModelError) as caught:
        ask(scripted(lambda messages: refused(403, text)))
    assert type(caught.value) is ModelError


def test_stream_options_and_streams_may_be_refused(scripted, as_completion):
    def answer(messages):
        sent = scripted.requests[-1]
        for name in ("stream_options", "stream"):
            if name in sent:
                return refused(400, f"unknown field {name}")
        return "yes"

    heard = []
    reply = background.run(scripted(answer).complete([said("user", "?")], None, Listener(heard.append)))
    assert (reply.text, heard) == ("yes", ["yes"])
    assert len(scripted.requests) == 3


def test_base64_vectors_may_be_refused(scripted):
    def answer(texts):
        if "encoding_format" in scripted.requests[-1]:
            return refused(400, "only floats are supported, not base64")
        rows = [{"index": at, "embedding": [1.0, 2.0]} for at, _ in enumerate(texts)]
        return httpx2.Response(200, json={"object": "list", "data": rows, "usage": {"prompt_tokens": 1}})

    llm = scripted(answer)
    for _ in range(2):
        assert background.run(llm.embed(["a"])).vectors == [[1.0, 2.0]]
    assert len(scripted.requests) == 3


def test_what_cannot_be_mended_is_asked_once(scripted):
    for status, text in ((400, "no such model"), (403, "temperature"), (404, "no such endpoint")):
        scripted.requests.clear()
        with pytest.raises(ModelError):
            ask(scripted(lambda messages, status=status, text=text: refused(status, text)))
        assert len(scripted.requests) == 1


def test_what_no_server_can_read_is_replaced_before_it_is_sent(scripted):
    ask(scripted(["yes"]), messages=[said("user", "a\0b\ud800c")])
    assert scripted.conversation == [said("user", "a\ufffdb\ufffdc")]


def test_lessons_are_found_in_hostile_texts_too():
    sent = {"messages": PAPER, "max_tokens": 10_000, "temperature": 0}
    for unit in ("\n", "max", "9", "context ", "<", '{"error":'):
        lessons(sent, 400, unit * 1_000_000)
    assert accepted(sent, {SYSTEM: 0, MOST: 9})["messages"][0] == said("user", "S\n\nQ")


@pytest.mark.parametrize(
    ("text", "least", "most"), [("word " * 100, 100, 150), ("猫" * 100, 90, 110), ("ы" * 100, 40, 80)]
)
def test_tokens_are_estimated_by_script(text, least, most):
    assert least <= count_tokens(text) <= most


def in_several_lines(event):
    lines = json.dumps(json.loads(event), indent=1).split("\n")
    return "".join(f"data: {line}\n" for line in lines) + "\n"


SMALL_PRINT = {
    "empty data": lambda event: f"data: {event}\n\ndata:\n\ndata: \n\n",
    "comments": lambda event: f": ping\n\ndata: {event}\n\n",
    "several data lines": in_several_lines,
    "windows": lambda event: f"event: message\r\nid: 1\r\ndata:{event}\r\n\r\n",
}


@pytest.mark.parametrize("media", ["text/event-stream", "text/plain", "application/octet-stream"])
@pytest.mark.parametrize("form", SMALL_PRINT)
@pytest.mark.parametrize("ends", [True, False])
def test_the_small_print_of_streams(scripted, as_completion, media, form, ends):
    lines = events(as_completion("My cat is Mochi.")).decode().split("\n\n")
    body = "".join(SMALL_PRINT[form](line.removeprefix("data: ")) for line in lines if "[DONE]" not in line and line)
    body += "data: [DONE]\n\n" if ends else ""
    heard = []
    llm = scripted([httpx2.Response(200, headers={"content-type": media}, text=body)])
    assert background.run(llm.complete([said("user", "?")], None, Listener(heard.append))).text == "My cat is Mochi."
    assert len(heard) > 1


@pytest.mark.parametrize(
    "message",
    [
        "max_seq_len exceeded", "n_ctx overflow", "Your conversation is too long", "PROMPT_TOO_LONG",
        "The prompt is larger than what the model supports", "Please shorten your prompt", "ran out of context",
        "exceeded max_seq_length", "input is too large",
        "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 3000 `inputs` tokens and 8192 `max_new_tokens`",
    ],
)  # fmt: skip
def test_other_words_for_a_request_that_is_too_long(message):
    assert is_too_long(400, message)


@pytest.mark.parametrize(
    "message",
    [
        "temperature exceeds maximum of 2", "too many system messages", "Invalid token", "out of memory",
        "content must be a string", "Temperature: Input should be greater than 0", "no such model",
    ],
)  # fmt: skip
def test_words_that_do_not_mean_that_a_request_is_too_long(message):
    assert not is_too_long(400, message)
