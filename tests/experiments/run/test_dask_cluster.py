"""On a cluster of two worker processes on this machine."""

import json
import os
import signal
import sys
import time
from collections.abc import Sequence

import pandas as pd
import pytest

from rlm_memory_core import connect
from rlm_memory_core.cli import main as cli
from rlm_memory_core.experiments.data import niah
from rlm_memory_core.experiments.methods import make
from rlm_memory_core.experiments.run import dask_cluster, runner
from rlm_memory_core.experiments.run.dask_cluster import DaskExecutor
from rlm_memory_core.experiments.run.executors import ExecutorError
from rlm_memory_core.experiments.run.options import Options
from rlm_memory_core.experiments.types import Prediction

pytest.importorskip("distributed", reason="distributed is not installed: pip install 'rlm-memory[dask]'")
import cloudpickle
import dask
from distributed import LocalCluster
from questions import samples

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import this file


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers with a folder of recorded calls of their own; those that die are replaced."""
    folder = tmp_path_factory.mktemp("workers")
    settings = {
        "distributed.scheduler.allowed-failures": 1,  # workers that a question may kill, less one
        "distributed.deploy.lost-worker-timeout": "1h",  # or the cluster gives up one that is being replaced
    }
    environment = {"RLM_MEMORY_CACHE": str(folder / "cache"), "OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", env=environment, silence_logs="CRITICAL",
            local_directory=str(folder),
        ) as cluster,
    ):  # fmt: skip
        yield cluster


@pytest.fixture
def workers(cluster):
    with DaskExecutor(cluster.scheduler_address) as executor:
        executor._client.wait_for_workers(2, timeout=60)
        yield executor


class Killing(Sequence):
    """Samples; when the third is taken, and so two are being answered, a worker is killed."""

    def __init__(self, questions, pid):
        self.questions, self.pid, self.taken = questions, pid, 0

    def __len__(self):
        return len(self.questions)

    def __getitem__(self, index):
        self.taken += 1
        if self.taken == 3:
            time.sleep(0.2)
            os.kill(self.pid, signal.SIGKILL)
        return self.questions[index]


class Slow:
    """A method that only this file defines."""

    name = "slow"

    async def __call__(self, sample):
        import asyncio

        await asyncio.sleep(0.5)
        return Prediction(f"{sample.id} is blue", calls=1)


class Deadly(Slow):
    async def __call__(self, sample):
        if sample.id == "q1":
            os.kill(os.getpid(), signal.SIGKILL)
        return Prediction("blue")


def run(methods, questions, executor=None):
    return runner.run(methods, questions, model="m", executor=executor).drop(columns="seconds")


@pytest.mark.slow
def test_both_workers_answer_as_this_process_does(workers):
    questions = niah.load([20, 50], runs=2)
    methods = make(["truncation", "rlm-sequential", "rlm-parallel"], connect("offline"), 2_000)
    assert run(methods, questions, workers).equals(run(methods, questions))
    assert len(set(workers.on_each(os.getpid))) == workers.slots == 2


@pytest.mark.slow
def test_a_worker_that_is_killed_changes_nothing(workers):
    questions, before = samples(6), workers.on_each(os.getpid)
    killing = Killing(questions, before[0])
    assert run([Slow()], killing, workers).equals(run([Slow()], questions))
    workers._client.wait_for_workers(2, timeout=60)
    assert before[0] not in workers.on_each(os.getpid)


@pytest.mark.slow
def test_a_question_that_kills_its_workers_fails_and_none_is_lost(workers):
    frame = run([Deadly()], samples(4), workers)
    assert list(frame.index) == [0, 1, 2, 3]
    # Dask may suspect a neighbour that shared the dying workers; then it has that error, and not another answer
    assert all((row["answer"] == "blue") != bool(row["error"]) for _, row in frame.drop(index=1).iterrows())
    assert "every worker that was given this question died of it" in frame.loc[1, "error"]
    assert frame.loc[1, "em"] == 0


@pytest.mark.slow
def test_reproduce_gives_the_same_on_a_cluster_and_is_judged_here(workers, fault_server, tmp_path, longmemeval_item):
    (tmp_path / "longmemeval_s.json").write_text(json.dumps([longmemeval_item("q1"), longmemeval_item("q2")]))
    judge = fault_server(lambda messages: "yes")
    judged = [
        "reproduce", "--only", "03", "--judge", "fake-judge", "--sample", "all", "--yes",
        "-p", "judge_base_url", judge.url, "-p", "judge_rates", "[1e-6, 1e-6]", "-p", "data_dir", str(tmp_path),
        "-p", "methods", "['truncation', 'rlm-parallel']",
    ]  # fmt: skip
    here, there = tmp_path / "here", tmp_path / "there"
    assert cli.main([*judged, "--outputs", str(here)]) == 0
    assert cli.main([*judged, "--outputs", str(there), "--dask", workers.address]) == 0

    def rows(folder):
        return pd.read_csv(folder / "offline/results/03_longmemeval_s.questions.csv").drop(columns="seconds")

    def outputs(folder):
        cells = json.loads((folder / "offline/03_longmemeval_s.ipynb").read_text())["cells"]
        timed = "nbval-ignore-output"  # a tag
        return [
            cell["outputs"] for cell in cells if "outputs" in cell and timed not in cell["metadata"].get("tags", [])
        ]

    assert rows(there).equals(rows(here))
    assert outputs(there) == outputs(here)  # a notebook says no word of Dask
    document = json.loads((there / "offline/results/03_longmemeval_s.json").read_text())
    found = {row["id"]: row["value"] for row in document["rows"]}
    assert document["provenance"]["judge"] == "fake-judge"
    assert (found["judged.truncation.overall"], found["judged.rlm-parallel.overall"]) == (1.0, 1.0)
    assert {body["model"] for body in judge.bodies.values()} == {"fake-judge"}


def test_every_worker_is_asked_whether_it_can_reach_the_model(workers, capsys):
    arguments = ["reproduce", "--only", "01", "--dask", workers.address, "--model", "gpt-4o-mini", "--yes"]
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "the Dask worker tcp://127.0.0.1:" in said
    assert "no API key for gpt-4o-mini" in said


def test_workers_need_this_very_package(workers, monkeypatch):
    workers.check()
    ours, here = dask_cluster._source, os.getpid()

    def other():
        return "0.0.9, source 12345678" if os.getpid() != here else ours()

    monkeypatch.setattr(dask_cluster, "_source", other)
    with pytest.raises(ExecutorError, match=r"has another rlm-memory \(0\.0\.9, source 12345678\) than this process"):
        workers.check()

    def missing():
        if os.getpid() != here:
            raise ModuleNotFoundError("No module named 'rlm_memory_core'")
        return ours()

    monkeypatch.setattr(dask_cluster, "_source", missing)
    with pytest.raises(ExecutorError, match=r"No module named 'rlm_memory_core'; install this rlm-memory \(0"):
        workers.check()


def test_a_cluster_without_workers_is_said(monkeypatch):
    with (
        LocalCluster(n_workers=0, dashboard_address=":0", silence_logs="CRITICAL") as empty,
        DaskExecutor(empty.scheduler_address) as executor,
    ):
        with pytest.raises(ExecutorError, match="has no workers"):
            executor.check()
        assert executor.slots == 0  # for a minute they may come back
        monkeypatch.setattr(dask_cluster, "_WITHOUT_WORKERS", -1.0)
        with pytest.raises(ExecutorError, match="has lost all its workers"):
            _ = executor.slots


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:9", "not within"),
        ("nonsense", "missing port number"),
        ("foo://127.0.0.1:9", "unknown address scheme"),
        ("tls://127.0.0.1:9", "TLS"),
    ],
)
def test_an_address_where_no_scheduler_is_is_one_line(capsys, monkeypatch, address, said):
    monkeypatch.setattr(dask_cluster, "_CONNECTING", 0.5)
    assert cli.main(["reproduce", "--only", "01", "--dask", address]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"rlm-memory: no Dask scheduler answers at {address} (")
    assert said in line
    assert line.count("\n") == 1


def test_dask_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ExecutorError, match=r'run pip install "rlm-memory\[dask\]"'):
        DaskExecutor("tcp://127.0.0.1:8786")


def test_no_address_is_no_cluster():
    assert Options().executor is None
