"""The tables and figures of the report: the notebooks' own tables out of their questions, and the figures they saved.

A figure that a notebook did not save is drawn from its questions. Nothing is scored
here, and no conversation is read or made anew.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from matplotlib.figure import Figure

from rlm_memory_core.models.llm import OFFLINE_LABEL

from . import figures
from .cells import as_text, groups, measured, paper_row, printed, with_interval
from .report_run import questions
from .tables import longmemeval_by_type, longmemeval_table
from .tables_synthetic import table_3, table_4

_WIDE = 450  # points; a figure beyond this is scrolled on a phone, not shrunk
_NO_BREAK = "\u00a0"


@dataclass(frozen=True, slots=True)
class Table:
    """A table to be read.

    Args:
        caption: What it is.
        columns: Its head; the first names the rows.
        papers: For each column, whether it holds the paper's figures.
        rows: Cells as a figure and its interval, "" where it has none.
    """

    caption: str
    columns: list[str]
    papers: list[bool]
    rows: list[list[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as part of the page.

    Args:
        name: Its file's name without the ending.
        data: The SVG as a data URI: ids of two figures cannot clash, and no script in one can run.
        alt: What it shows, for who cannot see it.
        caption: What it says.
        wide: Whether it is wider than a phone.
    """

    name: str
    data: str
    alt: str
    caption: str
    wide: bool


@dataclass(frozen=True, slots=True)
class Section:
    """Tables and figures on one benchmark.

    Args:
        title: Its heading.
        text: How to read it.
        pictures, tables: Either may be empty.
    """

    title: str
    text: str
    pictures: list[Picture]
    tables: list[Table]


@dataclass(frozen=True, slots=True)
class _Benchmark:
    """One asking notebook: what of its questions is shown, and how."""

    notebook: str
    title: str
    text: str
    figure: str
    known_by: str  # a word in the name of the notebook's own figure
    draw: Callable[[pd.DataFrame], Figure]
    tables: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]]
    offline: str = ""  # what a reader should know besides where the offline reader answered


_CAPTIONS = {
    "figure2_niah": (
        "Bars of recall by history length and method, the paper's values as diamonds; Table 2 below has the figures.",
        "Figure 2. Recall of the needle by length of the history.",
    ),
    "figure3_synthetic": (
        "Bars of F1 by kind of question and method, the paper's values as diamonds; Table 4 below has the figures.",
        "Figure 3. Token F1 on the synthetic set by kind of question.",
    ),
    "table6_longmemeval": (
        "Bars of EM by question type and method, the paper's values as diamonds; Table 6 below has the figures.",
        "Tables 5 and 6 drawn: EM by question type, and over all.",
    ),
    "05_fan_out": (
        "Lines: wall time over the slowest call rises with the number of calls when they are sent one after another or "
        "by 20 threads, and stays near 1 when all are in flight.",
        "What parallel calls can gain: wall time over the slowest single call. Simulated latency.",
    ),
    "05_hedging": (
        "Dots: seconds of simulated fan-outs, once with each call sent once and once with late calls sent twice; where "
        "2% of the calls take ten times longer, the medians with copies are a third of those without, or less.",
        "Late calls sent a second time, within 5% extra calls. Simulated latency.",
    ),
    "05_dollars_by_length": (
        "Lines: dollars a query rise in proportion to the sessions of the history, beside the paper's constant $0.005.",
        "Dollars a query against the length of the history. Estimated at today's prices.",
    ),
    "05_seconds_by_length": (
        "Lines: seconds of a full scan against sessions, with 1, 20 and 256 calls in flight; each rises in proportion "
        "once the calls outnumber what is in flight.",
        "Seconds of a full scan against the length of the history. Simulated latency.",
    ),
    "07_ablation": (
        "Bars by arm: EM, the share of questions whose evidence was all read, and tokens as a share of a full scan's.",
        "What each idea beyond the paper brings on LongMemEval-S: EM (containment), evidence read, and tokens.",
    ),
    "07_tokens_by_length": (
        "Lines: tokens of the full scan rise in proportion to the sessions of the history, as far as it was measured; "
        "those of ranked reading stay about the same up to the longest history.",
        "Tokens a query against the length of the history, on generated histories. Measured, nothing extrapolated.",
    ),
}


def sections(folder: Path, evidence: pd.DataFrame) -> list[Section]:
    """Everything that there is to show below an outputs folder.

    Args:
        folder: Such as outputs/offline.
        evidence: What `scorecard.read` gives for its results.

    Raises:
        ValueError: A table of questions is broken.
    """
    saved = {path.stem: path.read_bytes() for path in sorted((folder / "figures").glob("*.svg"))}
    found = [section for each in _benchmarks(evidence) if (section := _section(each, folder, saved))]
    cost = [_picture(name, saved.pop(name)) for name in list(saved) if name.startswith("05_")]
    if cost:
        found.append(Section("Latency and cost", _COST, cost, []))
    beyond = [_picture(name, saved.pop(name)) for name in list(saved) if name.startswith("07_")]
    if beyond:
        found.append(Section("Beyond the paper", _BEYOND, beyond, []))
    if saved:
        others = [_picture(name, svg) for name, svg in saved.items()]
        found.append(Section("Further figures of the notebooks", "", others, []))
    return found


