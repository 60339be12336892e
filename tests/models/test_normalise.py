import json

import pytest

from rlm_memory_core import ModelError, Usage
from rlm_memory_core.models.normalise import read_completion
from rlm_memory_core.models.streaming import Chunks
from rlm_memory_core.models.types import CHAT_PATH, EmptyReply, Request, Response
from rlm_memory_core.models.wording import first_line, server_message

KEY = "sk-live-0123456789abcdef"
ASKED = Request(CHAT_PATH, {"messages": "x" * 145})  # 40 tokens


def read(as_completion, finish="stop", usage=True, **message):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    changes = {} if usage else {"usage": None}
    return read_completion(Response(json.dumps(as_completion("yes", choices=[choice], **changes))), ASKED)


@pytest.mark.parametrize(
    ("finish", "cut"),
    [("stop", False), ("length", True), ("max_tokens", True), ("error", True), (None, False), ("eos_token", False),
     ("end_turn", False), ("STOP", False)],
)  # fmt: skip
def test_an_answer_says_whether_it_was_cut_off(as_completion, finish, cut):
    reply = read(as_completion, finish, content="blue")
    assert (reply.text, reply.cut) == ("blue", cut)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"content": None, "refusal": "I will not"}, "it refused: I will not"),
        ({"content": "half a", "finish": "content_filter"}, "content filter"),
        ({"content": "", "finish": "length"}, "empty .*length"),
        ({"content": [{"type": "image_url"}, None]}, "empty"),
    ],
)
def test_an_answer_with_nothing_to_use_still_says_what_it_took(as_completion, answer, says):
    with pytest.raises(ModelError, match=says) as caught:
        read(as_completion, **answer)
    assert caught.value.usage.completion_tokens == 3


@pytest.mark.parametrize("choices", [[], None, [{}], [{"message": None}]])
def test_no_choices_are_an_empty_answer_and_were_paid_for(as_completion, choices):
    with pytest.raises(EmptyReply, match="empty") as caught:
        read_completion(Response(json.dumps(as_completion("yes", choices=choices))), ASKED)
    assert (caught.value.usage.completion_tokens, caught.value.usage.calls) == (3, 1)


@pytest.mark.parametrize("body", ["x", [], {}, {"choices": ["x"]}, {"choices": 1}])
def test_what_is_no_completion_is_charged_at_an_estimate(body):
    with pytest.raises(ModelError, match="no chat completion") as caught:
        read_completion(Response(json.dumps(body)), ASKED)
    usage = caught.value.usage
    assert (usage.prompt_tokens, usage.completion_tokens > 0, usage.calls, usage.estimated) == (40, True, 1, True)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"message": "too long"}, "too long"),
        ({"detail": "no such model"}, "no such model"),
        ("<h1>Bad gateway</h1>", "<h1>Bad gateway</h1>"),
        ({"error": "no such model"}, "no such model"),
        ({"error": {"message": "no such model", "code": 404}}, "no such model"),
        ({"error": {"error": {"message": "no such model"}}}, "no such model"),
        ([{"error": {"message": "no such model"}}], "no such model"),
        ({"errors": ["no such model"]}, "no such model"),
        ({"error": True, "message": "no such model"}, "no such model"),
        ({"object": "error", "message": "no such model", "code": 404}, "no such model"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "extra"}]}, "extra"),
        ({"message": None}, '{"message": null}'),
        ({}, "{}"),
    ],
)
def test_what_servers_say_of_an_error_in_their_several_ways(body, says):
    assert server_message(body if isinstance(body, str) else json.dumps(body)) == says


@pytest.mark.parametrize("text", ["[" * 3_000, '{"error":' * 990 + "1" + "}" * 990, "", "\ud800", "null", "[]"])
def test_an_odd_error_is_a_text(text):
    assert isinstance(server_message(text), str)


@pytest.mark.parametrize(
    ("page", "line"),
    [
        ("<html><title>502 Bad\nGateway</title><h1>Oops</h1></html>", "502 Bad Gateway Oops"),
        ("<!DOCTYPE html><script>alert(1)</script><style>p {}</style><p>Try <b>later</b>", "Try later"),
        ("at most 3 < 4 and 5 > 2", "at most 3 < 4 and 5 > 2"),
        ("<p></p>", "str"),
        ("long " * 100, ("long " * 40)),
    ],
)
def test_a_page_becomes_a_line(page, line):
    assert first_line(page) == line


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY}.",
        f"header authorization: Bearer {KEY}",
        "header authorization: Bearer eyJhbGciOi.J9",
        "no route to https://me:hunter2@proxy.test/v1",
        "x " * 95 + KEY,
        "the token my-own-secret-token is blocked",
    ],
)
def test_secrets_are_taken_out_before_the_line_is_cut(text):
    line = first_line(text, secret="my-own-secret-token")
    for secret in (KEY[:8], "eyJ", "hunter2", "my-own"):
        assert secret not in line


def test_a_dummy_key_takes_nothing_out_of_words():
    assert first_line("the disk of ollama is full", secret="ollama") == "the disk of ollama is full"


def test_a_text_in_parts_is_put_together(as_completion):
    parts = [{"type": "text", "text": "Mo"}, {"type": "text", "text": "chi"}]
    assert read(as_completion, content=parts).text == "Mochi"


@pytest.mark.parametrize("count", [-5, "many", float("nan"), float("inf"), [1]])
def test_a_count_that_is_none_is_estimated(as_completion, count):
    usage = {"prompt_tokens": count, "completion_tokens": count}
    response = Response(json.dumps(as_completion("A blue whale", usage=usage)))
    assert read_completion(response, ASKED).usage == Usage(40, 3, 1)


def text_of(chunks):
    return chunks.response().body["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    "chunk",
    [
        {"message": {"content": "a"}},
        {"message": {"content": "a", "reasoning": "b"}},
        {"message": {"content": ""}},
        {"delta": {"reasoning": "b"}, "message": {"content": "a"}},
    ],
)
def test_very_many_chunks_with_messages_take_time_in_proportion(chunk):
    chunks = Chunks()
    for _ in range(30_000):
        chunks.add({"choices": [chunk]})
    assert len(text_of(chunks)) <= 1


def test_a_message_after_the_pieces_is_not_read_again():
    chunks = Chunks()
    for piece in ("Hel", "", "lo"):
        chunks.add({"choices": [{"delta": {"content": piece}}]})
    said = [chunks.add({"choices": [{"message": {"content": text}}]}).text for text in ("Hello", "Hello!")]
    assert (said, text_of(chunks)) == (["", ""], "Hello")


def test_only_so_many_characters_of_a_reply_and_its_thoughts_are_read(as_completion):
    thoughts = "<think></think>" * 100_000
    reply = read(as_completion, content=f"Hello.{thoughts}", reasoning_content="b" * 2_000_000)
    assert (reply.text[:6], reply.cut, len(reply.thoughts) <= 1_100_000) == ("Hello.", True, True)
