"""The command `rlm-memory serve`: serves the offline reader over HTTP, as an OpenAI-compatible endpoint."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any


def add_parser(commands: Any) -> None:
    """Add `serve` to the command line's `commands`."""
    summary = "serve the offline reader as an OpenAI-compatible endpoint"
    serve = commands.add_parser("serve", help=summary, description=f"{summary.capitalize()}.")
    serve.set_defaults(command=_serve)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=_port, default=8000, help="port (default: %(default)s); 0 takes a free one")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: ports go from 0 to 65535")
    return int(text)


def _serve(options: argparse.Namespace) -> int:
    from ..models.llm import OFFLINE, OFFLINE_LABEL
    from ..serving.offline_server import serve

    def ready(url: str) -> None:
        print(f"The {OFFLINE_LABEL} answers at {url} (model: {OFFLINE}). Stop with Ctrl-C.", flush=True)

    try:
        asyncio.run(serve(options.host, options.port, ready))
    except KeyboardInterrupt:
        return 0
    return 0
