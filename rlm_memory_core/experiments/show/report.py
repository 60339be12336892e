"""The report: one self-contained HTML page from the files that a run left in its folder.

It shows the scorecard, tables, figures and provenance, without scripts or external resources. Nothing is run or
judged here, and the same files give the same bytes.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from rlm_memory_core.models.llm import OFFLINE_LABEL

from ..paper import registry as paper
from ..paper.scorecard import DIFFERS, FAULTY, RECOMPUTED, VERDICTS, counts, evidence_of, scorecard
from ..paper.scorecard_tables import cells
from ..run.results import write_text
from ..score.results import groups
from .report_run import answered, origins
from .report_sections import CAPTIONS, sections

FILE = "report.html"


def render(folder: Path) -> str:
    """The report on a run, as HTML.

    Args:
        folder: A run's outputs, such as outputs/offline: `results/` must hold a results
            document, `figures/` may hold SVG files.

    Raises:
        ValueError: There are no results, or a file is broken; the message names it in one line.
    """
    found, evidence = origins(folder), evidence_of(folder)
    card = scorecard(paper.register(), evidence)
    rows = cells(card)
    model = answered(found)
    rows["by"] = rows["by"].where(rows["by"] != model, "")  # the page names its model once
    template = _environment().get_template("report.html.j2")
    return template.render(
        model=model,
        offline=model == OFFLINE_LABEL,
        verdicts=VERDICTS,
        signs=CAPTIONS["signs"],
        words=CAPTIONS["words"],
        counts=counts(card).to_dict("index"),
        findings=[_finding(reason, of) for reason, of in groups(rows[rows["verdict"] == FAULTY], "why")],
        differing=rows[rows["verdict"] == DIFFERS].to_dict("records"),
        groups=[_place(place, of) for place, of in groups(rows, "place")],
        sections=sections(folder, evidence),
        further=_further(evidence),
        origins=found,
    )


def write(folder: Path) -> Path:
    """Write `report.html` into a run's folder, whole or not at all.

    Args:
        folder: As for `render`.

    Returns:
        The file.

    Raises:
        ValueError: As for `render`; an earlier report stays as it was.
    """
    target = folder / FILE
    write_text(target, render(folder))
    return target


def plain(value: float) -> str:
    """A figure whose printed digits are unknown.

    >>> plain(13998890.4), plain(0.0968844)
    ('13,998,890', '0.09688')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _environment() -> Environment:
    loader = PackageLoader(__package__)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _place(place: str, rows: pd.DataFrame) -> dict[str, Any]:
    """The numbers of one place, and how many have each verdict."""
    tally = rows["verdict"].value_counts()
    return {
        "place": place,
        "title": CAPTIONS["places"].get(paper.register()[rows["id"].iloc[0]].place, ""),
        "rows": rows.to_dict("records"),
        "tally": [(verdict, int(tally[verdict])) for verdict in VERDICTS if verdict in tally],
    }


def _finding(reason: str, rows: pd.DataFrame) -> dict[str, Any]:
    """One reason why numbers do not hold: the printed figures, and each place with how many numbers it has."""
    named = list(dict.fromkeys((row["paper"], _unit(row["id"])) for row in rows.to_dict("records")))
    figures = [
        figure if unit == after else f"{figure} {unit}" for (figure, unit), (_, after) in pairwise([*named, ("", "")])
    ]
    places = [(of.to_dict("records")[0], len(of)) for _, of in rows.groupby(["place", "what"], sort=False)]
    return {"fault": reason, "figures": [figure.strip() for figure in figures], "places": places}


def _unit(name: str) -> str:
    """A number's unit as a word, where its printed figure does not show it."""
    number = paper.register()[name]
    return "" if number.unit == "share" or number.suffix else number.unit.replace("usd", "dollars")


def _further(evidence: pd.DataFrame) -> dict[str, list[dict[str, str]]]:
    """The results that the paper prints nowhere, by notebook."""
    found: dict[str, list[dict[str, str]]] = {}
    for entry in evidence.to_dict("records"):
        name = str(entry["id"])
        if name.removeprefix(RECOMPUTED) not in paper.register():
            low, high = entry["low"], entry["high"]
            judged = "judged" if name.startswith("judged.") else ""
            row = {
                "id": name,
                "value": plain(entry["value"]),
                "interval": "" if pd.isna(low) or pd.isna(high) else f"[{plain(low)}, {plain(high)}]",
                "n": f"{entry['n']:,}",
                "by": ", ".join(filter(None, (entry["model"], entry["since"], judged))),
            }
            found.setdefault(str(entry["notebook"]), []).append(row)
    return found
