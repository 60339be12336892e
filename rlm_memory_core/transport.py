"""HTTP as the openai client's transport, over aiohttp: one request, one whole answer.

httpx's own pool is quadratic in the calls at once, and the SDK's aiohttp client takes
half as much time again. Nothing is retried or paced here, streams are not supported,
and nothing bounds the connections but who sends.
"""

from __future__ import annotations

import asyncio
from functools import cached_property, lru_cache
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2


class HttpTransport(httpx2.AsyncBaseTransport):
    """Sends requests, each with a timeout for the whole of it: connecting, waiting and reading.

    Proxies and certificates are the environment's (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE).

    Raises:
        httpx2.TransportError: There is no whole answer: `ConnectError`, `ReadTimeout`, or `ReadError` where the
            connection broke.
    """

    def __init__(self) -> None:
        self._proxy = lru_cache(_proxy)  # aiohttp would look it up for each request, in a thread

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send, and read the answer to its end."""
        try:
            async with self._session.request(
                request.method,
                str(request.url),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,
                proxy=self._proxy(request.url.scheme, request.url.host),
                timeout=aiohttp.ClientTimeout(total=request.extensions.get("timeout", {}).get("read")),
            ) as response:
                return httpx2.Response(response.status, headers=response.raw_headers, content=await response.read())
        except TimeoutError as error:
            raise httpx2.ReadTimeout("the server did not answer in time", request=request) from error
        except aiohttp.ClientConnectorError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        except aiohttp.InvalidURL as error:
            raise httpx2.UnsupportedProtocol(f"{error} is no address", request=request) from error
        except (aiohttp.ClientError, OSError) as error:
            raise httpx2.ReadError(str(error) or type(error).__name__, request=request) from error

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


def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for an address, or None."""
    proxies = getproxies()
    return None if proxy_bypass(host) else proxies.get(scheme) or proxies.get("all")
