"""How long MCP clients wait that append to one history and search it at once; whether all that they said is stored.

Run: python benchmarks/clients.py [--clients N ...] [--seconds S] [--stdio] [--turns N]

Each client of the official SDK appends a turn and then searches for it, again and again. Over HTTP all use one server;
with --stdio each has a server process of its own, and all processes use one file. One client alone runs first, for
comparison: on a loaded machine that one waits too.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from rlm_memory_core import MemoryStore
from rlm_memory_core.experiments.data.smalltalk import chatter

Waits = dict[str, list[float]]


def server(path: Path, *arguments: str) -> StdioServerParameters:
    words = ["-m", "rlm_memory_core", "mcp", "--store", str(path), *arguments]
    return StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ))


async def use(client: Client, name: str, end: float, waits: Waits) -> list[str]:
    """Append and search until the time is over; return what was said."""
    said: list[str] = []

    async def call(tool: str, **arguments: Any) -> str:
        started = time.perf_counter()
        result = await client.call_tool(tool, arguments)
        waits[tool].append(time.perf_counter() - started)
        text = str(result.content[0].text)  # type: ignore[union-attr]
        assert not result.is_error, text
        return text

    while time.perf_counter() < end:
        said.append(f"{name} walked {len(said)} miles")
        await call("remember", content=said[-1], conversation=name)
        assert said[-1] in await call("find", probes=[f'"{said[-1]}"'])
    return said


async def run(path: Path, clients: int, seconds: float, stdio: bool) -> tuple[list[list[str]], Waits]:
    """Run the clients; return what each said, and the seconds of each call by tool."""
    waits: Waits = {"remember": [], "find": []}
    async with AsyncExitStack() as stack:
        if stdio:
            transports = [server(path) for _ in range(clients)]
        else:
            started = server(path, "--http", "0")
            process = await asyncio.create_subprocess_exec(
                started.command, *started.args, stderr=asyncio.subprocess.PIPE
            )
            stack.push_async_callback(process.wait)
            stack.callback(process.terminate)
            assert process.stderr
            url = (await process.stderr.readline()).decode().split()[3]
            http = await stack.enter_async_context(httpx2.AsyncClient(timeout=60))
            transports = [streamable_http_client(url, http_client=http) for _ in range(clients)]
        connected = [await stack.enter_async_context(Client(each)) for each in transports]
        end = time.perf_counter() + seconds
        names = [f"client{number}of{clients}" for number in range(clients)]
        said = await asyncio.gather(
            *(use(client, name, end, waits) for client, name in zip(connected, names, strict=True))
        )
    return list(said), waits


def lost(path: Path, said: list[list[str]]) -> int:
    """Count the lines that are not stored exactly once and in their client's order."""
    with MemoryStore(path) as store:
        stored = [turn.content for turn in store.turns]
    return sum(
        abs(len(lines) - len(kept)) or sum(map(str.__ne__, lines, kept))
        for lines in said
        for kept in [[line for line in stored if line.startswith(f"{lines[0].split()[0]} ")]]
    )


def fill(path: Path, turns: int) -> None:
    """Store some small talk first."""
    rng = random.Random(0)
    with MemoryStore(path) as store, store.transaction():
        for number in range(turns):
            if number % 10 == 0:
                store.start_session()
            store.add(("user", "assistant")[number % 2], chatter(rng, 1)[0])


def main() -> int:
    """Run the clients and print how long they waited."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", nargs="+", type=int, default=[1, 20], help="clients at once (default: 1 20)")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--stdio", action="store_true", help="a process for each client, instead of one HTTP server")
    parser.add_argument("--turns", type=int, default=0, help="turns in the history at first")
    options = parser.parse_args()
    losses = 0
    for clients in options.clients:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "history.db"
            fill(path, options.turns)
            said, waits = asyncio.run(run(path, clients, options.seconds, options.stdio))
            losses += (missing := lost(path, said))
        print(f"{clients} clients, {sum(map(len, said)):,} turns appended, {missing} lost")
        for tool, taken in waits.items():
            typical, late = statistics.median(taken), sorted(taken)[len(taken) * 99 // 100]
            print(f"  {tool:<8}  median {typical:.3f} s, 99% within {late:.3f} s, longest {max(taken):.3f} s")
    return min(losses, 1)


if __name__ == "__main__":
    sys.exit(main())
