"""Methods x samples -> one tidy pandas frame, one row a question and method.

The runner asks and scores; it draws no table. It keeps no state of its own: a run that
was stopped is taken up through the recorded calls (see `rlm_memory_core.models.recorded_calls`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from typing import Any

import pandas as pd

from rlm_memory_core.models import background

from ..methods import attempt
from ..score.scoring import score
from ..types import Method, Prediction, Sample
from .executors import spread
from .progress import Progress

Score = Callable[[Sample, str], Mapping[str, float]]

COLUMNS = (
    "question_id",
    "question_type",
    "method",
    "model",
    "em",
    "f1",
    "em_strict",
    "f1_squad",
    "abstained",
    "prompt_tokens",
    "completion_tokens",
    "calls",
    "cost_usd",
    "seconds",
    "coverage",
    "subagents",
    "failed_subagents",
    "failures",
    "copies",
    "sessions_read",
    "evidence_read",
    "answer_words",
    "error",
)
"""The figures of a question: what `NN_name.questions.csv` holds."""


def run(
    methods: Sequence[Method],
    samples: Sequence[Sample],
    *,
    model: str,
    score_with: Score = score,
    concurrency: int = 1,
    progress: bool = True,
    executor: Executor | None = None,
) -> pd.DataFrame:
    """Have every method answer every sample.

    Args:
        methods: In the order of the table.
        samples: Read one at a time, so that a large file stays on disk.
        model: How the rows name the model.
        score_with: The scoring rule; gives figures by column name.
        concurrency: Questions of one method on their way at once. Seconds of a question
            mean most at 1.
        progress: A bar on the terminal; none where the output is not one.
        executor: Whose workers answer; None answers in this process. See `executors` for what is sent to them, and
            `dask_cluster` for a cluster. The rows are the same but for their seconds.

    Returns:
        One row a method and sample, in that order, with `COLUMNS` and the `answer` itself. A question that
        failed has its `error` and scores 0; it is never left out.

    Raises:
        ValueError: Concurrency below 1, or above it beside an executor, or no samples.
        ExecutorError: The executor's workers cannot be used, or were lost.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency}")
    if concurrency > 1 and executor is not None:
        raise ValueError(f"concurrency {concurrency} is for one machine: an executor's workers are as many as they are")
    if not len(samples) or not methods:
        raise ValueError("nothing to run: no samples, or no methods")
    rows: list[dict[str, Any]] = []
    total = len(methods) * len(samples)
    with closing(Progress(total, show=progress)) as bar:
        if executor is not None:
            rows = _run_on(executor, methods, samples, model, score_with, bar)
        else:
            for method in methods:
                bar.start(method.name)
                rows += background.run(_run_method(method, samples, model, score_with, concurrency, bar))
    return pd.DataFrame(rows, columns=[*COLUMNS, "answer"])


async def _run_method(
    method: Method, samples: Sequence[Sample], model: str, score_with: Score, concurrency: int, bar: Progress
) -> list[dict[str, Any]]:
    slots = asyncio.Semaphore(concurrency)

    async def one(position: int) -> dict[str, Any]:
        async with slots:  # the sample is made only now: a waiting question holds no history
            sample = samples[position]
            prediction = await attempt(method, sample)
        bar.advance()
        return _row(sample, prediction, method.name, model, score_with)

    return list(await asyncio.gather(*map(one, range(len(samples)))))


def _run_on(
    executor: Executor,
    methods: Sequence[Method],
    samples: Sequence[Sample],
    model: str,
    score_with: Score,
    bar: Progress,
) -> list[dict[str, Any]]:
    questions = ((method, samples[position]) for method in methods for position in range(len(samples)))
    rows = {}
    for number, method, sample, prediction in spread(executor, questions):
        bar.start(method.name)
        bar.advance()
        rows[number] = _row(sample, prediction, method.name, model, score_with)
    return [rows[number] for number in sorted(rows)]


def _row(sample: Sample, prediction: Prediction, method: str, model: str, score_with: Score) -> dict[str, Any]:
    figures = dict(score_with(sample, prediction.text))
    if prediction.error:
        figures = dict.fromkeys(figures, 0.0)  # what failed scores nothing, whatever it holds
    return {
        "question_id": sample.id,
        "question_type": sample.kind,
        "method": method,
        "model": model,
        **{name: figures.get(name) for name in ("em", "f1", "em_strict", "f1_squad", "abstained")},
        "prompt_tokens": prediction.prompt_tokens,
        "completion_tokens": prediction.completion_tokens,
        "calls": prediction.calls,
        "cost_usd": prediction.cost_usd,
        "seconds": prediction.seconds,
        "coverage": prediction.coverage,
        "subagents": prediction.subagents,
        "failed_subagents": prediction.failed_subagents,
        "failures": prediction.failures,
        "copies": prediction.copies,
        "sessions_read": None if prediction.sessions_read is None else len(prediction.sessions_read),
        "evidence_read": _evidence_read(sample, prediction),
        "answer_words": len(prediction.text.split()),
        "error": prediction.error,
        "answer": prediction.text,
    }


def _evidence_read(sample: Sample, prediction: Prediction) -> float | None:
    """Whether all evidence was among the sessions that were read; None where there is none, or it is not known."""
    if prediction.sessions_read is None or sample.abstain or not sample.evidence:
        return None
    return float(set(sample.evidence) <= set(prediction.sessions_read))
