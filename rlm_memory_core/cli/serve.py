"""The command `rlm-memory serve`: an OpenAI-compatible endpoint that adds a memory to any model."""

import argparse
import asyncio
import math
import os
import signal

from ..models import background
from ..serving.access import TOKEN, Access
from ..serving.endpoint import Endpoint
from ..serving.memory import Memory
from ..serving.people import People
from ..store.memory_store import MemoryStore
from .common import refusing


def serve(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    if options.store:
        MemoryStore(options.store).close()  # reports a wrong file at once
    with refusing(ValueError):
        access = Access(options.host, os.environ.get(TOKEN), options.allow_host)
        memory = Memory(options.model, options.base_url, options.threshold if options.store else math.inf)
    endpoint = Endpoint(memory, People(options.store, options.tz), access, options.requests_per_minute)

    def ready(url: str) -> None:
        kept = f"memory: {options.store}" if options.store else "no memory: give --store"
        print(f"{memory.llm.label} answers at {url} (model: {memory.llm.model}; {kept}). Stop with Ctrl-C.", flush=True)

    def end(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C does not wait
        loop.call_soon_threadsafe(stop.set)  # the endpoint finishes the requests in progress

    loop, stop = background.loop(), asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):  # shells start background jobs with SIGINT ignored
        signal.signal(each, end)
    background.run(endpoint.serve(options.port, ready, stop))
