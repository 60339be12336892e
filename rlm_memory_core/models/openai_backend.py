"""The backend for OpenAI-compatible servers: one HTTP request for each attempt.

The openai client gives the headers and reads errors. It does not make the requests: that
would take most of a call's time, and a fan-out makes hundreds at once. Differences
between servers in what they accept are handled here; `normalise` handles what they return.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from email.utils import formatdate, parsedate_to_datetime

import httpx2
import openai
from openai._streaming import SSEDecoder

from .http_transport import HttpTransport
from .types import BackendError, ConnectionFailed, Refused, Request, Response, StreamBroken, TimedOut

_OPTIONAL = ("temperature", "stream_options")  # fields that a server may refuse, and that can be left out
_STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
_FAILURES = (httpx2.HTTPError, TimeoutError)


class OpenAIBackend:
    """Sends requests to one server, and remembers which optional fields it refuses.

    Args:
        base_url: The server's address, such as "https://api.openai.com/v1".
        api_key: Sent with each request.
        timeout: Seconds for one attempt; of a stream, for each wait for more data.
    """

    def __init__(self, base_url: str, api_key: str, timeout: float) -> None:
        self._http = httpx2.AsyncClient(transport=HttpTransport(), timeout=timeout, follow_redirects=True)
        self._client = openai.AsyncOpenAI(api_key=api_key, base_url=base_url, http_client=self._http)
        headers = {**self._client.default_headers, **self._client.auth_headers}
        self._headers = httpx2.Headers({name: text for name, text in headers.items() if isinstance(text, str)})
        self._extensions = {"timeout": self._http.timeout.as_dict()}
        self._url = str(self._client.base_url).rstrip("/")
        self._timeout = timeout
        self._refused: set[str] = set()

    async def send(self, request: Request) -> Response:
        """Post a request and return the whole answer."""
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._post(request)
        except _FAILURES as error:
            raise _backend_error(error) from error
        return Response(answer.content.decode("utf-8", "replace"))

    async def stream(self, request: Request) -> AsyncGenerator[str, None]:
        """Post a request and yield the data of each event of the answer."""
        try:
            answer = await self._post(Request(request.path, {**request.body, **_STREAMED}), stream=True)
            try:
                if "event-stream" not in answer.headers.get("content-type", ""):
                    yield (await answer.aread()).decode("utf-8", "replace")
                    return
                async for event in SSEDecoder().aiter_bytes(_blocks(answer)):
                    if event.data:  # the SDK's own AsyncStream fails at an event without data
                        yield event.data
            finally:
                await answer.aclose()
        except UnicodeDecodeError as error:
            raise StreamBroken(str(error)) from error
        except _FAILURES as error:
            raise _backend_error(error) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _post(self, request: Request, stream: bool = False) -> httpx2.Response:
        """Post a request; where the server refuses an optional field, post it again without."""
        request = _without(request, self._refused)
        answer = await self._post_once(request, stream)
        if answer.status_code in (400, 422):
            refused = {name for name in _OPTIONAL if name in request.body and name in answer.text}
            if refused:
                answer = await self._post_once(_without(request, refused), stream)
                self._refused |= refused if answer.is_success else set()
        if not answer.is_success:
            raise _refusal(self._client._make_status_error_from_response(answer))
        return answer

    async def _post_once(self, request: Request, stream: bool) -> httpx2.Response:
        url = self._url + request.path
        sent = httpx2.Request("POST", url, headers=self._headers, content=request.content, extensions=self._extensions)
        answer = await self._http.send(sent, stream=stream)
        if not answer.is_success:
            await answer.aread()
        return answer


def _without(request: Request, names: set[str]) -> Request:
    if names.isdisjoint(request.body):
        return request
    return Request(request.path, {name: value for name, value in request.body.items() if name not in names})


async def _blocks(answer: httpx2.Response) -> AsyncIterator[bytes]:
    """Yield the body in blocks, and an empty line after it: some servers send none after their last event."""
    async for block in answer.aiter_bytes():
        yield block
    yield b"\n\n"


def _backend_error(error: Exception) -> BackendError:
    if isinstance(error, (httpx2.TimeoutException, TimeoutError)):
        return TimedOut("the server did not answer in time")
    return ConnectionFailed(str(error) or type(error).__name__)


def server_message(error: openai.APIStatusError) -> str:
    """Return what the server says of its refusal: OpenAI's `message`, FastAPI's `detail`, a bare text or page."""
    body = error.body
    said = body.get("message") or body.get("detail") if isinstance(body, dict) else body
    return str(said or error)


def _refusal(error: openai.APIStatusError) -> Refused:
    status, headers, message = error.status_code, error.response.headers, server_message(error)
    told = headers.get("x-should-retry")
    spent = "insufficient_quota" in (error.code, error.type)
    too_large = message.startswith("Request too large")  # OpenAI sends no code for it
    retryable = told == "true" or status in (408, 409, 429) or status >= 500
    return Refused(status, message, retry_after(headers), retryable and told != "false" and not (spent or too_large))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to wait, or None.

    Args:
        headers: With lower-case names: `retry-after-ms`, or `retry-after` in seconds or as a date.

    >>> retry_after({"retry-after": "2", "retry-after-ms": "1500"})
    1.5
    >>> retry_after({"date": "Wed, 21 Oct 2015 07:28:00 GMT", "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"})
    30.0
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with suppress(ValueError):
            seconds = float(headers.get(name, "")) * unit
            if math.isfinite(seconds):
                return max(seconds, 0.0)
    now = headers.get("date") or formatdate(usegmt=True)  # the server's own clock, if it shows it
    try:
        wait = parsedate_to_datetime(headers.get("retry-after", "")) - parsedate_to_datetime(now)
    except (ValueError, TypeError):
        return None
    return max(wait.total_seconds(), 0.0)
