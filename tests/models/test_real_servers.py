"""What real servers send beside the plain form: each case is one that some server, proxy or model sends."""

import json

import httpx2
import pytest
from asking import ask, refused

from rlm_memory_core import MemoryChat, ModelError
from rlm_memory_core.models import background
from rlm_memory_core.models.streaming import Listener
from rlm_memory_core.models.thoughts import ThoughtSplitter, split_thoughts
from rlm_memory_core.models.types import ContextExceeded, EmptyReply

HI = [{"role": "user", "content": "hi"}]


def whole(message, finish="stop"):
    return httpx2.Response(200, json={"choices": [{"message": message, "finish_reason": finish}]})


def chunk(delta, finish=None, **more):
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta, 'finish_reason': finish, **more}]})}\n\n"


def stream(*events, end="data: [DONE]\n\n"):
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content="".join((*events, end)).encode())


def hear(llm):
    heard = []
    reply = background.run(llm.complete(HI, None, Listener(heard.append)))
    assert "".join(heard) == reply.text
    return reply


THOUGHTS = [
    "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hello!",
    "<|start|>assistant<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hello!<|return|>",
    "<|channel>thought\nhm\n<channel|>Hello!",
    "◁think▷hm◁/think▷Hello!",
    "<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>Hello!<|END_RESPONSE|>",
    "<thinking>hm</think>Hello!",
    "<think>a</think>\n<reasoning>hm</reasoning>\n\nHello!",
    "<｜begin▁of▁sentence｜><think>hm</think>Hello!<｜end▁of▁sentence｜>",
]


@pytest.mark.parametrize("text", THOUGHTS)
def test_thoughts_between_the_tags_of_many_models(text):
    said, thoughts = split_thoughts(text)
    assert (said, "hm" in thoughts) == ("Hello!", True)
    splitter = ThoughtSplitter()
    pieces = [splitter.feed(text[at : at + 3]) for at in range(0, len(text), 3)]
    assert "".join([*pieces, splitter.feed("", is_last=True)]) == "Hello!"


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "Use `<|im_start|>` here.",
        "It ends with <|im_end|>",
        "<div>x</div>",
        "<details><summary>More</summary>x</details>",
        "See <details>x</details> and </details>.",
        "Here:\n<analysis>\nx\n</analysis>",
        "<answer>Hello!</answer>",
        "Wrap it in <scratchpad> and </scratchpad>.",
        "**Bold** and *two* _words_",
        "# Title\n> quote",
        "`<reflection>` opens it.",
        "<output>x</output>",
        "<analysis>I think it is sad.</analysis>",
        "<reflection>The lake\n</reflection>\n",
        "<analysis_report>x</analysis_report>",
        "<Thought experiment> by Einstein",
        "**<think>** opens it, and **</think>** ends it.",
        "<reflection>x</reflection> Hello!",
        "[think] about it",
        "<scratchpad>never closed",
    ],
)
def test_other_signs_stay(text):
    assert split_thoughts(text) == (text, "")


PARTS = [
    [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "Hello!"}],
    [{"type": "thinking", "text": "hm"}, {"type": "text", "text": "Hello!"}],
    [{"text": "hm", "thought": True}, {"text": "Hello!", "thought": False}],
    [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, {"type": "text", "text": "Hello!"}],
    [{"type": "reasoning_content", "reasoning_content": {"text": "hm"}}, {"type": "text", "text": "Hello!"}],
]
TEXTS = [
    ["Hel", "lo!"],
    {"type": "text", "text": "Hello!"},
    [{"type": "text", "text": {"value": "Hello!", "annotations": []}}],
    [{"type": "text", "content": "Hello!"}],
    [None, {"type": "text", "text": "Hello!"}, {"type": "image_url", "image_url": {"url": "data:x"}}],
]


@pytest.mark.parametrize("content", [*PARTS, *TEXTS], ids=lambda content: str(content)[:50])
def test_contents_of_many_forms(scripted, content):
    llm = scripted([whole({"content": content}), stream(chunk({"content": content}), chunk({}, "stop"))])
    for reply in (ask(llm), hear(llm)):
        assert (reply.text, reply.thoughts) == ("Hello!", "hm" if content in PARTS else "")


