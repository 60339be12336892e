"""Asks methods x samples and returns one tidy pandas frame: one row per method and question.

The only place that defines the fields of a row. The runner keeps no state: a stopped run is continued through the
recorded calls (see `rlm_memory_core.models.recorded_calls`).
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from functools import partial
from typing import Any

import pandas as pd

from rlm_memory_core.models import background

from ..methods import attempt
from ..progress import Progress, gather
from ..score.scoring import score
from ..types import Method, Prediction, Sample
from .executors import spread

Score = Callable[[Sample, str], Mapping[str, float]]

SCORES = ("em", "f1", "em_strict", "f1_squad", "abstained")
MEASURED = (
    "prompt_tokens", "completion_tokens", "calls", "cost_usd", "seconds", "coverage",
    "subagents", "failed_subagents", "failures", "copies",
)  # fmt: skip
"""Fields of a row that are a `Prediction`'s own."""

COLUMNS = (
    "question_id", "question_type", "method", "model", *SCORES, *MEASURED,
    "sessions_read", "evidence_read", "answer_words", "error",
)  # fmt: skip
"""The figures of a question: the columns of `NN_name.questions.csv`."""


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
    """Has every method answer every sample.

    Args:
        methods: In the order of the table.
        samples: Read one at a time, so that a large file stays on disk.
        model: The model's name in the rows.
        score_with: The scoring rule; returns numbers by column name.
        concurrency: Questions of one method in flight at once. Seconds per question mean most at 1.
        progress: Whether to show a bar on the terminal.
        executor: Its workers answer; None answers in this process. `executors` says what is sent to them;
            `dask_cluster` makes a cluster an executor. Only the seconds in the rows depend on it.

    Returns:
        One row per method and sample, in that order, with `COLUMNS` and the `answer` itself. A failed question keeps
        its row, with its `error` and scores of 0.

    Raises:
        ValueError: `concurrency` is below 1, or above 1 with an executor, or there are no samples or methods.
        ExecutorError: The executor's workers cannot be used, or were lost.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency}")
    if concurrency > 1 and executor is not None:
        raise ValueError(f"concurrency {concurrency} is for one machine; an executor sets its own number of workers")
    if not len(samples) or not methods:
        raise ValueError("nothing to run: no samples, or no methods")
    with closing(Progress(len(methods) * len(samples), show=progress)) as bar:
        if executor is None:
            answer = partial(_answer, methods, samples, model, score_with, bar)
            answered = background.run(gather(answer, range(len(samples)), concurrency))
        else:
            found = {}
            questions = ((method, sample) for sample in samples for method in methods)
            for number, method, sample, prediction in spread(executor, questions):
                bar.advance(method.name)
                found[number] = _row(sample, prediction, method.name, model, score_with)
            in_order = [found[number] for number in sorted(found)]
            answered = [in_order[start : start + len(methods)] for start in range(0, len(in_order), len(methods))]
    rows = [row for of_method in zip(*answered, strict=True) for row in of_method]
    return pd.DataFrame(rows, columns=[*COLUMNS, "answer"])


async def _answer(
    methods: Sequence[Method], samples: Sequence[Sample], model: str, score_with: Score, bar: Progress, position: int
) -> list[dict[str, Any]]:
    """Has every method answer one question, one after another, so that they share its stored history."""
    sample, rows = samples[position], []  # only now: a waiting question holds no history
    for method in methods:
        rows.append(_row(sample, await attempt(method, sample), method.name, model, score_with))
        bar.advance(method.name)
    return rows


def _row(sample: Sample, prediction: Prediction, method: str, model: str, score_with: Score) -> dict[str, Any]:
    scores = dict(score_with(sample, prediction.text))
    if prediction.error:
        scores = dict.fromkeys(scores, 0.0)  # a failed question scores 0, whatever its text holds
    read = prediction.sessions_read
    known = read is not None and sample.evidence and not sample.abstain
    return {
        "question_id": sample.id,
        "question_type": sample.kind,
        "method": method,
        "model": model,
        **{name: scores.get(name) for name in SCORES},
        **{name: getattr(prediction, name) for name in MEASURED},
        "sessions_read": None if read is None else len(read),
        "evidence_read": float(set(sample.evidence) <= set(read or ())) if known else None,
        "answer_words": len(prediction.text.split()),
        "error": prediction.error,
        "answer": prediction.text,
    }
