"""The offline reader over LongMemEval-S: seconds by method, and the most memory the process held.

Run: RLM_MEMORY_DATA=... python benchmarks/longmemeval.py [paper|all|N]

Each method is timed on the same questions in the same run; nothing is recorded or replayed.
"""

from __future__ import annotations

import resource
import sys
import time

from rlm_memory_core import connect
from rlm_memory_core.experiments import methods
from rlm_memory_core.experiments.data import longmemeval
from rlm_memory_core.experiments.run import runner


def main(sample: str) -> None:
    """Time each method over the sample."""
    started = time.perf_counter()
    samples = longmemeval.load("s", sample)
    print(f"open {len(samples)} questions: {time.perf_counter() - started:.1f} s")
    llm = connect("offline", recorded="off")
    total = 0.0
    for name in ("truncation", "rlm-sequential", "rlm-parallel"):
        started = time.perf_counter()
        frame = runner.run(methods.make([name], llm, 32_000), samples, model=llm.label)
        seconds = time.perf_counter() - started
        total += seconds
        print(
            f"{name}: {seconds:.1f} s, {1000 * seconds / frame['calls'].sum():.2f} ms a call, "
            f"EM (containment) {frame['em'].mean():.2f}, {frame['answer_words'].mean():.1f} words"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"together: {total:.1f} s, at most {peak:.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "paper")
