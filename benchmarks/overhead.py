"""One query's own overhead: the offline reader, one session, one sub-agent call, everything warm.

Run: python benchmarks/overhead.py [QUERIES]

Prints medians over the queries and their spread. The model's part is included: the
offline reader takes well under a millisecond of it.
"""

from __future__ import annotations

import statistics
import sys
import time

from rlm_memory_core import MemoryRLM, MemoryStore, connect


def main(queries: int) -> None:
    """Time the given number of queries, with and without recorded calls."""
    store = MemoryStore()
    store.add("user", "My cat is called Mochi.")
    store.add("assistant", "What a sweet name.")
    for recorded in ("off", "replay"):
        if recorded == "replay":
            MemoryRLM(connect("offline", recorded="auto")).query(store, "What is my cat called?")
        engine = MemoryRLM(connect("offline", recorded=recorded))
        seconds = []
        for _ in range(queries + 5):
            started = time.perf_counter()
            answer = engine.query(store, "What is my cat called?")
            seconds.append(time.perf_counter() - started)
        warm = sorted(seconds[5:])
        low, high = warm[len(warm) // 20], warm[-1 - len(warm) // 20]
        print(
            f"recorded={recorded}: median {1000 * statistics.median(warm):.1f} ms "
            f"(5% to 95%: {1000 * low:.1f} to {1000 * high:.1f}) over {queries} queries, "
            f"{answer.coverage.asked} sub-agent call and {len(answer.trace.steps)} replies of the root model each"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
