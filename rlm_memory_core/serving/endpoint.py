"""An OpenAI-compatible endpoint that adds a memory to any model: `/v1/chat/completions` and `/v1/models`.

This file checks requests, forwards replies (whole or streamed) and reports errors in OpenAI's format. `memory` builds
the request to the model, `conversation` stores the turns, and `replies` reads and writes the protocol's JSON.

The endpoint stores a reply before it tells the client that the reply is complete. If the client disconnects, the
endpoint stops the request and stores nothing of it.
"""

import asyncio
import json
import math
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from aiohttp import web

from ..models import types, wording
from ..models.pacing import Window
from . import replies
from .access import CONNECTIONS, SILENCE, Access
from .conversation import Conversation
from .memory import Memory
from .people import People
from .replies import Refusal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PERSON = "X-Memory-User"
"""The header that names the person. Without it, the field `user` of the request does."""
_BODY, _SECONDS = 4 * 1024 * 1024, 60.0  # bytes of a request, and the time to send it
_PARTS = 10_000  # messages, their parts and their calls of tools
AT_ONCE = 256  # requests
_KNOWN = 10_000  # people to keep counts for
_GRACE = 10.0  # seconds for requests under way when the server stops
_FULL = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Endpoint:
    """The HTTP server.

    Args:
        memory: Builds the request to the model.
        people: Opens the stores.
        access: Checks who may connect.
        per_minute: The most requests of one person in any 60 seconds.
    """

    def __init__(self, memory: Memory, people: People, access: Access, per_minute: int = 3_000) -> None:
        self._memory, self._people, self._access, self._per_minute = memory, people, access, per_minute
        self._in_progress = asyncio.Semaphore(AT_ONCE)
        self._windows: dict[str, Window] = {}  # by person

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
            self.application(), access_log=None, handler_cancellation=True, shutdown_timeout=_GRACE,
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
        app.router.add_get("/v1/models{name:(/.+)?}", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        return app

    @web.middleware
    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if refused := self._access.refusal(request.headers):
                raise Refusal(*refused)
            if request.match_info.http_exception:
                what = f"{request.method} {request.path}"
                raise Refusal(404, f"No such endpoint: {what} (a base_url ends with /v1)")
            return await handler(request)
        except Exception as error:
            told = self._told(error)
            headers = {"Retry-After": f"{math.ceil(told.seconds)}"} if told.seconds else None
            return web.json_response(told.body, status=told.status, headers=headers)

    def _told(self, error: Exception) -> Refusal:
        """Return the error that the client sees. Only the owner's terminal shows the address of the model's server."""
        if isinstance(error, Refusal):
            return error
        if isinstance(error, web.HTTPException):
            return Refusal(error.status, error.reason)
        llm, is_of_model = self._memory.llm, isinstance(error, (types.BackendError, types.ModelError))
        said = str(error) if is_of_model else repr(error)
        if isinstance(error, types.BackendError):
            said = wording.explain(error, llm.model, llm.base_url, llm.api_key, llm.timeout)
        print(f"rlm-memory: {said}", file=sys.stderr, flush=True)
        if isinstance(error, types.Refused) and error.status not in (401, 403):
            answered = f"the model's server answered: {wording.first_line(error, llm.api_key)}"
            return Refusal(error.status, answered, error.retry_after or 0)
        if is_of_model:
            status = 504 if isinstance(error, types.TimedOut) else 502
            return Refusal(status, "the model's server gave no answer; the output of this endpoint says why")
        return Refusal(500, "the memory cannot be used; the server's output says why")

    async def _models(self, request: web.Request) -> web.Response:
        name, asked = self._memory.llm.model, request.match_info["name"][1:]
        if asked not in ("", name):
            raise Refusal(404, f"there is no model {asked}; the only one is {name}")
        model = {"id": name, "object": "model", "created": 0, "owned_by": "rlm-memory"}
        return web.json_response(model if asked else {"object": "list", "data": [model]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if self._in_progress.locked():
            raise Refusal(429, "too many requests at once", 1)
        async with self._in_progress:
            body = await asyncio.to_thread(_parsed, await _read(request))  # a large one would block the event loop
            person = _person(request, body)
            self._count(person)
            async with self._people.store(person) as store:
                talk = await asyncio.to_thread(Conversation, store, body["messages"])
                try:
                    return await self._reply(request, body, talk)
                except types.Refused as error:
                    if error.becomes is not types.ContextExceeded or store.path is None:
                        raise
                    talk.is_too_long = True
                    return await self._reply(request, body, talk)

    def _count(self, person: str) -> None:
        """Count a request of a person, or refuse it if there were too many in the last minute."""
        now = time.monotonic()
        if len(self._windows) >= _KNOWN:
            self._windows = {name: each for name, each in self._windows.items() if each.opens(now, math.inf) > now}
        window = self._windows.setdefault(person, Window(self._per_minute))
        if (opens := window.opens(now, 1)) > now:
            raise Refusal(429, "too many requests of one person", opens - now)
        window.take(now, 1)

    async def _reply(self, request: web.Request, body: dict[str, Any], talk: Conversation) -> web.StreamResponse:
        """Forward a reply, whole or as server-sent events.

        An error before the first event fails the request; a later error is sent as an event.
        """
        asked, searched = await self._memory.prepare(body, talk)
        reply = replies.Reply()
        if not body.get("stream"):
            whole = reply.hear((await self._memory.backend.send(asked)).text)
            await asyncio.to_thread(_end, talk, reply)
            return web.json_response(whole | {"usage": reply.total(asked, searched)})
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
                    chunk = {"choices": []} if event == "[DONE]" else replies.as_chunk(reply.hear(event))
                    if reply.has_ended and chunk["choices"]:
                        ending.append(chunk)
                    elif chunk["choices"]:
                        await write(chunk)
            await asyncio.to_thread(_end, talk, reply)
            if (body.get("stream_options") or {}).get("include_usage"):
                ending.append(ending[0] | {"choices": [], "usage": reply.total(asked, searched)})
            await write(*ending, "[DONE]")
        except ConnectionError:
            pass  # the client went away
        except Exception as error:
            if not response.prepared:
                raise
            await write(self._told(error).body)
        return response


def _end(talk: Conversation, reply: replies.Reply) -> None:
    """Store a reply, and close the store before the client is told, so that its next request continues the session."""
    talk.end(reply.message)
    talk.store.close()


async def _read(request: web.Request) -> bytes:
    """Return the body of a request."""
    try:
        async with asyncio.timeout(_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise Refusal(408, f"the request was not sent within {_SECONDS:g} s") from error
    except web.RequestPayloadError as error:
        raise Refusal(400, "The request body cannot be decompressed.") from error


def _bounded(server: web.Server) -> Callable[[], asyncio.BaseProtocol]:
    """Return a server that refuses connections beyond the limit before they send anything."""
    return lambda: server() if len(server.connections) < CONNECTIONS else _Busy()


class _Busy(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(_FULL)
        transport.close()


def _parsed(content: bytes) -> dict[str, Any]:
    """Parse and check the body of a request.

    Raises:
        Refusal: It is not valid JSON, or it has no messages, too many, or a field of the wrong type.
    """
    try:
        body: dict[str, Any] = json.loads(content)
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:  # lone surrogates too
        raise Refusal(400, "The request body is not valid JSON.") from error
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise Refusal(400, "The request needs `messages`, a list of objects.")
    lists = [messages, *(value for each in messages for value in each.values() if isinstance(value, list))]
    if sum(map(len, lists)) > _PARTS:
        raise Refusal(413, f"The request has more than {_PARTS:,} messages, parts and calls of tools.")
    kinds = {"max_tokens": int, "max_completion_tokens": int, "stream_options": dict, "user": str}
    for name in kinds.keys() & body.keys():
        if not isinstance(body[name], (kinds[name], type(None))) or isinstance(body[name], bool):
            raise Refusal(400, f"`{name}` has the wrong type.")
    return body


def _person(request: web.Request, body: dict[str, Any]) -> str:
    """Return the name of the person, or "" if the request names nobody."""
    names = request.headers.getall(PERSON, [body.get("user") or ""])
    if len(names) > 1:
        raise Refusal(400, f"{PERSON} is given twice")
    return str(names[0])
