"""The backend for OpenAI-compatible servers: one HTTP request for each attempt.

The openai client gives the headers and reads errors. It does not make the requests: that
would take most of a call's time, and a fan-out makes hundreds at once. Differences
between servers in what they accept are handled here; `normalise` handles what they return.

HTTP goes over aiohttp: httpx's own pool needs quadratic time when many calls are in flight.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from functools import cached_property, lru_cache
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2
import openai
from openai._streaming import SSEDecoder

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
                    # the SDK's own AsyncStream fails at an event without data
                    lines = event.data.split("\n") if event.data else []
                    if all(line.startswith(("{", "[DONE]")) for line in lines):
                        for line in lines:  # some servers leave out the empty line between events
                            yield line
                    else:
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
        """Post a request; where the server refuses optional fields, post it again without them."""
        refused = set(self._refused)
        while True:
            request = _without(request, refused)
            url, content = self._url + request.path, request.content
            sent = httpx2.Request("POST", url, headers=self._headers, content=content, extensions=self._extensions)
            answer = await self._http.send(sent, stream=stream)
            if answer.is_success:
                self._refused |= refused
                return answer
            await answer.aread()
            named = {name for name in _OPTIONAL if name in request.body and name in answer.text}
            if answer.status_code not in (400, 422) or not named:
                raise _refusal(self._client._make_status_error_from_response(answer))
            refused |= named


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


class HttpTransport(httpx2.AsyncBaseTransport):
    """Sends requests; their timeout is for connecting and for each wait for more data.

    An event stream is handed on while it comes; any other answer is read to its end. Proxies and certificates are
    those of the environment (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE).

    Raises:
        httpx2.TransportError: There is no whole answer: `ConnectError`, `ReadTimeout`, or `ReadError` where the
            connection broke.
    """

    def __init__(self) -> None:
        self._proxy = lru_cache(_proxy)  # aiohttp would look it up for each request, in a thread

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request."""
        seconds = request.extensions.get("timeout", {}).get("read")
        with _as_httpx_errors(request):
            response = await self._session.request(
                request.method, str(request.url), headers=request.headers.multi_items(),
                data=await request.aread() or None, allow_redirects=False,
                proxy=self._proxy(request.url.scheme, request.url.host),
                timeout=aiohttp.ClientTimeout(sock_connect=seconds, sock_read=seconds),
            )  # fmt: skip
            headers = list(response.raw_headers)
            if response.content_type == "text/event-stream":
                return httpx2.Response(response.status, headers=headers, stream=_Stream(request, response))
            async with response:
                return httpx2.Response(response.status, headers=headers, content=await response.read())

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next turn

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        """Made on the loop that sends."""
        # limit=0 is no cap (aiohttp's own is 100); many servers drop a connection that was idle for 5 seconds
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4, ssl=httpx2.create_ssl_context())
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)


@dataclass
class _Stream(httpx2.AsyncByteStream):
    """The body of an answer as it comes."""

    request: httpx2.Request
    response: aiohttp.ClientResponse

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_errors(self.request):
            async for block in self.response.content.iter_any():
                yield block

    async def aclose(self) -> None:
        self.response.close()  # a body that was read to its end has given its connection back already


@contextmanager
def _as_httpx_errors(request: httpx2.Request) -> Iterator[None]:
    """Translate aiohttp's errors into those that the openai client knows."""
    try:
        yield
    except TimeoutError as error:
        raise httpx2.ReadTimeout("the server did not answer in time", request=request) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx2.ConnectError(str(error), request=request) from error
    except aiohttp.InvalidURL as error:
        raise httpx2.UnsupportedProtocol(f"{error} is no address", request=request) from error
    except (aiohttp.ClientError, OSError) as error:
        raise httpx2.ReadError(str(error) or type(error).__name__, request=request) from error


def _proxy(scheme: str, host: str) -> str | None:
    """Return the proxy that the environment names for an address, or None."""
    proxies = getproxies()
    return None if proxy_bypass(host) else proxies.get(scheme) or proxies.get("all")
