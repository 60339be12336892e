import asyncio
import json
import sqlite3

import httpx2
import pytest
from asking import HI, ask

from rlm_memory_core import Budget, ModelError, Usage
from rlm_memory_core.models import background
from rlm_memory_core.models.call_store import CallStore, RecordingError
from rlm_memory_core.models.recording import RecordingTransport, call_key, is_complete


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.sqlite"


def test_a_recorded_call_is_replayed_without_asking(scripted, path):
    first = ask(scripted(["yes"], recorded="auto", calls_path=path, host="a.test"))
    again = ask(scripted([], recorded="auto", calls_path=path, host="a.test"))
    assert (first.recorded, again.recorded) == (False, True)
    assert (again.text, again.usage, again.cost_usd, again.seconds) == (
        first.text, first.usage, first.cost_usd, first.seconds,
    )  # fmt: skip
    assert len(scripted.requests) == 1


def test_replay_of_a_call_that_is_not_recorded_is_an_error_and_asks_nobody(scripted, path):
    llm = scripted(["yes"], recorded="replay", calls_path=path)
    with pytest.raises(ModelError, match="not recorded"):
        ask(llm)
    assert scripted.requests == []


def test_replay_needs_no_key(scripted, path):
    ask(scripted(["yes"], recorded="auto", calls_path=path, host="a.test"))
    assert ask(scripted([], recorded="replay", calls_path=path, host="a.test", api_key=None)).text == "yes"


def test_refresh_asks_again_and_replaces(scripted, path):
    ask(scripted(["old"], recorded="auto", calls_path=path, host="a.test"))
    assert ask(scripted(["new"], recorded="refresh", calls_path=path, host="a.test")).text == "new"
    assert ask(scripted([], recorded="replay", calls_path=path, host="a.test")).text == "new"


def test_off_neither_reads_nor_writes(scripted, path):
    ask(scripted(["yes"], recorded="off", calls_path=path))
    assert not path.exists()


def test_another_question_model_or_server_is_another_call(scripted, path):
    ask(scripted(["one"], recorded="auto", calls_path=path, host="a.test"))
    assert ask(scripted(["two"], recorded="auto", calls_path=path, host="b.test")).text == "two"
    assert ask(scripted(["three"], "other", recorded="auto", calls_path=path, host="a.test")).text == "three"
    other = [{"role": "user", "content": "hi "}]
    assert ask(scripted(["four"], recorded="auto", calls_path=path, host="a.test"), messages=other).text == "four"


def test_a_replay_knows_a_model_that_takes_no_temperature(scripted, path):
    rejection = httpx2.Response(400, json={"error": {"message": "temperature is not supported with this model"}})
    replies = [rejection, "yes"]
    assert ask(scripted(replies, recorded="auto", calls_path=path, host="a.test")).text == "yes"
    assert ask(scripted([], recorded="replay", calls_path=path, host="a.test")).text == "yes"


def test_the_key_is_the_same_whatever_the_order_of_fields():
    one = {"model": "m", "messages": HI, "n": {"a": 1, "b": 2}}
    two = {"n": {"b": 2, "a": 1}, "messages": HI, "model": "m"}
    assert call_key("u", one) == call_key("u", two)


def test_the_key_tells_salt_address_and_body_apart():
    keys = {
        call_key("u", {"a": 1}), call_key("v", {"a": 1}), call_key("u", {"a": 2}), call_key("u", {"a": "1"}),
        call_key("u", {"a": 1}, "s"), call_key("u", {"b": 1}), call_key("u", {"a": ["x", "y"]}),
        call_key("u", {"a": ["y", "x"]}),
    }  # fmt: skip
    assert len(keys) == 8


def choice(text="yes", **changes):
    return {"finish_reason": "stop", "message": {"content": text}} | changes


@pytest.mark.parametrize(
    "answer",
    [
        {"choices": [choice(finish_reason="length")]},
        {"choices": [choice(finish_reason="content_filter")]},
        {"choices": [choice(message={"content": "no", "refusal": "I can't help with that."})]},
        {"choices": [choice(message={"content": None, "refusal": "I can't help with that."})]},
        {"choices": [choice("")]},
        {"choices": [choice(), choice(finish_reason="length")]},
        {"choices": []},
        {"error": {"message": "overloaded"}},
        {"object": "list", "data": []},
        {},
    ],
)
def test_what_did_not_end_as_it_should_is_not_kept(answer, path):
    async def ask_twice():
        async with httpx2.AsyncClient(transport=RecordingTransport(server, CallStore(path))) as client:
            return [(await client.post("http://m.test/v1/chat/completions", json={"messages": HI})) for _ in range(2)]

    server = httpx2.MockTransport(lambda request: httpx2.Response(200, json=answer))
    assert [response.json() for response in asyncio.run(ask_twice())] == [answer, answer]
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM calls").fetchone() == (0,)
    db.close()


