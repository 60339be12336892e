import asyncio
import json

import httpx2
import pytest
from fault_server import KEY, always, events, first

from rlm_memory_core import Budget, BudgetExceeded, ModelError, Usage, connect
from rlm_memory_core.models import background
from rlm_memory_core.models.streaming import Listener
from rlm_memory_core.models.types import paid_before

ASK = [{"role": "user", "content": "Who is my cat?"}]
TEXT = "Your cat is called Mochi."


def listen():
    pieces = []
    return Listener(pieces.append), pieces


def complete(llm, listener, budget=None):
    return background.run(llm.complete(ASK, budget, listener))


def ask_whole(llm):
    return background.run(llm.complete(ASK))


def stream(body, **headers):
    """A response that is a stream of these bytes, or of these blocks of bytes."""
    return httpx2.Response(200, headers={"content-type": "text/event-stream", **headers}, content=body)


def sent(as_completion, text=TEXT, **changes):
    return events(as_completion(text, ASK, **changes))


async def breaking(*blocks):
    for block in blocks:
        yield block
    raise httpx2.ReadError("connection reset")


def test_a_reply_is_heard_in_pieces_and_counted_as_the_server_counts(fault_server):
    server = fault_server(lambda messages: TEXT)
    listener, pieces = listen()
    reply = complete(connect("m", server.url, "k", "off", rates=(1.0, 2.0)), listener)
    body = next(iter(server.bodies.values()))
    assert "".join(pieces) == reply.text == listener.text == TEXT
    assert len(pieces) == 5
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.calls) == (14, 25, 1)
    assert reply.cost_usd == 14 + 2 * 25
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert listener.received == []


def test_pieces_are_heard_before_the_reply_is_whole(scripted, as_completion):
    go_on = asyncio.Event()
    body = sent(as_completion)

    async def slowly():
        yield body[: body.index(b"cat")]
        await go_on.wait()
        yield body[body.index(b"cat") :]

    listener, pieces = listen()

    async def ask():
        asking = asyncio.create_task(scripted([stream(slowly())]).complete(ASK, None, listener))
        while not pieces:
            await asyncio.sleep(0)
        early, running = list(pieces), not asking.done()
        go_on.set()
        return early, running, (await asking).text

    assert background.run(ask()) == (["Your "], True, TEXT)


def test_without_a_listener_nothing_is_streamed(scripted):
    assert complete(scripted([TEXT]), None).text == TEXT
    assert "stream" not in scripted.requests[0]


def test_a_streamed_answer_is_recorded_whole_and_replayed_either_way(scripted, as_completion):
    llm = scripted([stream(sent(as_completion))], recorded="auto")
    first_listener, _ = listen()
    reply = complete(llm, first_listener)
    again, pieces = listen()
    replayed = complete(llm, again)
    unheard = complete(llm, None)
    assert pieces == [TEXT]
    assert (reply.recorded, replayed.recorded, unheard.recorded) == (False, True, True)
    assert replayed.text == unheard.text == TEXT
    assert replayed.usage == reply.usage
    assert len(scripted.requests) == 1


def test_an_answer_recorded_without_a_stream_is_heard(scripted):
    llm = scripted([TEXT], recorded="auto")
    complete(llm, None)
    listener, pieces = listen()
    assert complete(llm, listener).recorded
    assert pieces == [TEXT]


