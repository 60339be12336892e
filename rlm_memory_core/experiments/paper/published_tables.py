"""Tables about the paper's Table 7: what the sources of the published systems print, and arithmetic on it.

Compares the same question type and the same model where the sources allow it. The metrics still differ, and
the tables say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from ..score.intervals import wilson
from ..score.results import as_text
from ..types import Result
from . import registry as paper
from .checks import KINDS
from .published import Figure, load

_MODEL = "gpt-4o-mini"
_SYSTEM = "system, model that answers"


def what_it_is() -> pd.DataFrame:
    """Each row of Table 7: what the paper prints under "LME EM", and what the source says the figure is."""
    register = paper.register()
    return _by_figure(
        lambda figure: {
            "Table 7": f"{register[figure.id].value:.1f}%",
            "the source prints": f"{figure.value:.{figure.digits}f}%",
            "metric": figure.metric,
            "judge": figure.judge,
            "questions": f"{figure.questions}",
            "mean over": figure.averaged,
        }
    )


def training() -> pd.DataFrame:
    """The last column of Table 7 beside the training that the sources describe."""
    return _by_figure(
        lambda each: {"the paper ticks training": "yes" if each.ticked else "no", "the source": each.training}
    )


def sources() -> pd.DataFrame:
    """Where each figure was read, and how it was verified."""
    return _by_figure(lambda each: {"checked": each.checked, "how": each.how, "source": each.url})


def whole_questions() -> pd.DataFrame:
    """Whether a printed share can come from a given number of questions: right answers come in whole numbers."""
    counts = sorted({500, *(figure.questions for figure in load().figures)})
    return _by_figure(
        lambda figure: {
            "printed": f"{figure.value:.{figure.digits}f}%",
            **{f"of {count}": _right(figure, count) if count in (figure.questions, 500) else "" for count in counts},
        }
    )


def types_add_up() -> pd.DataFrame:
    """Each printed overall score beside the two means of the printed scores by type.

    A score over the 500 questions of the benchmark equals the weighted mean, up to rounding.
    """
    return as_text(
        {
            each.name: {
                "overall, printed": f"{each.overall:.1f}",
                "weighted by questions": f"{_weighted(each.scores, load().questions):.1f}",
                "unweighted": f"{sum(each.scores.values()) / len(each.scores):.1f}",
            }
            for each in load().types
        },
        _SYSTEM,
    )


def like_for_like() -> pd.DataFrame:
    """RLM-Memory against full context and Zep with the same model, one question type at a time.

    Each score has Wilson's 95% interval over the questions of that type. Containment and judged accuracy are
    different measures: a judge also accepts other words.
    """
    register, published = paper.register(), load()
    full, zep = (published.scores(system, _MODEL).scores for system in ("Full context", "Zep"))
    rows = {}
    for kind, count in _paper_sizes().items():
        questions = published.questions[kind]
        em = 100 * register[f"table6.rlm.em.{kind}"].value
        right = round(em * count / 100)
        rows[kind] = {
            "RLM, containment EM": _with_interval(em, right, count),
            "full context, judged": _with_interval(full[kind], full[kind] * questions / 100, questions),
            "Zep, judged": _with_interval(zep[kind], zep[kind] * questions / 100, questions),
            "RLM and full context": _compared(wilson(right, count), wilson(full[kind] * questions / 100, questions)),
        }
    return as_text(rows, f"all with {_MODEL}")


def same_mix() -> pd.DataFrame:
    """Overall scores of systems with gpt-4o-mini, if their questions had the type mix of the paper's 100.

    The paper drew about as many questions of each type; the benchmark has more of the hard types.
    """
    ours = f"{100 * paper.register()['table5.rlm.em'].value:.1f}%"
    rows = {
        f"RLM-Memory, {_MODEL}": {"metric": "containment EM", "as printed": ours, "on the paper's mix": ours},
        **{
            each.name: {
                "metric": "judged accuracy",
                "as printed": f"{each.overall:.1f}%",
                "on the paper's mix": f"{_weighted(each.scores, _paper_sizes()):.1f}%",
            }
            for each in load().types
            if each.model == _MODEL
        },
    }
    return as_text(rows, "system, model")


def facts() -> pd.DataFrame:
    """The other figures that the paper cites, and what was found about each."""
    register = paper.register()
    return as_text(
        {
            register[fact.id].where: {
                "the paper": register[fact.id].printed,
                "checked": fact.checked,
                "found": fact.finding,
                "source": fact.url,
            }
            for fact in load().facts
        },
        "where",
    )


def results() -> list[Result]:
    """Figures that only the sources print, and full context and Zep on the paper's mix of types."""
    printed = [Result(f"recomputed.{fact.id}", float(fact.value), 1) for fact in load().facts if fact.value is not None]
    mixed = [
        Result(
            f"published.{each.system.lower().replace(' ', '-')}.{each.model}.paper-mix",
            _weighted(each.scores, _paper_sizes()) / 100,
            500,
        )
        for each in load().types
        if each.model == _MODEL
    ]
    return printed + mixed


def _by_figure(row: Callable[[Figure], Mapping[str, str]]) -> pd.DataFrame:
    """A table with one row for each row of Table 7."""
    return as_text({figure.name: row(figure) for figure in load().figures}, _SYSTEM)


def _right(figure: Figure, count: int) -> str:
    right = figure.value * count / 100
    fits = round(100 * round(right) / count, figure.digits) == figure.value
    return f"{round(right)}" if fits else f"none ({right:.2f})"


def _paper_sizes() -> dict[str, int]:
    """How many of the paper's questions there are of each type."""
    return {kind: int(paper.register()[f"table6.n.{kind}"].value) for kind in KINDS}


def _weighted(scores: Mapping[str, float], sizes: Mapping[str, int]) -> float:
    return sum(scores[kind] * size for kind, size in sizes.items()) / sum(sizes.values())


def _with_interval(percent: float, right: float, count: int) -> str:
    low, high = wilson(right, count)
    return f"{percent:.1f}% [{100 * low:.0f}, {100 * high:.0f}], n = {count}"


def _compared(ours: tuple[float, float], other: tuple[float, float]) -> str:
    if ours[0] > other[1]:
        return "RLM higher"
    return "RLM lower" if ours[1] < other[0] else "intervals overlap"
