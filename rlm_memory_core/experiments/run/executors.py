"""A run's questions in other processes or on other machines, through any `concurrent.futures.Executor`.

Sent are the method, with its model as a description (no client, no API key: each worker reads its own environment),
and one sample with its whole history, so that workers need no data files. What comes back is the prediction and what
it spent. Few samples are on their way at once, however many there are.

A budget cannot be exact over processes that do not see each other: each question starts from what had come back when
it was sent, and stops by itself once it alone has spent the rest. Once the budget has ended, workers still answer
from recorded calls, which are free, and send no others, so that it is overrun by no more than the questions on their
way.

How a Dask cluster becomes an executor is in `dask_cluster`.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from typing import NamedTuple

from rlm_memory_core.models import background
from rlm_memory_core.models.budget import Budget
from rlm_memory_core.models.pricing import Usage

from ..methods import attempt
from ..types import Method, Prediction, Sample

try:
    from cloudpickle import dumps  # comes with Dask; it also sends methods that a notebook defines
except ModuleNotFoundError:
    from pickle import dumps

_SLOTS = 16  # of an executor that does not say how many workers it has
_LOOK = 10.0  # seconds without an answer before the executor is looked at


class ExecutorError(Exception):
    """Workers that cannot be used or were lost; one line says what is wrong and what to do."""


class Answered(NamedTuple):
    """A question asked by `spread`.

    Args:
        number: Its place among the questions, from 0.
        method, sample: What was asked.
        prediction: What came of it.
    """

    number: int
    method: Method
    sample: Sample
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a worker sends back: the prediction, what was paid for (replays were not), and why the budget ended."""

    prediction: Prediction
    spent: Usage
    spent_usd: float | None
    ended: str


def spread(executor: Executor, questions: Iterable[tuple[Method, Sample]]) -> Iterator[Answered]:
    """Have an executor's workers answer questions, and give each as it comes back.

    Args:
        executor: Of processes (started by spawn or forkserver), threads, or a cluster. It is not shut down.
        questions: Methods with samples; taken one by one, as there is room. The `budget` of a method, where it has
            one, is charged with what its questions spent.

    Raises:
        ExecutorError: A method cannot be sent, or the executor has lost its workers.
        BrokenExecutor: A process of a pool died, and the pool with it.

    Whatever else a method raises is raised here. What is still on its way then is cancelled.
    """
    waiting: dict[Future[_Outcome], tuple[int, Method, Sample]] = {}
    try:
        for number, (method, sample) in enumerate(questions):
            waiting[executor.submit(_answer, _packed(method, sample))] = number, method, sample
            while len(waiting) > slots(executor):  # one more than there are slots: it is at hand when one is free
                yield from _collect(executor, waiting)
        while waiting:
            yield from _collect(executor, waiting)
    finally:
        for future in waiting:
            future.cancel()


def slots(executor: Executor) -> int:
    """How many questions an executor works on at once, as far as it can be known; at least 1.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> slots(ThreadPoolExecutor(3))
    3
    """
    known = getattr(executor, "slots", getattr(executor, "_max_workers", None))
    return _SLOTS if known is None else max(1, int(known))


def _collect(executor: Executor, waiting: dict[Future[_Outcome], tuple[int, Method, Sample]]) -> Iterator[Answered]:
    """Wait for questions to come back, charge their budgets, and take them off the list."""
    done: set[Future[_Outcome]] = set()
    while not done:
        done, _ = wait(waiting, _LOOK, FIRST_COMPLETED)
        if not done:
            slots(executor)  # raises where nobody is left to answer
    for future in done:
        number, method, sample = waiting.pop(future)
        yield Answered(number, method, sample, _prediction(future, _budget(method)))


def _prediction(future: Future[_Outcome], budget: Budget | None) -> Prediction:
    try:
        outcome = future.result()
    except CancelledError as error:
        raise ExecutorError("the executor gave up a question: its scheduler is gone, or it was shut down") from error
    except Exception as error:
        if type(error).__name__ != "KilledWorker":  # Dask's; this module does without Dask
            raise
        return Prediction("", error="every worker that was given this question died of it; see the workers' logs")
    if budget is not None:
        budget.charge(outcome.spent, outcome.spent_usd)
        budget.ended = budget.ended or outcome.ended
    return outcome.prediction


def _packed(method: Method, sample: Sample) -> bytes:
    """A copy also for threads: each question has a budget of its own to count on."""
    try:
        return bytes(dumps((method, sample)))
    except Exception as error:  # pickle has no error of its own for what it cannot do
        raise ExecutorError(f"{method.name} or its sample cannot be sent to another process: {error}") from error


def _answer(packed: bytes) -> _Outcome:
    """Answer one question, on the worker."""
    method, sample = pickle.loads(packed)
    budget = _budget(method) or Budget()
    before, before_usd = budget.spent, budget.spent_usd
    prediction = background.run(attempt(method, sample))
    after_usd = budget.spent_usd
    spent_usd = None if after_usd is None or before_usd is None else after_usd - before_usd
    return _Outcome(prediction, budget.spent - before, spent_usd, budget.ended)


def _budget(method: Method) -> Budget | None:
    return getattr(method, "budget", None)
