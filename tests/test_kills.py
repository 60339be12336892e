"""A run that was killed with SIGKILL goes on from its record; `benchmarks/kills.py` does it thirty times."""

import importlib.util
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "kills.py"


@pytest.fixture
def kills():
    spec = importlib.util.spec_from_file_location("kills", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_killed_run_goes_on_where_it_was_and_sends_nothing_recorded_again(kills, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "kills", kills)
    done = list(kills.trials(2, 12, seed=3))
    assert [trial.again for trial in done] == [0, 0]
    assert all(trial.equal for trial in done)
    assert any(trial.recorded > 0 for trial in done)
    assert all(trial.recorded + trial.sent == 12 * 5 for trial in done)
