import asyncio
import json
import sqlite3

import httpx2
import pytest

from rlm_memory_core import Budget, BudgetExceeded, ModelError, Usage, background
from rlm_memory_core.call_store import CallStore, RecordingError
from rlm_memory_core.recording import (
    RECORDED_HEADER,
    SECONDS_HEADER,
    RecordingTransport,
    call_key,
    is_complete,
)

HI = [{"role": "user", "content": "hi"}]


def ask(llm, messages=HI):
    return background.run(llm.complete(messages))


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
    assert ask(scripted(["four"], recorded="auto", calls_path=path, host="a.test"), other).text == "four"


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
            ask(llm, [{"role": "user", "content": "another"}])
    assert len(scripted.requests) == 1


def test_a_non_json_request_is_passed_on(path):
    async def get_models():
        server = httpx2.MockTransport(lambda request: httpx2.Response(200, json={"data": []}))
        async with httpx2.AsyncClient(transport=RecordingTransport(server, CallStore(path))) as client:
            return json.loads((await client.get("http://m.test/v1/models")).text)

    assert asyncio.run(get_models()) == {"data": []}


class Gate:
    """A server that answers once it is let to, and counts; `give` makes the next answer out of the body."""

    def __init__(self, give):
        self.sent = 0
        self.cancelled = 0
        self.open = asyncio.Event()
        self._give = give

    async def handle_async_request(self, request):
        self.sent += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        given = self._give()
        if isinstance(given, Exception):
            raise given
        return given

    async def aclose(self):
        pass


def posted(transport, number=0):
    request = httpx2.Request("POST", "http://m.test/v1/chat/completions", json={"messages": HI, "n": number})
    return asyncio.create_task(transport.handle_async_request(request))


def in_flight(give, path, scenario, mode="auto"):
    """Run `scenario(gate, transport)` and see that nothing is left behind."""

    async def run():
        gate = Gate(give)
        transport = RecordingTransport(gate, CallStore(path), mode)
        result = await asyncio.wait_for(scenario(gate, transport), 10)
        await transport.aclose()
        assert transport._flights == {}
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return asyncio.run(run())


def whole():
    return httpx2.Response(200, json={"choices": [choice("yes")]})


@pytest.mark.parametrize("mode", ["auto", "refresh"])
def test_identical_requests_in_flight_are_sent_once_and_paid_for_once(path, mode):
    async def scenario(gate, transport):
        tasks = [posted(transport, number % 3) for number in range(30)]
        await asyncio.sleep(0)
        gate.open.set()
        responses = await asyncio.gather(*tasks)
        return gate.sent, [response.json()["choices"][0]["message"]["content"] for response in responses], responses

    sent, texts, responses = in_flight(whole, path, scenario, mode)
    assert (sent, texts) == (3, ["yes"] * 30)
    assert sum(RECORDED_HEADER not in response.headers for response in responses) == 3
    assert len({response.headers[SECONDS_HEADER] for response in responses[::3]}) == 1


def test_when_the_first_is_cancelled_the_others_still_have_its_answer_and_one_pays(path):
    async def scenario(gate, transport):
        first, *others = [posted(transport) for _ in range(3)]
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        gate.open.set()
        responses = await asyncio.gather(*others)
        return gate.sent, gate.cancelled, [RECORDED_HEADER in response.headers for response in responses]

    assert in_flight(whole, path, scenario) == (1, 0, [False, True])


def test_when_all_are_cancelled_so_is_the_call_and_the_next_is_sent_anew(path):
    async def scenario(gate, transport):
        tasks = [posted(transport) for _ in range(3)]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        again = posted(transport)
        await asyncio.gather(*tasks, return_exceptions=True)
        gate.open.set()
        return (await again).status_code, gate.sent, gate.cancelled

    assert in_flight(whole, path, scenario) in [(200, 1, 0), (200, 2, 1)]


@pytest.mark.parametrize(
    "failed",
    [
        httpx2.Response(429, headers={"retry-after": "7"}, json={}),
        httpx2.Response(200, json={"choices": [choice("cut of", finish_reason="length")]}),
        httpx2.ReadError("dropped"),
    ],
    ids=["429", "cut off", "dropped"],
)
def test_a_failure_stays_one_for_all_who_wait_and_is_asked_anew_by_the_next(path, failed):
    async def scenario(gate, transport):
        tasks = [posted(transport) for _ in range(4)]
        await asyncio.sleep(0.01)
        gate.open.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        later = await asyncio.gather(posted(transport), return_exceptions=True)
        return gate.sent, [*outcomes, *later], len(transport.calls)

    sent, outcomes, kept = in_flight(lambda: failed, path, scenario)
    assert (sent, kept) == (2, 0)
    if isinstance(failed, Exception):
        assert outcomes == [failed] * 5
    else:
        assert [outcome.text for outcome in outcomes] == [failed.text] * 5
        assert [RECORDED_HEADER in outcome.headers for outcome in outcomes] == [False, True, True, True, False]


def test_duplicates_among_sub_agents_cost_the_budget_one_call(scripted, path):
    async def ask_all():
        return await asyncio.gather(*(llm.complete(HI, budget) for _ in range(20)))

    llm, budget = scripted(["yes"], recorded="auto", calls_path=path), Budget(calls=1)
    replies = background.run(ask_all())
    assert [reply.text for reply in replies] == ["yes"] * 20
    assert [reply.recorded for reply in replies].count(False) == budget.spent.calls == len(scripted.requests) == 1


def test_an_answer_that_is_handed_on_is_in_the_file_for_every_other_reader(scripted, path):
    llm = scripted(lambda messages: "yes", recorded="auto", calls_path=path)
    other = CallStore(path)
    for number in range(20):
        ask(llm, [{"role": "user", "content": str(number)}])
        assert len(other) == number + 1
    other.close()


def test_a_budget_that_holds_back_the_first_holds_back_no_one_else(scripted, path):
    async def ask_both():
        spent, free = Budget(calls=0), None
        return await asyncio.gather(llm.complete(HI, spent), llm.complete(HI, free), return_exceptions=True)

    llm = scripted(["yes"], recorded="auto", calls_path=path)
    refused, answered = background.run(ask_both())
    assert isinstance(refused, BudgetExceeded)
    assert answered.text == "yes"


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
