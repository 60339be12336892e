"""A real HTTP server on loopback that speaks chat completions (and embeddings), and misbehaves on request.

A plan names the fault of each attempt, and a delay its seconds; both are functions of the
request's key and the number of the attempt, so that a seed decides all and the order of
arrival nothing. The server counts what came and what it stated in answers that went out
whole, so that a test can account for every call.
"""

import asyncio
import hashlib
import json
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from typing import NamedTuple

from in_flight import InFlight

from rlm_memory_core import Usage

KEY = "sk-loopback-0123456789abcdef"
"""The key that clients of the server give, and that one of its errors repeats."""

MARK = "server-side-error-text"
"""Stands in the text of every error, and must never be seen among findings."""

_PAGE = f"<html>\n<head><title>502 Bad Gateway</title></head>\n<body><h1>{MARK}</h1><hr>nginx</body></html>"


def _error(text):
    return lambda completion: json.dumps({"error": {"message": text}}).encode()


def _whole(completion):
    return json.dumps(completion).encode()


def _choice(finish_reason, **message):
    """The completion with another ending; a function takes the place of the text."""

    def change(completion):
        said = dict(completion["choices"][0]["message"])
        said |= {name: value(said["content"]) if callable(value) else value for name, value in message.items()}
        return _whole(completion | {"choices": [{"index": 0, "message": said, "finish_reason": finish_reason}]})

    return change


@dataclass(frozen=True)
class Fault:
    """What the server does in place of a good answer.

    `body` makes the bytes from the good completion; `sent` is the share of the answer that goes out before the
    connection is dropped, 1.0 for all of it and no drop; a silent fault never answers, one that stalls sends its
    share and then no more.
    """

    status: int = 200
    headers: Callable[[], dict[str, str]] = dict
    body: Callable[[dict], bytes] = _whole
    sent: float = 1.0
    silent: bool = False
    stalls: bool = False

    @property
    def is_answer(self):
        """Whether it is one that is paid for, of use or not."""
        return self.status == 200 and self.sent == 1.0 and not self.silent


