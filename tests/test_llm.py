import asyncio
import json
import pickle
import re
import socket
from contextlib import suppress

import httpx2
import pytest

from rlm_memory_core import Budget, BudgetExceeded, ModelError, Usage, background, client, connect, llm
from rlm_memory_core.call_store import CallStore

HI = [{"role": "user", "content": "hi"}]


def ask(model, budget=None):
    return background.run(model.complete(HI, budget))


def refused(status, message="no", **headers):
    return httpx2.Response(status, headers=headers, json={"error": {"message": message}})


@pytest.fixture
def naps(monkeypatch):
    """The seconds the openai client would have slept before each retry."""
    seconds = []

    async def nap(delay):
        seconds.append(delay)

    monkeypatch.setattr("openai._base_client.anyio.sleep", nap)
    monkeypatch.setattr(client, "_MAX_RETRIES", 4)
    return seconds


def test_an_answer_comes_with_its_usage_and_cost(scripted):
    reply = ask(scripted(["  yes "], rates=(0.5, 2.0)))
    assert (reply.text, reply.usage, reply.cost_usd, reply.recorded) == ("  yes ", Usage(2, 6, 1), 13.0, False)
    assert reply.seconds >= 0


def test_what_is_sent(scripted):
    ask(scripted(["yes"], "some-model"))
    ask(scripted(["yes"], temperature=None))
    assert scripted.requests[0] == {"model": "some-model", "messages": HI, "temperature": 0.0}
    assert "temperature" not in scripted.requests[1]


def test_a_missing_key_is_told_in_one_line_before_anything_is_sent(scripted):
    model = connect("gpt-4o-mini", recorded="off")
    for _ in range(2):
        with pytest.raises(ModelError, match="OPENAI_API_KEY") as caught:
            ask(model)
    assert "\n" not in str(caught.value)
    assert scripted.requests == []


def test_a_missing_key_leaves_nothing_open(scripted, monkeypatch):
    opened = []
    monkeypatch.setattr(CallStore, "__init__", lambda self, path: opened.append(path))
    with pytest.raises(ModelError):
        ask(connect("gpt-4o-mini"))
    assert opened == []


def test_the_key_comes_from_the_environment_at_the_first_call(scripted, monkeypatch, as_completion):
    sent = []

    def server(request):
        sent.append(request)
        return httpx2.Response(200, json=as_completion("yes"))

    monkeypatch.setattr(client, "HttpTransport", lambda: httpx2.MockTransport(server))
    model = connect("gpt-4o-mini", recorded="off")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert ask(model).text == "yes"
    assert sent[0].headers["authorization"] == "Bearer secret"
    assert str(sent[0].url) == "https://api.openai.com/v1/chat/completions"


