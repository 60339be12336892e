"""One fan-out in one of the ways that `fanout.py` compares, timed.

Run: python benchmarks/arms.py WAY URL CALLS    (prints seconds of wall time and of CPU)

Each way sends one call beforehand, untimed. Making the client and starting the process
are not timed either.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

PAPER_THREADS = 20  # the repository's default


def ours(url: str, calls: int, hedge: float = 0.0, concurrency: int | None = None) -> tuple[float, float]:
    """`SubAgents` over one client."""
    import asyncio

    from rlm_memory_core import connect
    from rlm_memory_core.models import background
    from rlm_memory_core.query.answer import Coverage
    from rlm_memory_core.query.subagents import NO_PIECE, SubAgents

    llm = connect("simulated", url, "none", recorded="off")

    async def fan_out(numbers: range) -> None:
        subagents = SubAgents(llm, asyncio.Semaphore(concurrency or calls), hedge=hedge)
        await subagents.ask_all([(f"This is call {number}.", NO_PIECE) for number in numbers])
        assert not Coverage.of(subagents.calls).failed, Coverage.of(subagents.calls)

    background.run(fan_out(range(calls, calls + 1)))
    return _timed(lambda: background.run(fan_out(range(calls))))


def papers(url: str, calls: int) -> tuple[float, float]:
    """The paper's repository: a pool of 20 threads, and a client for every call."""
    from concurrent.futures import ThreadPoolExecutor

    import openai

    def ask(number: int) -> None:
        client = openai.OpenAI(api_key="none", base_url=url)
        prompt = f"This is call {number}."
        client.chat.completions.create(model="simulated", messages=[{"role": "user", "content": prompt}])

    def fan_out() -> None:
        with ThreadPoolExecutor(PAPER_THREADS) as pool:
            list(pool.map(ask, range(calls)))

    ask(calls)
    return _timed(fan_out)


def rlms(url: str, calls: int) -> tuple[float, float]:
    """`rlms` (the official engine, PyPI): its batched sub-calls, as its REPL makes them, with its own cap."""
    from rlm.clients.openai import OpenAIClient
    from rlm.core.comms_utils import send_lm_request_batched
    from rlm.core.lm_handler import LMHandler

    client = OpenAIClient(api_key="none", model_name="simulated", base_url=url)
    replies = []

    def fan_out() -> None:
        prompts = [f"This is call {number}." for number in range(calls)]
        replies.extend(send_lm_request_batched(handler.address, prompts, timeout=3600))

    with LMHandler(client) as handler:
        client.completion(f"This is call {calls}.")  # not a batch: a second one meets the first one's closed event loop
        taken = _timed(fan_out)
    failed = [reply.error for reply in replies if reply.error]
    if failed:
        raise SystemExit(f"{len(failed)} calls failed: {failed[0]}")
    return taken


WAYS: dict[str, Callable[[str, int], tuple[float, float]]] = {
    "ours": ours,
    "ours-256": lambda url, calls: ours(url, calls, concurrency=256),
    "ours-hedged": lambda url, calls: ours(url, calls, hedge=0.05),
    "papers": papers,
    "rlms": rlms,
}


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    print(*WAYS[sys.argv[1]](sys.argv[2], int(sys.argv[3])))