def test_a_broken_stream_is_not_recorded_nor_asked_again(fault_server):
    server = fault_server(lambda messages: TEXT * 40, plan=first("dropped in mid-body"))
    llm = connect("m", server.url, KEY, rates=(1.0, 2.0))
    budget = Budget()
    listener, pieces = listen()
    with pytest.raises(ModelError, match="broke off its reply") as raised:
        complete(llm, listener, budget)
    assert len(server.attempts) == 1
    error = raised.value
    assert error.said == "".join(pieces)
    assert (TEXT * 40).startswith(error.said)
    assert error.said
    assert budget.spent == error.usage
    assert budget.spent_usd == error.cost_usd > 0
    assert error.usage.completion_tokens == -(-len(error.said) // 4)
    assert complete(llm, listen()[0]).text == TEXT * 40


def test_a_stream_that_breaks_before_its_first_piece_is_asked_again(fault_server):
    server = fault_server(lambda messages: TEXT, plan=first("dropped before"))
    listener, pieces = listen()
    assert complete(connect("m", server.url, "k", "off"), listener).text == TEXT
    assert "".join(pieces) == TEXT
    assert len(server.attempts) == 2


@pytest.mark.parametrize("fault", ["400", "403 with key", "502 html"])
def test_a_refusal_is_the_same_error_as_without_a_stream(fault_server, fault, monkeypatch):
    monkeypatch.setattr("rlm_memory_core.models.pipeline.MAX_RETRIES", 0)
    server = fault_server(lambda messages: TEXT, plan=always(fault))
    llm = connect("m", server.url, KEY, "off")
    lines = []
    for listener in (None, listen()[0]):
        with pytest.raises(ModelError) as raised:
            complete(llm, listener)
        lines.append(str(raised.value))
    assert lines[0] == lines[1]
    assert KEY not in lines[0]


def test_a_busy_server_is_waited_for(fault_server):
    server = fault_server(lambda messages: TEXT, plan=first("429 ms"))
    listener, pieces = listen()
    assert complete(connect("m", server.url, "k", "off"), listener).text == TEXT
    assert "".join(pieces) == TEXT


def test_a_silent_server_is_given_up(fault_server, monkeypatch):
    monkeypatch.setattr("rlm_memory_core.models.pipeline.MAX_RETRIES", 0)
    server = fault_server(lambda messages: TEXT, plan=always("never answers"))
    llm = connect("m", server.url, "k", "off", timeout=0.2)
    with pytest.raises(ModelError, match=r"did not answer within 0\.2 s"):
        complete(llm, listen()[0])


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (b'data: {"error": {"message": "overloaded"}}\n\n', "overloaded"),
        (b'data: {"error": "overloaded"}\n\n', "overloaded"),
        (b"data: {oops\n\n", "oops"),
        (b'data: ["odd"]\n\n', "odd"),
        (b'data: {"choices": ["odd"]}\n\n', "odd"),
        (b"", "ended early"),
    ],
)
@pytest.mark.parametrize("heard", [True, False])
def test_what_goes_wrong_in_a_stream_is_one_line(scripted, as_completion, block, reason, heard):
    begun = b"\n\n".join([*sent(as_completion).split(b"\n\n")[:2], b""]) if heard else b""
    listener, pieces = listen()
    with pytest.raises(ModelError, match=reason) as raised:
        complete(scripted([stream(begun + block)] * 2), listener)  # what is no stream at all is asked for once more
    assert "\n" not in str(raised.value)
    assert raised.value.said == "".join(pieces) == ("Your " if heard else "")


def test_a_connection_that_breaks_after_the_end_takes_nothing_away(scripted, as_completion):
    assert complete(scripted([stream(breaking(sent(as_completion)))]), listen()[0]).text == TEXT


def test_blocks_may_end_anywhere(scripted):
    text = "Grüße, 世界 \u2028 🐈"
    chunk = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]}
    body = b": ping\r\n\r\ndata: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\r\n\r\ndata: [DONE]"

    async def bytewise():
        for at in range(len(body)):
            yield body[at : at + 1]

    listener, pieces = listen()
    assert complete(scripted([stream(bytewise())]), listener).text == text
    assert pieces == [text]


def test_a_server_that_does_not_stream_is_heard_at_once(scripted):
    listener, pieces = listen()
    assert complete(scripted([TEXT]), listener).text == TEXT
    assert pieces == [TEXT]


def test_a_server_that_knows_no_stream_options_is_asked_without(scripted, as_completion):
    refused = httpx2.Response(400, json={"error": {"message": "unknown field: stream_options"}})
    llm = scripted([refused, *(stream(sent(as_completion)) for _ in range(2))])
    for _ in range(2):
        listener, pieces = listen()
        assert complete(llm, listener).text == "".join(pieces) == TEXT
    assert ["stream_options" in request for request in scripted.requests] == [True, False, False]


def test_tokens_that_the_server_does_not_count_are_estimated(scripted, as_completion):
    uncounted = as_completion(TEXT, ASK)
    del uncounted["usage"]
    reply = complete(scripted([stream(events(uncounted))], rates=(1.0, 1.0)), listen()[0])
    assert (reply.usage.calls, reply.usage.completion_tokens, reply.usage.estimated) == (1, 7, True)
    assert reply.cost_usd == reply.usage.total_tokens


def test_a_refused_and_a_cut_off_reply(scripted, as_completion):
    cut = as_completion(TEXT, ASK)
    cut["choices"][0]["finish_reason"] = "length"
    assert complete(scripted([stream(events(cut))]), listen()[0]).cut
    said = [{"delta": {"refusal": "I will not."}, "finish_reason": "stop"}]
    body = f"data: {json.dumps({'choices': said})}\n\ndata: [DONE]\n\n".encode()
    with pytest.raises(ModelError, match="it refused: I will not"):
        complete(scripted([stream(body)]), listen()[0])


def test_a_lone_surrogate_is_no_piece(scripted, as_completion):
    listener, pieces = listen()
    assert complete(scripted([stream(sent(as_completion, "a\ud800b"))]), listener).text == "a\ufffdb"
    assert pieces == ["a\ufffdb"]


def test_a_budget_is_held_and_charged(scripted, as_completion):
    budget = Budget(calls=1)
    llm = scripted([stream(sent(as_completion))], rates=(1.0, 1.0))
    reply = complete(llm, listen()[0], budget)
    assert (budget.spent, budget.spent_usd) == (reply.usage, reply.cost_usd)
    with pytest.raises(BudgetExceeded):
        complete(llm, listen()[0], budget)
    assert len(scripted.requests) == 1