@pytest.mark.parametrize("answer", [None, {"choices": "x"}, {"choices": [None]}, {"choices": [{"message": "x"}]}])
def test_garbage_is_never_complete(answer):
    assert not is_complete(answer)


def test_embeddings_are_complete_when_they_hold_data():
    assert is_complete({"object": "list", "data": [{"embedding": [0.1]}]})


@pytest.mark.parametrize("status", [400, 429, 500])
def test_errors_are_not_kept_and_their_retry_headers_reach_the_client(status, path):
    responses = iter([httpx2.Response(status, headers={"retry-after": "7"}, json={}), httpx2.Response(200, json={})])

    async def ask_twice():
        transport = RecordingTransport(httpx2.MockTransport(lambda request: next(responses)), CallStore(path))
        async with httpx2.AsyncClient(transport=transport) as client:
            return [await client.post("http://m.test/v1", json={}) for _ in range(2)]

    first, second = asyncio.run(ask_twice())
    assert (first.status_code, first.headers["retry-after"], second.status_code) == (status, "7", 200)


def test_streams_are_passed_on_and_not_kept(path):
    async def ask_streamed():
        calls = CallStore(path)
        server = httpx2.MockTransport(lambda request: httpx2.Response(200, text="data: [DONE]\n\n"))
        async with httpx2.AsyncClient(transport=RecordingTransport(server, calls)) as client:
            response = await client.post("http://m.test/v1", json={"stream": True})
            return response.text, len(calls)

    assert asyncio.run(ask_streamed()) == ("data: [DONE]\n\n", 0)


@pytest.mark.parametrize("mode", ["off", "always", ""])
def test_a_mode_that_is_none_is_refused(mode, path):
    with pytest.raises(ValueError, match="recorded must be one of"):
        RecordingTransport(httpx2.MockTransport(lambda request: None), None, mode)


def test_an_answer_that_cannot_be_stored_is_given_and_nothing_more_is_sent(scripted, path, monkeypatch):
    async def full(*_):
        raise RecordingError("the disk is full; move it away")

    llm = scripted(["yes", "yes"], recorded="auto", calls_path=path)
    monkeypatch.setattr(CallStore, "put", full)
    assert ask(llm).text == "yes"
    for _ in range(2):
        with pytest.raises(ModelError, match="disk is full"):
            ask(llm, messages=[{"role": "user", "content": "another"}])
    assert len(scripted.requests) == 1


def test_a_non_json_request_is_passed_on(path):
    async def get_models():
        server = httpx2.MockTransport(lambda request: httpx2.Response(200, json={"data": []}))
        async with httpx2.AsyncClient(transport=RecordingTransport(server, CallStore(path))) as client:
            return json.loads((await client.get("http://m.test/v1/models")).text)

    assert asyncio.run(get_models()) == {"data": []}


def test_an_answer_that_is_handed_on_is_in_the_file_for_every_other_reader(scripted, path):
    llm = scripted(lambda messages: "yes", recorded="auto", calls_path=path)
    other = CallStore(path)
    for number in range(20):
        ask(llm, messages=[{"role": "user", "content": str(number)}])
        assert len(other) == number + 1
    other.close()


def test_a_spent_budget_still_replays(scripted, path):
    llm = scripted(["yes"], recorded="auto", calls_path=path, rates=(1.0, 1.0))
    ask(llm)
    for budget in (Budget(calls=0), Budget(usd=0), Budget(tokens=0), Budget(seconds=0)):
        assert background.run(llm.complete(HI, budget)).text == "yes"
        assert budget.ended == ""


def test_a_call_that_was_never_sent_counts_as_none(scripted, path):
    model, budget = scripted(["yes"], recorded="replay", calls_path=path), Budget()
    with pytest.raises(ModelError, match="not recorded") as caught:
        background.run(model.complete(HI, budget))
    assert caught.value.usage == budget.spent == Usage()
