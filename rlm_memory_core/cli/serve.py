"""The command `rlm-memory serve`: serves the offline reader over HTTP, as an OpenAI-compatible endpoint."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress

from ..models.llm import OFFLINE, OFFLINE_LABEL
from ..serving import offline_server


def serve(options: argparse.Namespace) -> int:
    """Serve until it is stopped; return the exit code."""

    def ready(url: str) -> None:
        print(f"The {OFFLINE_LABEL} answers at {url} (model: {OFFLINE}). Stop with Ctrl-C.", flush=True)

    with suppress(KeyboardInterrupt):
        asyncio.run(offline_server.serve(options.host, options.port, ready))
    return 0
