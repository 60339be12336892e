import asyncio
import multiprocessing
import pickle
import threading
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest
from questions import samples

from rlm_memory_core import Budget, Usage, connect
from rlm_memory_core.experiments.data import niah
from rlm_memory_core.experiments.methods import make
from rlm_memory_core.experiments.run import runner
from rlm_memory_core.experiments.run.executors import ExecutorError, slots
from rlm_memory_core.experiments.types import Prediction
from rlm_memory_core.models import llm, openai_backend

METHODS = ["truncation", "rlm-sequential", "rlm-parallel"]


@pytest.fixture(autouse=True)
def _no_models_of_other_tests():
    llm._received.cache_clear()
    yield
    llm._received.cache_clear()


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def run(methods, questions, executor=None):
    frame = runner.run(methods, questions, model="m", executor=executor)
    return frame.drop(columns="seconds")


class Echo:
    """Answers with the question's id; the later ones are the faster."""

    name = "echo"

    async def __call__(self, sample):
        await asyncio.sleep(0.05 / (1 + int(sample.id[1:])))
        return Prediction(sample.id)


class Dies:
    name = "dies"

    async def __call__(self, sample):
        import os

        os._exit(1)


class Bug:
    name = "bug"

    async def __call__(self, sample):
        raise ZeroDivisionError("a bug")


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_processes_answer_as_this_one_does(start):
    questions = niah.load([20], runs=3)
    methods = make(METHODS, connect("offline"), 2_000)
    alone = run(methods, questions)
    with ProcessPoolExecutor(2, multiprocessing.get_context(start)) as pool:
        assert run(methods, questions, pool).equals(alone)


def test_threads_answer_as_this_one_does(threads):
    questions = niah.load([20], runs=3)
    methods = make(METHODS, connect("offline"), 2_000)
    assert run(methods, questions, threads).equals(run(methods, questions))


def test_rows_stay_in_order_whatever_comes_back_first(threads):
    first, second = Echo(), Echo()
    second.name = "second"
    frame = run([first, second], samples(9), threads)
    assert list(frame["answer"]) == [f"q{number}" for number in range(9)] * 2
    assert list(frame["method"]) == ["echo"] * 9 + ["second"] * 9


class Counted(Sequence):
    """Samples that count how many were taken."""

    taken = 0

    def __len__(self):
        return 30

    def __getitem__(self, index):
        self.taken += 1
        return samples(30)[index]


class Stuck(Executor):
    """One slot, and no answer."""

    slots = 1

    def __init__(self):
        self.sent = []
        self.full = threading.Event()

    def submit(self, work, /, *args):
        self.sent.append(Future())
        if len(self.sent) > self.slots:
            self.full.set()
        return self.sent[-1]


def test_only_as_many_samples_are_taken_as_there_is_room_for_and_what_is_on_its_way_is_cancelled():
    executor, questions = Stuck(), Counted()
    failed = []

    def ask():
        try:
            run([Echo()], questions, executor)
        except OSError as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert executor.full.wait(20)
    executor.sent[0].set_exception(OSError("the network is away"))
    asking.join(20)
    assert [str(error) for error in failed] == ["the network is away"]
    assert questions.taken == len(executor.sent) == 2
    assert executor.sent[1].cancelled()


def test_a_bug_in_a_method_is_not_swallowed(threads):
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run([Bug()], samples(3), threads)


def test_a_question_that_every_worker_died_of_stays_in_with_its_reason():
    class KilledWorker(Exception):  # as Dask calls it
        pass

    class Deadly(Executor):
        def submit(self, work, /, packed):
            future = Future()
            if pickle.loads(packed)[1].id == "q1":
                future.set_exception(KilledWorker())
            else:
                future.set_result(work(packed))
            return future

    frame = run([Echo()], samples(3), Deadly())
    assert list(frame["answer"]) == ["q0", "", "q2"]
    assert "died" in frame.loc[1, "error"]
    assert list(frame["error"].astype(bool)) == [False, True, False]


def test_a_pool_that_died_and_an_executor_that_gave_up_are_said():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool, pytest.raises(BrokenProcessPool):
        run([Dies()], samples(2), pool)

    class GaveUp(Executor):
        def submit(self, work, /, *args):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(ExecutorError, match="gave up"):
        run([Echo()], samples(1), GaveUp())


def test_what_cannot_be_sent_is_said_by_name(threads):
    method = Echo()
    method.lock = threading.Lock()
    with pytest.raises(ExecutorError, match="echo or its sample cannot be sent"):
        run([method], samples(1), threads)


def test_a_budget_is_charged_with_what_workers_paid_and_stops_what_is_not_yet_sent(scripted):
    budget = Budget(calls=5)
    methods = make(["full-context"], scripted(lambda messages: "blue", rates=(0.0, 0.5)), 100, budget)
    with ThreadPoolExecutor(2) as pool:
        frame = run(methods, samples(20), pool)
    paid = int((frame["error"] == "").sum())
    assert 5 <= paid <= 5 + slots(pool)  # those on their way when the limit was reached still ended
    assert budget.spent.calls == paid == len(scripted.requests)
    assert budget.spent_usd == pytest.approx(paid * len("blue") * 0.5)
    assert all(error.startswith("the budget of 5 calls is spent") for error in frame["error"] if error)
    assert len(frame) == 20


def test_a_question_starts_from_what_was_spent_when_it_was_sent(scripted):
    budget = Budget(calls=3)
    budget.charge(Usage(calls=1), 0.0)
    methods = make(["rlm-sequential"], scripted(lambda messages: "```python\nprint(1)\n```"), 100, budget)
    with ThreadPoolExecutor(1) as pool:
        frame = run(methods, samples(1), pool)
    assert frame.loc[0, "error"] == "the budget of 3 calls is spent (3)"
    assert budget.spent.calls == 3


def test_a_price_that_is_not_known_stays_unknown(scripted, threads):
    budget = Budget(calls=5)
    run(make(["full-context"], scripted(lambda messages: "blue"), 100, budget), samples(1), threads)
    assert budget.spent_usd is None
    assert budget.spent.calls == 1


def test_one_client_serves_all_questions_of_a_process(scripted, threads, monkeypatch):
    made = []
    client = openai_backend.http_client
    monkeypatch.setattr(openai_backend, "http_client", lambda timeout: made.append(1) or client(timeout))
    run(make(["full-context"], scripted(lambda messages: "blue"), 100), samples(9), threads)
    assert len(made) == 1


def test_concurrency_beside_an_executor_is_refused(threads):
    with pytest.raises(ValueError, match="concurrency 4 is for one machine"):
        runner.run([Echo()], samples(1), model="m", concurrency=4, executor=threads)


def test_slots_of_an_executor_that_has_lost_its_workers_are_at_least_one():
    executor = Stuck()
    executor.slots = 0
    assert slots(executor) == 1
    assert slots(Executor()) > 1


def test_waiting_ends_where_nobody_is_left_to_answer(monkeypatch):
    class Lost(Stuck):
        @property
        def slots(self):
            if self.sent:
                raise ExecutorError("all workers are lost")
            return 1

    monkeypatch.setattr("rlm_memory_core.experiments.run.executors._LOOK", 0.05)
    with pytest.raises(ExecutorError, match="all workers are lost"):
        run([Echo()], samples(1), Lost())
