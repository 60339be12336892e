"""In which order notebooks run, and what a run tells on its way; the processes are stood in for by threads."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rlm_memory_core.experiments.run import execution
from rlm_memory_core.experiments.run.catalog import Notebook
from rlm_memory_core.experiments.run.execution import Ran
from rlm_memory_core.experiments.run.options import Options
from rlm_memory_core.experiments.run.reproduce import Plan, Ready


def asks(_):
    return ()


BOOKS = [
    Notebook("01", "a", asks, seconds=1),
    Notebook("02", "b", asks, seconds=9),
    Notebook("05", "c", timed=True),
    Notebook("99", "d", judges=True),
]


@pytest.fixture
def beside(monkeypatch):
    """Runs `BOOKS`; gives the order in which they began, and for each those that ran beside it."""

    def run(model, budget=-1.0):
        began, running, found = [], set(), {}

        def one(plan, ready, _):
            name = ready.notebook.name
            began.append((name, ready.parameters.get("options", {}).get("budget_usd")))
            running.add(name)
            time.sleep(0.05)
            found[name] = set(running) - {name}
            running.discard(name)
            return Ran(name, 0.25, error="it failed" if name == "02" else "")

        monkeypatch.setattr(execution, "_run", one)
        monkeypatch.setattr(execution, "ProcessPoolExecutor", lambda jobs, _: ThreadPoolExecutor(jobs))
        monkeypatch.setattr("os.cpu_count", lambda: 2)
        plan = Plan(Options(model, budget_usd=budget))
        ended = list(execution.execute(plan, [Ready(book, {"options": {}}) for book in BOOKS]))
        return began, found, ended

    return run


def test_what_measures_time_and_what_judges_run_alone_and_a_failure_ends_nothing(beside):
    began, found, ended = beside("offline")
    names = [name for name, _ in began]
    assert (names[0], names[-1], set(names[1:3])) == ("05", "99", {"01", "02"})
    assert found["05"] == found["99"] == set()
    assert [ran.error for ran in ended if ran.error] == ["it failed"]
    assert ended[-1].told.startswith("done in ")
    assert "(100%)" in ended[-1].told


def test_where_a_model_is_paid_one_runs_after_another_with_what_is_left_of_the_budget(beside):
    began, found, _ = beside("gpt-4o-mini", budget=2.0)
    assert all(others == set() for others in found.values())
    assert [budget for name, budget in began if name in ("01", "02")] == [1.75, 1.5]
