"""The fan-out over a real loopback server: wall time over the slowest single call, and speed-up over one by one.

Run: python benchmarks/fanout.py [--help]

All ways of sending take part in each round, one after another, each in a process of
its own (`arms.py`), and wait for the same simulated latencies (lognormal, median 1 s,
sigma 0.5): ours without and with hedging, the paper's pattern (20 threads, a client for
each call) and `rlms` from PyPI. Then hedging where 2% of the calls take ten times
longer, in simulated time. The REPL and recorded calls take no part.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
from loopback import running, url
from stragglers import Scenario, hedged_fan_outs, hedged_table

WAYS = {  # name: (argument of arms.py, whether it is slow)
    "ours": ("ours", False),
    "ours, 256 at once": ("ours-256", False),
    "ours, hedged": ("ours-hedged", False),
    "the paper's pattern": ("papers", True),
    "rlms": ("rlms", True),
}


def send(python: str, way: str, address: str, calls: int) -> tuple[float, float]:
    """One fan-out in a process of its own: seconds of wall time, and of CPU."""
    command = [python, str(Path(__file__).with_name("arms.py")), way, address, str(calls)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way}, {calls} calls: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    wall, cpu = map(float, done.stdout.split()[-2:])
    return wall, cpu


def has_rlms(python: str) -> bool:
    """Whether an interpreter can import `rlms`."""
    asked = "import importlib.util as u; raise SystemExit(u.find_spec('rlm') is None)"
    return subprocess.run([python, "-c", asked], check=False).returncode == 0


def measure(counts: list[int], rounds: int, most_slow: int, python: str) -> pd.DataFrame:
    """One row a number of calls, round and way of sending."""
    rows = []
    ways = dict(WAYS)
    if not has_rlms(python):
        print("rlms is not installed: left out (pip install 'rlm-memory[benchmarks]', or --rlms-python)")
        del ways["rlms"]
    with running() as port:
        for count in counts:
            for seed in range(rounds):
                scenario = Scenario(count, seed)
                slowest, total = max(scenario.latencies), sum(scenario.latencies)
                for name, (way, slow) in ways.items():
                    if slow and count > most_slow:
                        continue
                    load = os.getloadavg()[0]
                    interpreter = python if way == "rlms" else sys.executable
                    wall, cpu = send(interpreter, way, url(port, way, scenario), count)
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
