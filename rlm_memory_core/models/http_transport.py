"""HTTP for the openai client, over aiohttp: httpx's own pool needs quadratic time when many calls are in flight.

Retries, pacing and limits are not done here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2


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
