"""Two figures of what goes beyond the paper: the ablation, and tokens against the length of the history.

Nothing is computed here but means. `figures_cost` has the style, and shows and saves.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..methods import FULL_SCAN
from ..score.results import Asked
from .cells import groups
from .figures_cost import BLUE, GREEN, ORANGE, STYLE, VERMILION, canvas, headline, log_scales, name_line, show

_COLOURS = (BLUE, GREEN, ORANGE)  # of the lines beside the full scan's
_ROW = 0.34  # inches high


def show_ablation(asked: Asked | None, folder: str | Path = "", name: str = "") -> None:
    """Show and save the ablation of a benchmark; nothing where it was not at hand."""
    if asked is not None:
        show(ablation(asked.frame), folder, name)


def ablation(frame: pd.DataFrame) -> Figure:
    """EM, the share of questions whose evidence was all read, and tokens as a share of the full scan's, by arm.

    Args:
        frame: The runner's rows of one benchmark.
    """
    tokens = frame["prompt_tokens"] + frame["completion_tokens"]
    rows = [
        (
            method,
            answered["em"].mean(),
            answered["evidence_read"].mean(),
            tokens[answered.index].mean() / tokens[frame["method"] == FULL_SCAN].mean(),
        )
        for method, answered in groups(frame, "method")
    ]
    table = pd.DataFrame(
        rows, columns=["method", "EM (containment)", "all evidence read", "tokens, of the full scan's"]
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.2, 1.2 + _ROW * len(table)), layout="constrained")
        panels = figure.subplots(1, 3, sharey=True)
    for axes, name, colour in zip(panels, table.columns[1:], (BLUE, GREEN, VERMILION), strict=True):
        _bars(axes, table, name, colour)
    answered_by = " and ".join(dict.fromkeys(frame["model"]))
    figure.suptitle(f"What each idea brings: {frame['question_id'].nunique()} questions, {answered_by}", fontsize=11)
    return figure


def lengths(frame: pd.DataFrame) -> Figure:
    """Mean tokens a query against sessions in the history, by method; each line ends where its measurements do.

    Args:
        frame: What `history_lengths.run` gave.
    """
    figure, axes = canvas()
    colours = iter(_COLOURS)
    tokens = frame["prompt_tokens"] + frame["completion_tokens"]
    for method, answered in groups(frame, "method"):
        means = tokens[answered.index].groupby(answered["sessions"]).mean()
        colour = VERMILION if method == FULL_SCAN else next(colours)
        axes.plot(means.index, means, "o-", color=colour, linewidth=2, markersize=5)
        shown = "full scan (measured to here)" if method == FULL_SCAN else method.removeprefix("rlm-")
        name_line(axes, means.index[-1], means.iloc[-1], f"{shown}: {means.iloc[-1]:,.0f}")
    log_scales(axes, sorted(set(frame["sessions"])), [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000])
    axes.set_ylim(bottom=8_000)
    headline(axes, f"Tokens of a query over generated histories: {' and '.join(dict.fromkeys(frame['model']))}")
    axes.set(xlabel="sessions in the history (log scale)", ylabel="tokens a query (log scale)")
    return figure


def _bars(axes: Axes, table: pd.DataFrame, name: str, colour: str) -> None:
    """One panel; a bar without a figure is left out."""
    axes.barh(table["method"], table[name].fillna(0), color=colour, height=0.7)
    for place, value in enumerate(table[name]):
        if pd.notna(value):
            axes.annotate(f"{value:.2f}", (value, place), (3, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_title(name, loc="left", fontsize=9.5)
    axes.set(xlim=(0, 1.2), xticks=[0, 0.5, 1])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if not axes.yaxis_inverted():
        axes.invert_yaxis()
