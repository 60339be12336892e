"""Scores abstentions and preferences on their own: a gold answer's words cannot tell whether either is right.

An unanswerable question (`Sample.abstain`) is answered right by saying so; phrases of uncertainty tell
(`scoring.is_abstention`). Beside it stands how often the same method says so of questions that have an answer: a method
that always abstains is right only on the former. A preference is right if a judge finds the rubric met; without a judge
it is not scored, and the table says so.
"""

from collections.abc import Iterator, Mapping

import pandas as pd

from rlm_memory_core.models.budget import Budget
from rlm_memory_core.models.llm import LLM

from ..types import Result
from . import judge
from .results import Asked, as_text, groups, share, with_interval

PREFERENCE = "single-session-preference"
NOT_JUDGED = "not judged (no LLM)"


def judge_preferences(asked: Asked | None, model: LLM | None, budget: Budget | None = None) -> pd.DataFrame | None:
    """Has a judge read the answers to the preference questions, and prints in one line who judged.

    Args:
        asked: A benchmark with such questions; None if its data is missing.
        model: What `judge.connect_judge` returned.
        budget: The run's budget.

    Returns:
        What `judge.run` returns; None without a judge, or without such questions.
    """
    if asked is None:
        return None
    rows = asked.frame[asked.frame["question_type"] == PREFERENCE]
    return None if rows.empty else judge.run(rows, asked.samples, model, budget)


def table(asked: Mapping[str, Asked | None], verdicts: pd.DataFrame | None) -> pd.DataFrame:
    """Shows right and false abstentions and judged preferences, one row of text per benchmark and method.

    Args:
        asked: By benchmark; None if its data is missing.
        verdicts: What `judge_preferences` returned.
    """
    found = {result.id: result for result in results(asked, verdicts)}
    rows = {}
    for benchmark, one in asked.items():
        for method, answered in groups(one.frame, "method") if one else ():
            name = f"beyond.{benchmark}.{method}"
            right, false = (found.get(f"{name}.{what}") for what in ("abstained", "abstained_falsely"))
            judged, unjudged = (found.get(f"{name}.preference.{what}") for what in ("judged", "unjudged"))
            preferences = int((answered["question_type"] == PREFERENCE).sum())
            rows[f"{benchmark}: {method}"] = {
                "without an answer": f"{right.n}" if right else "0",
                "rightly abstained": with_interval(right) if right else "",
                "with an answer": f"{false.n}" if false else "0",
                "falsely abstained": with_interval(false) if false else "",
                "preferences": f"{preferences or ''}",
                "preference, judged": _preference(judged, unjudged) if preferences else "",
            }
    return as_text(rows, "benchmark: method")


def results(asked: Mapping[str, Asked | None], verdicts: pd.DataFrame | None) -> list[Result]:
    """Measures shares under ids such as "beyond.locomo.rlm-ranked-10.abstained", with Wilson's interval.

    `abstained` covers the questions without an answer, where abstaining is right, and `abstained_falsely` the others.
    `preference.judged` covers the answers with a verdict, and `preference.unjudged` counts the rest.

    Args:
        asked: As for `table`.
        verdicts: As for `table`.
    """
    found = list(_abstentions(asked))
    for method, rows in groups(verdicts, "method") if verdicts is not None else ():
        name = f"beyond.longmemeval.{method}.preference"
        judged = rows["judged"].dropna()
        found.append(Result(f"{name}.unjudged", float(len(rows) - len(judged)), len(rows)))
        if len(judged):
            found.append(share(f"{name}.judged", float(judged.sum()), len(judged)))
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
                    yield share(f"beyond.{benchmark}.{method}.{name}", float(part["abstained"].sum()), len(part))


def _preference(judged: Result | None, unjudged: Result | None) -> str:
    """Returns the cell of a method's preference questions."""
    if unjudged is None:
        return NOT_JUDGED
    shown = with_interval(judged) if judged else ""
    return f"{shown} ({unjudged.value:.0f} unjudged)".strip() if unjudged.value else shown
