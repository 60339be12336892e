"""The offline reader behind a real OpenAI-compatible HTTP endpoint on loopback.

`rlm-memory serve` runs it, so that any other client can use the reader that needs no
model. It is meant for this machine: it asks for no key and knows no users.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from aiohttp import web

from ..offline import MODEL, completion, error, stream_chunks

_MAX_REQUEST_BYTES = 256 * 1024 * 1024


def application() -> web.Application:
    """Return the web application: `POST .../chat/completions` and `GET .../models`; any other path is a 404."""
    app = web.Application(client_max_size=_MAX_REQUEST_BYTES)
    app.router.add_route("*", "/{path:.*}", _handle)
    return app


async def _handle(request: web.Request) -> web.StreamResponse:
    path = request.path.rstrip("/")
    if request.method == "GET" and path.endswith("/models"):
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "rlm-memory"}
        return web.json_response({"object": "list", "data": [model]})
    if request.method != "POST" or not path.endswith("/chat/completions"):
        return web.json_response(error(f"No such endpoint: {request.method} {path}", "not_found"), status=404)
    try:
        body = json.loads(await request.read())
    except ValueError:
        return web.json_response(error("The request body is not valid JSON."), status=400)
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
        return web.json_response(error("The request needs `messages`, a list."), status=400)
    if not body.get("stream"):
        return web.json_response(completion(body))
    events = [*(json.dumps(chunk) for chunk in stream_chunks(body)), "[DONE]"]
    text = "".join(f"data: {event}\n\n" for event in events)
    return web.Response(text=text, content_type="text/event-stream", charset="utf-8")


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
