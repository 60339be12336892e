"""The scorecard as tables to be read: all numbers, and those that do not hold, that differ, or that nothing judged.

Text alone: what a number is worth is decided in `scorecard`. A rerun of the same
results prints the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from . import registry as paper
from .scorecard import DIFFERS, FAULTY, results_of

_NOT_RUN = "not run"
_PLAIN = "", "agrees", "none"


def all_numbers(card: pd.DataFrame) -> pd.DataFrame:
    """Every number in the paper's order: as printed, from the logs or by its formula, ours, status and verdict.

    Args:
        card: What `scorecard` gives.

    Returns:
        One row of text a number. `here` has its 95% interval, and `by` names the model.

    Example:
        >>> from rlm_memory_core.experiments.paper.scorecard import read, scorecard
        >>> table = all_numbers(scorecard(paper.register(), read([])))
        >>> table.loc["Section 5.4: EM against truncation"].tolist()
        ['9×', '9.2', '', '', 'recomputed', 'agrees']
    """
    return _shown(card, _checked, _here, _by, _status, _verdict)


def faulty(card: pd.DataFrame) -> pd.DataFrame:
    """The numbers that do not hold as written, and why; those of one fault together, the first of them named."""
    rows = card[card["verdict"] == FAULTY].copy()
    register = paper.register()
    rows["why"] = [register[name].fault or paper.source(register[name], register).fault for name in rows["id"]]
    merged = rows.groupby("why", sort=False)
    table = pd.DataFrame(
        {
            "the paper prints": merged["paper"].agg(lambda values: ", ".join(dict.fromkeys(values))),
            "first in": merged["where"].first(),
            "times": merged.size().map(str),
        }
    )
    return table.reset_index().set_index("first in")[["the paper prints", "why", "times"]].rename_axis("number")


def differing(card: pd.DataFrame) -> pd.DataFrame:
    """The numbers whose evidence rounds to other digits than are printed, or whose interval leaves them out."""
    return _shown(card[card["verdict"] == DIFFERS], _unrounded, _here, _by, _note)


def unjudged(card: pd.DataFrame) -> pd.DataFrame:
    """The numbers that were not run, and why."""
    return _shown(card[card["status"] == _NOT_RUN], _note)


def provenance(folder: str | Path) -> pd.DataFrame:
    """Which run each notebook's figures are from: model, day, commit, and how many figures there are.

    Args:
        folder: The run's, such as "outputs/offline".
    """
    rows = {}
    for path in results_of(folder):
        document = json.loads(path.read_text(encoding="utf-8"))
        origin = document["provenance"]
        rows[path.stem] = {
            "by": origin["model"],
            "day": origin["date"][:10],
            "commit": origin["commit"] or "not known",
            "figures": f"{len(document['rows'])}",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("notebook")


def _shown(card: pd.DataFrame, *columns: Any) -> pd.DataFrame:
    register = paper.register()
    rows = [
        {"number": row["where"], "paper": row["paper"]}
        | {column.__name__.lstrip("_"): column(register[row["id"]], row) for column in columns}
        for row in card.to_dict("records")
    ]
    names = ["number", "paper", *(column.__name__.lstrip("_") for column in columns)]
    return pd.DataFrame(rows, columns=names).set_index("number")


def _checked(number: paper.Number, row: dict[Any, Any]) -> str:
    """What stands for the paper's figure in the logs, by arithmetic, or in the cited source."""
    return "" if pd.isna(row["recomputed"]) else _figure(number, row["recomputed"])


def _unrounded(number: paper.Number, row: dict[Any, Any]) -> str:
    return "" if pd.isna(row["recomputed"]) else f"{row['recomputed']:,.{number.digits + 2}f}"


def _here(number: paper.Number, row: dict[Any, Any]) -> str:
    if pd.isna(row["ours"]):
        return ""
    interval = "" if pd.isna(row["low"]) else f" [{_figure(number, row['low'])}, {_figure(number, row['high'])}]"
    return _figure(number, row["ours"]) + interval


def _figure(number: paper.Number, value: float) -> str:
    """With the paper's digits, but at least one where those would show a fraction as a whole number."""
    shown = number.show(value)
    return shown if number.digits or value == round(value) or abs(value) >= 100 else f"{value:,.1f}"


def _by(number: paper.Number, row: dict[Any, Any]) -> str:
    return str(row["model"])


def _status(number: paper.Number, row: dict[Any, Any]) -> str:
    return str(row["status"])


def _verdict(number: paper.Number, row: dict[Any, Any]) -> str:
    return str(row["verdict"])


def _note(number: paper.Number, row: dict[Any, Any]) -> str:
    return str(row["note"])
