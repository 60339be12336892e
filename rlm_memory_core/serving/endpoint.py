"""An OpenAI-compatible endpoint that adds a memory to any model: `/v1/chat/completions` and `/v1/models`.

This file checks requests, forwards replies (whole or streamed) and reports errors in OpenAI's format. `memory` builds
the request to the model, `conversation` stores the turns, and `protocol` reads and writes the JSON.

The endpoint stores a reply before it tells the client that the reply is complete. If the client disconnects, the
endpoint stops the request and stores nothing of it.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from aiohttp import web

from ..models import types, wording
from ..models.streaming import whole
from .access import CONNECTIONS, SILENCE, Access
from .conversation import Conversation
from .memory import Memory
from .people import People
from .protocol import Refusal, Reply, as_chunk, read_body

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PERSON = "X-Memory-User"
"""The header that names the person. Without it, the field `user` of the request does."""
_BODY, _SECONDS = 4 * 1024 * 1024, 60.0  # bytes of a request, and the time to send it
_FULL = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Endpoint:
    """The HTTP server.

    Args:
        memory: Builds the request to the model.
        people: Opens the stores.
        access: Checks who may connect.
        per_minute: The most requests of one person in a minute.
    """

    def __init__(self, memory: Memory, people: People, access: Access, per_minute: int = 3_000) -> None:
        self._memory, self._people, self._access, self._per_minute = memory, people, access, per_minute
        self._minute_ends, self._counts = 0.0, Counter[str]()  # requests of each person in this minute

    async def serve(self, port: int, ready: Callable[[str], None], stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then finish the requests in progress.

        Args:
            port: The port to listen on; 0 picks a free one.
            ready: Called once with the base URL to give to clients.
            stop: Ends the server when it is set.

        Raises:
            OSError: The address cannot be used.
        """
        listening, address = self._access.listen(port)
        runner = web.AppRunner(
            self.application(), access_log=None, handler_cancellation=True, shutdown_timeout=10,
            keepalive_timeout=SILENCE,
        )  # fmt: skip
        await runner.setup()
        assert runner.server is not None
        server = await asyncio.get_running_loop().create_server(_bounded(runner.server), sock=listening)
        try:
            ready(f"{address}/v1")
            await stop.wait()
        finally:
            server.close()
            await runner.cleanup()

    def application(self) -> web.Application:
        """Return the web application."""
        app = web.Application(client_max_size=_BODY, middlewares=[self._let_in])
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        return app

    @web.middleware
    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if refused := self._access.refusal(request.headers):
                raise Refusal(*refused)
            return await handler(request)
        except Exception as error:
            raise self._told(error) from None  # `_told` has printed it

    def _told(self, error: Exception) -> Refusal:
        """Return the error that the client sees. Only the owner's terminal shows the address of the model's server."""
        if isinstance(error, Refusal):
            return error
        if isinstance(error, web.HTTPException):
            hint = " (a base_url ends with /v1)" if error.status == 404 else ""
            return Refusal(error.status, error.reason + hint)
        llm, is_of_model = self._memory.llm, isinstance(error, (types.BackendError, types.ModelError))
        said = repr(error)
        if isinstance(error, types.BackendError):
            said = wording.explain(error, llm.model, llm.base_url, llm.api_key, llm.timeout)
        print(f"rlm-memory: {said}", file=sys.stderr, flush=True)
        if isinstance(error, types.Refused) and error.status not in (401, 403):
            answered = f"the model's server answered: {wording.first_line(error, llm.api_key)}"
            return Refusal(error.status, answered, error.retry_after or 0)
        if is_of_model:
            return Refusal(502, "the model's server gave no answer; the output of this endpoint says why")
        return Refusal(500, "the memory cannot be used; the server's output says why")

    async def _models(self, request: web.Request) -> web.Response:
        model = {"id": self._memory.llm.model, "object": "model", "created": 0, "owned_by": "rlm-memory"}
        return web.json_response({"object": "list", "data": [model]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        try:
            async with asyncio.timeout(_SECONDS):
                content = await request.read()
        except (TimeoutError, web.RequestPayloadError) as error:
            raise Refusal(400, f"the request cannot be unpacked, or did not come within {_SECONDS:g} s") from error
        body = await asyncio.to_thread(read_body, content)  # a large one would block the event loop
        person = ", ".join(request.headers.getall(PERSON, [body.get("user") or ""]))
        self._count(person)
        async with self._people.store(person) as store:
            talk = await asyncio.to_thread(Conversation, store, body["messages"])
            return await self._reply(request, body, talk)

    def _count(self, person: str) -> None:
        """Count a request of a person, or refuse it if there were too many in this minute."""
        now = time.monotonic()
        if now >= self._minute_ends:
            self._minute_ends, self._counts = now + 60, Counter()
        self._counts[person] += 1
        if self._counts[person] > self._per_minute:
            raise Refusal(429, "too many requests of one person", self._minute_ends - now)

    async def _reply(self, request: web.Request, body: dict[str, Any], talk: Conversation) -> web.StreamResponse:
        """Forward a reply, whole or as server-sent events.

        An error before the first event fails the request; a later error is sent as an event.
        """
        asked, searched = await self._memory.prepare(body, talk)
        reply = Reply()
        if not body.get("stream"):
            reply.read(whole(await self._memory.backend.send(asked)).text)
            await asyncio.to_thread(talk.end, reply.message)
            return web.json_response(reply.sent | {"usage": reply.total(asked, searched)})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        ending: list[dict[str, Any]] = []

        async def write(*chunks: dict[str, Any] | str) -> None:
            for chunk in chunks:
                if not response.prepared:
                    await response.prepare(request)
                await response.write(f"data: {chunk if isinstance(chunk, str) else json.dumps(chunk)}\n\n".encode())

        try:
            async with aclosing(self._memory.backend.stream(asked)) as events:
                async for event in events:
                    reply.read(event)
                    chunk = {"choices": []} if event == "[DONE]" else as_chunk(reply.sent)
                    if reply.has_ended and chunk["choices"]:
                        ending.append(chunk)
                    elif chunk["choices"]:
                        await write(chunk)
            await asyncio.to_thread(talk.end, reply.message)
            await asyncio.to_thread(talk.store.close)  # so that the client's next request continues the session
            if (body.get("stream_options") or {}).get("include_usage"):
                ending.append(as_chunk(reply.sent) | {"choices": [], "usage": reply.total(asked, searched)})
            await write(*ending, "[DONE]")
        except ConnectionError:
            pass  # the client went away
        except Exception as error:
            if not response.prepared:
                raise
            await write(self._told(error).text or "")
        return response


def _bounded(server: web.Server) -> Callable[[], asyncio.BaseProtocol]:
    """Return a server that refuses connections beyond the limit before they send anything."""
    return lambda: server() if len(server.connections) < CONNECTIONS else _Busy()


class _Busy(asyncio.Protocol):
    def connection_made(self, transport: asyncio.WriteTransport) -> None:  # type: ignore[override]
        transport.write(_FULL)
        transport.close()
