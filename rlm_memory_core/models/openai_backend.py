"""The backend for OpenAI-compatible servers.

The openai package provides the headers and the HTTP client. It does not make the requests, because that would take most
of a call's time, and a fan-out makes hundreds at once. `adapting` handles what servers accept, `normalise` what they
return.
"""

import asyncio
import base64
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

import aiohttp
import httpx2
import openai

from . import adapting
from .adapting import WINDOW, Lessons, accepted, is_too_long, lessons
from .types import BackendError, ConnectionFailed, ContextExceeded, Refused, Request, Response, TimedOut
from .wording import server_message, without_key

_STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
_FORMS = 12  # of one request, tried in sequence
_MOST_BYTES = 32_000_000  # of one answer; 256 vectors take a few million


def http_client(timeout: float) -> httpx2.AsyncClient:
    """Return the SDK's client over aiohttp. httpx's own pool takes quadratic time when many calls are in flight.

    Proxies and certificates come from the environment (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE).
    """
    # 0 means no limit (the default is 100); many servers drop connections after 5 idle seconds
    return openai.DefaultAioHttpClient(timeout=timeout, limits=httpx2.Limits(max_connections=0, keepalive_expiry=4))


class OpenAIBackend:
    """Sends requests to one server.

    Args:
        base_url: The server's address, such as "https://api.openai.com/v1". If it contains a user and password, they
            are sent instead of the key.
        api_key: Sent with each request.
        timeout: Seconds for one attempt. For a stream, seconds to wait for more data.
        secret: The key or password. It is removed from everything that the server returns.
    """

    def __init__(self, base_url: str, api_key: str, timeout: float, secret: str = "") -> None:
        address = httpx2.URL(base_url.rstrip("/"))
        self._url = str(address.copy_with(userinfo=b""))
        self._http = http_client(timeout)
        self._secrets = [secret]
        if address.userinfo:
            self._secrets.append(base64.b64encode(f"{address.username}:{address.password}".encode()).decode())
            self._http.auth = (address.username, address.password)
        client = openai.AsyncOpenAI(api_key=api_key, base_url=self._url, http_client=self._http)
        headers = {**client.default_headers, **client.auth_headers}
        sent = {name: text for name, text in headers.items() if isinstance(text, str)}
        # not built by the client, which would send a server's cookies back: they may name one of its replicas
        self._options: dict[str, Any] = {"headers": sent, "extensions": {"timeout": self._http.timeout.as_dict()}}
        self._timeout = timeout

    async def send(self, request: Request) -> Response:
        """Post a request and return the complete answer."""
        async with self._post(request, self._timeout) as answer:
            return Response(without_key(await _whole(answer), *self._secrets))

    async def stream(self, request: Request) -> AsyncGenerator[str, None]:
        """Post a request and yield the data of each event of the answer."""
        async with self._post(Request(request.path, {**request.body, **_STREAMED})) as answer:
            async for event in _events(answer):
                yield without_key(event, *self._secrets)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    @asynccontextmanager
    async def _post(self, request: Request, seconds: float | None = None) -> AsyncIterator[httpx2.Response]:
        """Post a request and give the answer with its body still unread. Afterwards, close it.

        If the server refuses the form of the request, post it again in another form.

        Args:
            request: The request to send.
            seconds: How long all of this may take; None for no limit.

        Raises:
            BackendError: The server gave no answer, or the answer could not be read.
        """
        learnt = adapting.LEARNT.setdefault((self._url, str(request.body.get("model"))), {})
        tried: Lessons = {}
        try:
            async with asyncio.timeout(seconds):
                for forms_left in reversed(range(_FORMS)):
                    known = learnt | tried
                    body = accepted(request.body, known)
                    content = Request(request.path, body).content
                    sent = httpx2.Request("POST", self._url + request.path, content=content, **self._options)
                    async with aclosing(await self._http.send(sent, stream=True)) as answer:
                        if answer.is_success:
                            learnt.update({name: value for name, value in tried.items() if name != WINDOW})
                            yield answer
                            return
                        text = without_key(await _whole(answer), *self._secrets)
                    found = lessons(body, answer.status_code, text)
                    if found.items() <= known.items() or not forms_left:
                        raise _refusal(answer.status_code, answer.headers, text)
                    tried |= found
        except (httpx2.HTTPError, aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            raise _backend_error(error) from error


async def _blocks(answer: httpx2.Response) -> AsyncIterator[bytes]:
    """Yield a decompressed body as it arrives, up to a limit: a few compressed kilobytes may hold gigabytes."""
    left = _MOST_BYTES
    async for block in answer.aiter_bytes():
        left -= len(block)
        if left < 0:
            raise BackendError(f"its answer has more than {_MOST_BYTES:,} bytes", retryable=False)
        yield block


async def _whole(answer: httpx2.Response) -> str:
    return b"".join([block async for block in _blocks(answer)]).decode("utf-8-sig", "replace")


async def _lines(answer: httpx2.Response) -> AsyncIterator[list[str]]:
    """Yield the lines of a body as they arrive, in groups, then an empty one."""
    begun: list[bytes] = []  # parts of an incomplete line
    async for block in _blocks(answer):
        lines, newline, rest = block.rpartition(b"\n")
        if newline:
            yield b"".join([*begun, lines]).decode("utf-8-sig", "replace").split("\n")
            begun = []
        begun.append(rest)
    yield [b"".join(begun).decode("utf-8-sig", "replace"), ""]


async def _events(answer: httpx2.Response) -> AsyncGenerator[str, None]:
    """Yield the data of each server-sent event. If the body is not an event stream, yield its paragraphs."""
    parts: list[str] = []
    async for lines in _lines(answer):
        for line in map(str.strip, lines):
            field, _, data = line.partition(":")
            if field not in ("", "event", "id", "retry"):  # "" begins a comment
                parts.append(data if field == "data" else line)
            elif parts and not line:
                if event := "\n".join(parts).strip():
                    yield event
                parts = []


def _backend_error(error: Exception) -> BackendError:
    reason: BaseException = error
    if isinstance(error, httpx2.HTTPError):  # the aiohttp client also reports a dropped connection as a timeout
        reason = error.__cause__ or error
    if isinstance(reason, (httpx2.TimeoutException, TimeoutError)):
        return TimedOut("the server did not answer in time")
    reason = getattr(reason, "os_error", reason)  # aiohttp's message names its settings, such as ssl:default
    return ConnectionFailed(getattr(reason, "strerror", None) or str(reason) or type(reason).__name__)


def _refusal(status: int, headers: Mapping[str, str], text: str) -> Refused:
    message, told = server_message(text) or f"status {status}", headers.get("x-should-retry")
    error = Refused(status, message, retry_after(headers))
    if is_too_long(status, text):
        error.becomes = ContextExceeded
    elif "insufficient_quota" not in text and status != 501:  # neither will change
        error.retryable = told == "true" or (told != "false" and (status in (408, 409, 429) or status >= 500))
    return error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks us to wait, or None.

    Args:
        headers: Headers with lower-case names: `retry-after-ms`, or `retry-after` in seconds or as a date.

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
    with suppress(ValueError, TypeError, OverflowError):
        now = headers.get("date") or formatdate(usegmt=True)  # the server's own clock, if it sends one
        wait = parsedate_to_datetime(headers.get("retry-after", "")) - parsedate_to_datetime(now)
        return max(wait.total_seconds(), 0.0)
    return None
