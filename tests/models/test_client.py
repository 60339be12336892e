import asyncio
import json
import re
import socket
from contextlib import suppress

import httpx2
import pytest
from asking import HI, ask, refused
from in_flight import InFlight

from rlm_memory_core import ModelError, connect
from rlm_memory_core.models import background, pipeline


@pytest.fixture
def naps(monkeypatch):
    """The seconds that would have been slept before each retry."""
    seconds = []

    async def nap(delay):
        seconds.append(delay)

    monkeypatch.setattr(pipeline, "sleep", nap)
    monkeypatch.setattr(pipeline, "MAX_RETRIES", 4)
    return seconds


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
        (httpx2.Response(200, json={"choices": [{"message": 5}]}), "no usable answer"),
        (httpx2.Response(200, json={"choices": [{"message": {"content": None}}]}), "empty"),
        (httpx2.Response(200, json={"choices": [{"message": {"content": " "}, "finish_reason": "length"}]}), "length"),
        (httpx2.Response(200, json={"choices": [{"message": {"content": None, "refusal": "I can't"}}]}), "I can't"),
        (httpx2.ConnectError("refused"), r"cannot reach http://model-\d+\.test/v1"),
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
    monkeypatch.setattr("rlm_memory_core.models.pacing._FIRST_PAUSE", 0.001)
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


@pytest.mark.parametrize("headers", [{}, {"x-should-retry": "true"}, {"retry-after": "1"}])
def test_what_a_server_has_not_got_is_not_asked_for_again(scripted, headers):
    with pytest.raises(ModelError, match="answered 501"):
        ask(scripted(lambda messages: refused(501, **headers)))
    assert len(scripted.requests) == 1


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


def test_a_port_where_nobody_listens(monkeypatch):
    monkeypatch.setattr(pipeline, "MAX_RETRIES", 0)
    with socket.socket() as taken:  # bound, not listening: connecting is refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(ModelError, match=f"cannot reach {re.escape(url)}") as raised:
            ask(connect("m", url, recorded="off"))
        assert "ssl" not in str(raised.value)


class Server:
    """A chat-completions server on loopback, which counts the requests in flight and answers when all are there."""

    def __init__(self, expected, completion, silent=False):
        self.in_flight = InFlight()
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
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1]))
            with self.in_flight:
                if self.in_flight.now == self._expected:
                    self._all_there.set()
                if self._silent:
                    await reader.read()
                else:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._all_there.wait(), 60)  # only where they never meet
                    header = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(self._answer)}"
                    writer.write(header.encode() + b"\r\nconnection: close\r\n\r\n" + self._answer)
        finally:  # also when the test ends first
            writer.close()


def test_300_calls_are_in_flight_at_once_over_real_http(as_completion):
    async def scenario():
        async with Server(300, as_completion("yes")) as server:
            model = connect("m", server.url, recorded="off")
            replies = await asyncio.gather(*(model.complete(HI) for _ in range(300)))
            await background.arun(model._pipeline.close())
            return server.in_flight.most, {reply.text for reply in replies}

    assert asyncio.run(scenario()) == (300, {"yes"})


def test_a_server_that_stays_silent_is_given_up_after_the_timeout(as_completion, monkeypatch):
    monkeypatch.setattr(pipeline, "MAX_RETRIES", 0)

    async def scenario():
        async with Server(1, as_completion("yes"), silent=True) as server:
            model = connect("m", server.url, recorded="off", timeout=0.2)
            try:
                await model.complete(HI)
            finally:
                await background.arun(model._pipeline.close())

    with pytest.raises(ModelError, match=r"did not answer within 0\.2 s"):
        asyncio.run(scenario())


def test_an_answer_that_drips_is_given_up_after_the_timeout(monkeypatch):
    monkeypatch.setattr(pipeline, "MAX_RETRIES", 0)

    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n")
        try:
            with suppress(ConnectionError):
                for _ in range(1000):
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.02)
        finally:  # also when the test's loop ends first
            writer.transport.abort()

    async def scenario():
        async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            model = connect("m", url, recorded="off", timeout=0.2)
            try:
                await model.complete(HI)
            finally:
                await background.arun(model._pipeline.close())

    with pytest.raises(ModelError, match=r"did not answer within 0\.2 s"):
        asyncio.run(scenario())
