"""A run that was killed with SIGKILL goes on from its record; `benchmarks/kills.py` does it thirty times."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kills.py"


@pytest.fixture
def kills(monkeypatch):
    spec = importlib.util.spec_from_file_location("kills", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "kills", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was_and_sends_nothing_recorded_again(kills):
    done = list(kills.trials(1, 12, seed=0))
    assert [trial.again for trial in done] == [0]
    assert all(trial.equal for trial in done)
    assert all(trial.recorded + trial.sent == 12 * 5 for trial in done)
