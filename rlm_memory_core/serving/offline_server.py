"""The offline reader behind a real OpenAI-compatible HTTP endpoint on loopback.

`rlm-memory serve` runs it, so that any other client can use the reader that needs no
model. It is meant for this machine: it asks for no key and knows no users.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx2
from aiohttp import web

from ..offline import OfflineTransport

_MAX_REQUEST_BYTES = 256 * 1024 * 1024


def application() -> web.Application:
    """The web application: every request goes to the same transport that stands under `connect("offline")`."""
    transport = OfflineTransport()

    async def handle(request: web.Request) -> web.StreamResponse:
        forwarded = httpx2.Request(
            request.method, str(request.url), headers={"content-type": "application/json"}, content=await request.read()
        )
        answer = await transport.handle_async_request(forwarded)
        content = await answer.aread()
        media = answer.headers.get("content-type", "application/json").split(";")[0]
        return web.Response(status=answer.status_code, body=content, content_type=media, charset="utf-8")

    app = web.Application(client_max_size=_MAX_REQUEST_BYTES)
    app.router.add_route("*", "/{path:.*}", handle)
    return app


async def serve(host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until cancelled.

    Args:
        host: An address of this machine, such as "127.0.0.1".
        port: 0 takes a free one.
        ready: Called once with the base URL to give to clients.

    Raises:
        OSError: The address cannot be used.
    """
    runner = web.AppRunner(application(), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0][1]
        ready(f"http://{host}:{bound}/v1")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
