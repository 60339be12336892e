"""HTTP as the openai client's transport, over aiohttp: one request, one answer, whole or as a stream.

httpx's own pool is quadratic in the calls at once, and the SDK's aiohttp client takes
half as much time again. Nothing is retried or paced here, and nothing bounds the
connections but who sends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2

from .headers import OWN

STREAMED = "rlm_memory_streamed"
"""An extension of a request: whether its answer is handed on before it is whole."""


class HttpTransport(httpx2.AsyncBaseTransport):
    """Sends requests, each with a timeout for the whole of it: connecting, waiting and reading.

    A request with the extension `STREAMED` is answered when the head has come; its timeout is then for each part of
    the body. Headers in our own name (`headers.OWN`) are taken out of what comes. Proxies and
    certificates are the environment's (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE).

    Raises:
        httpx2.TransportError: There is no whole answer: `ConnectError`, `ReadTimeout`, or `ReadError` where the
            connection broke.
    """

    def __init__(self) -> None:
        self._proxy = lru_cache(_proxy)  # aiohttp would look it up for each request, in a thread

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send, and read the answer to its end; or, for a stream, to the end of its head."""
        seconds = request.extensions.get("timeout", {}).get("read")
        streamed = bool(request.extensions.get(STREAMED))
        each_part = aiohttp.ClientTimeout(sock_connect=seconds, sock_read=seconds)
        with _explained(request):
            response = await self._session.request(
                request.method,
                str(request.url),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,
                proxy=self._proxy(request.url.scheme, request.url.host),
                timeout=each_part if streamed else aiohttp.ClientTimeout(total=seconds),
            )
            if streamed:
                stream = _Stream(request, response)
                return httpx2.Response(response.status, headers=_received(response), stream=stream)
            async with response:
                return httpx2.Response(response.status, headers=_received(response), content=await response.read())

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()
        await asyncio.sleep(0)  # the sockets themselves are closed at the loop's next turn

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        """Made on the loop that sends."""
        # limit=0 is no cap (aiohttp's own is 100); many servers drop a connection that was idle for 5 seconds
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4, ssl=httpx2.create_ssl_context())
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)


class _Stream(httpx2.AsyncByteStream):
    """The body of an answer, as it comes."""

    def __init__(self, request: httpx2.Request, response: aiohttp.ClientResponse) -> None:
        self._request = request
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _explained(self._request):
            async for block in self._response.content.iter_any():
                yield block

    async def aclose(self) -> None:
        self._response.close()  # where it was read to its end, the connection is in use again by now


def _received(response: aiohttp.ClientResponse) -> list[tuple[bytes, bytes]]:
    """A server's headers, but for those by which we tell ourselves what was paid: on these no server has a say."""
    own = OWN.encode()
    return [(name, value) for name, value in response.raw_headers if not name.lower().startswith(own)]


@contextmanager
def _explained(request: httpx2.Request) -> Iterator[None]:
    """What can go wrong on the way, in the words of the openai client."""
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
    """The proxy that the environment names for an address, or None."""
    proxies = getproxies()
    return None if proxy_bypass(host) else proxies.get(scheme) or proxies.get("all")
