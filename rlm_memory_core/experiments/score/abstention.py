"""Abstention and preference as questions of their own: neither is answered by words that a gold answer could hold.

An unanswerable question (`Sample.abstain`) is answered right by saying so. That is scored by phrases of uncertainty
(`scoring.is_abstention`), beside how often the same method says so of questions that have an answer: a method that
always abstains is right on the former alone. A preference is right where a judge finds the rubric met; without a judge
it is not scored at all, and a table says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from rlm_memory_core.models.budget import Budget
from rlm_memory_core.models.llm import LLM

from ..run.results import Result
from ..show.beyond import Asked
from ..show.cells import as_text, groups, with_interval
from . import judge
from .intervals import wilson

PREFERENCE = "single-session-preference"
NOT_JUDGED = "not judged (no LLM)"


def judge_preferences(asked: Asked | None, model: LLM | None, budget: Budget | None = None) -> pd.DataFrame | None:
    """Have a judge read the answers to the preference questions, and say in one line who judged.

    Args:
        asked: A benchmark with such questions; None where it was not at hand.
        model: As `judge.connect_judge` gives it.
        budget: The run's own.

    Returns:
        What `judge.run` gives; None without a judge, or without such questions.
    """
    rows = None if asked is None else asked.frame[asked.frame["question_type"] == PREFERENCE]
    return None if asked is None or rows is None or rows.empty else judge.run(rows, asked.samples, model, budget)


def table(asked: Mapping[str, Asked | None], verdicts: pd.DataFrame | None) -> pd.DataFrame:
    """One row of text a benchmark and method: right and false abstentions, and preferences as judged.

    Args:
        asked: By benchmark; None where it was not at hand.
        verdicts: What `judge_preferences` gave; None where there was no judge.
    """
    shares = {result.id: result for result in _abstentions(asked)}
    rows = {}
    for benchmark, one in asked.items():
        for method, answered in groups(one.frame, "method") if one else ():
            name = f"beyond.{benchmark}.{method}"
            right, false = (shares.get(f"{name}.{what}") for what in ("abstained", "abstained_falsely"))
            preferences = answered.loc[answered["question_type"] == PREFERENCE, "question_id"]
            rows[f"{benchmark}: {method}"] = {
                "without an answer": f"{right.n}" if right else "0",
                "rightly abstained": with_interval(right) if right else "",
                "with an answer": f"{false.n}" if false else "0",
                "falsely abstained": with_interval(false) if false else "",
                "preferences": f"{len(preferences) or ''}",
                "preference, judged": _preference(preferences, method, verdicts),
            }
    return as_text(rows, "benchmark: method")


def results(asked: Mapping[str, Asked | None], verdicts: pd.DataFrame | None) -> list[Result]:
    """Shares under ids such as "beyond.locomo.rlm-ranked-10.abstained", with Wilson's interval.

    `abstained` is of the questions that have no answer, where it is right, and `abstained_falsely` of the others;
    `preference.judged` is of the answers with a verdict, and `preference.unjudged` counts the rest.

    Args:
        asked: As for `table`.
        verdicts: As for `table`.
    """
    found = list(_abstentions(asked))
    for method, rows in groups(verdicts, "method") if verdicts is not None else ():
        name = f"beyond.longmemeval.{method}.preference"
        found += [Result(f"{name}.unjudged", float(rows["judged"].isna().sum()), len(rows)), *_met(rows, name)]
    return found


def _abstentions(asked: Mapping[str, Asked | None]) -> Iterator[Result]:
    for benchmark, one in asked.items():
        if one is None:
            continue
        unanswerable = {sample.id for sample in one.samples if sample.abstain}
        for method, rows in groups(one.frame, "method"):
            without = rows["question_id"].isin(unanswerable)
            for name, part in (("abstained", rows[without]), ("abstained_falsely", rows[~without])):
                if len(part):
                    said, n = float(part["abstained"].sum()), len(part)
                    yield Result(f"beyond.{benchmark}.{method}.{name}", said / n, n, *wilson(said, n))


def _met(verdicts: pd.DataFrame, name: str = "met") -> list[Result]:
    """The share of the answers with a verdict that meet their rubric; none where none has one."""
    settled = verdicts["judged"].dropna()
    right, n = float(settled.sum()), len(settled)
    return [Result(f"{name}.judged", right / n, n, *wilson(right, n))] if n else []


def _preference(asked: pd.Series[str], method: str, verdicts: pd.DataFrame | None) -> str:
    """The cell of the preference questions with these ids."""
    if not len(asked):
        return ""
    if verdicts is None:
        return NOT_JUDGED
    own = verdicts[(verdicts["method"] == method) & verdicts["question_id"].isin(asked)]
    shown = "".join(map(with_interval, _met(own)))
    left = len(asked) - int(own["judged"].notna().sum())
    return f"{shown} ({left} unjudged)".strip() if left else shown
