"""`kill -9` at a random moment of a run, then the rerun: equal results, and nothing recorded is sent again.

Run: python benchmarks/kills.py [KILLS] [QUESTIONS]

The run is a process of its own, which asks the offline reader (no LLM) over real HTTP on
loopback. The server here answers after a few simulated milliseconds and writes down
each request. A killed run's file of recorded calls is read before the rerun starts.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from rlm_memory_core import connect
from rlm_memory_core.experiments import methods
from rlm_memory_core.experiments.data import synthetic
from rlm_memory_core.experiments.run import runner
from rlm_memory_core.models import background
from rlm_memory_core.models.call_store import CallStore
from rlm_memory_core.models.recorded_calls import call_key
from rlm_memory_core.models.types import Request
from rlm_memory_core.serving.access import Access
from rlm_memory_core.serving.endpoint import Endpoint
from rlm_memory_core.serving.memory import Memory
from rlm_memory_core.serving.people import People

TYPE = "multi-session-user"  # three sessions each, so that a question takes five calls
MILLISECONDS = (2.0, 8.0)
STARTED = "started"


@dataclass(frozen=True)
class Trial:
    """One killed run and its rerun.

    Args:
        recorded: Calls in the file when the run was killed.
        again: Of these, how many the rerun sent.
        sent: Calls that the rerun sent.
        equal: Whether the results are those of an undisturbed run.
    """

    recorded: int
    again: int
    sent: int
    equal: bool


class Server:
    """The offline reader behind HTTP, slowed down; `sent` keeps the key of every request."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.url = ""

    async def start(self) -> None:
        """Serve on a free port of loopback."""
        app = Endpoint(Memory("offline"), People(None), Access("127.0.0.1")).application()
        app.middlewares.append(self._slow)
        self._serving = web.AppRunner(app, access_log=None)
        await self._serving.setup()
        await web.TCPSite(self._serving, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._serving.addresses[0][1]}/v1"

    async def stop(self) -> None:
        """Close the port."""
        await self._serving.cleanup()

    @web.middleware
    async def _slow(self, request: web.Request, handler: web.Handler) -> web.StreamResponse:
        self.sent.append(call_key(str(request.url), Request("", json.loads(await request.read()))))
        await asyncio.sleep(random.uniform(*MILLISECONDS) / 1000)
        return await handler(request)


@contextmanager
def serving() -> Iterator[Server]:
    """A server on the background loop."""
    server = Server()
    background.run(server.start())
    try:
        yield server
    finally:
        background.run(server.stop())


def work(url: str, calls: Path, results: Path, questions: int) -> None:
    """The run that is killed: all questions, one after another, through the runner."""
    samples = [sample for sample in synthetic.load(questions) if sample.kind == TYPE]
    llm = connect("reader", url, recorded="auto", calls_path=calls)
    made = methods.make(["rlm-parallel"], llm, 16_000)
    print(STARTED, flush=True)
    frame = runner.run(made, samples, model=llm.label, progress=False)
    frame.drop(columns="seconds").to_csv(results, index=False)


def start(server: Server, calls: Path, results: Path, questions: int) -> subprocess.Popen[str]:
    """Start a run and wait until it begins to ask."""
    command = [sys.executable, __file__, "--work", server.url, str(calls), str(results), str(questions)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline().strip() != STARTED:
        raise RuntimeError("the run did not start")
    return process


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for the end of a run."""
    if process.wait() != 0:
        raise RuntimeError("the run failed")
    process.stdout.close()


def kill(process: subprocess.Popen[str], server: Server, calls: int, seconds: float) -> None:
    """Kill a run so many seconds after the server had so many of its calls."""
    while len(server.sent) < calls and process.poll() is None:
        time.sleep(0.001)
    time.sleep(seconds)
    process.kill()
    process.wait()
    process.stdout.close()


def trials(kills: int, questions: int, seed: int = 0) -> Iterator[Trial]:
    """Kill so many runs, each at a random moment, and run each again."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, serving() as server:
        undisturbed = Path(folder, "undisturbed.csv")
        finish(start(server, Path(folder, "calls.sqlite"), undisturbed, questions))
        whole = len(server.sent)
        for number in range(kills):
            calls, results = Path(folder, f"{number}.sqlite"), Path(folder, f"{number}.csv")
            server.sent.clear()
            process = start(server, calls, results, questions)
            kill(process, server, draw.randrange(whole), draw.uniform(0, 0.02))
            with closing(CallStore(calls)) as store:
                recorded = {call.key for call in store.records()}
            server.sent.clear()
            finish(start(server, calls, results, questions))
            again = sum(key in recorded for key in server.sent)
            equal = results.read_bytes() == undisturbed.read_bytes()
            yield Trial(len(recorded), again, len(server.sent), equal)


def main(kills: int = 30, questions: int = 100) -> None:
    """Print what became of the trials."""
    started = time.perf_counter()
    done = list(trials(kills, questions))
    recorded = sorted(trial.recorded for trial in done)
    print(
        f"{kills} runs of {questions} questions killed and run again in {time.perf_counter() - started:.0f} s: "
        f"recorded at the kill {recorded[0]} to {recorded[-1]} calls (median {recorded[len(recorded) // 2]}); "
        f"sent again although recorded: {sum(trial.again for trial in done)}; "
        f"results equal to an undisturbed run's: {sum(trial.equal for trial in done)} of {kills}"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
    else:
        main(*map(int, sys.argv[1:]))
