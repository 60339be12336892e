"""Replies heard while they come: below recorded calls a request becomes a stream, and its end a whole answer again.

Whoever stands above, from recorded calls to budgets, sees one request and one complete
answer, the same as without a listener: a streamed answer is recorded when it is whole,
under the same key, and a recorded one is heard at once. Nothing is retried here, and
nothing is asked again once a piece was heard.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from typing import Any

import httpx2

from ..store.escaping import well_formed
from .headers import refusal
from .layer import Layer
from .pricing import Usage
from .transport import STREAMED

BROKEN_OFF = "broken_off"
"""The code of an error that stands for a reply whose end never came."""

_CHARACTERS_PER_TOKEN = 4  # English prose; for what nobody counted


class Listener:
    """Hears a reply piece by piece.

    Args:
        tell: Called with each piece, on the background loop: it must not wait, raise, or ask a model.

    `text` is what was heard. `unfinished` is what a reply that has begun and not ended has taken so far, estimated
    at four characters a token as no server has counted it; None before and after.

    >>> listener = Listener(lambda piece: print(piece, end="|"))
    >>> for piece in ("My cat ", "is Mochi."):
    ...     listener.hear(piece)
    My cat |is Mochi.|
    >>> listener.text
    'My cat is Mochi.'
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._pieces: list[str] = []
        self._asked: int | None = None  # characters of the request, while its reply comes
        self._heard = 0

    @property
    def text(self) -> str:
        """All that was heard."""
        return "".join(self._pieces)

    @property
    def unfinished(self) -> Usage | None:
        """An estimate of what the reply has taken so far; None where none is on its way."""
        if self._asked is None:
            return None
        return Usage(self._asked // _CHARACTERS_PER_TOKEN, -(-self._heard // _CHARACTERS_PER_TOKEN), 1)

    def hear(self, piece: str) -> None:
        """Take one piece."""
        piece = well_formed(piece)
        self._pieces.append(piece)
        self._heard += len(piece)
        self._tell(piece)

    def begin(self, asked: int) -> None:
        """A reply to a request of so many characters begins."""
        self._asked = asked

    def end(self, text: str) -> None:
        """The reply is whole; what was not heard in pieces, such as a recorded one, is heard now."""
        self._asked = None
        if not self._pieces:
            self.hear(text)


@contextmanager
def heard_by(listener: Listener | None) -> Iterator[None]:
    """Have the reply to the request that is sent within heard; None for nobody."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def hearing() -> Callable[[], Usage | None]:
    """A function that tells, from anywhere, what the reply that is heard here has taken so far; None where it has
    ended, or nobody listens."""
    listener = _LISTENER.get()
    return lambda: None if listener is None else listener.unfinished


class Streaming(Layer):
    """Asks for a stream where somebody listens, and answers with the whole.

    A reply that breaks off after its first piece is answered with the code `BROKEN_OFF`, which the openai client
    does not try again; one that breaks off before it is a failure like any other.

    Args:
        inner: What really sends.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        super().__init__(inner)
        self._counts = True  # whether the server knows of stream_options

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request, as a stream or as it is."""
        listener = _LISTENER.get()
        if listener is None or not request.url.path.endswith("/chat/completions"):
            return await self.inner.handle_async_request(request)
        body = json.loads(await request.aread())
        response = await self.inner.handle_async_request(_streamed(request, body, self._counts))
        if self._counts and response.status_code in (400, 422) and b"stream_options" in await response.aread():
            self._counts = False  # an older server: its streams come without a count of tokens
            response = await self.inner.handle_async_request(_streamed(request, body, self._counts))
        try:
            if response.status_code == 200 and "event-stream" in response.headers.get("content-type", ""):
                listener.begin(len(request.content))
                return await _heard(response, listener)
            await response.aread()  # an error, or a server that does not stream
            return response
        finally:
            await response.aclose()


_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


def _streamed(request: httpx2.Request, body: dict[str, Any], counts: bool) -> httpx2.Request:
    """The request for a stream of the same answer."""
    options = {"stream_options": {"include_usage": True}} if counts else {}
    headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
    return httpx2.Request(
        request.method,
        request.url,
        headers=headers,
        content=json.dumps({**body, "stream": True, **options}).encode(),
        extensions={**request.extensions, STREAMED: True},
    )


async def _heard(response: httpx2.Response, listener: Listener) -> httpx2.Response:
    """Let the listener hear a stream, and make one answer of it."""
    whole = _Whole()
    try:
        async with aclosing(_events(response)) as events:
            async for event in events:
                if piece := whole.add(event):
                    listener.hear(piece)
        if not whole.ended:
            raise ValueError("the stream ended early")
    except (httpx2.RequestError, ValueError) as error:
        if not whole.ended:
            if listener.text:
                return refusal(502, str(error), BROKEN_OFF)
            if isinstance(error, httpx2.RequestError):
                raise
            return httpx2.Response(502, json={"error": {"message": str(error)}})
    content = json.dumps(whole.completion())  # in ASCII: a lone surrogate has no other bytes
    return httpx2.Response(200, headers={"content-type": "application/json"}, content=content)


async def _events(response: httpx2.Response) -> AsyncGenerator[bytes, None]:
    """The data of server-sent events; in chat completions each has one line of it."""
    rest = b""
    async for block in response.aiter_bytes():
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line.removeprefix(b"data:").strip()
    if rest.startswith(b"data:"):
        yield rest.removeprefix(b"data:").strip()


class _Whole:
    """A chat completion, put together from the chunks of its stream.

    `ended` says whether its last chunk came: whatever happens after that takes nothing from it.
    """

    def __init__(self) -> None:
        self.ended = False
        self._head: dict[str, Any] = {}
        self._said: dict[str, list[str]] = {"content": [], "refusal": []}
        self._finish: str | None = None
        self._usage: dict[str, Any] | None = None

    def add(self, event: bytes) -> str:
        """Take one event; the piece of text that it brings, or "".

        Raises:
            ValueError: It is no chunk, or an error of the server.
        """
        if event == b"[DONE]":
            self.ended = True
            return ""
        chunk = json.loads(event)
        try:
            return self._take(chunk)
        except (AttributeError, TypeError) as error:
            raise ValueError(f"it sent {event[:100]!r} in its stream") from error

    def _take(self, chunk: dict[str, Any]) -> str:
        if error := chunk.get("error"):
            raise ValueError(str(error.get("message") or error) if isinstance(error, dict) else str(error))
        self._head = self._head or {name: chunk[name] for name in ("id", "created", "model") if name in chunk}
        self._usage = chunk.get("usage") or self._usage
        piece = ""
        for choice in chunk.get("choices") or []:
            delta = choice.get("delta") or {}
            for name, said in self._said.items():
                if text := delta.get(name):
                    said.append(str(text))
                    piece += str(text) if name == "content" else ""
            if choice.get("finish_reason"):
                self._finish, self.ended = str(choice["finish_reason"]), True
        return piece

    def completion(self) -> dict[str, Any]:
        """The answer, as it would have come without a stream."""
        message = {"role": "assistant", **{name: "".join(said) or None for name, said in self._said.items()}}
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        counted = {} if self._usage is None else {"usage": self._usage}
        return {**self._head, "object": "chat.completion", "choices": [choice], **counted}
