"""What all figures share: style, colours, lines with their names, and how a figure is shown and saved.

A figure belongs to no window, so none needs closing. The colours are Okabe and Ito's, which people with any colour
vision can tell apart.
"""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..data.assets import project_root

ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "rlm-memory",  # makes the ids in an SVG file the same each time
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_METADATA: dict[str, dict[str, Any]] = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
_SHOWN = 110  # pixels per inch in a notebook
_SAVED = 200  # pixels per inch of a PNG file
PLAIN = FuncFormatter(lambda value, _: f"{value:,g}")


def canvas(width: float = 8.2, height: float = 4.0) -> tuple[Figure, Axes]:
    """An empty figure with a light grid; sizes in inches."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    return figure, axes


def headline(axes: Axes, text: str, xlabel: str, ylabel: str = "") -> None:
    """The message of the figure above it, and the names of its axes."""
    axes.set_title(text, loc="left", fontsize=11)
    axes.set(xlabel=xlabel, ylabel=ylabel)


def log_scales(axes: Axes, x: Iterable[float], y: Sequence[float] = (), bottom: float | None = None) -> None:
    """Log scales with plain numbers at the given places; the y axis keeps its scale without places.

    Args:
        axes: The axes, with everything drawn.
        x, y: The places of the ticks.
        bottom: Where the y axis starts.
    """
    for name, axis, places in (("x", axes.xaxis, sorted(set(x))), ("y", axes.yaxis, y)):
        if places:
            axes.set(**{f"{name}scale": "log"})
            axis.set_major_locator(FixedLocator(list(places)))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(PLAIN)
    axes.set_ylim(bottom=bottom)


def line(axes: Axes, x: Sequence[float], y: Sequence[float], colour: str, name: str) -> None:
    """A line with its name at its end; `name` may have a place for the last value, such as "ours: {:.1f}"."""
    axes.plot(x, y, "o-", color=colour, linewidth=2, markersize=5)
    name_line(axes, x[-1], y[-1], name.format(y[-1]))


def name_line(axes: Axes, x: float, y: float, text: str) -> None:
    """A line's name, to the right of a point."""
    axes.annotate(text, (x, y), (8, 0), textcoords="offset points", va="center", annotation_clip=False)


def show(figure: Figure, folder: str | Path = "", name: str = "") -> None:
    """Show a figure in a notebook as a PNG, and save it if a folder is given.

    Args:
        figure: The figure.
        folder, name: As for `save`.
    """
    from IPython.display import Image, display

    width = int(_SHOWN * figure.get_figwidth())
    display(Image(_file(figure, "png"), width=width))
    save(figure, folder, name)


def save(figure: Figure, folder: str | Path, name: str) -> None:
    """Write `figures/<name>.png` and `.svg` below a folder; the same figure gives the same bytes.

    Args:
        figure: The figure.
        folder: Where outputs go, such as "outputs/offline"; "" writes nothing.
        name: The files' name without an ending.
    """
    if not str(folder):
        return
    target = project_root() / folder / "figures"
    target.mkdir(parents=True, exist_ok=True)
    for ending in _METADATA:
        (target / f"{name}.{ending}").write_bytes(_file(figure, ending))


def _file(figure: Figure, ending: str) -> bytes:
    """The figure as a file, without dates, versions and random ids."""
    file = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(file, format=ending, dpi=_SAVED, metadata=_METADATA[ending])
    return file.getvalue()
