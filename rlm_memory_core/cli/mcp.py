"""The command `rlm-memory mcp`: gives agents a history as tools, by the Model Context Protocol."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from .common import Refused, store_in_zone

TOKEN = "RLM_MEMORY_TOKEN"
"""The environment variable with the token that clients send over HTTP."""


def add_parser(commands: Any) -> None:
    """Add `mcp` to the command line's `commands`."""
    summary = "give agents a history as MCP tools, over standard input and output or over HTTP"
    mcp = commands.add_parser(
        "mcp", help=summary, description=f"{summary.capitalize()}. Reads and adds to a store (.db)."
    )
    mcp.set_defaults(command=serve_mcp)
    mcp.add_argument("--store", type=Path, required=True, help="the history's file, created if it does not exist")
    mcp.add_argument("--read-only", action="store_true", help="offer no tool that adds to the history")
    mcp.add_argument(
        "--tz", metavar="ZONE", help="the user's time zone, such as Europe/Berlin (default: this machine's)"
    )
    mcp.add_argument("--model", help="a model that answers the questions of the tool `ask` (default: no such tool)")
    mcp.add_argument("--base-url", metavar="URL", help="address of an OpenAI-compatible server (default: OpenAI's)")
    port = f"listen on this port, 0 for a free one; clients send the token in ${TOKEN}, which loopback does not need"
    mcp.add_argument("--http", type=int, metavar="PORT", help=port)
    mcp.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    named = "a name or address by which clients call this machine; can be repeated"
    mcp.add_argument("--allow-host", action="append", default=[], metavar="NAME", help=named)


def serve_mcp(options: argparse.Namespace) -> int:
    """Serve until the client ends the session, or the process is interrupted; return the exit code."""
    from ..models.llm import connect
    from ..query.engine import MemoryRLM

    try:
        from ..serving.mcp_server import MemoryServer, serve_http
    except ModuleNotFoundError as error:
        raise Refused(f'{error.name} is not installed; run: pip install "rlm-memory[mcp]"') from error
    if options.read_only and not options.store.exists():
        raise Refused(f"there is no file {options.store}")
    try:
        engine = MemoryRLM(connect(options.model, options.base_url)) if options.model else None
        with store_in_zone(options.store, options.tz) as store:
            server = MemoryServer(store, engine, options.read_only, os.environ.get(TOKEN) or None)
            if options.http is None:
                server.run()
            else:
                serve_http(server, options.host, options.http, _say, options.allow_host)
    except (ValueError, OverflowError) as error:
        raise Refused(f"{error} (set ${TOKEN}, or give --allow-host)" if options.http is not None else error) from error
    except KeyboardInterrupt:
        pass
    return 0


def _say(address: str) -> None:
    print(f"MCP at {address} (stop with Ctrl-C)", file=sys.stderr, flush=True)
