"""The scorecard as text: one row of cells per number, and the tables of notebook 99 and of the report.

`scorecard` decides every status and verdict; nothing is judged here.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from . import registry as paper
from .registry import Number
from .scorecard import DIFFERS, FAULTY, NONE, results_of


def cells(card: pd.DataFrame) -> pd.DataFrame:
    """A scorecard as text, with "" for a missing figure.

    Args:
        card: What `scorecard.scorecard` returns.

    Returns:
        One row per number: id, number (where it stands), place and what (its two parts), paper, checked (from logs,
        by formula, or from the cited source) and checked_n, ours, interval and n, here (ours with its interval), by
        (the model), ours_verdict (if ours has a verdict of its own), status, verdict, note, why (its fault).

    Example:
        >>> from rlm_memory_core.experiments.paper.scorecard import read, scorecard
        >>> table = cells(scorecard(paper.register(), read([]))).set_index("id")
        >>> table.loc["section5.4.gain", ["place", "paper", "checked", "verdict"]].tolist()
        ['Section 5.4', '9×', '9.2×', 'agrees']
    """
    register = paper.register()
    return pd.DataFrame([_row(entry, register[entry["id"]]) for entry in card.to_dict("records")], columns=_COLUMNS)


def all_numbers(card: pd.DataFrame) -> pd.DataFrame:
    """Every number in the paper's order: as printed, checked, ours with its 95% interval, status and verdict.

    Example:
        >>> from rlm_memory_core.experiments.paper.scorecard import read, scorecard
        >>> table = all_numbers(scorecard(paper.register(), read([])))
        >>> table.loc["Section 5.4: EM against truncation"].tolist()
        ['9×', '9.2×', '', '', 'recomputed', 'agrees']
    """
    return _table(card, "paper", "checked", "here", "by", "status", "verdict")


def differing(card: pd.DataFrame) -> pd.DataFrame:
    """The numbers whose evidence rounds to other digits than the printed ones, or whose interval excludes them."""
    return _table(card[card["verdict"] == DIFFERS], "paper", "checked", "here", "by", "note")


def unjudged(card: pd.DataFrame) -> pd.DataFrame:
    """The numbers that nothing could judge, and why."""
    return _table(card[card["status"] == "not run"], "paper", "note")


def faulty(card: pd.DataFrame) -> pd.DataFrame:
    """The numbers that do not hold as written: one row per reason, with the first number and how many share it."""
    by_reason = cells(card[card["verdict"] == FAULTY]).groupby("why", sort=False)
    table = pd.DataFrame(
        {
            "the paper prints": by_reason["paper"].agg(lambda values: ", ".join(dict.fromkeys(values))),
            "number": by_reason["number"].first(),
            "times": by_reason.size().map(str),
        }
    )
    return table.reset_index().set_index("number")[["the paper prints", "why", "times"]]


def provenance(folder: str | Path) -> pd.DataFrame:
    """The run behind each notebook's figures: model, day, commit, and number of figures.

    Args:
        folder: The run's folder, such as "outputs/offline".
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


_COLUMNS = (
    "id number place what paper checked checked_n ours interval n here by ours_verdict status verdict note why"
).split()


def _row(entry: dict[Any, Any], number: Number) -> dict[str, str]:
    place, what = re.split(r"[:,] ", number.where, maxsplit=1)
    checked, ours = _figure(number, entry["recomputed"], entry["verdict"]), _figure(number, entry["ours"])
    low, high = (_figure(number, entry[end], unit=False) for end in ("low", "high"))
    interval = f"[{low}, {high}]" if low and high else ""
    own = ours and entry["status"] != "measured" and entry["ours_verdict"] != NONE
    return {key: entry[key] for key in ("id", "paper", "status", "verdict", "note")} | {
        "number": number.where,
        "place": place,
        "what": what,
        "checked": checked,
        "checked_n": _count(entry["recomputed_n"]),
        "ours": ours,
        "interval": interval,
        "n": _count(entry["n"]),
        "here": f"{ours} {interval}".strip(),
        "by": entry["model"],
        "ours_verdict": entry["ours_verdict"] if own else "",
        "why": number.fault or paper.source(number, paper.register()).fault,
    }


def _table(card: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return cells(card).set_index("number")[list(columns)]


def _figure(number: Number, value: Any, verdict: str = "", unit: bool = True) -> str:
    """A figure with the paper's digits and unit, or "".

    Shows two digits more for a figure that differs, and one for a fraction that would look whole.
    """
    if pd.isna(value):
        return ""
    if verdict == DIFFERS:
        digits = number.digits + 2
    else:
        digits = number.digits if number.digits or value == round(value) or abs(value) >= 100 else 1
    return replace(number, digits=digits).show(value) + (number.suffix if unit else "")


def _count(value: Any) -> str:
    return "" if pd.isna(value) else f"{int(value):,}"
