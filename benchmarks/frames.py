"""Our own stack frames between a sub-agent's call and the openai client, with recorded calls and hedging on.

Run: python benchmarks/frames.py

A request passes through several tasks: the frames of all of them are counted, from below
`SubAgents._call` down to the method that calls the client.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from types import CoroutineType, FrameType
from typing import Any

import httpx2

import rlm_memory_core
from rlm_memory_core import connect
from rlm_memory_core.models import background, openai_backend
from rlm_memory_core.query.subagents import SubAgents

HOME = str(Path(rlm_memory_core.__file__).parent)
ANSWER = {"choices": [{"message": {"content": "NOT_FOUND"}, "finish_reason": "stop"}], "usage": {}}


def names(task: asyncio.Task[Any], current: FrameType | None) -> list[str]:
    """Our functions that a task is in, outermost first."""
    frames: list[FrameType] = []
    if task is asyncio.current_task():
        while current is not None:
            frames.insert(0, current)
            current = current.f_back
    else:
        coroutine: Any = task.get_coro()
        while isinstance(coroutine, CoroutineType):
            if coroutine.cr_frame is not None:
                frames.append(coroutine.cr_frame)
            coroutine = coroutine.cr_await
    return [frame.f_code.co_qualname for frame in frames if frame.f_code.co_filename.startswith(HOME)]


def main() -> None:
    """Send one sub-agent call and print the frames."""
    found: list[list[str]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        current = sys._getframe()
        found.extend(names(task, current) for task in asyncio.all_tasks())
        return httpx2.Response(200, content=json.dumps(ANSWER))

    openai_backend.HttpTransport = lambda: httpx2.MockTransport(answer)  # type: ignore[assignment,misc]
    with tempfile.TemporaryDirectory() as folder:
        llm = connect("m", "http://m.invalid/v1", "none", calls_path=Path(folder, "calls.sqlite"))
        subagents = SubAgents(llm, asyncio.Semaphore(8), hedge=0.05)
        background.run(subagents.query_parallel(["[Turn 1][user]: Hi."], None, "Who?"))
    chains = [chain for chain in found if chain]
    for chain in chains:
        print(" > ".join(chain))
    below = [name for chain in chains for name in chain if "SubAgents" not in name and "background" not in name]
    ours = [name for name in below if name not in ("run", "gather")]
    print(f"{len(ours)} frames below the two of the fan-out itself, in {len(chains) - 1} tasks")


if __name__ == "__main__":
    main()
