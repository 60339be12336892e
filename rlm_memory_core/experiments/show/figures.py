"""Figures 2 and 3, and Table 6 as a figure: our value as a bar, its 95% interval as a line, the paper's as a diamond.

All have one design, narrow enough for a phone: a group of bars for each length or question type, with a label at
every bar. `cells` measures; no model is asked here.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ..methods import FULL_SCAN, SEARCHED
from ..paper import registry as paper
from ..score.results import groups, measured, paper_row, typed
from .drawing import BLUE, GREEN, ORANGE, PURPLE, SKY, STYLE, VERMILION

COLOURS = {
    "truncation": ORANGE, "full-context": SKY, "rag": PURPLE, "rlm-sequential": BLUE, FULL_SCAN: GREEN,
    SEARCHED: VERMILION,
}  # fmt: skip
"""Colours of the bars; a method has the same colour in every figure."""

_INK, _QUIET, _GRID = "#222222", "#666666", "#DDDDDD"
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
_INCHES = 5.2  # wide
_ROW = 0.23  # inches high; a bar takes one, and so does a heading
_LEFT, _RIGHT, _ABOVE, _BELOW = 1.25, 1.25, 0.85, 0.3  # inches around the bars
_OURS, _THEIRS = 1.21, 1.42  # where the columns of figures end, on the axis of shares


def niah(frame: pd.DataFrame) -> Figure:
    """Figure 2: recall of the needle by length and method."""
    lengths = [(kind.split()[0], rows) for kind, rows in groups(frame, "question_type")]
    return _draw(_bars(lengths, "em", "table2.{}.{}"), frame, "Needle in a haystack: recall", "{} pairs of turns")


def synthetic(frame: pd.DataFrame) -> Figure:
    """Figure 3: F1 by question type and method on the synthetic set."""
    return _draw(_bars(typed(frame), "f1", "table4.{}.f1.{}"), frame, "Synthetic LongMemEval: token F1")


def longmemeval(frame: pd.DataFrame) -> Figure:
    """Tables 5 and 6: EM by question type and method on LongMemEval-S; the last group holds Table 5."""
    by_type = typed(frame.sort_values("question_type", kind="stable"))
    return _draw(_bars(by_type, "em", "table6.{}.em.{}"), frame, "LongMemEval-S: EM (containment)")


class _Bar(NamedTuple):
    """Our value with its interval, and the paper's value, if any; rows count from the top."""

    row: float
    kind: str
    method: str
    value: float
    low: float | None
    high: float | None
    paper: float | None


def _bars(kinds: Iterable[tuple[str, pd.DataFrame]], metric: str, template: str) -> list[_Bar]:
    """A group of bars for each kind; the template makes an id of `paper.toml` from a method and a kind."""
    bars: list[_Bar] = []
    row = 1.0
    for kind, rows in kinds:
        for method, answered in groups(rows, "method"):
            ours = measured(template.format(paper_row(method), kind), answered[metric])
            bars.append(_Bar(row, kind, method, ours.value, ours.low, ours.high, paper.value(ours.id)))
            row += 1
        row += 1.5  # half a row of space, and the next heading
    return bars


def _draw(bars: list[_Bar], frame: pd.DataFrame, title: str, heading: str = "{}") -> Figure:
    """All bars of a figure, below its title and the name of the model."""
    rows = bars[-1].row + 1
    height = _ABOVE + rows * _ROW + _BELOW
    answered = " and ".join(dict.fromkeys(frame["model"]))
    place: dict[str, Any] = {"x": 0.12 / _INCHES, "va": "top", "color": _INK}
    with mpl.rc_context({**STYLE, "font.size": 9}):
        figure = Figure(figsize=(_INCHES, height))
        plot = (_INCHES - _LEFT - _RIGHT) / _INCHES, rows * _ROW / height
        axes = figure.add_axes((_LEFT / _INCHES, _BELOW / height, *plot))
        _put_bars(axes, bars)
        _put_names_and_figures(axes, bars, heading)
        figure.text(y=1 - 0.10 / height, s=title, size=12, weight="bold", **place)
        figure.text(y=1 - 0.38 / height, s=f"Bars: {answered}, with 95% interval", **place)
        figure.text(y=1 - 0.56 / height, s="◇  The paper: gpt-4o-mini", **place)
    return figure


def _put_bars(axes: Axes, bars: list[_Bar]) -> None:
    table = pd.DataFrame(bars)
    colours = {bar.method: COLOURS.get(bar.method, _QUIET) for bar in bars}
    sns.barplot(
        table, x="value", y="row", hue="method", palette=colours, saturation=1, orient="y", native_scale=True,
        dodge=False, width=0.76, errorbar=None, legend=False, ax=axes,
    )  # fmt: skip
    lines = axes.hlines(table["row"], table["low"], table["high"], color=_INK, linewidth=1.2, gid="interval")
    lines.set_path_effects([withStroke(linewidth=2.6, foreground="white")])
    known = table.dropna(subset="paper")
    axes.scatter(
        known["paper"], known["row"], marker="D", s=30, color="white", edgecolor=_INK, linewidth=1.2, zorder=3,
        clip_on=False, gid="paper",
    )  # fmt: skip


def _put_names_and_figures(axes: Axes, bars: list[_Bar], heading: str) -> None:
    """Names at the left, figures at the right, a light grid, and no box."""
    sns.despine(ax=axes, left=True, bottom=True)
    axes.set(xlim=(0, 1), ylim=(bars[-1].row + 0.5, -0.5), xlabel="", ylabel="", xticks=[0, 0.25, 0.5, 0.75, 1])
    axes.set_yticks([bar.row for bar in bars], [bar.method for bar in bars])
    axes.tick_params(length=0, pad=7, labelcolor=_INK)
    axes.grid(axis="x", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    column: dict[str, Any] = {"ha": "right", "va": "center_baseline", "color": _INK}
    axes.text(_OURS, 0, "here", **column)
    axes.text(_THEIRS, 0, "paper", **column)
    first = {bar.kind: bar.row for bar in reversed(bars)}
    for kind, row in first.items():
        axes.text(0, row - 1, heading.format(kind), weight="bold", color=_INK, va="center_baseline", bbox=_PAPER)
    for bar in bars:
        axes.text(_OURS, bar.row, f"{bar.value:.3f}", **column)
        if bar.paper is not None:
            axes.text(_THEIRS, bar.row, f"{bar.paper:.3f}", **column)
