"""An import that was killed with SIGKILL goes on where it was; `benchmarks/kills_import.py` does it many times."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kills_import.py"


@pytest.mark.slow
def test_a_killed_import_loses_nothing_and_doubles_nothing(monkeypatch):
    spec = importlib.util.spec_from_file_location("kills_import", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "kills_import", module)
    spec.loader.exec_module(module)
    (trial,) = module.trials(1, 4000, seed=3)
    assert (trial.broken, trial.lost, trial.doubled, trial.again) == (0, 0, 0, 0)
