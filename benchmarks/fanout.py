"""The fan-out over a real loopback server: wall time over the slowest single call, and speed-up over one by one.

Run: python benchmarks/fanout.py [--help]

All ways of sending take part in each round, one after another, and wait for the same
simulated latencies (lognormal, median 1 s, sigma 0.5): ours without and with hedging,
the paper's pattern (20 threads, a client for each call) and `rlms` from PyPI. Then the
same with 2% of the calls taking ten times longer, in simulated time. The package's
REPL, prompts for the root model and recorded calls take no part.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pandas as pd
from loopback import running, url

from rlm_memory_core import background, connect
from rlm_memory_core.experiments.stragglers import Scenario, hedged_fan_outs, hedged_table
from rlm_memory_core.subagents import SubAgents

PAPER_THREADS = 20  # the repository's default
Arm = Callable[[str, int], tuple[float, float]]  # address, calls -> seconds of wall time, of CPU


def ours(address: str, calls: int, hedge: float = 0.0, concurrency: int | None = None) -> tuple[float, float]:
    """`SubAgents` over one client, all calls at once."""
    llm = connect("simulated", address, "none", recorded="off")

    async def fan_out(numbers: range) -> None:
        subagents = SubAgents(llm, asyncio.Semaphore(concurrency or calls), hedge=hedge)
        await subagents.query_parallel([f"This is call {number}." for number in numbers], None, "Which?")
        assert not subagents.coverage().failed, subagents.coverage()

    background.run(fan_out(range(calls, calls + 1)))
    taken = _timed(lambda: background.run(fan_out(range(calls))))
    background.run(llm._client.close())
    return taken


def papers(address: str, calls: int) -> tuple[float, float]:
    """The paper's repository: a pool of 20 threads, and a client for every call."""

    def ask(number: int) -> None:
        client = openai.OpenAI(api_key="none", base_url=address)
        client.chat.completions.create(
            model="simulated", messages=[{"role": "user", "content": f"This is call {number}."}]
        )

    def fan_out() -> None:
        with ThreadPoolExecutor(PAPER_THREADS) as pool:
            list(pool.map(ask, range(calls)))

    ask(calls)
    return _timed(fan_out)


def rlms(python: str) -> Arm:
    """`rlms`, run by the given interpreter."""

    def arm(address: str, calls: int) -> tuple[float, float]:
        command = [python, str(Path(__file__).with_name("rlms_arm.py")), address, str(calls)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        wall, cpu = map(float, done.stdout.split()[-2:])
        return wall, cpu

    return arm


def arms(python: str) -> dict[str, tuple[Arm, bool]]:
    """The ways of sending, and whether each is slow."""
    found: dict[str, tuple[Arm, bool]] = {
        "ours": (ours, False),
        "ours, 256 at once": (lambda address, calls: ours(address, calls, concurrency=256), False),
        "ours, hedged": (lambda address, calls: ours(address, calls, hedge=0.05), False),
        "the paper's pattern": (papers, True),
    }
    asked = "import importlib.util as u; raise SystemExit(u.find_spec('rlm') is None)"
    if (python == sys.executable and importlib.util.find_spec("rlm")) or (
        python != sys.executable and subprocess.run([python, "-c", asked], check=False).returncode == 0
    ):
        found["rlms"] = (rlms(python), True)
    else:
        print("rlms is not installed: left out (pip install 'rlm-memory[benchmarks]', or --rlms-python)")
    return found


def measure(counts: list[int], rounds: int, most_slow: int, python: str) -> pd.DataFrame:
    """One row a number of calls, round and way of sending."""
    rows = []
    ways = arms(python)
    with running() as port:
        for count in counts:
            for seed in range(rounds):
                scenario = Scenario(count, seed)
                slowest, total = max(scenario.latencies), sum(scenario.latencies)
                for at, (name, (arm, slow)) in enumerate(ways.items()):
                    if slow and count > most_slow:
                        continue
                    load = os.getloadavg()[0]
                    wall, cpu = arm(url(port, f"{at}", scenario), count)
                    rows.append(
                        {
                            "calls": count,
                            "sent by": name,
                            "wall": wall,
                            "ratio": wall / slowest,
                            "speedup": total / wall,
                            "cpu": 1000 * cpu / count,
                            "load": load,
                        }
                    )
    return pd.DataFrame(rows)


def table(measured: pd.DataFrame) -> str:
    """Medians over the rounds, with the least and the most."""

    def spread(values: pd.Series, form: str) -> str:
        return f"{values.median():{form}} ({values.min():{form}} to {values.max():{form}})"

    shown = {
        (calls, name): {
            "wall, s": spread(group["wall"], ".2f"),
            "wall / slowest call": spread(group["ratio"], ".2f"),
            "speed-up": f"{group['speedup'].median():.0f}x",
            "CPU a call, ms": spread(group["cpu"], ".2f"),
            "load": f"{group['load'].median():.1f}",
        }
        for (calls, name), group in measured.groupby(["calls", "sent by"], sort=False)
    }
    return pd.DataFrame.from_dict(shown, orient="index").to_string()


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[10, 50, 200, 500, 1000, 2000])
    parser.add_argument("--rounds", type=int, default=3, help="seeds of the latencies")
    parser.add_argument("--most-slow", type=int, default=500, help="most calls for the paper's pattern and rlms")
    parser.add_argument("--rlms-python", default=sys.executable, help="an interpreter that has rlms")
    parser.add_argument("--seeds", type=int, default=20, help="of the stragglers, in simulated time; 0 for none")
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; simulated latency over loopback HTTP\n")
    print(table(measure(asked.calls, asked.rounds, asked.most_slow, asked.rlms_python)))
    if asked.seeds:
        print(f"\nHedging where calls take ten times longer, {asked.seeds} seeds, in simulated time:\n")
        print(hedged_table(hedged_fan_outs([10, 50, 200, 500], seeds=asked.seeds)).to_string())


if __name__ == "__main__":
    main()
