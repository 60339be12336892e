"""The backend for OpenAI-compatible servers: one HTTP request by the openai client for each attempt.

The client's own retries are off, because the pipeline decides what is sent again. Requests
bypass the client's typed models, which take half of a call's time. Differences between
servers in what they accept are handled here; `normalise` handles what they return.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import httpx2
import openai
from openai._streaming import SSEDecoder

from .errors import server_message
from .http_transport import HttpTransport
from .rate_limits import retry_after
from .types import BackendError, ConnectionFailed, Refused, Request, Response, StreamBroken, TimedOut

_OPTIONAL = ("temperature", "stream_options")  # fields that a server may refuse, and that can be left out
_STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
_FAILURES = (openai.OpenAIError, httpx2.HTTPError, TimeoutError)


class OpenAIBackend:
    """Sends requests to one server, and remembers which optional fields it refuses.

    Args:
        base_url: The server's address, such as "https://api.openai.com/v1".
        api_key: Sent with each request.
        timeout: Seconds for one attempt; of a stream, for each wait for more data.
    """

    def __init__(self, base_url: str, api_key: str, timeout: float) -> None:
        self._client = openai.AsyncOpenAI(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            timeout=timeout,
            http_client=httpx2.AsyncClient(transport=HttpTransport(), timeout=timeout, follow_redirects=True),
        )
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
        url = self._url + request.path  # whole: the client needs more time to join the two
        try:
            return await self._client.post(url, content=request.content, cast_to=httpx2.Response, stream=stream)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            refused = {name for name in _OPTIONAL if name in request.body and name in error.response.text}
            if not refused:
                raise
        content = _without(request, refused).content
        answer = await self._client.post(url, content=content, cast_to=httpx2.Response, stream=stream)
        self._refused |= refused
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
    if isinstance(error, (openai.APITimeoutError, httpx2.TimeoutException, TimeoutError)):
        return TimedOut("the server did not answer in time")
    if isinstance(error, openai.APIStatusError):
        return _refusal(error)
    return ConnectionFailed(str(error.__cause__ or error) or type(error).__name__)


def _refusal(error: openai.APIStatusError) -> Refused:
    status, headers, message = error.status_code, error.response.headers, server_message(error)
    told = headers.get("x-should-retry")
    spent = "insufficient_quota" in (error.code, error.type)
    too_large = message.startswith("Request too large")  # OpenAI sends no code for it
    retryable = told == "true" or status in (408, 409, 429) or status >= 500
    return Refused(status, message, retry_after(headers), retryable and told != "false" and not (spent or too_large))
