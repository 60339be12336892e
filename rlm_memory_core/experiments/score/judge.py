"""Judged accuracy: a model reads each answer beside the gold answer and says yes or no.

This is LongMemEval's official measure, with any model as judge; `judge_prompts.toml` holds the rubrics, which follow
the official evaluation (Wu et al., "LongMemEval", ICLR 2025) in our own words. A reply must be one word. A judge that
says neither is asked once more; then the answer counts as unjudged, with the reason, never as wrong. An empty or failed
answer is wrong without a call. Calls are recorded and charged like all others.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from importlib.resources import files
from typing import Any

import pandas as pd

from rlm_memory_core.models import background
from rlm_memory_core.models.budget import Budget, BudgetExceeded
from rlm_memory_core.models.llm import LLM, OFFLINE, OFFLINE_LABEL, ModelError, connect
from rlm_memory_core.models.types import ChatMessage

from ..progress import Progress, gather
from ..types import Result, Sample
from .results import OVERALL, as_text, groups, paper_row, share, typed, with_interval

_PROMPTS = tomllib.loads(files(__package__).joinpath("judge_prompts.toml").read_text(encoding="utf-8"))
RUBRICS: dict[str, str] = _PROMPTS["rubrics"]
"""By question type; "abstention" where nothing is to be found, "general" for all other types."""

COLUMNS = ("question_id", "question_type", "method", "judge", "abstain", "em", "judged", "reason")
TASK_AVERAGED, ABSTENTION, UNJUDGED = "task-averaged", "abstention", "unjudged"
NO_ANSWER = "no answer"
NEITHER = "the judge said neither yes nor no, twice"

_CONCURRENCY = 64  # calls in flight; a judge's prompt is short, so most servers take as many
_ONE_WORD = re.compile(r"[\W_]*+(yes|no)[\W_]*+", re.I)


def connect_judge(model: str, beside: LLM, base_url: str = "", rates: Sequence[float] = ()) -> LLM | None:
    """Connects the judge; sends nothing.

    Args:
        model: Any model's name, or "" for no judge.
        beside: The model that answers; the judge uses its server and the limits of that server by default.
        base_url: The judge's own server, if it has one.
        rates: Dollars per prompt and per completion token, if the price is unknown.

    Raises:
        ValueError: `model` is the offline reader, which cannot judge, or `rates` are not two numbers.

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
    limits = beside.pace if server == beside.base_url else {}
    return connect(model, server, rates=known, **limits)


def run(
    frame: pd.DataFrame, samples: Sequence[Sample], judge: LLM | None, budget: Budget | None = None
) -> pd.DataFrame | None:
    """Has a judge read every answer, and prints in one line who judged, and how many were not judged and why.

    Args:
        frame: The runner's rows.
        samples: The questions of the run; read one at a time.
        judge: What `connect_judge` returned.
        budget: The run's budget, to which judging is charged.

    Returns:
        One row per answer, method by method, with `COLUMNS`: `judged` is 1, 0, or not-a-number for an answer without
        a verdict, with its `reason`. None without a judge.

    Raises:
        ValueError: A row's question is not among the samples.
    """
    if judge is None:
        print(f"No judge was asked: judge_model is empty, and the {OFFLINE_LABEL} cannot judge. Any model can.")
        return None
    asked = {sample.id: (sample.question, sample.answer, sample.abstain) for sample in samples}
    if missing := set(frame["question_id"]) - asked.keys():
        raise ValueError(f"cannot judge {min(missing)}: it is not among the samples")
    judged: list[dict[str, Any]] = []
    with closing(Progress(len(frame))) as bar:
        for _, rows in groups(frame, "method"):  # in turn, so that equal answers of two methods are judged once
            read = partial(_judge_row, asked, judge, budget, bar)
            judged += background.run(gather(read, rows.to_dict("records"), _CONCURRENCY))
    verdicts = pd.DataFrame(judged, columns=COLUMNS)
    print(f"{len(verdicts)} answers, judged by: {judge.label}{_unjudged(verdicts)}")
    return verdicts


def rubric(kind: str, abstain: bool) -> str:
    """Returns the rubric: for abstention if nothing is to be found, else by question type, else the general one.

    >>> rubric("temporal-reasoning", abstain=True) == RUBRICS["abstention"]
    True
    """
    return RUBRICS["abstention"] if abstain else RUBRICS.get(kind, RUBRICS["general"])


def judge_messages(question: str, reference: str, answer: str, *, kind: str, abstain: bool) -> list[ChatMessage]:
    """Asks whether one answer is right.

    Args:
        question: The question.
        reference: The benchmark's gold answer, rubric or explanation.
        answer: The method's answer.
        kind: The question's type, such as "temporal-reasoning".
        abstain: Whether the history does not hold the answer.

    >>> asked = judge_messages("Who?", "Mochi", "Your cat.", kind="multi-session", abstain=False)
    >>> asked[1]["content"].splitlines()[:3]
    ['<question>', 'Who?', '</question>']
    """
    parts = (("question", question), ("reference", reference), ("answer", answer))
    graded = "\n".join(f"<{tag}>\n{text}\n</{tag}>" for tag, text in parts)
    return [
        {"role": "system", "content": _PROMPTS["system"]},
        {"role": "user", "content": f"{graded}\n\n{rubric(kind, abstain)}\nIs the answer right? Reply yes or no."},
    ]