FAULTS = {
    "": Fault(),
    "429 seconds": Fault(429, lambda: {"retry-after": "7"}, _error(f"slow down: {MARK}")),
    "429 date": Fault(
        429, lambda: {"retry-after": formatdate(time.time() + 30, usegmt=True)}, _error(f"slow down: {MARK}")
    ),
    "429 ms": Fault(429, lambda: {"retry-after-ms": "250"}, _error(f"slow down: {MARK}")),
    "500": Fault(500, body=_error(MARK)),
    "502 html": Fault(502, lambda: {"content-type": "text/html"}, lambda completion: _PAGE.encode()),
    "400": Fault(400, body=_error(f"too long: {MARK}")),
    "403 with key": Fault(403, body=_error(f"{MARK}: the key {KEY} may not use this model")),
    "dropped before": Fault(sent=0.0),
    "dropped in mid-body": Fault(sent=0.7),
    "never answers": Fault(silent=True),
    "stalls in mid-body": Fault(sent=0.7, stalls=True),
    "invalid json": Fault(body=lambda completion: b'{"choices": [' + MARK.encode()),
    "html for an answer": Fault(body=lambda completion: _PAGE.encode()),
    "empty choices": Fault(body=lambda completion: _whole(completion | {"choices": []})),
    "no usage": Fault(body=lambda completion: _whole({k: v for k, v in completion.items() if k != "usage"})),
    "refusal": Fault(body=_choice("stop", content=None, refusal=f"I will not: {MARK}")),
    "content filter": Fault(body=_choice("content_filter", content=MARK)),
    "cut off": Fault(body=_choice("length", content=lambda text: text[: len(text) // 2])),
    "only reasoning": Fault(body=_choice("length", content="")),
}
"""The faults by name; "" is none."""


class Attempt(NamedTuple):
    """One request that came in: its key, what was done with it, and the usage that the client was told."""

    key: str
    fault: str
    stated: Usage


Plan = Callable[[str, int], str]
"""The fault's name, from a request's key and the number of the attempt at it, from 1."""


def key_of(body):
    """The name of a request by its content: the same for each attempt at it."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]


def draw(*of):
    """A number in [0, 1) that its arguments decide."""
    return random.Random(" ".join(map(str, of))).random()


def always(fault):
    """Every attempt at every request fails so."""
    return lambda key, attempt: fault


def first(fault, times=1):
    """The first attempts at every request fail so; the next one is answered."""
    return lambda key, attempt: fault if attempt <= times else ""


def some(share, faults, seed=0, lasting=True):
    """A share of the requests fails, each with one of the faults; not lasting, attempts are drawn one by one."""
    names = list(faults)

    def plan(key, attempt):
        of = (key,) if lasting else (key, attempt)
        return names[int(draw(seed, "kind", *of) * len(names))] if draw(seed, *of) < share else ""

    return plan


def lognormal(median, sigma, seed=0):
    """Seconds for `delay`: lognormal, by request and attempt."""
    return lambda key, attempt: median * math.exp(sigma * random.Random(f"{seed} {key} {attempt}").gauss(0.0, 1.0))


class FaultServer:
    """The server, in a thread of its own while the `with` block lasts.

    `complete` makes a good completion (or list of embeddings) from a request's body. `plan` and `delay` may be
    changed while it runs. `received` counts the attempts by key, `bodies` keeps the requests, `attempts` says what
    was done with each; `connections` are those open now, `in_flight` counts requests.
    """

    def __init__(self, complete, plan=lambda key, attempt: "", delay=lambda key, attempt: 0.0):
        self.plan = plan
        self.delay = delay
        self.attempts = []
        self.received = Counter()
        self.bodies = {}
        self.connections = 0
        self.in_flight = InFlight()
        self._complete = complete
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="fault-server")

    @property
    def stated(self):
        """Tokens in the answers that went out whole; and the calls: whole answers and those that never came, or 1 for
        a request with neither."""
        tokens = sum((attempt.stated for attempt in self.attempts), Usage())
        answers = Counter(attempt.key for attempt in self.attempts if _counts(FAULTS[attempt.fault]))
        calls = sum(max(answers[key], 1) for key in self.received)
        return Usage(tokens.prompt_tokens, tokens.completion_tokens, calls)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    async def _main(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=2048)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        self._ready.set()
        await self._stop.wait()
        server.close()
        own = asyncio.current_task()
        connections = [task for task in asyncio.all_tasks() if task is not own]
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connection(self, reader, writer):
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._request(reader, writer):
                    pass
        finally:
            self.connections -= 1
            writer.transport.abort()

    async def _request(self, reader, writer):
        """One request of a connection; False where the connection ends with it."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        with self.in_flight:
            return await self._answer(body, reader, writer)

    async def _answer(self, body, reader, writer):
        key = key_of(body)
        self.bodies[key] = body
        self.received[key] += 1
        attempt = self.received[key]
        name = self.plan(key, attempt)
        place = len(self.attempts)
        self.attempts.append(Attempt(key, name, Usage()))
        fault = FAULTS[name]
        await asyncio.sleep(self.delay(key, attempt))
        if fault.silent:
            await reader.read()  # until the client has had enough
        if reader.at_eof():
            return False
        content, media = fault.body(self._complete(body)), "application/json"
        if body.get("stream") and fault.status == 200:
            content, media = events(json.loads(content)), "text/event-stream"
        headers = {"content-type": media, "content-length": str(len(content)), **fault.headers()}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        wire = f"HTTP/1.1 {fault.status} Status\r\n{head}\r\n".encode() + content
        if fault.sent == 1.0 and not fault.stalls:
            self.attempts[place] = Attempt(key, name, _stated(content))  # first: the client may be fast
        writer.write(wire[: int(len(wire) * fault.sent)])
        await writer.drain()
        if fault.stalls:
            await reader.read()  # until the client has had enough
        return fault.sent == 1.0


@contextmanager
def answering(reply, prompt_tokens=lambda body: 100):
    """The address of a server without faults; from a request's body `reply` gives the text of its answer."""

    def complete(body):
        choice = {"index": 0, "message": {"role": "assistant", "content": reply(body)}, "finish_reason": "stop"}
        usage = {"prompt_tokens": prompt_tokens(body), "completion_tokens": 10}
        return {"object": "chat.completion", "choices": [choice], "usage": usage}

    with FaultServer(complete) as server:
        yield server.url


def events(completion, size=5):
    """A chat completion as the server-sent events of a stream, in pieces of so many characters."""
    choice = completion["choices"][0]
    text = choice["message"]["content"] or ""
    deltas = [{"role": "assistant", "content": ""}]
    deltas += [{"content": text[at : at + size]} for at in range(0, len(text), size)]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    chunks += [{"choices": [], "usage": completion["usage"]}] if "usage" in completion else []
    head = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    lines = [json.dumps(head | chunk) for chunk in chunks]
    return "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()


def _counts(fault):
    return fault.is_answer or fault.silent


def _stated(content):
    with suppress(ValueError, KeyError, TypeError):
        usage = json.loads(content)["usage"]
        return Usage(usage["prompt_tokens"], usage.get("completion_tokens", 0))
    return Usage()