@pytest.mark.parametrize(
    "apart",
    [{"thinking": "hm"}, {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, {"reasoning": "hm"}],
)
def test_thoughts_beside_the_content(scripted, apart):
    llm = scripted([whole({"content": "Hello!", **apart}), stream(chunk({"content": "Hello!", **apart}, "stop"))])
    assert [(reply.text, reply.thoughts) for reply in (ask(llm), hear(llm))] == [("Hello!", "hm")] * 2


@pytest.mark.parametrize(
    "message", [{"content": [{"type": "refusal", "text": "No."}]}, {"content": None, "refusal": {"text": "No."}}]
)
def test_refusals_of_many_forms(scripted, message):
    with pytest.raises(ModelError, match=r"it refused: No\."):
        ask(scripted([whole(message)]))


@pytest.mark.parametrize(
    "finish", ["insufficient_system_resource", "abort", "incomplete", "SAFETY", "MALFORMED_FUNCTION_CALL"]
)
def test_an_unknown_end_is_no_whole_answer(scripted, finish):
    chat = MemoryChat(scripted([whole({"content": "Half a"}, finish)]))
    assert chat.send("Hi").error
    assert len(chat.store) == 1


@pytest.mark.parametrize(
    "finish", ["tool_use", "tool-calls", "normal", "end_of_text", "eosFound", "stop_str", "COMPLETE"]
)
def test_other_names_of_a_whole_answer(scripted, finish):
    assert not ask(scripted([whole({"content": "Whole."}, finish)])).cut


HEL, LO, END = chunk({"content": "Hel"}), chunk({"content": "lo!"}), chunk({}, "stop")
STREAMS = {
    "message beside delta": (chunk({"content": "Hel"}, message={"content": "Hel"}),
                             chunk({"content": "lo!"}, "stop", message={"content": "Hello!"})),
    "message null": (chunk({"content": "Hello!"}, "stop", message=None),),
    "a whole message beside an empty delta": (HEL, LO, chunk({"content": ""}, "stop", message={"content": "Hello!"})),
    "signs of life": (": keep-alive\n\n", HEL, "event: ping\n\n", LO, END),
    "byte order mark": ("\ufeff" + HEL, LO, END),
    "no colon": ("data\n\n", HEL, LO, END),
    "half a sign": (chunk({"content": "Hel"}), chunk({"content": "lo!\ud83d"}), chunk({"content": "\udc4d"}), END),
    "a first event without choices": ('data: {"choices": [], "prompt_filter_results": []}\n\n', HEL, LO, END),
}  # fmt: skip


@pytest.mark.parametrize("form", STREAMS)
def test_streams_of_many_servers(scripted, form):
    assert hear(scripted([stream(*STREAMS[form])])).text.rstrip("👍") == "Hello!"


@pytest.mark.parametrize(
    "event",
    ['error: {"code": 500, "message": "overloaded"}', 'event: error\ndata: {"message": "overloaded"}',
     'data: {"object": "error", "message": "overloaded", "code": 500}'],
)  # fmt: skip
def test_an_error_in_mid_stream_ends_it_whatever_follows(scripted, event):
    with pytest.raises(ModelError, match="overloaded"):
        hear(scripted([stream(HEL, f"{event}\n\n")]))


def learns(scripted, names, text, status=400):
    """A server that refuses a field, or a role, is asked once more, and from then on as it likes."""

    def answer(messages):
        body = scripted.requests[-1]
        has = any(name in body for name in names) or any(message["role"] in names for message in messages)
        return refused(status, text) if has else "yes"

    llm = scripted(answer)
    assert [ask(llm, messages=[{"role": "system", "content": "s"}, *HI]).text for _ in range(2)] == ["yes", "yes"]
    assert len(scripted.requests) == 3


@pytest.mark.parametrize(
    "text",
    ["Invalid value: 'system'. Supported values are: 'user' and 'assistant'.", "Unexpected message type: system",
     "A conversation must start with a user message.", "Input should be 'user' or 'assistant'",
     "unknown variant `system`, expected `user` or `assistant`",
     "Conversation should start with user", "system_instruction is not supported"],
)  # fmt: skip
def test_a_system_message_refused_in_other_words(scripted, text):
    learns(scripted, ["system"], text)


@pytest.mark.parametrize(
    ("name", "text"),
    [("max_tokens", "maxTokens is not supported"), ("max_tokens", "max tokens is not allowed"),
     ("temperature", "Unknown parameter 'Temperature'")],
)  # fmt: skip
def test_a_parameter_refused_in_other_words(scripted, name, text):
    learns(scripted, [name], text, 422)


@pytest.mark.parametrize(
    "text",
    ["`max_tokens` must be less than or equal to `4096`, as it is less than the `context_window` for this model",
     "max_completion_tokens is too large: 8192. This model supports at most 4096",
     "max tokens exceed the limit of 4,096",
     "Try again with a maximum tokens value that is lower than 4096."],
)  # fmt: skip
def test_a_limit_on_the_reply_in_other_words(scripted, text):
    llm = scripted(lambda messages: refused(400, text) if scripted.requests[-1]["max_tokens"] > 4_096 else "yes")
    assert [ask(llm).text, ask(llm).text] == ["yes", "yes"]
    assert [request["max_tokens"] for request in scripted.requests] == [8_192, 4_096, 4_096]


TOO_LONG = [
    "Your request exceeded model token limit: 8192", "Prompt exceeds max length", "prompt tokens too long",
    "The decoder prompt (length 9000) is longer than the maximum model length of 8192.", "Token limit exceeded",
    "input tokens (9000) exceeds limit of model (8192)", "Total tokens of image and text exceed max message tokens",
]  # fmt: skip


@pytest.mark.parametrize("text", TOO_LONG)
def test_a_prompt_that_is_too_long_in_other_words(scripted, text):
    error = {"error": {"message": text}}
    with pytest.raises(ContextExceeded):
        ask(scripted(lambda messages: refused(400, text)))
    with pytest.raises(ContextExceeded):
        ask(scripted(lambda messages: httpx2.Response(200, json=error)))
    with pytest.raises(ContextExceeded):
        hear(scripted(lambda messages: stream(f"data: {json.dumps(error)}\n\n")))


@pytest.mark.parametrize("index", [{}, {"index": None}, {"index": "0"}])
def test_vectors_need_no_numbers(scripted, index):
    rows = {"data": [{"embedding": [1.0, 2.0], **index}]}
    assert background.run(scripted(lambda texts: httpx2.Response(200, json=rows)).embed(["a"])).vectors == [[1.0, 2.0]]


SHAPES = [
    {"choices": [{"text": "Hello!", "finish_reason": "stop"}]},
    {"choices": [{"delta": {"content": "Hello!"}, "finish_reason": "stop"}]},
    {"choices": [{"message": "Hello!", "finish_reason": "done"}]},
    {"choices": [{"index": 1, "message": {"content": "No"}}, {"index": 0, "message": {"content": "Hello!"}}]},
    {"choices": [{"message": {"content": None, "audio": {"transcript": "Hello!"}}, "finish_reason": "stop"}]},
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("read", [ask, hear], ids=["whole", "stream"])
def test_a_reply_in_other_places_of_the_answer(scripted, shape, read):
    reply = read(scripted([httpx2.Response(200, json=shape)]))
    assert (reply.text, reply.cut) == ("Hello!", False)


LINES = [{"choices": [{"delta": {"content": part}}]} for part in ("Hel", "lo!")]
LINES.append(
    {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
)


STREAM = "".join(f"data: {json.dumps(line)}\n\n" for line in LINES)


@pytest.mark.parametrize("body", [STREAM, STREAM.replace("\n\n", "\n"), f"{STREAM}data: [DONE]", f": hi\n\n{STREAM}"])
def test_a_stream_that_was_not_asked_for_is_an_answer(scripted, body):
    reply = ask(scripted([httpx2.Response(200, text=body)]))
    assert (reply.text, reply.usage.total_tokens, reply.cut) == ("Hello!", 7, False)
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("body", [STREAM.replace("data: ", "").replace("\n\n", "\n"), STREAM.partition("lo!")[0]])
def test_lines_that_are_no_whole_stream_are_no_answer(scripted, body):
    with pytest.raises(ModelError, match=r"it sent no chat completion but .*choices"):
        ask(scripted([httpx2.Response(200, text=body)] * 2))


AFTER = [
    '{"choices": [{"delta": {"con', "error: closing", '{"message": "bye"}', 'data: {"error": {"message": "x"}}', "{}}",
]  # fmt: skip


@pytest.mark.parametrize("after", AFTER)
def test_what_follows_a_complete_stream_takes_nothing_away(scripted, after):
    reply = hear(scripted([stream(STREAM, end=after)]))
    assert (reply.text, reply.usage.total_tokens, reply.cut) == ("Hello!", 7, False)
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("form", [lambda text: {"error": {"message": text}}, lambda text: {"message": text}])
def test_a_prompt_that_is_too_long_is_told_in_the_servers_own_words(scripted, form):
    error = json.dumps(form("The prompt is too long: 9000 tokens."))
    for read, body in ((ask, error), (hear, error), (hear, f"data: {error}\n\n")):
        with pytest.raises(ContextExceeded, match=r": The prompt is too long: 9000 tokens\.$"):
            read(scripted([httpx2.Response(200, text=body)]))
        assert len(scripted.requests) == 1
        scripted.requests.clear()


def test_one_of_several_interleaved_choices_is_read(scripted):
    parts = [(0, "Hel"), (1, "Oth"), (1, "er"), (0, "lo!")]
    events = [f"data: {json.dumps({'choices': [{'index': at, 'delta': {'content': text}}]})}\n\n" for at, text in parts]
    assert hear(scripted([stream(*events)])).text == "Hello!"


@pytest.mark.parametrize("text", ["\u200b", "\ufeff \u2060\n", "<|im_end|>", "<|eot_id|>\n", "<end_of_turn>", "\u00ad"])
@pytest.mark.parametrize("read", [ask, hear], ids=["whole", "stream"])
def test_invisible_text_and_lone_special_tokens_are_empty(scripted, text, read):
    with pytest.raises(EmptyReply):
        read(scripted([whole({"content": text})]))


def test_blanks_after_thoughts_that_come_apart_are_not_heard(scripted):
    events = [chunk({"reasoning_content": "hm"}), chunk({"content": "\n\n"}), chunk({"content": "Hello!"}, "stop")]
    reply = hear(scripted([stream(*events)]))
    assert (reply.text, reply.thoughts) == ("Hello!", "hm")


def test_a_failure_in_the_format_of_openai_teaches_nothing(scripted, monkeypatch):
    monkeypatch.setattr("rlm_memory_core.models.pipeline.MAX_RETRIES", 1)
    monkeypatch.setattr("rlm_memory_core.models.pacing._FIRST_PAUSE", 0.0)
    error = {
        "message": "The server had an error: invalid argument",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    llm = scripted([httpx2.Response(500, json={"error": error}), "a", "b"])
    assert [ask(llm).text, ask(llm).text] == ["a", "b"]
    assert [request.keys() for request in scripted.requests] == [scripted.requests[0].keys()] * 3
    gone = httpx2.Response(404, json={"error": {"message": "no such model", "param": None}})
    with pytest.raises(ModelError, match="no such model"):
        ask(scripted([gone]))


def test_a_refusal_in_a_stream_that_was_not_asked_for_is_one(scripted):
    sent = [{"choices": [{"delta": {"refusal": "no"}}]}, {"choices": [{"delta": {}, "finish_reason": "stop"}]}]
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in sent)
    with pytest.raises(ModelError, match="it refused: no"):
        ask(scripted([httpx2.Response(200, text=body)]))
