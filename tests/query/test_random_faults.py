"""Queries with random faults of every kind at once; a process of its own, so that its memory can be measured.

RLM_MEMORY_FAULTS sets how many; `python benchmarks/faults.py` asks 1,000.
"""

import json
import os
import subprocess
import sys

import faults
import pytest


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_hangs_overspends_or_is_lost(seed):
    queries = os.environ.get("RLM_MEMORY_FAULTS", "60")
    run = subprocess.run([sys.executable, faults.__file__, queries, str(seed)], capture_output=True, text=True)
    said = [line for line in run.stderr.splitlines() if not line.startswith("monty worker:")]  # the sandbox speaks up
    assert said == []
    told = json.loads(run.stdout)
    assert told["wrong"] == []
    assert sum(told["ends"].values()) == int(queries)
    assert {"Answer", "QueryFailed", "CancelledError"} <= set(told["ends"])
    assert len(told["faults"]) == 9
    assert told["damaged"] > 0
