"""In which order notebooks run, and what a run tells on its way; the processes are stood in for by threads."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rlm_memory_core.experiments.progress import VARIABLE
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


@pytest.fixture
def papermill(monkeypatch):
    """Papermill, as a notebook's process imports it, and what that process sets."""
    monkeypatch.setitem(sys.modules, "rfc3987_syntax", None)
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    import papermill  # here: it takes a second

    return papermill


@pytest.mark.parametrize("fails", [False, True])
def test_a_password_in_an_address_stays_out_of_the_notebook(tmp_path, monkeypatch, papermill, fails):
    def executed(path, target, parameters, **_):
        cell = {"metadata": {}, "source": [f"options = {parameters['options']!r}"]}
        Path(target).write_text(json.dumps({"metadata": {}, "cells": [cell]}))
        if fails:
            raise papermill.PapermillExecutionError(0, 1, "", "ValueError", "no", [])

    monkeypatch.setattr(papermill, "execute_notebook", executed)
    options = Options("m", base_url="http://ada:s3cret@one.test/v1", judge_base_url="http://bob:s3cret@two.test/v1")
    ready = Ready(Notebook("99", "d", judges=True), {"options": options.changed()})
    ran = execution._run(Plan(options, outputs=tmp_path), ready, tmp_path / "progress")
    written = (tmp_path / "m" / "99.ipynb").read_text()
    assert "s3cret" not in written
    assert "http://[key]@one.test/v1" in written
    assert "http://[key]@two.test/v1" in written
    assert bool(ran.error) == fails


def test_answers_without_a_verdict_are_counted_and_said(tmp_path, monkeypatch, papermill):
    def executed(path, target, **_):
        Path(target).write_text('{"metadata": {}, "cells": []}')
        folder = Path(target).parent / "results"
        folder.mkdir()
        rows = [{"id": "judged.rag.overall", "value": 0.5}, {"id": "judged.rag.unjudged", "value": 2}]
        (folder / "03.json").write_text(json.dumps({"provenance": {"spent_usd": 0.5}, "rows": rows}))
        (folder / "03.questions.csv").write_text("method,error,failures\nrag,,\nrag,,\n")

    monkeypatch.setattr(papermill, "execute_notebook", executed)
    ran = execution._run(Plan(Options("m"), outputs=tmp_path), Ready(Notebook("03", "b", asks), {}), tmp_path / "to")
    assert ran == Ran("03", 0.5, 2, ["2 answers were not judged; the notebook says why"])