def test_a_local_server_needs_no_key(scripted):
    assert ask(scripted(["yes"], api_key=None)).text == "yes"


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (refused(401, "Incorrect API key provided: sk-secret"), "refused the API key"),
        (refused(403, "no access"), "403 .*no access"),
        (refused(404, "The model does not exist"), "404 for scripted: The model does not exist"),
        (refused(400, "too long\n\nfor me"), "400 for scripted: too long for me"),
        (refused(429, "You exceeded your quota"), "429 for scripted: You exceeded"),
        (refused(500, "broken"), "500 for scripted"),
        (httpx2.Response(502, html="<html>\n<h1>Bad\ngateway</h1>\n</html>"), "502 for scripted"),
        (httpx2.Response(200, html="<html>\n<h1>Log in</h1>\n</html>"), "no usable answer"),
        (httpx2.Response(200, content=b""), "no usable answer"),
        (httpx2.Response(200, content=b"{not json"), "no usable answer"),
        (httpx2.Response(200, content=b"\xff\xfe\x00"), "no usable answer"),
        (httpx2.Response(200, json=[1, 2]), "no usable answer"),
        (httpx2.Response(200, json={"choices": []}), "no usable answer"),
        (httpx2.Response(200, json={"choices": "x"}), "no usable answer"),
        (httpx2.Response(200, json={"choices": [None]}), "no usable answer"),
        (httpx2.Response(200, json={"choices": [{"message": None}]}), "no usable answer"),
        (httpx2.Response(200, json={"choices": [{"message": "text"}]}), "no usable answer"),
        (httpx2.Response(200, json={"choices": [{"message": {"content": None}}]}), "empty"),
        (httpx2.Response(200, json={"choices": [{"message": {"content": " "}, "finish_reason": "length"}]}), "length"),
        (httpx2.Response(200, json={"choices": [{"message": {"content": None, "refusal": "I can't"}}]}), "I can't"),
        (httpx2.ConnectError("refused"), "cannot reach http://model-0.test/v1"),
        (httpx2.ReadTimeout("slow"), "did not answer within 120 s"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("recorded", ["off", "auto"])
def test_what_goes_wrong_is_one_line_that_says_what(scripted, reply, says, recorded):
    with pytest.raises(ModelError, match=says) as caught:
        ask(scripted(lambda messages: reply, recorded=recorded))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("recorded", ["off", "auto"])
def test_a_429_with_a_time_to_wait_uses_up_no_retries(scripted, recorded):  # the fixture allows none
    replies = [refused(429, **{"retry-after-ms": "1"})] * 6 + [refused(503, **{"retry-after": "0"}), "yes"]
    assert ask(scripted(replies, recorded=recorded)).text == "yes"
    assert len(scripted.requests) == 8


def test_a_429_without_a_time_to_wait_is_tried_again_as_often_as_other_failures(scripted, naps, monkeypatch):
    monkeypatch.setattr("rlm_memory_core.pacing._FIRST_PAUSE", 0.001)
    with pytest.raises(ModelError, match="answered 429"):
        ask(scripted(lambda messages: refused(429)))
    assert (len(scripted.requests), naps) == (5, [])


def test_a_spent_quota_is_told_at_once(scripted, naps):
    spent = httpx2.Response(429, json={"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}})
    with pytest.raises(ModelError, match=r"answered 429 .* quota"):
        ask(scripted(lambda messages: spent))
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504])
def test_what_a_retry_may_help_is_tried_again(scripted, naps, status):
    assert ask(scripted([refused(status), httpx2.ReadError("dropped"), "yes"])).text == "yes"
    assert len(naps) == 2


@pytest.mark.parametrize("body", [b"{not json", b"", b"<html>Log in</html>", b"[1, 2]"])
def test_an_answer_that_is_no_json_is_asked_for_once_more_and_was_paid_for(scripted, body):
    reply = ask(scripted([httpx2.Response(200, content=body), "yes"]))
    assert (reply.text, reply.usage) == ("yes", Usage(4, 6, 2))  # as much as the answer that came whole


def test_a_whole_answer_with_nothing_in_it_is_not_asked_for_again(scripted):
    with pytest.raises(ModelError):
        ask(scripted(lambda messages: httpx2.Response(200, json={"choices": []})))
    assert len(scripted.requests) == 1


def test_a_server_that_goes_on_failing_is_given_up(scripted, naps):
    with pytest.raises(ModelError, match="answered 500"):
        ask(scripted(lambda messages: refused(500)))
    assert len(scripted.requests) == 5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_no_retry_can_help_is_asked_once(scripted, naps, status):
    with pytest.raises(ModelError):
        ask(scripted(lambda messages: refused(status)))
    assert len(scripted.requests) == 1


def test_temperature_is_dropped_for_a_server_that_rejects_it_and_stays_dropped(scripted):
    model = scripted([refused(400, "Unsupported value: 'temperature'"), "one", "two"])
    assert [ask(model).text, ask(model).text] == ["one", "two"]
    assert ["temperature" in request for request in scripted.requests] == [True, False, False]


def test_a_reply_without_usage_counts_as_a_call_of_no_tokens(scripted, as_completion):
    replies = [httpx2.Response(200, json=as_completion("yes", usage=usage)) for usage in (None, {})]
    model = scripted(replies)
    assert [ask(model).usage for _ in range(2)] == [Usage(0, 0, 1)] * 2


def test_a_reply_without_usage_has_no_known_cost(scripted, as_completion):
    reply = httpx2.Response(200, json=as_completion("yes", usage=None))
    assert ask(scripted([reply], rates=(1.0, 1.0))).cost_usd is None


@pytest.mark.parametrize("broken", [refused(500), httpx2.ConnectError("gone"), httpx2.Response(200, content=b"{")])
def test_a_call_that_fails_counts_against_a_limit_on_calls(scripted, broken):
    model, budget = scripted([broken] * 2, rates=(1.0, 1.0)), Budget(calls=1)  # what is no JSON is asked for twice
    with pytest.raises(ModelError):
        ask(model, budget)
    assert (budget.spent, budget.spent_usd) == (Usage(calls=1), 0.0)
    with pytest.raises(BudgetExceeded):
        ask(model, budget)


def test_an_answer_with_nothing_to_use_is_paid_for(scripted, as_completion):
    model, budget = scripted([httpx2.Response(200, json=as_completion("yes", choices=[]))], rates=(1.0, 1.0)), Budget()
    with pytest.raises(ModelError, match="no choices") as caught:
        ask(model, budget)
    assert (caught.value.usage, caught.value.cost_usd) == (Usage(0, 3, 1), 3.0)
    assert (budget.spent, budget.spent_usd) == (Usage(0, 3, 1), 3.0)


def test_an_answer_that_was_cut_off_says_so(scripted, as_completion):
    choice = {"index": 0, "message": {"role": "assistant", "content": "half an"}, "finish_reason": "length"}
    model = scripted([httpx2.Response(200, json=as_completion("", choices=[choice])), "whole"])
    assert [(reply.text, reply.cut) for reply in (ask(model), ask(model))] == [("half an", True), ("whole", False)]


def test_a_model_without_a_known_price_has_no_cost(scripted):
    assert ask(scripted(["yes"])).cost_usd is None


def test_recorded_replies_say_their_cost_but_cost_the_budget_nothing(scripted):
    model, budget = scripted(["yes"], recorded="auto", rates=(1.0, 1.0)), Budget(calls=5)
    replies = [ask(model, budget) for _ in range(3)]
    assert [reply.cost_usd for reply in replies] == [5.0] * 3
    assert (budget.spent, budget.spent_usd) == (Usage(2, 3, 1), 5.0)


def test_a_spent_budget_sends_nothing(scripted):
    with pytest.raises(BudgetExceeded):
        ask(scripted(["yes"]), Budget(calls=0))
    assert scripted.requests == []


@pytest.mark.parametrize(
    ("model", "label"), [(connect(), "offline reader (no LLM)"), (connect("gpt-4o-mini"), "gpt-4o-mini")]
)
def test_the_label_never_shows_the_offline_reader_as_a_model(model, label):
    assert model.label == label


def test_the_offline_reader_answers_without_a_key_and_costs_nothing():
    reply = ask(connect("offline", recorded="off"))
    assert reply.text
    assert reply.cost_usd == 0.0


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://localhost:11434/v1", True), ("http://127.0.0.1/v1", True), ("http://[::1]:1/v1", True), (None, False),
     ("https://localhost.example.com/v1", False)],
)  # fmt: skip
def test_servers_on_this_machine_are_local(url, local):
    assert connect("m", url).is_local is local


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": ""},
        {"recorded": "always"},
        {"recorded": None},
        {"concurrency": 0},
        {"requests_per_minute": 0.5},
        {"tokens_per_minute": -1},
    ],
)
def test_wrong_arguments_are_refused_at_once(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        connect(**wrong)


def test_a_port_where_nobody_listens(monkeypatch):
    monkeypatch.setattr(client, "_MAX_RETRIES", 0)
    with socket.socket() as taken:  # bound, not listening: connecting is refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(ModelError, match=f"cannot reach {re.escape(url)}"):
            ask(connect("m", url, recorded="off"))


class Server:
    """A chat-completions server on loopback, which counts the requests in flight and answers when all are there."""

    def __init__(self, expected, completion, silent=False):
        self.in_flight = self.most = 0
        self._expected = expected
        self._all_there = asyncio.Event()
        self._silent = silent
        self._answer = json.dumps(completion).encode()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1]))
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        if self.in_flight == self._expected:
            self._all_there.set()
        if self._silent:
            await reader.read()
        else:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_there.wait(), 3)
            header = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(self._answer)}"
            writer.write(header.encode() + b"\r\nconnection: close\r\n\r\n" + self._answer)
        self.in_flight -= 1
        writer.close()