async def _judge_row(
    asked: Mapping[str, tuple[str, str, bool]], judge: LLM, budget: Budget | None, bar: Progress, row: dict[Any, Any]
) -> dict[str, Any]:
    question, gold, abstain = asked[row["question_id"]]
    correct: bool | None = False
    reason = NO_ANSWER
    if not row["error"] and row["answer"].strip():
        messages = judge_messages(question, gold, row["answer"], kind=row["question_type"], abstain=abstain)
        correct, reason = await _ask(judge, messages, budget)
    bar.advance(f"judge of {row['method']}")
    judged = float("nan") if correct is None else float(correct)
    kept = {name: row[name] for name in ("question_id", "question_type", "method", "em")}
    return {**kept, "judge": judge.label, "abstain": abstain, "judged": judged, "reason": reason}


async def _ask(judge: LLM, messages: list[ChatMessage], budget: Budget | None) -> tuple[bool | None, str]:
    """Returns yes, no, or None with the reason; the second request differs, so that no recorded reply answers it."""
    try:
        reply = await judge.complete(messages, budget)
        correct = verdict(reply.text)
        if correct is None:
            once_more: list[ChatMessage] = [
                {"role": "assistant", "content": reply.text},
                {"role": "user", "content": _PROMPTS["again"]},
            ]
            correct = verdict((await judge.complete([*messages, *once_more], budget)).text)
    except (ModelError, BudgetExceeded) as error:
        return None, str(error)
    return correct, NEITHER if correct is None else ""


def verdict(reply: str) -> bool | None:
    """Reads a judge's reply; None unless it is one word, apart from punctuation.

    >>> verdict("**Yes**."), verdict("no"), verdict("Yes and no")
    (True, False, None)
    """
    found = _ONE_WORD.fullmatch(reply)
    return None if found is None else found[1].lower() == "yes"


def results(verdicts: pd.DataFrame | None) -> list[Result]:
    """Measures the judged accuracy of each method by question type, overall, task-averaged and on abstention questions.

    Shares are of the answers with a verdict, with Wilson's interval; `judged.<method>.unjudged` counts the others. The
    task average is the plain mean of the types; it is left out if a type has no verdict at all.

    Args:
        verdicts: What `run` returned; None gives no results.
    """
    found = []
    for method, rows in groups(verdicts, "method") if verdicts is not None else ():
        name = f"judged.{paper_row(method)}"
        settled = rows.dropna(subset="judged")
        by_type = [_share(f"{name}.{kind}", part) for kind, part in typed(settled) if len(part)]
        found += by_type
        means = [result.value for result in by_type if result.id != f"{name}.{OVERALL}"]
        if len(means) == rows["question_type"].nunique():
            found.append(Result(f"{name}.{TASK_AVERAGED}", sum(means) / len(means), len(settled)))
        if settled["abstain"].any():
            found.append(_share(f"{name}.{ABSTENTION}", settled[settled["abstain"]]))
        found.append(Result(f"{name}.{UNJUDGED}", len(rows) - len(settled), len(rows)))
    return found


def count_unjudged(rows: Sequence[Mapping[str, Any]]) -> int:
    """Counts the answers without a verdict, over all methods, in the rows of a results document.

    >>> count_unjudged([{"id": "judged.rag.unjudged", "value": 2}, {"id": "judged.rag.overall", "value": 0.5}])
    2
    """
    return sum(int(row["value"]) for row in rows if re.fullmatch(rf"judged\..+\.{UNJUDGED}", row["id"]))


def table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Shows judged accuracy beside EM, as text: one row per question type, then the figures over all types.

    Args:
        verdicts: What `run` returned.
    """
    found = {result.id: result for result in results(verdicts)}
    rows: dict[str, dict[str, str]] = {}
    for method, answered in groups(verdicts, "method"):
        for kind, part in _parts(answered):
            row = rows.setdefault(kind, {"n": f"{len(part)}"})
            row[f"{method}, EM"] = _em(part, kind)
            row[f"{method}, judged"] = _cell(found.get(f"judged.{paper_row(method)}.{kind}"))
    return as_text(rows, "question type")


def _parts(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yields the rows of the table with the answers that each covers."""
    yield from typed(rows.sort_values("question_type"))
    yield TASK_AVERAGED, rows
    if rows["abstain"].any():
        yield ABSTENTION, rows[rows["abstain"]]
    yield UNJUDGED, rows


def _unjudged(verdicts: pd.DataFrame) -> str:
    """Says how many answers have no verdict, and why; "" if all have one."""
    reasons = verdicts.loc[verdicts["judged"].isna(), "reason"].value_counts()
    counts = ", ".join(f"{count} because {reason}" for reason, count in reasons.items())
    return f"; unjudged: {counts}" if counts else ""


def _share(name: str, rows: pd.DataFrame) -> Result:
    return share(name, int(rows["judged"].sum()), len(rows))


def _em(part: pd.DataFrame, kind: str) -> str:
    if kind == UNJUDGED:
        return ""
    value = part.groupby("question_type")["em"].mean().mean() if kind == TASK_AVERAGED else part["em"].mean()
    return f"{value:.3f}"


def _cell(result: Result | None) -> str:
    if result is None:
        return ""
    if result.id.endswith(UNJUDGED):
        return f"{result.value}"
    return f"{result.value:.3f}" if result.low is None else with_interval(result)
