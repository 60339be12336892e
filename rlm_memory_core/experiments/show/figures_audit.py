"""Three figures of the authors' logs: tokens by outcome, seconds by run, EM by question type.

The audits print the same figures as text.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from ..paper.audit_answers import METHODS
from ..paper.checks import KINDS, of, one_scan
from ..score.intervals import wilson
from .drawing import PLAIN, canvas

_LABELS = {"rlm": "RLM, sequential", "rag": "RAG", "adaptive": "RLM, parallel and adaptive", "truncation": "truncation"}
_COLOURS = dict(zip(_LABELS, sns.color_palette("colorblind"), strict=False))
_GREY = "0.35"


def tokens(answers: pd.DataFrame) -> Figure:
    """RLM's counted tokens a question on a log axis, by outcome; the mean and a full scan are marked."""
    figure, axes = _canvas(3.6)
    rows = of(answers, "rlm")
    palette = sns.color_palette("colorblind")
    colours = {"wrong (EM = 0)": palette[3], "right (EM = 1)": palette[0]}
    sns.histplot(
        x=rows["tokens"], hue=rows["em"].map(dict(enumerate(colours))), hue_order=list(colours), palette=colours,
        multiple="stack", log_scale=True, bins=28, alpha=0.9, ax=axes,
    )  # fmt: skip
    top = axes.get_ylim()[1]
    mean, scan = rows["tokens"].mean(), one_scan(answers).mean()
    _mark(axes, mean, f"mean\n{mean:,.0f}", top, "left")
    _mark(axes, scan, f"one full scan\n{scan:,.0f}", top, "right")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set(xlabel="tokens counted for a question (log scale)", ylabel="questions")
    sns.move_legend(axes, "upper left", bbox_to_anchor=(0.15, 1), title=None, frameon=False)
    return figure


def seconds(answers: pd.DataFrame) -> Figure:
    """The share of questions that each run had answered after so many seconds, on a log axis."""
    figure, axes = _canvas(3.6)
    for method in ("rag", "adaptive", "rlm"):
        times = of(answers, method)["seconds"]
        sns.ecdfplot(x=times, log_scale=True, linewidth=2, color=_COLOURS[method], label=_LABELS[method], ax=axes)
    _mark(axes, 4, "claimed for\nparallel: 4 s", 0.75, "right")
    axes.xaxis.set_major_formatter(PLAIN)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set(xlabel="seconds a question (log scale)", ylabel="questions answered")
    axes.legend(frameon=False, loc="lower right")
    return figure


def em_by_type(answers: pd.DataFrame) -> Figure:
    """EM with Wilson's 95% interval by question type, for four methods."""
    figure, axes = _canvas(4.4)
    spread = 0.18
    for place, method in enumerate(METHODS):
        em = of(answers, method).groupby("question_type")["em"].agg(["mean", "sum", "size"]).loc[list(KINDS)]
        low, high = np.array([wilson(right, n) for right, n in zip(em["sum"], em["size"], strict=True)]).T
        rows = [row + spread * (place - (len(METHODS) - 1) / 2) for row in range(len(KINDS))]
        axes.errorbar(
            em["mean"], rows, xerr=[em["mean"] - low, high - em["mean"]], fmt="osD^"[place], markersize=5,
            linewidth=1.5, color=_COLOURS[method], label=_LABELS[method],
        )  # fmt: skip
    sizes = of(answers, "rlm")["question_type"].value_counts()
    axes.set_yticks(range(len(KINDS)), [f"{kind} (n = {sizes[kind]})" for kind in KINDS])
    axes.invert_yaxis()
    axes.set_xlim(-0.02, 1.02)
    axes.set(xlabel="EM (containment), with Wilson's 95% interval", ylabel="")
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="lower right")
    sns.despine(ax=axes, left=True)
    axes.tick_params(axis="y", length=0)
    return figure


def _canvas(height: float) -> tuple[Figure, Axes]:
    figure, axes = canvas(7.5, height)
    axes.grid(False)
    return figure, axes


def _mark(axes: Axes, at: float, label: str, height: float, side: Literal["left", "right"]) -> None:
    """A dashed line at a value, with its name beside it."""
    axes.axvline(at, color=_GREY, linestyle="--", linewidth=1)
    away = 5 if side == "left" else -5
    axes.annotate(label, (at, height), (away, -2), textcoords="offset points", ha=side, va="top", color=_GREY)
