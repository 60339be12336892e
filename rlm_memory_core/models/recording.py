"""Recorded calls: each model answer stored once, and replayed for free.

An HTTP transport that stands under the openai client. A request is known by a
hash of its canonical body, so that a run which was stopped goes on from where it
was without paying twice; identical requests that are on their way at the same time
are sent once. Errors, refusals, streams and cut-off answers are not kept. Copies of a
request that are meant, such as a hedge, go out below this transport.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine, Iterable
from typing import Any, Literal, NamedTuple, get_args

import httpx2

from .call_account import Claim, current_claim
from .call_store import CallStore, RecordingError, digest
from .headers import NOT_RECORDED, OVER_BUDGET, RECORDED_HEADER, REQUESTS_HEADER, SECONDS_HEADER, UNUSABLE, refusal
from .layer import Layer

Mode = Literal["auto", "replay", "refresh", "off"]
MODES: tuple[Mode, ...] = get_args(Mode)
_KEPT = ("retry-after", "retry-after-ms", "x-should-retry", "x-request-id", "content-type", REQUESTS_HEADER)


class RecordingTransport(Layer):
    """Answers recorded requests from the file and records the others.

    Args:
        inner: The transport that really asks.
        calls: Where answers are kept.
        mode: "auto" replays what is recorded and records the rest; "replay" never
            asks (a miss is an error); "refresh" asks again and replaces.
        salt: What beside the request decides the answer, such as the server's
            address or the offline reader's version.

    An answer that cannot be stored is handed on, since it is paid for; from then on
    requests that would have to be sent are refused.

    Raises:
        ValueError: The mode is none of these.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, calls: CallStore, mode: Mode = "auto", salt: str = "") -> None:
        if mode not in MODES or mode == "off":
            raise ValueError(f"recorded must be one of {', '.join(MODES)}, not {mode!r}")
        super().__init__(inner)
        self.calls = calls
        self.mode = mode
        self.salt = salt
        self._flights: dict[str, _Flight] = {}
        self._cannot_write: RecordingError | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Replay or forward one request."""
        body = _json(await request.aread())
        if body is None or body.get("stream"):
            return await self.inner.handle_async_request(request)
        key, claim = call_key(str(request.url), body, self.salt), current_claim()
        while True:
            flight = self._flights.get(key)
            joined = flight is not None and not flight.over
            if flight is None or flight.over:
                try:
                    known = self._known(key)
                except RecordingError as error:
                    return refusal(500, str(error), UNUSABLE)
                if known is not None:
                    return known
                flight = self._flights[key] = _Flight(self._send(request, key, str(body.get("model", ""))), claim)
            try:
                response = await flight.answer(claim)
            finally:
                if flight.over and self._flights.get(key) is flight:
                    del self._flights[key]
            if not (joined and response.status_code == OVER_BUDGET):  # another's budget is no reason not to ask
                return response

    async def aclose(self) -> None:
        """Close the inner transport and the file."""
        await super().aclose()
        await self.calls.aclose()

    def _known(self, key: str) -> httpx2.Response | None:
        """The answer to a request, or its refusal; None where it must be sent."""
        found = self.calls.get(key) if self.mode != "refresh" else None
        if found is not None:
            return _Sent(200, {"content-type": "application/json"}, found.response, found.seconds).response(free=True)
        if self.mode == "replay":
            missing = f"this call is not recorded in {self.calls.path}, and recorded='replay' asks no model"
            return refusal(404, missing, NOT_RECORDED)
        if self._cannot_write is not None:
            raise self._cannot_write
        return None

    async def _send(self, request: httpx2.Request, key: str, model: str) -> _Sent:
        started = time.perf_counter()
        response = await self.inner.handle_async_request(request)
        text = (await response.aread()).decode("utf-8", "replace")
        seconds = float(response.headers.get(SECONDS_HEADER, time.perf_counter() - started))
        await response.aclose()
        if response.status_code == 200 and is_complete(_json(text.encode())):
            try:
                # first: what anyone has seen is in the file
                await self.calls.put(key, model, text, seconds)
            except RecordingError as error:
                self._cannot_write = error
        kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
        return _Sent(response.status_code, kept, text, seconds)


class _Sent(NamedTuple):
    """What came back for a request, once for all who asked it."""

    status: int
    headers: dict[str, str]
    text: str
    seconds: float

    def response(self, free: bool) -> httpx2.Response:
        headers = {**self.headers, SECONDS_HEADER: str(self.seconds)}
        if free:
            headers[RECORDED_HEADER] = "1"
            headers.pop(REQUESTS_HEADER, None)
        return httpx2.Response(self.status, headers=headers, text=self.text)


class _Flight:
    """A request on its way, and those who wait for it. The first to have the answer, or the failure, pays for all.

    It goes on while anyone waits, and is cancelled with the last of them, who then pays for what it has taken.

    Args:
        sending: Sends the request.
        claim: Of the call that it is sent for, or None; it knows what went out, also when that call has left.
    """

    def __init__(self, sending: Coroutine[Any, Any, _Sent], claim: Claim | None) -> None:
        self._task: asyncio.Task[_Sent] = asyncio.create_task(sending)
        self._claim = claim
        self._waiting = 0
        self._paid = False
        self.over = False

    async def answer(self, claim: Claim | None) -> httpx2.Response:
        self._waiting += 1
        left = False
        try:
            sent = await asyncio.shield(self._task)
        except asyncio.CancelledError:
            left = True
            raise
        finally:
            self._waiting -= 1
            free = self._paid or (left and self._waiting > 0)
            self._paid = self._paid or not free
            if claim is not None:
                claim.pays_for(None if free else self._claim)
            if self._waiting == 0 or self._task.done():
                self.over = True
            if self._waiting == 0 and self._task.cancel():
                await asyncio.wait([self._task])  # a cancelled call leaves nothing running
        return sent.response(free)


def saved_seconds(calls: Iterable[tuple[float, bool]]) -> float:
    """What replaying saved of calls that were made at once: how much longer all would have taken than the live ones.

    Args:
        calls: Seconds of each call, and whether it was replayed.

    >>> saved_seconds([(3.0, True), (1.0, False)]), saved_seconds([(2.0, True)]), saved_seconds([(3.0, False)])
    (2.0, 2.0, 0.0)
    """
    timed = list(calls)
    live = max((seconds for seconds, replayed in timed if not replayed), default=0.0)
    return max((seconds for seconds, _ in timed), default=0.0) - live


def call_key(url: str, body: dict[str, Any], salt: str = "") -> str:
    """The name of a request: the same for the same body, whatever the order of its fields.

    >>> call_key("u", {"a": 1, "b": 2}) == call_key("u", {"b": 2, "a": 1})
    True
    """
    canonical = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return digest("\0".join((salt, url, canonical)))


def is_complete(response: dict[str, Any] | None) -> bool:
    """Whether a chat completion (or list of embeddings) ended as it should: not refused, not cut off."""
    if response is None:
        return False
    if response.get("object") == "list":
        return bool(response.get("data"))
    choices = response.get("choices")
    return isinstance(choices, list) and bool(choices) and all(map(_is_whole, choices))


def _is_whole(choice: Any) -> bool:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return False
    return choice.get("finish_reason") == "stop" and bool(message.get("content")) and not message.get("refusal")


def _json(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
