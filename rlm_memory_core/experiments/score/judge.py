"""Judged accuracy: a model reads each answer beside the gold answer and says yes or no.

The official measure of LongMemEval, with any model as judge; `judge_prompts` holds the
rubrics. A reply must be one word: a judge that says neither is asked once more, and
then the answer counts as unjudged, with the reason, never as wrong. An answer that is
empty or failed is wrong without a call. Calls are recorded and charged like all others.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from rlm_memory_core.models import background
from rlm_memory_core.models.budget import Budget, BudgetExceeded
from rlm_memory_core.models.llm import LLM, OFFLINE, OFFLINE_LABEL, ModelError, connect

from ..data.assets import project_root
from ..run.progress import Progress
from ..run.results import Result, write_text
from ..show.cells import OVERALL, as_text, groups, paper_row, typed, with_interval
from ..types import Sample
from .intervals import wilson
from .judge_prompts import again, judge_messages

COLUMNS = ("question_id", "question_type", "method", "judge", "abstain", "em", "judged", "reason")
TASK_AVERAGED, ABSTENTION, UNJUDGED = "task-averaged", "abstention", "unjudged"
NO_ANSWER = "no answer"
NEITHER = "the judge said neither yes nor no, twice"

_AT_ONCE = 64  # calls; a judge's prompt is short, so that most servers take as many
_THOUGHTS = re.compile(r"\s*<think>.*?</think>", re.S)
_ONE_WORD = re.compile(r"[\W_]*(yes|no)[\W_]*", re.I)


def connect_judge(model: str, beside: LLM, base_url: str = "", rates: Sequence[float] = ()) -> LLM | None:
    """Name the judge; nothing is asked.

    Args:
        model: Any model's name, or "" for no judge.
        beside: The model that answers; the judge is sought on its server, and keeps to its limits there.
        base_url: The judge's own server, where it has one.
        rates: Dollars per prompt and per completion token, where the price is not known.

    Raises:
        ValueError: It is the offline reader, which cannot judge, or `rates` are not two numbers.

    >>> connect_judge("", connect("offline")) is None
    True
    """
    if not model:
        return None
    if model == OFFLINE:
        raise ValueError(f"the {OFFLINE_LABEL} cannot judge answers: name a model as judge_model, or leave it empty")
    if len(rates) not in (0, 2):
        raise ValueError(f"judge_rates are dollars per prompt and per completion token, not {list(rates)}")
    server = base_url or beside.base_url
    known = (rates[0], rates[1]) if rates else None
    if (model, server) == (beside.model, beside.base_url):
        known = known or beside.rates
    limits = vars(beside.pace) if server == beside.base_url else {}
    return connect(model, server, rates=known, **limits)


def run(
    frame: pd.DataFrame,
    samples: Sequence[Sample],
    judge: LLM | None,
    budget: Budget | None = None,
    *,
    concurrency: int = _AT_ONCE,
    progress: bool = True,
) -> pd.DataFrame | None:
    """Have a judge read every answer, and say in one line who judged, and what was not judged and why.

    Args:
        frame: The runner's rows.
        samples: Those that were asked; read one at a time.
        judge: As `connect_judge` gives it.
        budget: The run's own: what judging costs is charged to it.
        concurrency: Calls on their way at once.
        progress: A bar on the terminal.

    Returns:
        One row an answer, method by method, with `COLUMNS`: `judged` is 1, 0, or not-a-number for an answer that
        no verdict was had on, with its `reason`. None without a judge.

    Raises:
        ValueError: Concurrency below 1, or a row whose question is not among the samples.
    """
    if judge is None:
        print(f"No judge was asked: judge_model is empty, and the {OFFLINE_LABEL} cannot judge. Any model can.")
        return None
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency}")
    asked = {sample.id: (sample.question, sample.answer, sample.abstain) for sample in samples}
    if missing := set(frame["question_id"]) - asked.keys():
        raise ValueError(f"cannot judge {min(missing)}: it is not among the samples")
    judged: list[dict[str, Any]] = []
    with closing(Progress(len(frame), show=progress)) as bar:
        for method, rows in groups(frame, "method"):  # in turn: what two of them answered alike is asked once
            bar.start(f"judge of {method}")
            judged += background.run(_judge_all(rows.to_dict("records"), asked, judge, budget, concurrency, bar))
    verdicts = pd.DataFrame(judged, columns=COLUMNS)
    print(f"{len(verdicts)} answers, judged by: {judge.label}{_unjudged(verdicts)}")
    return verdicts


async def _judge_all(
    rows: Sequence[dict[Any, Any]],
    asked: dict[str, tuple[str, str, bool]],
    judge: LLM,
    budget: Budget | None,
    concurrency: int,
    bar: Progress,
) -> list[dict[str, Any]]:
    slots = asyncio.Semaphore(concurrency)

    async def one(row: dict[Any, Any]) -> dict[str, Any]:
        question, gold, abstain = asked[row["question_id"]]
        settled: tuple[bool | None, str] = (False, NO_ANSWER)
        if not row["error"] and row["answer"].strip():
            messages = judge_messages(question, gold, row["answer"], kind=row["question_type"], abstain=abstain)
            async with slots:
                settled = await _ask(judge, messages, budget)
        bar.advance()
        correct, reason = settled
        judged = float("nan") if correct is None else float(correct)
        kept = {name: row[name] for name in ("question_id", "question_type", "method", "em")}
        return {**kept, "judge": judge.label, "abstain": abstain, "judged": judged, "reason": reason}

    return list(await asyncio.gather(*map(one, rows)))


async def _ask(judge: LLM, messages: list[Any], budget: Budget | None) -> tuple[bool | None, str]:
    """Yes, no, or None with the reason. A second request is another one, so that no recorded reply answers it."""
    try:
        reply = await judge.complete(messages, budget)
        correct = verdict(reply.text)
        if correct is None:
            correct = verdict((await judge.complete(again(messages, reply.text), budget)).text)
    except (ModelError, BudgetExceeded) as error:
        return None, str(error)
    return correct, NEITHER if correct is None else ""


def verdict(reply: str) -> bool | None:
    """What a judge's reply says; None unless it is one word, whatever it is dressed in.

    >>> verdict("**Yes**."), verdict("no"), verdict("Yes and no")
    (True, False, None)
    """
    found = _ONE_WORD.fullmatch(_THOUGHTS.sub("", reply, count=1))
    return None if found is None else found[1].lower() == "yes"


def results(verdicts: pd.DataFrame | None) -> list[Result]:
    """Judged accuracy of each method by question type, over all, task-averaged and of the abstention questions.

    Shares are of the answers that a verdict was had on, with Wilson's interval; `judged.<method>.unjudged` counts the
    others. The task average, the plain mean of the types, is left out where a type has no verdict at all.

    Args:
        verdicts: What `run` gave; None gives no results.
    """
    if verdicts is None:
        return []
    found = []
    for method, rows in groups(verdicts, "method"):
        name = f"judged.{paper_row(method)}"
        settled = rows.dropna(subset="judged")
        of_types = [_share(f"{name}.{kind}", part) for kind, part in typed(settled) if len(part)]
        found += of_types
        means = [result.value for result in of_types if result.id != f"{name}.{OVERALL}"]
        if len(means) == rows["question_type"].nunique():
            found.append(Result(f"{name}.{TASK_AVERAGED}", sum(means) / len(means), len(settled)))
        if settled["abstain"].any():
            found.append(_share(f"{name}.{ABSTENTION}", settled[settled["abstain"]]))
        found.append(Result(f"{name}.{UNJUDGED}", len(rows) - len(settled), len(rows)))
    return found


def count_unjudged(rows: Sequence[Mapping[str, Any]]) -> int:
    """Answers without a verdict, over all methods, by the rows of a results document.

    >>> count_unjudged([{"id": "judged.rag.unjudged", "value": 2}, {"id": "judged.rag.overall", "value": 0.5}])
    2
    """
    return sum(int(row["value"]) for row in rows if re.fullmatch(rf"judged\..+\.{UNJUDGED}", row["id"]))


def table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Judged accuracy beside EM, as text: one row a question type, then the four figures over all types.

    Args:
        verdicts: What `run` gave.
    """
    found = {result.id: result for result in results(verdicts)}
    kinds = sorted(set(verdicts["question_type"]))
    first = verdicts[verdicts["method"] == verdicts["method"].iloc[0]]
    rows = {}
    for kind in [*kinds, OVERALL, TASK_AVERAGED, *([ABSTENTION] if first["abstain"].any() else [])]:
        row = {"n": f"{len(_part(first, kind))}"}
        for method, answered in groups(verdicts, "method"):
            judged = found.get(f"judged.{paper_row(method)}.{kind}")
            row[f"{method}, EM"] = _em(answered, kind)
            row[f"{method}, judged"] = "" if judged is None else _cell(judged)
        rows[kind] = row
    rows[UNJUDGED] = {"n": f"{len(first)}"}
    for method, _ in groups(verdicts, "method"):
        count = found[f"judged.{paper_row(method)}.{UNJUDGED}"].value
        rows[UNJUDGED] |= {f"{method}, EM": "", f"{method}, judged": f"{count}"}
    return as_text(rows, "question type")


