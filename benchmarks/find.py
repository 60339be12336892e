"""How long a search of single turns takes, by the size of the history.

Run: python benchmarks/find.py [TURNS ...]     (500 and 1,000,000 by default; 10,000,000 needs 10 GB of disk)

The histories are made of 50,000 words drawn by Zipf's law, so that a few words are nearly everywhere. Each is written
to a temporary folder and indexed first, which is timed as well. Timings are of this machine, and are never asserted;
seconds of the process count only its own work.
"""

from __future__ import annotations

import random
import resource
import statistics
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path

from rlm_memory_core import MemoryStore
from rlm_memory_core.search.find import find_turns, turns_with
from rlm_memory_core.search.probes import Filters

WORDS = [f"w{chr(97 + n % 26)}{n}x" for n in range(50_000)]
WEIGHTS = list(accumulate(1 / (n + 1) for n in range(len(WORDS))))
SESSION, USER, ASSISTANT = 10, 25, 60  # turns of a session, words of a turn
TIMES = 9


def word(rank: int) -> str:
    """The word of this rank by frequency."""
    return WORDS[rank]


SEARCHES = {
    "a rare word": ([word(30_000)], None),
    "two probes": ([f"{word(4_000)} {word(777)}", f"{word(9_000)} {word(300)}"], None),
    "a question": ([" ".join(map(word, (1, 9, 30, 200, 3_000, 40, 77, 5)))], None),
    "common words": ([" ".join(map(word, (1, 2, 3)))], None),
    "between two days": ([f"{word(300)} {word(500)}"], Filters("user", 738_500, 738_600)),
    "twelve probes": ([f"{word(n * 97)} {word(n * 311)}" for n in range(1, 13)], None),
}


def main(sizes: list[int]) -> None:
    """Print the table."""
    print(f"{'turns':>12}  {'search':<18}{'wall ms':>10}{'own ms':>10}")
    for turns in sizes:
        with tempfile.TemporaryDirectory() as folder, MemoryStore(Path(folder) / "history.db") as store:
            write(store, turns)
            started = time.perf_counter()
            find_turns(store, [word(1)])
            print(f"{turns:>12,}  {'(index)':<18}{(time.perf_counter() - started) * 1e3:>10,.0f}")
            for name, (probes, filters) in SEARCHES.items():
                report(turns, name, lambda probes=probes, filters=filters: find_turns(store, probes, filters))
            report(turns, "a timeline", lambda: turns_with(store, [word(3_000)], Filters(but="assistant"), 500))
    print(f"memory at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def report(turns: int, name: str, search) -> None:  # noqa: ANN001
    """Print the median of some runs."""
    taken = []
    for _ in range(TIMES):
        wall, own = time.perf_counter(), time.process_time()
        search()
        taken.append((time.perf_counter() - wall, time.process_time() - own))
    wall_ms, own_ms = (statistics.median(each) * 1e3 for each in zip(*taken, strict=True))
    print(f"{turns:>12,}  {name:<18}{wall_ms:>10.1f}{own_ms:>10.1f}", flush=True)


def write(store: MemoryStore, turns: int) -> None:
    """Fill a history with sessions of a year."""
    draw = random.Random(1)
    for start in range(0, turns, 10_000):
        with store.transaction():
            for _ in range(start, min(start + 10_000, turns), SESSION):
                store.start_session(f"2023/{1 + draw.randrange(12):02}/{1 + draw.randrange(28):02} (Mon) 10:00")
                store.extend(
                    (role, " ".join(draw.choices(WORDS, cum_weights=WEIGHTS, k=length)))
                    for role, length in (("user", USER), ("assistant", ASSISTANT)) * (SESSION // 2)
                )


if __name__ == "__main__":
    main([int(size.replace(",", "")) for size in sys.argv[1:]] or [500, 1_000_000])
