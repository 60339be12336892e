"""Times the fan-out under simulated latency: one call after another, as the paper's code sends them, and as ours does.

No model is asked. Every call waits for a drawn latency (`simulated`), then the offline reader answers it; all ways
of sending wait for the same latencies. The figures measure only the sending, and are labelled as simulated.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx2
import openai
import pandas as pd

from rlm_memory_core.models import background
from rlm_memory_core.models.llm import OFFLINE, connect
from rlm_memory_core.models.types import CHAT_PATH, Request
from rlm_memory_core.offline import OfflineReader
from rlm_memory_core.query.prompts import SUBAGENT_SYSTEM, conversation, session_prompt
from rlm_memory_core.query.subagents import NO_PIECE, SubAgents

from ..types import Result
from .simulated import SimulatedLatency

SEQUENTIAL, PAPER, OURS = ARMS = ("one after another", "the paper's pattern", "ours")
_IDS = {SEQUENTIAL: "sequential", PAPER: "paper", OURS: "ours"}
_QUESTION = "What is my cat called?"
_PAPER_THREADS = 20  # the repository's default
_OUR_LIMIT = 256  # MemoryRLM's default
_TEMPERATURE = 0.0  # connect's default: with it both send the same bodies


def fan_out(
    calls: Sequence[int] = (10, 50, 200),
    median: float = 1.0,
    sigma: float = 0.5,
    seed: int = 0,
    time_scale: float = 1.0,
) -> pd.DataFrame:
    """Sends a number of sub-agent calls in each way, and times them.

    "One after another" is the sum of the drawn latencies; nobody waits for it. The paper's pattern is 20 threads,
    and a client for every call; ours is `SubAgents` over one shared client. Each way sends one untimed call first.

    Args:
        calls: Numbers of sub-agent calls.
        median, sigma, seed, time_scale: As for `SimulatedLatency`.

    Returns:
        One row per number and way: calls, arm, seconds (wall time, unscaled), slowest (the longest single call),
        total (all latencies added up), ratio (seconds over slowest) and speedup (total over seconds).

    Example:
        >>> fan_out([2], median=0.01)["arm"].tolist()
        ['one after another', "the paper's pattern", 'ours']
    """
    rows = []
    for count in calls:
        for arm in ARMS[1:]:
            backend = SimulatedLatency(OfflineReader(), median, sigma, seed, time_scale)
            wall = (_ours if arm == OURS else _papers)(backend, _sessions(count)) / time_scale
            slowest, total = max(backend.drawn), sum(backend.drawn)
            if arm == PAPER:
                rows.append((count, SEQUENTIAL, total, slowest, total))
            rows.append((count, arm, wall, slowest, total))
    timed = pd.DataFrame(rows, columns=["calls", "arm", "seconds", "slowest", "total"])
    return timed.assign(ratio=timed["seconds"] / timed["slowest"], speedup=timed["total"] / timed["seconds"])


def fan_out_table(timed: pd.DataFrame) -> pd.DataFrame:
    """The result of `fan_out` as text. Two runs differ, except in the sums."""
    shown = {
        "wall, s": timed["seconds"].map("{:.2f}".format),
        "slowest call, s": timed["slowest"].map("{:.2f}".format),
        "wall / slowest call": timed["ratio"].map("{:.2f}".format),
        "speed-up": timed["speedup"].map("{:.1f}x".format),
    }
    names = {"sub-agent calls": timed["calls"].map(str), "sent (simulated latency)": timed["arm"]}
    return pd.DataFrame({**names, **shown}).set_index(list(names))


def fan_out_results(timed: pd.DataFrame) -> list[Result]:
    """The result of `fan_out` under ids that say "simulated", never under those of the paper's numbers."""
    return [
        Result(f"simulated.fanout.{row['calls']}.{_IDS[row['arm']]}.{name}", row[name], row["calls"])
        for row in timed.to_dict("records")
        for name in ("seconds", "ratio", "speedup")
    ]


def _ours(backend: SimulatedLatency, sessions: Sequence[str]) -> float:
    """Seconds of wall time, through the package's own fan-out."""
    llm = connect(OFFLINE, recorded="off", temperature=_TEMPERATURE, wrap=lambda inner: backend)

    async def send(part: Sequence[str]) -> None:
        prompts = [(session_prompt(session, None, _QUESTION), NO_PIECE) for session in part]
        await SubAgents(llm, asyncio.Semaphore(_OUR_LIMIT)).ask_all(prompts)

    background.run(send([""]))
    backend.drawn.clear()
    started = time.perf_counter()
    background.run(send(sessions))
    return time.perf_counter() - started


def _papers(backend: SimulatedLatency, sessions: Sequence[str]) -> float:
    """Seconds of wall time, as the paper's repository sends: a pool of threads, and a client for every call.

    Its clients send through the simulated backend, so that none sets up encryption, which takes most of
    the time of making one: the real pattern is slower.
    """

    def ask(session: str) -> str | None:
        client = openai.OpenAI(
            api_key="none",
            base_url="http://simulated.invalid/v1",
            http_client=httpx2.Client(transport=_Blocking(backend)),
        )
        messages = conversation(SUBAGENT_SYSTEM, session_prompt(session, None, _QUESTION))
        answer = client.chat.completions.create(model=OFFLINE, messages=messages, temperature=_TEMPERATURE)  # type: ignore[arg-type]
        return answer.choices[0].message.content

    ask("")
    backend.drawn.clear()
    started = time.perf_counter()
    with ThreadPoolExecutor(_PAPER_THREADS) as pool:
        list(pool.map(ask, sessions))
    return time.perf_counter() - started


class _Blocking(httpx2.BaseTransport):
    """Lets a plain client wait in its own thread, and then ask."""

    def __init__(self, backend: SimulatedLatency) -> None:
        self._backend = backend

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        asked = Request(CHAT_PATH, json.loads(request.read()))
        time.sleep(self._backend.draw_wait(asked))
        return httpx2.Response(200, text=background.run(self._backend.inner.send(asked)).text)


def _sessions(count: int) -> list[str]:
    """A number of short sessions, all different; their content does not matter."""
    return [f"[Turn {number}][user]: Today I read page {number} of a long novel." for number in range(count)]
