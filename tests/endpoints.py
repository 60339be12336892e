"""Runs endpoints for tests, in this process or as the command, before a model that a test writes."""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager

from aiohttp import web

from rlm_memory_core.models import background
from rlm_memory_core.serving.access import Access
from rlm_memory_core.serving.endpoint import Endpoint
from rlm_memory_core.serving.memory import Memory
from rlm_memory_core.serving.people import People


@contextmanager
def running(store=None, model="offline", base_url=None, *, threshold=20_000, key=None, per_minute=3_000, tz="UTC"):
    """The base URL of an endpoint on a free port, on the background loop."""
    threshold = threshold if store else float("inf")
    endpoint = Endpoint(Memory(model, base_url, threshold), People(store, tz), Access("127.0.0.1", key), per_minute)
    ready = threading.Event()
    urls, stop = [], asyncio.Event()

    def tell(url):
        urls.append(url)
        ready.set()

    task = asyncio.run_coroutine_threadsafe(endpoint.serve(0, tell, stop), background.loop())
    task.add_done_callback(lambda _: ready.set())
    try:
        ready.wait(20)
        yield urls[0] if urls else task.result(0)
    finally:
        background.loop().call_soon_threadsafe(stop.set)
        task.result(30)


@contextmanager
def command(*arguments, key=""):
    """The base URL of `rlm-memory serve` in a process of its own, and the process."""
    words = [sys.executable, "-m", "rlm_memory_core", "serve", "--port", "0", *map(str, arguments)]
    environment = os.environ | {"RLM_MEMORY_TOKEN": key}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            line = process.stdout.readline()
            yield re.search(r"http://\S+/v1", line)[0], process
        finally:
            process.terminate()


@contextmanager
def upstream(answer, wait=None):
    """The base URL of a model's server, and the bodies that it got. It streams a reply word by word.

    `answer` makes from a body a text, a message, or an `aiohttp.web.Response`; `wait` is awaited before it.
    """
    bodies = []

    async def handle(request):
        body = json.loads(await request.read())
        bodies.append(body)
        if wait:
            await wait()
        said = answer(body)
        if isinstance(said, web.Response):
            return said
        message = {"role": "assistant"} | ({"content": said} if isinstance(said, str) else said)
        base = {"id": "x", "created": 1, "model": "m-1"}
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "prompt_tokens_details": {"x": 1}}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return web.json_response(base | {"object": "chat.completion", "choices": [choice], "usage": usage})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        deltas = [{"content": word} for word in re.findall(r"\S+\s*", message.get("content") or "")]
        for at, call in enumerate(message.get("tool_calls") or []):
            name, arguments = call["function"].values()
            deltas.append(
                {
                    "tool_calls": [
                        {"index": at, "id": call["id"], "type": "function", "function": {"name": name, "arguments": ""}}
                    ]
                }
            )
            deltas += [
                {"tool_calls": [{"index": at, "function": {"arguments": part}}]}
                for part in (arguments[:4], arguments[4:])
            ]
        chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}, {"choices": [], "usage": usage}]
        for chunk in chunks:
            event = json.dumps(base | {"object": "chat.completion.chunk"} | chunk)
            await response.write(f"data: {event}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    async def start():
        app = web.Application(client_max_size=2**28)
        app.router.add_post("/v1/chat/completions", handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    runner = background.run(start())
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1", bodies
    finally:
        background.run(runner.cleanup())
