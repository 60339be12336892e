"""Spreads a run's questions over other processes or machines, through any `concurrent.futures.Executor`.

A worker receives the method, with its model as a description (no client, no API key: each worker reads its own
environment), and one sample with its whole history, so that it needs no data files. It returns the prediction and what
it spent. Only a few samples are in flight at a time.

Processes do not see each other's spending, so a budget cannot be exact: each question starts from what had come back
when it was sent, and stops once it alone has spent the rest. After the budget has ended, workers still answer from
recorded calls, which are free, and send no others. So only the questions in flight can overrun it.

`dask_cluster` makes a Dask cluster an executor.
"""

import pickle
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from dataclasses import dataclass

from rlm_memory_core.models import background
from rlm_memory_core.models.budget import Budget
from rlm_memory_core.models.pricing import Usage

from ..methods import attempt
from ..types import Method, Prediction, Sample

try:
    from cloudpickle import dumps  # comes with Dask; sends methods that a notebook defines too
except ModuleNotFoundError:
    from pickle import dumps

_SLOTS = 16  # for an executor that does not say how many workers it has
_LOOK = 10.0  # seconds without an answer before the executor is checked

Asked = tuple[int, Method, Sample]


class ExecutorError(Exception):
    """Workers cannot be used or were lost; one line says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A worker's reply: the prediction, what was paid for (replays are free), and why the budget ended."""

    prediction: Prediction
    spent: Usage
    spent_usd: float | None
    ended: str


def spread(
    executor: Executor, questions: Iterable[tuple[Method, Sample]]
) -> Iterator[tuple[int, Method, Sample, Prediction]]:
    """Has an executor's workers answer questions, and yields each when it comes back, with its number from 0.

    Args:
        executor: Of processes (started by spawn or forkserver), threads, or a cluster. It is not shut down.
        questions: Methods with samples, taken one by one. What a question spent is charged to its method's `budget`.

    Raises:
        ExecutorError: A method cannot be sent, or the executor has lost its workers.
        BrokenExecutor: A process of a pool died, and the pool with it.

    Raises any other error of a method too. Questions in flight are then cancelled.
    """
    waiting: dict[Future[_Outcome], Asked] = {}
    try:
        for number, (method, sample) in enumerate(questions):
            waiting[executor.submit(_answer, _packed(method, sample))] = number, method, sample
            while len(waiting) > slots(executor):  # one more than slots, so that no slot waits for the next question
                yield from _collect(executor, waiting)
        while waiting:
            yield from _collect(executor, waiting)
    finally:
        for future in waiting:
            future.cancel()


def slots(executor: Executor) -> int:
    """Returns how many questions an executor works on at once, as far as is known; at least 1.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> slots(ThreadPoolExecutor(3))
    3
    """
    known = getattr(executor, "slots", getattr(executor, "_max_workers", None))
    return _SLOTS if known is None else max(1, int(known))


def _collect(
    executor: Executor, waiting: dict[Future[_Outcome], Asked]
) -> Iterator[tuple[int, Method, Sample, Prediction]]:
    """Waits until questions come back, charges their budgets, and takes them off the list."""
    done: set[Future[_Outcome]] = set()
    while not done:
        done, _ = wait(waiting, _LOOK, FIRST_COMPLETED)
        if not done:
            slots(executor)  # raises if no worker is left
    for future in done:
        number, method, sample = waiting.pop(future)
        yield number, method, sample, _prediction(future, getattr(method, "budget", None))


def _prediction(future: Future[_Outcome], budget: Budget | None) -> Prediction:
    try:
        outcome = future.result()
    except CancelledError as error:
        raise ExecutorError("the executor gave up a question: its scheduler is gone, or it was shut down") from error
    except Exception as error:
        if type(error).__name__ != "KilledWorker":  # Dask's error, by name: Dask may not be installed
            raise
        return Prediction("", error="every worker that was given this question died of it; see the workers' logs")
    if budget is not None:
        budget.charge(outcome.spent, outcome.spent_usd)
        budget.ended = budget.ended or outcome.ended
    return outcome.prediction


def _packed(method: Method, sample: Sample) -> bytes:
    """Copies the method for threads too: each question counts on its own budget."""
    try:
        return bytes(dumps((method, sample)))
    except Exception as error:  # pickle raises many kinds of error
        raise ExecutorError(f"{method.name} or its sample cannot be sent to another process: {error}") from error


def _answer(packed: bytes) -> _Outcome:
    """Answers one question, on the worker."""
    method, sample = pickle.loads(packed)
    budget = getattr(method, "budget", None) or Budget()
    before, before_usd = budget.spent, budget.spent_usd
    prediction = background.run(attempt(method, sample))
    after_usd = budget.spent_usd
    spent_usd = None if after_usd is None or before_usd is None else after_usd - before_usd
    return _Outcome(prediction, budget.spent - before, spent_usd, budget.ended)
