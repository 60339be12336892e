"""Figures of what a query takes: the fan-out, late calls, and dollars and seconds against the length of the history.

Each returns a `Figure` that belongs to no window, so that none needs closing. Colours
are Okabe and Ito's, which people with any colour vision can tell apart; lines bear
their names themselves. Nothing is computed here.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..data.assets import project_root
from .latency import ARMS, OURS, PAPER, SEQUENTIAL

ORANGE, GREEN, BLUE, VERMILION = "#E69F00", "#009E73", "#0072B2", "#D55E00"
_GREY = "0.45"
_ARM_COLOURS = {SEQUENTIAL: VERMILION, PAPER: ORANGE, OURS: BLUE}
_LIMIT_COLOURS = {1: VERMILION, 20: ORANGE, 256: BLUE}
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "rlm-memory",  # else its ids are random
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def fan_out(timed: pd.DataFrame) -> Figure:
    """Wall time over the slowest single call, by number of sub-agent calls and way of sending; simulated.

    Args:
        timed: What `latency.fan_out` gives.
    """
    figure, axes = canvas()
    for arm in ARMS:
        rows = timed[timed["arm"] == arm]
        axes.plot(rows["calls"], rows["ratio"], "o-", color=_ARM_COLOURS[arm], linewidth=2, markersize=5)
        last = rows.iloc[-1]
        name_line(axes, last["calls"], last["ratio"], f"{arm}: {last['ratio']:.1f}")
    axes.axhline(1, color=_GREY, linestyle=":", linewidth=1)
    log_scales(axes, sorted(set(timed["calls"])), [1, 2, 5, 10, 20, 50])
    axes.set_ylim(bottom=0.85)
    headline(axes, "Only calls that are all in flight wait no longer than the slowest (simulated latency)")
    axes.set(
        xlabel="sub-agent calls (log scale)",
        ylabel="wall time / slowest call (log scale)",
    )
    return figure


def dollars(lengths: pd.DataFrame, claimed: float) -> Figure:
    """Dollars a query against sessions in the history, with the paper's figure as the constant that it is said to be.

    Args:
        lengths: What `costs.by_length` gives.
        claimed: Dollars a query, as the paper prints them.
    """
    figure, axes = canvas()
    for method, name, colour in (
        ("rlm-parallel", "RLM, one full scan", BLUE),
        ("truncation", "truncation", GREEN),
    ):
        rows = lengths[lengths["method"] == method]
        _line(axes, rows, "usd", colour, name + ": ${:.2g}")
    ends = [lengths["sessions"].min(), lengths["sessions"].max()]
    axes.plot(ends, [claimed, claimed], "--", color=VERMILION, linewidth=1.5)
    name_line(axes, ends[1], claimed, f'the paper, "constant": ${claimed:g}')
    log_scales(axes, sorted(set(lengths["sessions"])), [0.001, 0.01, 0.1, 1, 10])
    headline(axes, "One call a session is linear in the history (estimated, gpt-4o-mini)")
    axes.set(
        xlabel="sessions in the history (log scale)",
        ylabel="dollars a query (log scale)",
    )
    return figure


def scan_times(times: pd.DataFrame) -> Figure:
    """Seconds of a full scan against sessions in the history, by calls in flight; simulated.

    Args:
        times: What `latency.scan_times` gives, for limits of 1, 20 and 256.
    """
    figure, axes = canvas()
    names = {1: "one after another", 20: "20 threads", 256: "256 in flight"}
    for limit, name in names.items():
        rows = times[times["limit"] == limit]
        _line(axes, rows, "seconds", _LIMIT_COLOURS[limit], name + ": {:,.0f} s")
    log_scales(axes, sorted(set(times["sessions"])), [1, 10, 100, 1000])
    axes.set_ylim(bottom=1)
    headline(axes, "Time grows with the history once calls outnumber what is in flight (simulated latency)")
    axes.set(
        xlabel="sessions in the history, one call each (log scale)",
        ylabel="seconds of a full scan (log scale)",
    )
    return figure


def hedging(fan_outs: pd.DataFrame) -> Figure:
    """Seconds of each simulated fan-out, without second copies of late calls and with them; simulated.

    Args:
        fan_outs: What `stragglers.hedged_fan_outs` gives.
    """
    figure, axes = canvas()
    groups = list(fan_outs.groupby(["calls", "stragglers"]))
    ways = (("slowest", "each call once", VERMILION, 0.14), ("seconds", "late calls twice", BLUE, -0.14))
    for place, (_, group) in enumerate(reversed(groups)):
        for column, name, colour, beside in ways:
            axes.plot(group[column], [place + beside] * len(group), "o", color=colour, alpha=0.25, markersize=5)
            axes.plot(group[column].median(), place + beside, "|", color=colour, markersize=16, markeredgewidth=2.5)
            if place == len(groups) - 1:
                name_line(axes, group[column].max(), place + beside, name)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([1, 2, 5, 10, 20, 50, 100]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    shares = [
        f"{calls} calls, {share:.0%} late" if share else f"{calls} calls, none late" for (calls, share), _ in groups
    ]
    axes.set_yticks(range(len(groups)), shares[::-1])
    headline(axes, "Second copies of late calls cut the wait for the slowest (simulated latency)")
    axes.set(xlabel="seconds of a fan-out: a dot a seed, a bar at their median (log scale)")
    return figure


def png(figure: Figure) -> bytes:
    """The figure as a PNG file: the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def save(figure: Figure, folder: str | Path, name: str) -> None:
    """Write `figures/<name>.png` and `.svg` below a folder, without dates, so that reruns write the same bytes.

    Args:
        figure: What to write.
        folder: Where outputs go, such as "outputs/offline"; "" writes nothing.
        name: Such as "05_fan_out".
    """
    if not str(folder):
        return
    target = Path(folder)
    target = (target if target.is_absolute() else project_root() / target) / "figures"
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{name}.png").write_bytes(png(figure))
    with mpl.rc_context(STYLE):
        figure.savefig(target / f"{name}.svg", format="svg", metadata={"Date": None})


