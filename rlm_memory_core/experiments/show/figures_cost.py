"""Figures of notebook 05: the fan-out, and dollars against the length of the history."""

import pandas as pd
from matplotlib.figure import Figure

from .drawing import BLUE, GREEN, ORANGE, VERMILION, canvas, headline, line, log_scales, name_line
from .latency import ARMS

_GREY = "0.45"


def fan_out(timed: pd.DataFrame) -> Figure:
    """Wall time over the slowest single call, by number of sub-agent calls and way of sending; simulated.

    Args:
        timed: What `latency.fan_out` returns.
    """
    figure, axes = canvas()
    for arm, colour in zip(ARMS, (VERMILION, ORANGE, BLUE), strict=True):
        rows = timed[timed["arm"] == arm]
        line(axes, list(rows["calls"]), list(rows["ratio"]), colour, arm + ": {:.1f}")
    axes.axhline(1, color=_GREY, linestyle=":", linewidth=1)
    log_scales(axes, timed["calls"], [1, 2, 5, 10, 20, 50], bottom=0.85)
    said = "Only calls that are all in flight wait no longer than the slowest (simulated latency)"
    headline(axes, said, "sub-agent calls (log scale)", "wall time / slowest call (log scale)")
    return figure


def dollars(lengths: pd.DataFrame, claimed: float) -> Figure:
    """Dollars a query against sessions in the history, with the paper's figure as a constant.

    Args:
        lengths: What `costs.by_length` returns.
        claimed: Dollars a query that the paper prints.
    """
    figure, axes = canvas()
    for method, name, colour in (("rlm-parallel", "RLM, one full scan", BLUE), ("truncation", "truncation", GREEN)):
        rows = lengths[lengths["method"] == method]
        line(axes, list(rows["sessions"]), list(rows["usd"]), colour, name + ": ${:.2g}")
    ends = [lengths["sessions"].min(), lengths["sessions"].max()]
    axes.plot(ends, [claimed, claimed], "--", color=VERMILION, linewidth=1.5)
    name_line(axes, ends[1], claimed, f'the paper, "constant": ${claimed:g}')
    log_scales(axes, lengths["sessions"], [0.001, 0.01, 0.1, 1, 10])
    said = "One call a session is linear in the history (estimated, gpt-4o-mini)"
    headline(axes, said, "sessions in the history (log scale)", "dollars a query (log scale)")
    return figure