def test_a_reply_that_is_heard_no_further_is_charged_by_an_estimate_and_let_go(fault_server):
    server = fault_server(lambda messages: TEXT, plan=always("stalls in mid-body"))
    listener, pieces = listen()
    budget = Budget()

    async def ask():
        heard = asyncio.Event()
        listener._tell = lambda piece: (pieces.append(piece), heard.set())
        asking = asyncio.create_task(connect("m", server.url, "k", rates=(1.0, 1.0)).complete(ASK, budget, listener))
        await heard.wait()
        asking.cancel()
        await asyncio.wait([asking])
        return asking.cancelled()

    assert background.run(ask())
    assert (budget.spent.calls, budget.spent.completion_tokens) == (1, -(-len(listener.text) // 4))
    assert budget.spent_usd == budget.spent.total_tokens


def test_two_who_ask_the_same_share_one_stream(scripted, as_completion):
    llm = scripted([stream(sent(as_completion))], recorded="auto")
    heard = [listen() for _ in range(2)]

    async def ask():
        return await asyncio.gather(*(llm.complete(ASK, None, listener) for listener, _ in heard))

    replies = background.run(ask())
    assert [reply.recorded for reply in replies] == [False, True]
    assert ["".join(pieces) for _, pieces in heard] == [TEXT, TEXT]
    assert len(scripted.requests) == 1


async def in_parts(whole, ends=True):
    """A stream's head, and after a while its rest, or a broken connection."""
    yield whole[: len(whole) // 2]
    await asyncio.sleep(0.5)
    if not ends:
        raise httpx2.ReadError("gone")
    yield whole[len(whole) // 2 :]


def test_when_the_first_who_hears_a_shared_stream_leaves_it_pays_for_what_it_heard_and_the_next_hears_all(
    scripted, as_completion
):
    answers = [stream(in_parts(sent(as_completion))) for _ in range(2)]
    llm = scripted(answers, recorded="auto", rates=(1.0, 1.0))
    budget, (first, pieces), (second, heard) = Budget(), listen(), listen()

    async def ask():
        leaves = asyncio.create_task(llm.complete(ASK, budget, first))
        while not pieces:
            await asyncio.sleep(0.001)
        stays = asyncio.create_task(llm.complete(ASK, budget, second))
        await asyncio.sleep(0.01)
        leaves.cancel()
        with pytest.raises(asyncio.CancelledError) as left:
            await leaves
        return await stays, paid_before(left.value)[0]

    reply, told = background.run(ask())
    assert (len(scripted.requests), reply.recorded, "".join(heard)) == (2, False, TEXT)
    assert (told.calls, told.completion_tokens) == (1, -(-len("".join(pieces)) // 4))
    assert (budget.spent, budget.spent_usd) == (told + reply.usage, budget.spent.total_tokens)


def test_a_shared_stream_that_breaks_off_is_paid_for_once_by_what_was_heard(scripted, as_completion):
    llm = scripted([stream(in_parts(sent(as_completion), ends=False))], recorded="auto", rates=(1.0, 1.0))
    budget, (first, pieces) = Budget(), listen()

    async def ask():
        hears = asyncio.create_task(llm.complete(ASK, budget, first))
        while not pieces:
            await asyncio.sleep(0.001)
        waits = asyncio.create_task(llm.complete(ASK, budget, listen()[0]))
        return await asyncio.gather(hears, waits, return_exceptions=True)

    paid, free = background.run(ask())
    assert len(scripted.requests) == 1
    assert paid.usage == budget.spent
    assert (paid.usage.calls, paid.usage.completion_tokens) == (1, -(-len("".join(pieces)) // 4))
    assert (free.usage, free.cost_usd) == (Usage(), 0.0)


def test_the_offline_reader_streams():
    listener, pieces = listen()
    text = "My cat is called Mochi, and she sleeps on the warm blue chair by the window of the kitchen all day long."
    messages = [{"role": "user", "content": text}, {"role": "user", "content": "What is my cat called?"}]
    reply = background.run(connect("offline", recorded="off").complete(messages, None, listener))
    assert "".join(pieces) == reply.text
    assert len(pieces) > 1


def test_a_page_in_the_place_of_a_stream_is_named(scripted):
    page = httpx2.Response(200, headers={"content-type": "text/html"}, text="<title>Hi</title>")
    llm = scripted([page, page])
    with pytest.raises(ModelError, match=r"it sent no chat completion but .* Hi ") as raised:
        complete(llm, listen()[0])
    assert raised.value.usage.calls == len(scripted.requests) == 2
    assert raised.value.usage.prompt_tokens > 0


@pytest.mark.parametrize("sign", ["ping", "null", "keep-alive", ""])
def test_signs_of_life_between_the_pieces_are_ignored(scripted, as_completion, sign):
    first, *rest = sent(as_completion).split(b"\n\n")
    alive = b"\n\n".join([first, f"data: {sign}".encode(), *rest])
    listener, pieces = listen()
    assert complete(scripted([stream(alive)]), listener).text == "".join(pieces) == TEXT


def test_an_answer_of_very_many_lines_is_no_completion(scripted):
    many = httpx2.Response(200, text="data: {}\n" * 1_000_000)
    with pytest.raises(ModelError, match="it sent no chat completion"):
        ask_whole(scripted([many, many]))
