"""A large history in one SQLite file: what opening, appending, searching, ranking and one query take.

Run: python benchmarks/large.py [TURNS ...] [--folder FOLDER]

Makes a file of generated small talk for each number of turns (default: 10,000 to 10,000,000), with ten turns a
session and a fact in every 20,000th turn, measures, and deletes it. The figures are taken in a process of their own
that opens the finished file. Ten million turns take some minutes, and about 4 GB of disk.
The model is the offline reader (no LLM), in the search reading.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from rlm_memory_core import MemoryRLM, MemoryStore, connect
from rlm_memory_core.experiments.data.smalltalk import chatter
from rlm_memory_core.search.ranking import rank_pieces
from rlm_memory_core.search.word_index import take_in_new_turns

SESSION = 10  # turns
EVERY = 20_000  # turns, one fact
QUESTION = "Which metal is the old clock of the lighthouse made of?"
COMMON = "Was the bus late, and did the soup need bread?"
FACT = "The old clock of the lighthouse is made of brass."
SYLLABLES = "ba do fi gu ka le mo nu pi ro sa te vu zi".split()
TOPICS = ["".join(word) for word in itertools.product(SYLLABLES, repeat=4)]  # 38,416 made-up words
FACTS = "My cousin number {number} has moved to the village of Ost{number} near the lake."


def make(path: Path, turns: int) -> dict[str, float]:
    """Write the history, then its index; seconds and sizes."""
    rng = random.Random(0)
    fact_at = turns // 3 // 2 * 2  # a user's turn
    with MemoryStore(path) as store, tqdm(total=turns, unit=" turns", desc="append") as bar:
        started = time.perf_counter()
        while len(store) < turns:
            with store.transaction():
                for _ in range(1000):
                    first = len(store)
                    if first >= turns:
                        break
                    day = first * 3000 // turns
                    store.start_session(f"{2000 + day // 336}/{day // 28 % 12 + 1:02}/{day % 28 + 1:02}")
                    store.extend(
                        (("user", "assistant")[number % 2], _said(rng, number, fact_at))
                        for number in range(first, min(first + SESSION, turns))
                    )
                    bar.update(len(store) - first)
        appended = time.perf_counter() - started
        started = time.perf_counter()
        take_in_new_turns(store)
        indexed = time.perf_counter() - started
    return {
        "append 1 of a batch, us": 1e6 * appended / turns,
        "index, s": indexed,
        "file, MB": path.stat().st_size / 1e6,
    }


def _said(rng: random.Random, number: int, fact_at: int) -> str:
    if number == fact_at:
        return FACT
    if number % EVERY == EVERY // 2:
        return FACTS.format(number=number)
    one, other = rng.choices(TOPICS, k=2)
    return f"{chatter(rng, 1)[0]} Then I read about {one} and {other}."


def measure(path: Path) -> dict[str, float]:
    """Seconds of each use of a finished file, in a process that has done nothing before."""
    memory = {"memory before, MB": _peak()}
    engine = MemoryRLM(connect("offline", recorded="off"))
    with MemoryStore() as small:  # the first query of a process starts workers
        small.add("user", "Hello.")
        engine.query(small, "Who?")
    started = time.perf_counter()
    store = MemoryStore(path)
    opened = time.perf_counter() - started
    answer = engine.query(store, QUESTION)
    first_query = time.perf_counter() - started
    if "brass" not in answer.text:
        raise SystemExit(f"the fact was not found; the answer was: {answer.text}")
    memory["peak memory of open and query, MB"] = _peak()
    figures = {
        "open": opened,
        "open and first query": first_query,
        "query again": _median(lambda: engine.query(store, "Which village has cousin number 10000 moved to?")),
        "rank, rare words": _median(lambda: rank_pieces(store, QUESTION, k=10)),
        "rank, common words": _median(lambda: rank_pieces(store, COMMON, k=10)),
        "get_recent(10)": _median(lambda: store.get_recent(10)),
        "search, rare, limit 10": _median(lambda: store.search_history("lighthouse", 10), 3),
        "search, common, limit 10": _median(lambda: store.search_history("TRUMPET", 10), 3),
        "append one, committed": _median(lambda: store.add("user", "It rains."), 20),
        "query after appending": _median(lambda: engine.query(store, QUESTION), 1),
    }
    memory["peak memory, MB"] = _peak()
    store.close()
    return {f"{name}, ms": 1000 * seconds for name, seconds in figures.items()} | memory


def _median(use: Callable[[], Any], times: int = 5) -> float:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        use()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _peak() -> float:
    """Of this process alone: ru_maxrss would begin with that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def main() -> None:
    """Measure at each size, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("turns", nargs="*", type=int, default=[10_000, 100_000, 1_000_000, 10_000_000])
    parser.add_argument("--folder", type=Path, help="where the files are made; default: the temporary folder")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    columns = {}
    for turns in options.turns:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            path = Path(folder) / "history.db"
            made = make(path, turns)
            command = [sys.executable, __file__, "--measure", str(path)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            columns[turns] = made | json.loads(done.stdout)
    print(f"{'turns':36}" + "".join(f"{turns:>14,}" for turns in columns))
    for name in columns[options.turns[0]]:
        print(f"{name:36}" + "".join(f"{column[name]:>14,.1f}" for column in columns.values()))


if __name__ == "__main__":
    main()
