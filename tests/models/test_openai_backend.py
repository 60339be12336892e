import asyncio
import base64
import gzip
import re
import socket
from contextlib import suppress

import pytest

from rlm_memory_core.models.openai_backend import OpenAIBackend
from rlm_memory_core.models.types import CHAT_PATH, ConnectionFailed, Request, TimedOut

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


async def close(writer):
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


REQUEST = Request(CHAT_PATH, {"model": "m", "messages": [{"role": "user", "content": "hi"}]})


async def heard(backend):
    return [event async for event in backend.stream(REQUEST)]


def ask(reply, *, timeout=60.0, url="", user="", streams=False):
    """What the backend makes of a server that answers the first request with these bytes (None: not at all)."""
    received, serving = [], []

    async def serve(reader, writer):
        serving.append(asyncio.current_task())
        with suppress(ConnectionError):  # the client may be gone
            await answer(reader, writer)
        await close(writer)

    async def answer(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        received.append(head + await reader.readexactly(int(length[1]) if length else 0))
        if callable(reply):
            await reply(reader, writer)
        elif reply is None:
            await reader.read()
        else:
            writer.write(reply)

    async def scenario():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            backend = OpenAIBackend(url or f"http://{user}127.0.0.1:{port}/v1", "k", timeout)
            try:
                return await (heard(backend) if streams else backend.send(REQUEST))
            finally:
                await backend.close()
                if serving:
                    await asyncio.wait(serving)

    return asyncio.run(scenario()), received


def test_an_answer_comes_whole():
    response, (received,) = ask(HEAD + b"content-length: 2\r\n\r\n{}")
    assert response.text == "{}"
    assert received.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"authorization: bearer k" in received.lower()
    assert received.endswith(b"\r\n\r\n" + REQUEST.content)


def test_a_user_and_a_password_in_the_address_are_sent_instead_of_the_key():
    _, (received,) = ask(HEAD + b"content-length: 2\r\n\r\n{}", user="ada:pass%20word@")
    sent = base64.b64encode(b"ada:pass word")
    assert re.findall(rb"(?i)authorization: (.*?)\r\n", received) == [b"Basic " + sent]


def test_cookies_are_not_sent_back():
    heads = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head.lower())
        await reader.readexactly(int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1]))
        writer.write(HEAD + b"set-cookie: replica=7\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
        await close(writer)

    async def scenario():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            backend = OpenAIBackend(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", "k", 60.0)
            for _ in range(2):
                await backend.send(REQUEST)
            await backend.close()

    asyncio.run(scenario())
    assert len(heads) == 2
    assert not any(b"\ncookie:" in head for head in heads)


def test_a_compressed_answer_is_unpacked():
    packed = gzip.compress(b'{"a": 1}')
    head = HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    assert ask(head + packed)[0].body == {"a": 1}


def test_an_answer_in_chunks_is_put_together():
    assert ask(HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")[0].body == {}


@pytest.mark.parametrize(
    "reply",
    [HEAD + b"content-length: 100\r\n\r\n{", HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n{", b"", b"garbage"],
)
@pytest.mark.parametrize("streams", [False, True])
def test_a_connection_that_breaks_is_told(reply, streams):
    with pytest.raises(ConnectionFailed):
        ask(reply, streams=streams)


async def slowly(reader, writer):
    writer.write(STREAM + b"content-length: 30\r\n\r\n")
    for _ in range(30):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def stall(reader, writer):
    writer.write(HEAD + b"content-length: 1000\r\n\r\n{")
    await writer.drain()
    await reader.read()  # until the client leaves


async def stall_in_stream(reader, writer):
    writer.write(STREAM + b"content-length: 1000\r\n\r\n{")
    await writer.drain()
    await reader.read()  # until the client leaves


def test_the_timeout_of_a_stream_is_for_each_wait_for_more():
    assert ask(slowly, timeout=1.0, streams=True)[0] == []


@pytest.mark.parametrize("reply", [None, stall, stall_in_stream])
@pytest.mark.parametrize("streams", [False, True])
def test_an_answer_that_stalls_is_given_up(reply, streams):
    with pytest.raises(TimedOut):
        ask(reply, timeout=0.2, streams=streams)


def test_a_stream_that_breaks_is_told():
    with pytest.raises(ConnectionFailed):
        ask(STREAM + b"content-length: 100\r\n\r\ndata: {", streams=True)


def test_a_compressed_stream_is_unpacked():
    packed = gzip.compress(b'data: {"a": 1}\n\n')
    head = STREAM + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    assert ask(head + packed, streams=True)[0] == ['{"a": 1}']


def test_a_port_where_nobody_listens():
    with socket.socket() as taken:  # bound, not listening
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1"):
            ask(b"", url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")


def test_the_proxy_of_the_environment_is_used_but_not_for_hosts_that_it_leaves_out(monkeypatch):
    for name in ("HTTP_PROXY", "ALL_PROXY", "all_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(ConnectionFailed):
            ask(HEAD + b"content-length: 2\r\n\r\n{}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert ask(HEAD + b"content-length: 2\r\n\r\n{}")[0].body == {}


def test_cancelling_closes_the_connection():
    async def scenario():
        opened, closed = asyncio.Event(), asyncio.Event()

        async def serve(reader, writer):
            opened.set()
            await reader.read()  # to the end of the connection
            await close(writer)
            closed.set()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            backend = OpenAIBackend(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", "k", 5.0)
            call = asyncio.create_task(backend.send(REQUEST))
            await opened.wait()
            call.cancel()
            await asyncio.wait_for(closed.wait(), 60)
        await backend.close()
        return call.cancelled()

    assert asyncio.run(scenario())
