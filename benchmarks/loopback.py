"""A chat-completions server on loopback for the benchmarks: it answers after a drawn latency, and does nothing else.

Run: python benchmarks/loopback.py    (prints its port; ends with its standard input)

The latency is simulated. It is drawn from the path's scenario and the number in the
prompt ("call 17"), so that every way of sending waits for the same times; a second
request with the same number is another draw. It is a bare protocol on asyncio, in a
process of its own, so that the clients are what is timed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

from rlm_memory_core.experiments.simulated import draw

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_NUMBER = re.compile(rb"call (\d+)")
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


@dataclass(frozen=True)
class Scenario:
    """What the calls of one fan-out wait for.

    Args:
        run: Names the run: the server counts repeated numbers within one.
        calls: How many there are.
        seed: Of the latencies.
        median, sigma: Of the lognormal distribution; seconds.
        stragglers: The share of calls that take ten times longer: exactly that share of the first copies, and
            each second copy with that probability.
    """

    run: str
    calls: int
    seed: int = 0
    median: float = 1.0
    sigma: float = 0.5
    stragglers: float = 0.0

    def latency(self, number: int, copy: int = 0) -> float:
        """Seconds that one request waits."""
        key = f"{self.seed} {number} {copy}"
        slow = _uniform(key) < self.stragglers if copy else number in _slowest(self.seed, self.calls, self.stragglers)
        return draw(key, self.median, self.sigma) * (10 if slow else 1)

    def latencies(self) -> list[float]:
        """Seconds of each call, if each is sent once."""
        return [self.latency(number) for number in range(self.calls)]

    @property
    def path(self) -> str:
        """The scenario as the first part of a URL's path."""
        return urlencode(asdict(self))

    @staticmethod
    @lru_cache
    def of(path: str) -> Scenario:
        """The scenario of a path."""
        named = dict(parse_qsl(path))
        run, calls, seed = named["run"], int(named["calls"]), int(named["seed"])
        return Scenario(run, calls, seed, *(float(named[name]) for name in ("median", "sigma", "stragglers")))


@lru_cache
def _slowest(seed: int, calls: int, share: float) -> frozenset[int]:
    return frozenset(sorted(range(calls), key=lambda number: _uniform(f"{seed} {number}"))[: round(share * calls)])


def _uniform(key: str) -> float:
    return int.from_bytes(hashlib.sha256(f"straggler {key}".encode()).digest()[:6], "big") / 2**48


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
        if not found:
            return
        length = _LENGTH.search(head)
        if length is not None and len(body) >= int(length[1]):
            self._received = b""
            self._answer_later(head, body)

    def _answer_later(self, head: bytes, body: bytes) -> None:
        scenario = Scenario.of(head.split(b" ", 2)[1].decode().split("/")[1])
        number = _NUMBER.search(body)
        assert number is not None, "a prompt of the benchmarks has its number in it"
        key = (scenario.run, int(number[1]))
        copy = self._sent[key]
        self._sent[key] += 1
        seconds = (
            scenario.latency(key[1], copy) if key[1] < scenario.calls else 0.0
        )  # a number beyond is for warming up
        asyncio.get_running_loop().call_later(seconds, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_RESPONSE)


async def serve() -> None:
    """Serve until the standard input ends."""
    sent: Counter[tuple[str, int]] = Counter()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(sent), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
