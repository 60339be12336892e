"""The scorecard as text: one row of cells per number, and the tables of notebook 99 and of the report.

`scorecard` decides every status and verdict; nothing is judged here.
"""

import json
import re
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from . import registry as paper
from .registry import Number
from .scorecard import DIFFERS, FAULTY, NONE, VERDICTS, results_of


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
    rows = [_row(entry, register[entry["id"]]) for entry in card.to_dict("records")]
    return pd.DataFrame(rows, index=card.index, columns=_COLUMNS)


def all_numbers(card: pd.DataFrame) -> pd.DataFrame:
    """Every number in the paper's order: as printed, checked and the verdict on that; and what was measured here.

    The figure measured here has a verdict of its own, which for the offline reader is "control".

    Example:
        >>> from rlm_memory_core.experiments.paper.scorecard import read, scorecard
        >>> table = all_numbers(scorecard(paper.register(), read([])))
        >>> table.loc["Section 5.4: EM against truncation"].tolist()
        ['9×', '9.2×', 'recomputed', 'agrees', '', '', '']
    """
    table = _table(card, "paper", "checked", "status", "verdict", "here", "ours_verdict", "by")
    return table.rename(columns={"here": "measured here", "ours_verdict": "verdict on it"})


def differing(card: pd.DataFrame) -> pd.DataFrame:
    """The numbers whose evidence rounds to other digits than the printed ones, or whose interval excludes them."""
    return _table(card[card["verdict"] == DIFFERS], "paper", "checked", "here", "by", "note").rename(
        columns={"here": "measured here"}
    )


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


def summary(card: pd.DataFrame) -> list[str]:
    """The end of a run on a terminal: one line a table, and one for each reason why numbers do not hold.

    At most 100 columns wide. "Checked" is the figure from the logs, the formula or the cited source. A star marks a
    figure that is not of this run.

    Args:
        card: What `scorecard.scorecard` returns.
    """
    table = cells(card)
    short = {"does not hold as written": "do not hold", "none": "not run", "agrees": "agree", "differs": "differ"}
    places = table["place"].where(table["place"].str.match(r"Table|README"), "Text and figures")
    tally = pd.crosstab(places, table["verdict"]).reindex(columns=list(VERDICTS), fill_value=0)
    tally = tally.rename(columns=short)
    tally.insert(0, "numbers", tally.sum(axis="columns"))
    old = card["since"].where(card["since"] != "", card["checked_since"]) != ""
    tally["not of this run"] = pd.crosstab(places, old).reindex(index=tally.index, columns=[True], fill_value=0)[True]
    tally.loc["all"] = tally.sum()
    lines = tally.rename_axis(None).rename_axis(None, axis="columns").to_string().splitlines()
    wrong = table[table["verdict"] == FAULTY]
    if wrong.empty:
        return lines
    lines += ["", f"What does not hold: {len(wrong)} numbers, by reason; each line shows the first of a reason"]
    lines.append(f"{'number':34} {'paper':>9} {'checked':>9} {'measured here':>13}  why")
    for reason, of in wrong.groupby("why", sort=False):
        first, times = of.iloc[0], f" (of {len(of)})" if len(of) > 1 else ""
        why = str(reason).split(": ", 1)[0] + times
        name = textwrap.shorten(first["number"], 34, placeholder=" …")
        dated = card.loc[of.index[0]]
        checked = first["checked"] + "*" * bool(dated["checked_since"])
        ours = first["ours"] + "*" * bool(dated["since"])
        lines.append(f"{name:34} {first['paper']:>9} {checked:>9} {ours:>13}  {why}"[:100])
    return lines


def older(evidence: pd.DataFrame) -> list[str]:
    """One line for each kind of figures that are not of this run: "published figures of 2026-11-28: notebooks 03, 06".

    Args:
        evidence: What `scorecard.evidence_of` returns.
    """
    old = evidence[evidence["since"] != ""].groupby("since")["notebook"].unique()
    return [f"{since} in notebook {', '.join(sorted(name[:2] for name in names))}" for since, names in old.items()]


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
    old = f"checked with the {entry['checked_since']}" if entry["checked_since"] else ""
    return {key: entry[key] for key in ("id", "paper", "status", "verdict")} | {
        "note": "; ".join(filter(None, (entry["note"], old))),
        "number": number.where,
        "place": place,
        "what": what,
        "checked": checked,
        "checked_n": _count(entry["recomputed_n"]),
        "ours": ours,
        "interval": interval,
        "n": _count(entry["n"]),
        "here": f"{ours} {interval}".strip(),
        "by": ", ".join(filter(None, (entry["model"], entry["since"]))),
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
