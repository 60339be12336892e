"""The command `rlm-memory mcp`: serves a history to agents as MCP tools."""

import argparse
import os

from ..models.llm import connect
from ..query.engine import MemoryRLM
from ..serving.access import TOKEN, Access
from ..serving.mcp_server import MemoryServer, serve_http
from ..store.memory_store import MemoryStore
from .common import note, refusing
from .history_files import existing


def serve_mcp(options: argparse.Namespace) -> None:
    """Serve until the client ends the session, or the process is interrupted."""
    if options.read_only:
        existing(options.store)
    with refusing(ValueError):
        access = Access(options.host, os.environ.get(TOKEN), options.allow_host)
        engine = MemoryRLM(connect(options.model, options.base_url)) if options.model else None
    with MemoryStore(options.store, tz=options.tz) as store:
        server = MemoryServer(store, engine, options.read_only)
        try:
            if options.http is None:
                server.run()
            else:
                serve_http(server, access, options.http, lambda url: note(f"MCP at {url} (stop with Ctrl-C)"))
        except* (BrokenPipeError, KeyboardInterrupt):
            pass  # the client went away, or the user stops the server