def test_300_calls_are_in_flight_at_once_over_real_http(as_completion):
    async def scenario():
        async with Server(300, as_completion("yes")) as server:
            model = connect("m", server.url, recorded="off")
            replies = await asyncio.gather(*(model.complete(HI) for _ in range(300)))
            await background.arun(model._client.close())
            return server.most, {reply.text for reply in replies}

    assert asyncio.run(scenario()) == (300, {"yes"})


def test_a_server_that_stays_silent_is_given_up_after_the_timeout(as_completion, monkeypatch):
    monkeypatch.setattr(client, "_MAX_RETRIES", 0)

    async def scenario():
        async with Server(1, as_completion("yes"), silent=True) as server:
            model = connect("m", server.url, recorded="off", timeout=0.2)
            try:
                await model.complete(HI)
            finally:
                await background.arun(model._client.close())

    with pytest.raises(ModelError, match=r"did not answer within 0\.2 s"):
        asyncio.run(scenario())


def test_a_model_is_sent_without_its_key_and_is_one_for_all_that_is_sent():
    model = connect(
        "m", "http://model.test/v1", "a-secret", "replay", temperature=0.5, timeout=7, rates=(1.0, 2.0),
        concurrency=9, requests_per_minute=60, tokens_per_minute=1e6,
    )  # fmt: skip
    sent = pickle.dumps(model)
    assert b"a-secret" not in sent
    received = pickle.loads(sent)
    assert pickle.loads(sent) is received
    assert vars(received) == {**vars(model), "_api_key": None}


def test_a_model_that_was_sent_keeps_its_calls_where_it_arrives(tmp_path, monkeypatch):
    model = connect("offline")
    ask(model)
    sent = pickle.dumps(model)  # its client stays behind
    monkeypatch.setenv("RLM_MEMORY_CACHE", str(tmp_path / "elsewhere"))
    llm._received.cache_clear()
    ask(pickle.loads(sent))
    llm._received.cache_clear()
    assert (tmp_path / "elsewhere" / "calls.sqlite").is_file()
