"""Two figures of notebook 07: the ablation, and tokens against the length of the history. Computes only means."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..methods import FULL_SCAN
from ..score.results import Asked, groups
from .drawing import BLUE, GREEN, ORANGE, STYLE, VERMILION, canvas, headline, line, log_scales, show
from .history_lengths import mean_tokens
from .tables import tokens

_ROW = 0.34  # inches high


def show_ablation(asked: Asked | None, folder: str | Path = "", name: str = "") -> None:
    """Show and save the ablation of a benchmark; does nothing for None."""
    if asked is not None:
        show(ablation(asked.frame), folder, name)


def ablation(frame: pd.DataFrame) -> Figure:
    """EM, the share of questions whose evidence was all read, and tokens as a share of the full scan's, by arm.

    Args:
        frame: The runner's rows of one benchmark.
    """
    share = tokens(frame) / tokens(frame[frame["method"] == FULL_SCAN]).mean()
    named = {"EM (containment)": frame["em"], "all evidence read": frame["evidence_read"]}
    columns = pd.DataFrame({**named, "tokens, of the full scan's": share}).astype(float)
    table = columns.groupby(frame["method"], sort=False).mean()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.2, 1.2 + _ROW * len(table)), layout="constrained")
        panels = figure.subplots(1, 3, sharey=True)
    for axes, name, colour in zip(panels, table.columns, (BLUE, GREEN, VERMILION), strict=True):
        _bars(axes, table[name], colour)
    answered_by = " and ".join(dict.fromkeys(frame["model"]))
    figure.suptitle(f"What each idea brings: {frame['question_id'].nunique()} questions, {answered_by}", fontsize=11)
    return figure


def lengths(frame: pd.DataFrame) -> Figure:
    """Mean tokens a query against sessions in the history, by method; each line ends where its measurements do.

    Args:
        frame: What `history_lengths.run` returns.
    """
    figure, axes = canvas()
    colours = iter((BLUE, GREEN, ORANGE))
    for method, answered in groups(frame, "method"):
        means = mean_tokens(answered)
        scan = method == FULL_SCAN
        name = "full scan (measured to here)" if scan else method.removeprefix("rlm-")
        line(axes, list(means.index), list(means), VERMILION if scan else next(colours), name + ": {:,.0f}")
    log_scales(axes, frame["sessions"], [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000], bottom=800)
    answered_by = " and ".join(dict.fromkeys(frame["model"]))
    said = f"Tokens of a query over generated histories: {answered_by}"
    headline(axes, said, "sessions in the history (log scale)", "tokens a query (log scale)")
    return figure


def _bars(axes: Axes, values: "pd.Series[float]", colour: str) -> None:
    """One panel; a missing value gets no bar."""
    axes.barh(values.index, values.fillna(0), color=colour, height=0.7)
    for place, value in enumerate(values):
        if pd.notna(value):
            axes.annotate(f"{value:.2f}", (value, place), (3, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_title(str(values.name), loc="left", fontsize=9.5)
    axes.set(xlim=(0, 1.2), xticks=[0, 0.5, 1])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if not axes.yaxis_inverted():
        axes.invert_yaxis()
