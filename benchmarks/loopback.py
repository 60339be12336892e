"""A chat-completions server on loopback for the benchmarks: it answers after a drawn latency, and does nothing else.

Run: python benchmarks/loopback.py    (prints its port; ends with its standard input)

The latency is simulated. It is drawn from the scenario in the path and the number in
the prompt ("call 17"), so that every way of sending waits for the same times; a second
request with the same number is another draw. It is a bare protocol on asyncio, in a
process of its own, so that the clients are what is timed.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from stragglers import Scenario

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_NUMBER = re.compile(rb"call (\d+)\b")
_ANSWER = json.dumps(
    {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "simulated",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "NOT_FOUND"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 2, "total_tokens": 102},
    }
).encode()
_RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_ANSWER) + _ANSWER


def url(port: int, run: str, scenario: Scenario) -> str:
    """The base address of one run of a scenario; the server counts repeated numbers within a run."""
    return f"http://127.0.0.1:{port}/{run},{scenario.calls},{scenario.seed},{scenario.stragglers:g}/v1"


@contextmanager
def running() -> Iterator[int]:
    """The server in a process of its own; gives its port."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        assert server.stdin is not None
        server.stdin.close()


@lru_cache
def _scenario(path: str) -> Scenario:
    _, calls, seed, stragglers = path.split("/")[1].split(",")
    return Scenario(int(calls), int(seed), stragglers=float(stragglers))


class _Connection(asyncio.Protocol):
    """One kept-alive connection, one request at a time."""

    def __init__(self, sent: Counter[tuple[str, int]]) -> None:
        self._sent = sent
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head) if found else None
        if length is not None and len(body) >= int(length[1]):
            self._received = b""
            self._take(head.split(b" ", 2)[1].decode(), body)

    def _take(self, path: str, body: bytes) -> None:
        run, scenario = path.split("/")[1], _scenario(path)
        number = _NUMBER.search(body)
        assert number is not None, "a prompt of the benchmarks has its number in it"
        at = int(number[1])
        copy = self._sent[run, at]
        self._sent[run, at] += 1
        seconds = scenario.latency(at, copy) if at < scenario.calls else 0.0  # a number beyond is for warming up
        asyncio.get_running_loop().call_later(seconds, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_RESPONSE)


async def _serve() -> None:
    sent: Counter[tuple[str, int]] = Counter()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(sent), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
