"""Tables about the paper's Table 7: what the sources of the published systems print, and arithmetic on it.

`published.toml` holds the facts. The tables compare the same question type and the same model where the sources
allow it. The metrics still differ, and the tables say so. No other system is run.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from ..score.intervals import wilson
from ..score.results import as_text
from ..types import Result
from . import registry as paper
from .checks import KINDS

_MODEL = "gpt-4o-mini"
_SYSTEM = "system, model that answers"


@cache
def published() -> dict[str, Any]:
    """The content of `published.toml`: `figure` (Table 7, in its order), `types` and `fact`.

    Example:
        >>> published()["types"]["questions"]["multi-session"]
        133
    """
    return tomllib.loads(files(__package__).joinpath("published.toml").read_text(encoding="utf-8"))


def what_it_is() -> pd.DataFrame:
    """Each row of Table 7: what the paper prints under "LME EM", and what the source says the figure is."""
    figures = _figures()
    printed = figures["id"].map(lambda name: f"{paper.register()[name].value:.1f}%")
    about = figures[["metric", "judge", "questions", "averaged"]].rename(columns={"averaged": "mean over"})
    columns = pd.DataFrame({"Table 7": printed, "the source prints": _as_printed(figures)})
    return columns.join(about.astype(str))


def training() -> pd.DataFrame:
    """The last column of Table 7 beside the training that the sources describe."""
    figures = _figures()
    ticked = figures["ticked"].map({True: "yes", False: "no"})
    return pd.DataFrame({"the paper ticks training": ticked, "the source": figures["training"]})


def sources() -> pd.DataFrame:
    """Where each figure was read, and how it was verified."""
    return _figures()[["checked", "how", "url"]].rename(columns={"url": "source"})


def whole_questions() -> pd.DataFrame:
    """Whether a printed share can come from a given number of questions: right answers come in whole numbers."""
    figures = _figures()
    table = pd.DataFrame({"printed": _as_printed(figures)})
    for count in sorted({500, *figures["questions"]}):
        table[f"of {count}"] = [
            _right(value, digits, count) if count in (questions, 500) else ""
            for value, digits, questions in zip(figures["value"], figures["digits"], figures["questions"], strict=True)
        ]
    return table


def types_add_up() -> pd.DataFrame:
    """Each printed overall score beside the two means of the printed scores by type.

    A score over the 500 questions of the benchmark equals the weighted mean, up to rounding.
    """
    systems = _systems()
    columns = {
        "overall, printed": systems["overall"],
        "weighted by questions": _weighted(systems, published()["types"]["questions"]),
        "unweighted": systems[list(KINDS)].mean(axis="columns"),
    }
    return pd.DataFrame(columns).map("{:.1f}".format).rename_axis(_SYSTEM)


def like_for_like() -> pd.DataFrame:
    """RLM-Memory against full context and Zep with the same model, one question type at a time.

    Each score has Wilson's 95% interval over the questions of that type. Containment and judged accuracy are
    different measures: a judge also accepts other words.
    """
    register, systems = paper.register(), _systems()
    rows = {}
    for kind, count in _paper_sizes().items():
        questions = published()["types"]["questions"][kind]
        full, zep = (systems[kind][f"{system}, {_MODEL}"] for system in ("Full context", "Zep"))
        em = 100 * register[f"table6.rlm.em.{kind}"].value
        right = round(em * count / 100)
        rows[kind] = {
            "RLM, containment EM": _with_interval(em, right, count),
            "full context, judged": _with_interval(full, full * questions / 100, questions),
            "Zep, judged": _with_interval(zep, zep * questions / 100, questions),
            "RLM and full context": _compared(wilson(right, count), wilson(full * questions / 100, questions)),
        }
    return as_text(rows, f"all with {_MODEL}")


def same_mix() -> pd.DataFrame:
    """Overall scores of systems with gpt-4o-mini, if their questions had the type mix of the paper's 100.

    The paper drew about as many questions of each type; the benchmark has more of the hard types.
    """
    mixed = _on_the_papers_mix()
    table = pd.DataFrame({"as printed": _systems().loc[mixed.index, "overall"], "on the paper's mix": mixed})
    table = table.map("{:.1f}%".format)
    table.insert(0, "metric", "judged accuracy")
    ours = f"{100 * paper.register()['table5.rlm.em'].value:.1f}%"
    first = {"metric": "containment EM", "as printed": ours, "on the paper's mix": ours}
    return pd.concat([pd.DataFrame(first, index=[f"RLM-Memory, {_MODEL}"]), table]).rename_axis("system, model")


def facts() -> pd.DataFrame:
    """The other figures that the paper cites, and what was found about each."""
    facts = pd.DataFrame(published()["fact"])
    numbers = facts["id"].map(paper.register())
    facts["the paper"] = [number.printed for number in numbers]
    facts.index = pd.Index([number.where for number in numbers], name="where")
    return facts.rename(columns={"finding": "found", "url": "source"})[["the paper", "checked", "found", "source"]]


def results() -> list[Result]:
    """Figures that only the sources print, and full context and Zep on the paper's mix of types."""
    printed = [
        Result(f"recomputed.{fact['id']}", float(fact["value"]), 1) for fact in published()["fact"] if "value" in fact
    ]
    mixed = [
        Result(f"published.{str(name).lower().replace(', ', '.').replace(' ', '-')}.paper-mix", percent / 100, 500)
        for name, percent in _on_the_papers_mix().items()
    ]
    return printed + mixed


def _figures() -> pd.DataFrame:
    """The rows of Table 7 as their sources print them, by system and model."""
    figures = pd.DataFrame(published()["figure"])
    return figures.set_index(figures["system"] + ", " + figures["model"].str.partition(";")[0]).rename_axis(_SYSTEM)


def _systems() -> pd.DataFrame:
    """Scores in percent, overall and by question type, by system and model."""
    systems = published()["types"]["scores"]
    rows = {f"{each['system']}, {each['model']}": {"overall": each["overall"], **each["scores"]} for each in systems}
    return pd.DataFrame.from_dict(rows, orient="index")


def _on_the_papers_mix() -> "pd.Series[float]":
    systems = _systems()
    return _weighted(systems[systems.index.str.endswith(f", {_MODEL}")], _paper_sizes())


def _as_printed(figures: pd.DataFrame) -> "pd.Series[str]":
    return figures.apply(lambda row: f"{row['value']:.{row['digits']}f}%", axis="columns")


def _right(percent: float, digits: int, count: int) -> str:
    right = percent * count / 100
    fits = round(100 * round(right) / count, digits) == percent
    return f"{round(right)}" if fits else f"none ({right:.2f})"


def _paper_sizes() -> dict[str, int]:
    """How many of the paper's questions there are of each type."""
    return {kind: int(paper.register()[f"table6.n.{kind}"].value) for kind in KINDS}


def _weighted(systems: pd.DataFrame, sizes: Mapping[str, int]) -> "pd.Series[float]":
    """Each system's mean over the question types, weighted by their sizes."""
    return systems[list(sizes)].mul(list(sizes.values())).sum(axis="columns") / sum(sizes.values())


def _with_interval(percent: float, right: float, count: int) -> str:
    low, high = wilson(right, count)
    return f"{percent:.1f}% [{100 * low:.0f}, {100 * high:.0f}], n = {count}"


def _compared(ours: tuple[float, float], other: tuple[float, float]) -> str:
    if ours[0] > other[1]:
        return "RLM higher"
    return "RLM lower" if ours[1] < other[0] else "intervals overlap"