def write(folder: str | Path, name: str, verdicts: pd.DataFrame | None) -> None:
    """Write `results/<name>.judged.csv` below a folder: ids and verdicts, no text of a data set.

    Args:
        folder: Where outputs go; "" writes nothing.
        name: The notebook's, such as "03_longmemeval_s".
        verdicts: What `run` gave; None takes an earlier run's file away, which would stand beside other answers.
    """
    if not str(folder):
        return
    path = project_root() / folder / "results" / f"{name}.judged.csv"
    if verdicts is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, verdicts.to_csv(index=False, float_format="%.6g"))


def _unjudged(verdicts: pd.DataFrame) -> str:
    """How many answers have no verdict, and why; "" where all have one."""
    reasons = verdicts.loc[verdicts["judged"].isna(), "reason"].value_counts()
    told = ", ".join(f"{count} because {reason}" for reason, count in reasons.items())
    return f"; unjudged: {told}" if told else ""


def _share(name: str, rows: pd.DataFrame) -> Result:
    right, n = int(rows["judged"].sum()), len(rows)
    return Result(name, right / n, n, *wilson(right, n))


def _part(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    if kind in (OVERALL, TASK_AVERAGED):
        return rows
    return rows[rows["abstain"]] if kind == ABSTENTION else rows[rows["question_type"] == kind]


def _em(rows: pd.DataFrame, kind: str) -> str:
    part = _part(rows, kind)
    if not len(part):
        return ""
    value = part.groupby("question_type")["em"].mean().mean() if kind == TASK_AVERAGED else part["em"].mean()
    return f"{value:.3f}"


def _cell(result: Result) -> str:
    return f"{result.value:.3f}" if result.low is None else with_interval(result)