_COST = (
    "Section 6 of the paper says that a query costs $0.005 whatever the length of the history, and that parallel "
    "sub-agents take as long as the slowest of them. Latencies are simulated and costs estimated; none of these "
    "figures is a measurement of the paper's system."
)

_BEYOND = (
    "Ranked reading reads the sessions that rank best for a question, and goes on while it is not settled. The "
    "paper has no such figures; those behind these are among the further figures below, under 07_beyond."
)


def _benchmarks(evidence: pd.DataFrame) -> Iterator[_Benchmark]:
    yield _Benchmark(
        "01_niah",
        "Needle in a haystack",
        "A fact is told once in a long conversation and asked for at its end. Recall is the mean over the runs of a "
        "length, with Wilson's 95% interval; few runs leave it wide. The paper's turns are pairs of messages.",
        "figure2_niah",
        "niah",
        figures.niah,
        {"Table 2. Recall by length of the history, in pairs of messages.": lambda frame: _table_2(frame, evidence)},
    )
    yield _Benchmark(
        "02_synthetic_longmemeval",
        "Synthetic LongMemEval",
        "Generated conversations with one question each. EM is containment: the gold answer stands somewhere in the "
        "answer. F1 falls with every further word, and so measures brevity too.",
        "figure3_synthetic",
        "synthetic",
        figures.synthetic,
        {"Table 3. Overall.": table_3, "Table 4. F1 by kind of question; the gain is RLM's over truncation.": table_4},
    )
    yield _Benchmark(
        "03_longmemeval_s",
        "LongMemEval-S",
        "Questions over chat histories of about 490,000 characters. EM is containment, as in the paper; EM strict asks "
        "for equality. Tokens and calls count every sub-agent.",
        "table6_longmemeval",
        "longmemeval",
        figures.longmemeval,
        {"Table 5. Overall.": longmemeval_table, "Table 6. EM by question type.": longmemeval_by_type},
        "The offline reader was developed while looking at 57 of the paper's 100 questions, so its figures flatter it.",
    )


def _section(benchmark: _Benchmark, folder: Path, saved: dict[str, bytes]) -> Section | None:
    """One benchmark's tables and figure, which is taken out of those saved; None where it did not run."""
    frame = questions(folder, benchmark.notebook)
    own = [name for name in saved if benchmark.known_by in name]
    pictures = [_picture(name, saved.pop(name), benchmark.figure) for name in own]
    if frame is None:
        return Section(benchmark.title, "", pictures, []) if pictures else None
    drawn = pictures or [_picture(benchmark.figure, _svg(benchmark.draw(frame)))]
    shown = [_shown(caption, make(frame)) for caption, make in benchmark.tables.items()]
    offline = OFFLINE_LABEL in set(frame["model"])
    return Section(benchmark.title, " ".join([benchmark.text, benchmark.offline][: 1 + offline]).strip(), drawn, shown)


def _table_2(frame: pd.DataFrame, evidence: pd.DataFrame) -> pd.DataFrame:
    """As the notebook's, but for the serialised length, which no file keeps."""
    sizes = dict(zip(evidence["id"], evidence["value"], strict=True))
    rows: dict[str, dict[str, str]] = {}
    for kind, of_kind in groups(frame, "question_type"):
        length = kind.split()[0]
        size = sizes.get(f"table2.characters.{length}")
        row = {
            "characters, paper": printed(f"table2.characters.{length}"),
            "characters": "" if size is None else f"{size:,.0f}",
        }
        for method, answered in groups(of_kind, "method"):
            name = f"table2.{paper_row(method)}.{length}"
            row |= {f"{method}, paper": printed(name), method: with_interval(measured(name, answered["em"]))}
        rows[length] = row
    return as_text(rows, "pairs").fillna("")


def _shown(caption: str, table: pd.DataFrame) -> Table:
    columns = [str(table.index.name), *map(str, table.columns)]
    cells = [[_cell(str(name)), *map(_cell, values)] for name, values in zip(table.index, table.values, strict=True)]
    return Table(caption, columns, [name.endswith("paper") for name in columns], cells)


def _cell(text: str) -> tuple[str, str]:
    figure, bracket, rest = text.partition(f"{_NO_BREAK}[")
    return figure, bracket.strip() + rest


def _picture(name: str, svg: bytes, known_as: str = "") -> Picture:
    alt, caption = _CAPTIONS.get(name) or _CAPTIONS.get(known_as) or (f"The figure {name}.", name.replace("_", " "))
    width = re.search(rb'viewBox="[\d.-]+ [\d.-]+ ([\d.]+)', svg)
    data = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"
    return Picture(name, data, alt, caption, wide=width is not None and float(width[1]) > _WIDE)


def _svg(figure: Figure) -> bytes:
    with TemporaryDirectory() as folder:
        figures.save(figure, folder, "drawn")
        return (Path(folder) / "figures" / "drawn.svg").read_bytes()
