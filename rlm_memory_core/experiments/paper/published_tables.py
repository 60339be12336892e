"""Table 7, told as it is: tables of text over `published`, and arithmetic on what the sources print.

Like is set beside like where that exists: the same question type, the same model.
The metrics stay different, and the tables say so.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..run.results import Result
from ..score.intervals import wilson
from . import registry as paper
from .audit_tables import KINDS
from .published import load

_RLM = "RLM-Memory, gpt-4o-mini"
_FULL = ("Full context", "gpt-4o-mini")


def what_it_is() -> pd.DataFrame:
    """Each row of Table 7: what the paper prints under "LME EM", and what the source says the figure is."""
    register = paper.register()
    rows = {
        figure.name: {
            "Table 7": f"{register[figure.id].value:.1f}%",
            "the source prints": f"{figure.value:.{figure.digits}f}%",
            "metric": figure.metric,
            "judge": figure.judge,
            "questions": f"{figure.questions}",
            "mean over": figure.averaged,
        }
        for figure in load().figures
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("system, model that answers")


def training() -> pd.DataFrame:
    """The last column of Table 7 beside what the sources describe."""
    rows = {
        figure.name: {"the paper ticks training": "yes" if figure.ticked else "no", "the source": figure.training}
        for figure in load().figures
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("system, model that answers")


def sources() -> pd.DataFrame:
    """Where each figure was read, and how far it was verified."""
    rows = {
        figure.name: {"checked": figure.checked, "how": figure.how, "source": figure.url} for figure in load().figures
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("system, model that answers")


def whole_questions() -> pd.DataFrame:
    """Whether a printed share can be one of so many questions: right answers come in whole numbers."""
    rows = {}
    for figure in load().figures:
        row = {"printed": f"{figure.value:.{figure.digits}f}%"}
        for count in sorted({figure.questions, 500}):
            right = figure.value * count / 100
            fits = round(100 * round(right) / count, figure.digits) == figure.value
            row[f"of {count}"] = f"{round(right)}" if fits else f"none ({right:.2f})"
        rows[figure.name] = row
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("system, model that answers")
    return table[["printed", *sorted(table.columns.drop("printed"))]].fillna("")


def types_add_up() -> pd.DataFrame:
    """Each printed overall score beside the two means of the printed scores by type.

    A score over the 500 questions of the benchmark is the first mean, up to rounding.
    """
    rows = {}
    for each in load().types:
        plain = sum(each.scores.values()) / len(each.scores)
        rows[each.name] = {
            "overall, printed": f"{each.overall:.1f}",
            "weighted by questions": f"{_weighted(each.scores, load().questions):.1f}",
            "unweighted": f"{plain:.1f}",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("system, model that answers")


def like_for_like() -> pd.DataFrame:
    """RLM-Memory against full context and Zep with the same model, one question type at a time.

    Each score with Wilson's 95% interval over the questions of that type. Containment and
    judged accuracy are not the same measure: a judge also accepts other words.
    """
    register, published = paper.register(), load()
    rows = {}
    for kind in KINDS:
        count = int(register[f"table6.n.{kind}"].value)
        em = register[f"table6.rlm.em.{kind}"].value
        ours = wilson(round(em * count), count)
        full = _interval(published.scores(*_FULL).scores[kind], published.questions[kind])
        zep = published.scores("Zep", "gpt-4o-mini").scores[kind]
        rows[kind] = {
            "RLM, containment EM": _shown(100 * em, ours, count),
            "full context, judged": _shown(published.scores(*_FULL).scores[kind], full, published.questions[kind]),
            "Zep, judged": _shown(zep, _interval(zep, published.questions[kind]), published.questions[kind]),
            "RLM and full context": _compared(ours, full),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("all with gpt-4o-mini")


def same_mix() -> pd.DataFrame:
    """Overall scores of systems with gpt-4o-mini, were their questions mixed as the paper's 100 are.

    The paper drew about as many questions of each type; the benchmark has most of the hard types.
    """
    sizes = _paper_sizes()
    rows = {_RLM: {"metric": "containment EM", "as printed": f"{100 * paper.register()['table5.rlm.em'].value:.1f}%"}}
    rows[_RLM]["on the paper's mix"] = rows[_RLM]["as printed"]
    for each in load().types:
        if each.model == "gpt-4o-mini":
            mixed = _weighted(each.scores, sizes)
            rows[each.name] = {
                "metric": "judged accuracy",
                "as printed": f"{each.overall:.1f}%",
                "on the paper's mix": f"{mixed:.1f}%",
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("system, model")


def facts() -> pd.DataFrame:
    """The other figures that the paper cites: what was found of each."""
    register = paper.register()
    rows = {
        register[fact.id].where: {
            "the paper": register[fact.id].printed,
            "checked": fact.checked,
            "found": fact.finding,
            "source": fact.url,
        }
        for fact in load().facts
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("where")


def results() -> list[Result]:
    """What the sources print where the register does not know it, and full context on the paper's mix of types."""
    printed = [Result(f"recomputed.{fact.id}", float(fact.value), 1) for fact in load().facts if fact.value is not None]
    sizes = _paper_sizes()
    mixed = [
        Result(f"published.{each.system.lower().replace(' ', '-')}.{each.model}.paper-mix", share / 100, 500)
        for each in load().types
        if each.model == "gpt-4o-mini"
        for share in [_weighted(each.scores, sizes)]
    ]
    return printed + mixed


def _paper_sizes() -> dict[str, int]:
    """The paper's questions of each type."""
    return {kind: int(paper.register()[f"table6.n.{kind}"].value) for kind in KINDS}


def _weighted(scores: Mapping[str, float], sizes: Mapping[str, int]) -> float:
    return sum(scores[kind] * size for kind, size in sizes.items()) / sum(sizes.values())


def _interval(percent: float, count: int) -> tuple[float, float]:
    return wilson(percent * count / 100, count)


def _shown(percent: float, interval: tuple[float, float], count: int) -> str:
    return f"{percent:.1f}% [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}], n = {count}"


def _compared(ours: tuple[float, float], other: tuple[float, float]) -> str:
    if ours[0] > other[1]:
        return "RLM higher"
    return "RLM lower" if ours[1] < other[0] else "intervals overlap"