def show(figure: Figure, folder: str | Path = "", name: str = "") -> None:
    """Show a figure in the notebook, and save it where a folder is given."""
    from IPython.display import Image, display

    display(Image(png(figure)))  # type: ignore[no-untyped-call]
    save(figure, folder, name)


def canvas() -> tuple[Figure, Axes]:
    """An empty figure of the house's size, with a quiet grid."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.2, 4.0), layout="constrained")
        axes = figure.add_subplot()
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    return figure, axes


def headline(axes: Axes, text: str) -> None:
    """What the figure says, above it."""
    axes.set_title(text, loc="left", fontsize=11)


def log_scales(axes: Axes, across: Sequence[float], up: Sequence[float]) -> None:
    """Log scales with plain numbers at the given places."""
    plain = FuncFormatter(lambda value, _: f"{value:,g}")
    for axis, set_scale, places in ((axes.xaxis, axes.set_xscale, across), (axes.yaxis, axes.set_yscale, up)):
        set_scale("log")
        axis.set_major_locator(FixedLocator(list(places)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(plain)


def _line(axes: Axes, rows: pd.DataFrame, column: str, colour: str, name: str) -> None:
    """A column over the sessions of the history, named at its end; the name has a place for the last value."""
    axes.plot(rows["sessions"], rows[column], "o-", color=colour, linewidth=2, markersize=5)
    last = rows.iloc[-1]
    name_line(axes, last["sessions"], last[column], name.format(last[column]))


def name_line(axes: Axes, x: float, y: float, text: str) -> None:
    """A line's name, to the right of its last point."""
    axes.annotate(text, (x, y), (8, 0), textcoords="offset points", va="center", annotation_clip=False)
