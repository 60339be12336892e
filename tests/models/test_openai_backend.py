import asyncio
import gzip
import re
import socket
from contextlib import suppress

import httpx2
import pytest

from rlm_memory_core.models.openai_backend import HttpTransport

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


async def close(writer):
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def ask(reply, *, timeout=5.0, **request):
    """What the transport makes of a server that answers the first request with these bytes (None: not at all)."""
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
            await reply(writer)
        elif reply is None:
            await reader.read()
        else:
            writer.write(reply)

    async def scenario():
        transport = HttpTransport()
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            named = {"method": "POST", "url": url, "content": b"{}", "extensions": {"timeout": {"read": timeout}}}
            try:
                response = await transport.handle_async_request(httpx2.Request(**named | request))
                await response.aread()
            finally:
                await transport.aclose()
                if serving:
                    await asyncio.wait(serving)
        return response

    return asyncio.run(scenario()), received


def test_an_answer_comes_whole():
    response, (received,) = ask(HEAD + b"content-length: 2\r\n\r\n{}", headers={"authorization": "Bearer k"})
    assert (response.status_code, response.json(), response.headers["content-type"]) == (200, {}, "application/json")
    assert received.startswith(b"POST /v1 HTTP/1.1\r\n")
    assert b"authorization: bearer k" in received.lower()
    assert received.endswith(b"\r\n\r\n{}")


def test_a_compressed_answer_is_unpacked():
    packed = gzip.compress(b'{"a": 1}')
    head = HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    assert ask(head + packed)[0].json() == {"a": 1}


def test_an_answer_in_chunks_is_put_together():
    assert ask(HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")[0].json() == {}


@pytest.mark.parametrize(
    "reply",
    [HEAD + b"content-length: 100\r\n\r\n{", HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n{", b"", b"garbage"],
)
def test_a_connection_that_breaks_is_told(reply):
    with pytest.raises(httpx2.ReadError):
        ask(reply)


async def slowly(writer):
    writer.write(STREAM + b"content-length: 30\r\n\r\n")
    for _ in range(30):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def stall(writer):
    writer.write(HEAD + b"content-length: 1000\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(1)


async def stall_in_stream(writer):
    writer.write(STREAM + b"content-length: 1000\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(1)


def test_the_timeout_is_for_each_wait_for_more():
    assert ask(slowly, timeout=1.0)[0].content == b" " * 30


@pytest.mark.parametrize("reply", [None, stall, stall_in_stream])
def test_an_answer_that_stalls_is_given_up(reply):
    with pytest.raises(httpx2.ReadTimeout):
        ask(reply, timeout=0.2)


def test_a_stream_that_breaks_is_told():
    with pytest.raises(httpx2.ReadError):
        ask(STREAM + b"content-length: 100\r\n\r\n{")


def test_a_compressed_stream_is_unpacked():
    packed = gzip.compress(b'{"a": 1}')
    head = STREAM + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    assert ask(head + packed)[0].json() == {"a": 1}


def test_a_port_where_nobody_listens():
    with socket.socket() as taken:  # bound, not listening
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(httpx2.ConnectError, match=r"127\.0\.0\.1"):
            ask(b"", url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")


@pytest.mark.parametrize("url", ["http://", "ftp://127.0.0.1/"])
def test_an_address_that_is_none(url):
    with pytest.raises(httpx2.TransportError):
        ask(b"", url=url)


def test_the_proxy_of_the_environment_is_used_but_not_for_hosts_that_it_leaves_out(monkeypatch):
    for name in ("HTTP_PROXY", "ALL_PROXY", "all_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(httpx2.ConnectError):
            ask(HEAD + b"content-length: 2\r\n\r\n{}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert ask(HEAD + b"content-length: 2\r\n\r\n{}")[0].json() == {}


def test_cancelling_closes_the_connection():
    async def scenario():
        opened, closed = asyncio.Event(), asyncio.Event()

        async def serve(reader, writer):
            opened.set()
            await reader.read()  # to the end of the connection
            await close(writer)
            closed.set()

        transport = HttpTransport()
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            call = asyncio.create_task(transport.handle_async_request(httpx2.Request("POST", url, content=b"{}")))
            await opened.wait()
            call.cancel()
            await asyncio.wait_for(closed.wait(), 5)
        await transport.aclose()
        return call.cancelled()

    assert asyncio.run(scenario())
