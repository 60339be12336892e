"""Many queries at once over a server that fails in every way, with fixed seeds: what must hold afterwards does.

Run: python benchmarks/faults.py [QUERIES] [SEED]

The server is played inside the process. Root models and sub-agents say odd things, usage is odd, attempts time out or
break, queries are cancelled, and recorded calls are damaged meanwhile. Prints one JSON object; its `wrong` is a list of
what did not hold, and the command fails if that is not empty.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from typing import Any

from rlm_memory_core import LLM, Budget, Limits, MemoryRLM, MemoryStore, ModelError, Reading, Usage, connect
from rlm_memory_core.models import background, pipeline
from rlm_memory_core.models.types import (
    BackendError,
    ConnectionFailed,
    ContextExceeded,
    Refused,
    Request,
    Response,
    TimedOut,
)
from rlm_memory_core.query.answer import Answer
from rlm_memory_core.query.prompts import SEARCH_SUBAGENT_SYSTEM, SUBAGENT_SYSTEM
from rlm_memory_core.repl.repl import Repl
from rlm_memory_core.repl.worker import WORKERS

AT_ONCE = 64  # queries
SHARED_BY = 20  # queries that share a budget
USD, RATES, MAX_TOKENS = 0.02, (1e-6, 4e-6), 500
MOST_MB, MOST_SECONDS = 500, 0.5  # of memory, and a query on average
SESSIONS = 12

CODES = {
    "paper": (
        "print(llm_query_parallel(sessions, session_dates, question))",
        "print(llm_query_parallel(sessions[:3]), llm_query('odd'))",
        "print(search_history('Mochi'), rank_sessions(question)[:3])",
        "x = [sessions] * 10**6\nprint(x)",
    ),
    "search": ("find('cat')\nread([1, 2, 3])", "look([1, 5])", "timeline('Mochi')", "cite(1, 'no such words')"),
}
ODD_CODES = (
    "while True: pass", "b = ['x' * 100000] * 1000\nFINAL([b] * 1000)", "1 / 0", "print('x' * 10**7)", "\rprint(1)",
    "def f(): f()\nf()", "import socket", "FINAL", "'a' * 10**11", "print(llm_query('y' * 10**6))", "raise SystemExit",
)  # fmt: skip
ODD_TEXTS = (
    "", " ", "\0", "\ud800", "NOT_FOUND", "```repl\n", "FINAL(", "```" * 5_000, "[" * 5_000, '"a' * 5_000,
    '[{"quote": ' + "[" * 3_000, f"[Turn {'1' * 5_000}] \"x\"", '"My cat' + " " * 3_000, "<think>" * 500, "x" * 200_000,
    '{"findings": null}', "- [Turn 1] \"\": ", "</session>" * 100, "FINAL_VAR(" + "y" * 9_000 + ")",
)  # fmt: skip
ODD_USAGE: tuple[Any, ...] = (
    None, {}, [], "many", {"prompt_tokens": -5, "completion_tokens": -7}, {"prompt_tokens": "ten"},
    {"prompt_tokens": float("inf"), "completion_tokens": float("nan")}, {"prompt_tokens": True}, {"total_tokens": 3},
    {"prompt_tokens": 1.5, "completion_tokens": None}, {"prompt_tokens": {"a": 1}},
)  # fmt: skip
ODD_BODIES = ("", "null", "[]", "{}", '{"choices": []}', '{"choices": [{}]}', "<html>", '{"choices": [' + "[" * 5_000)


class WatchedBudget(Budget):
    """A budget that remembers its largest reservation, in dollars."""

    largest = 0.0

    def try_reserve(self, usage: Usage, usd: float, is_optional: bool = True) -> bool:
        """Note the dollars, and reserve."""
        self.largest = max(self.largest, usd)
        return super().try_reserve(usage, usd, is_optional)


class Server:
    """A backend whose faults depend on the seed, the request and the number of the attempt alone."""

    def __init__(self, seed: int) -> None:
        self.seed, self.sent = seed, 0
        self.faults = Counter[str]()
        self._attempts = Counter[bytes]()

    async def send(self, request: Request) -> Response:
        """Answer, or fail."""
        self.sent += 1
        self._attempts[request.content] += 1
        rng = random.Random(f"{self.seed} {self._attempts[request.content]} {request.content!r}")
        fault = rng.choice(["", "", "", "", "text", "usage", "body", "timeout", "broken", "busy", "too long", "error"])
        self.faults[fault] += 1
        await asyncio.sleep(rng.random() * 0.02)
        if failure := self._failure(fault):
            raise failure
        if fault == "body":
            return Response(rng.choice(ODD_BODIES))
        said = self._said(request, rng, fault == "text")
        usage: Any = {"prompt_tokens": request.tokens, "completion_tokens": min(len(said) // 4 + 1, MAX_TOKENS)}
        usage = rng.choice(ODD_USAGE) if fault == "usage" else usage
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        return Response(json.dumps({"choices": [choice], "usage": usage}))

    async def stream(self, request: Request) -> AsyncGenerator[str, None]:
        """The answer as one event."""
        yield (await self.send(request)).text

    def _failure(self, fault: str) -> BackendError | None:
        if fault == "too long":
            refused = Refused(400, "prompt is too long")
            refused.becomes = ContextExceeded
            return refused
        return {
            "timeout": TimedOut("late"),
            "broken": ConnectionFailed("reset"),
            "busy": Refused(429, "slow down", 0.001, retryable=True),
            "error": Refused(500, "oops"),
        }.get(fault)

    def _said(self, request: Request, rng: random.Random, odd: bool) -> str:
        messages = request.body["messages"]
        if odd:
            return rng.choice(ODD_TEXTS)
        if messages[0]["content"] in (SUBAGENT_SYSTEM, SEARCH_SUBAGENT_SYSTEM):
            return rng.choice(['- [Turn 1] "My cat is called Mochi.": the cat', "NOT_FOUND", '- [Turn 3] "no": false'])
        way = "paper" if "llm_query" in messages[0]["content"] else "search"
        if len(messages) > 2 and rng.random() < 0.6:
            return "FINAL(Mochi)"
        return f"```repl\n{rng.choice(CODES[way] if rng.random() < 0.7 else ODD_CODES)}\n```"


def history(number: int) -> MemoryStore:
    """A short history; a few words differ from one to the next."""
    store = MemoryStore()
    for session in range(SESSIONS):
        store.start_session(f"2023/05/{session + 1:02}")
        store.add("user", "My cat is called Mochi." if session == 0 else f"Walk {number} was {session} km long.")
        store.add("assistant", "Noted.")
    return store


def damage(path: Path, rng: random.Random) -> int:
    """Change the answers of some recorded calls. Returns how many."""
    with closing(sqlite3.connect(path, timeout=30)) as database, database:
        keys = [key for (key,) in database.execute("SELECT key FROM calls ORDER BY key")]
        chosen = rng.sample(keys, min(len(keys), 3))
        database.executemany(
            "UPDATE calls SET response = substr(response, 2) WHERE key = ?", [(key,) for key in chosen]
        )
    return len(chosen)


async def all_workers() -> None:
    """Take every worker at the same time."""

    async def hold(everyone: asyncio.Barrier) -> None:
        async with Repl({}, {}) as repl:
            assert (await repl.run("print(1)")).output == "1\n"
            await everyone.wait()

    barrier = asyncio.Barrier(WORKERS)
    await asyncio.gather(*(hold(barrier) for _ in range(WORKERS)))


async def trial(queries: int, seed: int, llm: LLM, server: Server, path: Path) -> dict[str, Any]:
    """Ask all questions, and say what did not hold."""
    rng, ends = random.Random(seed), Counter[str]()
    budgets = [WatchedBudget(usd=USD) for _ in range(-(-queries // SHARED_BY))]
    stores = [history(number) for number in range(10)]
    limits = Limits(run_seconds=0.2, query_seconds=0.5, memory_mb=32)
    slots, wrong, damaged, longest = asyncio.Semaphore(min(AT_ONCE, max(queries // 4, 1))), list[str](), 0, 0.0

    async def ask(number: int, way: Any, cancelled_after: float | None) -> None:
        nonlocal damaged, longest
        engine = MemoryRLM(llm, budget=budgets[number // SHARED_BY], limits=limits, reading=Reading(way))
        async with slots:
            if number % 10 == 9:
                damaged += await asyncio.to_thread(damage, path, random.Random(number))
            question = f"What is my cat called? {number % 250}"
            started = time.perf_counter()
            task = asyncio.create_task(engine.aquery(stores[number % len(stores)], question))
            await asyncio.wait([task], timeout=cancelled_after)
            task.cancel()
            (end,) = await asyncio.gather(task, return_exceptions=True)
            longest = max(longest, time.perf_counter() - started)
        ends[type(end).__name__] += 1
        if not isinstance(end, (Answer, ModelError, asyncio.CancelledError)):
            wrong.append(f"query {number} ended with {end!r:.300}")

    chosen = [(rng.choice(["paper", "search"]), rng.choice([None] * 5 + [rng.random() * 0.3])) for _ in range(queries)]
    before = len(asyncio.all_tasks())
    async with asyncio.timeout(30 + queries * MOST_SECONDS):
        await asyncio.gather(*(ask(number, *how) for number, how in enumerate(chosen)))
        while len(asyncio.all_tasks()) > before:  # what was cancelled comes to its end
            await asyncio.sleep(0.01)
        await all_workers()
    wrong += [
        f"a budget of {USD} spent {each.spent_usd}, with reservations of up to {each.largest}"
        for each in budgets
        if not 0 <= (each.spent_usd or 0.0) <= USD + each.largest
    ]
    counted = sum(budget.spent.calls for budget in budgets)
    if not server.sent - server.faults["busy"] <= counted <= server.sent:  # what a busy server refuses is free
        wrong.append(f"{server.sent} requests were sent, and {counted} counted")
    if any(number < 0 for budget in budgets for number in (budget.spent.prompt_tokens, budget.spent.completion_tokens)):
        wrong.append("usage was subtracted")
    return {
        "queries": queries, "sent": server.sent, "faults": server.faults, "ends": ends, "damaged": damaged,
        "spent": round(sum(budget.spent_usd or 0 for budget in budgets), 4), "slowest": round(longest, 1),
        "ended budgets": sum(bool(budget.ended) for budget in budgets), "wrong": wrong,
        "passed by": round(max(0.0, *((budget.spent_usd or 0.0) - USD for budget in budgets)), 4),
    }  # fmt: skip


def peak_mb() -> int:
    """The most memory that this process held; ru_maxrss may begin at that of the parent, so Linux is asked itself."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20


def main(queries: int = 1_000, seed: int = 1) -> int:
    """Run the trial and print its figures. Returns 1 if something did not hold."""
    pipeline.MAX_RETRIES = 0  # so that each request is one call
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path, server = Path(folder) / "calls.sqlite", Server(seed)
        llm = connect(
            "m", "http://127.0.0.1:9/v1", "key-of-the-trial", calls_path=path, rates=RATES, max_tokens=MAX_TOKENS,
            wrap=lambda _: server,
        )  # fmt: skip
        llm.open()
        told = background.run(trial(queries, seed, llm, server, path))
        llm.close()
    told["seconds"] = round(time.perf_counter() - started, 1)
    told["peak_mb"] = peak_mb()
    if told["peak_mb"] > MOST_MB:
        told["wrong"].append(f"memory reached {told['peak_mb']} MB")
    print(json.dumps(told))
    return bool(told["wrong"])


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
