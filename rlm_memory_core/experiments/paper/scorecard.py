"""The scorecard: every number of the paper beside the figures from the authors' logs and our runs, with a verdict.

It joins the register with results documents and judges. It runs nothing and reads only the JSON files that it is
given. A row of a results document has the id of a number (our figure), or `recomputed.` and that id (from the
authors' files). Results hold shares where the paper prints percentages.

Status, the source of the verdict:

- `recomputed`: the authors' files, or for a derived number its formula.
- `measured`: our run; the row names the model.
- `cited`: another paper's number, compared with what that paper prints if we know it.
- `not run`: there is no evidence; the note says what is missing.

Verdict:

- `agrees`, `differs`: a derived number is evaluated from the paper's printed numbers, each of which may have been
  rounded either way. A recomputed or published figure must round to the printed digits. A measured one agrees if
  the printed number lies inside its 95% interval, or without an interval if it rounds to the same digits.
- `does not hold as written`: the register names a fault; the fault counts even if the arithmetic fits.
- `control`: measured with the offline reader, which cannot replace the paper's model. Facts of the data do not
  depend on a model and are judged anyway. The offline reader's seconds are left out: the paper's are those of a
  model over a network. A setting that our runs copy from the paper is a control too: it cannot confirm itself.
- none: not run, or cited from a source that we have not seen.

For a number that was both recomputed and measured, the logs decide the verdict; the verdict on our figure has its
own column. A number that repeats another is judged by the evidence for the other, never by its printed value. So a
changed value in the register changes only its own verdict, and those of numbers whose formula names it.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from rlm_memory_core.models.llm import OFFLINE, OFFLINE_LABEL

from ..data.assets import project_root
from ..run.results import STARTED
from . import registry as paper
from .formulas import Range
from .registry import Number, derive, derive_range, source

STATUSES = ("recomputed", "measured", "cited", "not run")
VERDICTS = ("agrees", "differs", "does not hold as written", "control", "none")
AGREES, DIFFERS, FAULTY, CONTROL, NONE = VERDICTS
RECOMPUTED = "recomputed."

_OFFLINE = {OFFLINE, OFFLINE_LABEL}
_EVIDENCE = ["id", "value", "n", "low", "high", "notebook", "model", "since"]
_SLACK = 1e-9  # a figure halfway between two printed ones may be rounded either way


def read(paths: Sequence[str | Path], started: str = "", kind: str = "earlier") -> pd.DataFrame:
    """The rows of results documents, each with its notebook and model.

    Args:
        paths: Files such as "outputs/offline/results/01_niah.json".
        started: When the run began, as an ISO date; older documents are no figures of this run.
        kind: What those are called.

    Returns:
        Columns id, value, n, low, high, notebook, model, since ("" or "published figure of 2026-11-28"); no rows for
        no files.

    Raises:
        ValueError: A file is not a results document.
    """
    rows: list[dict[str, Any]] = []
    for path in map(Path, paths):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            date = document["provenance"].get("date", "")
            since = f"{kind} figure of {date[:10]}" if date < started else ""
            told = {"notebook": path.stem, "model": document["provenance"]["model"], "since": since}
            for row in document["rows"]:
                figure = {"id": row["id"], "value": float(row["value"]), "n": int(row["n"])}
                rows.append({**figure, "low": row.get("low"), "high": row.get("high"), **told})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a results document ({error}); run rlm-memory reproduce again") from error
    return pd.DataFrame(rows, columns=_EVIDENCE)


def scorecard(numbers: Mapping[str, Number], evidence: pd.DataFrame) -> pd.DataFrame:
    """One row for every number of a register.

    Args:
        numbers: The register.
        evidence: What `read` returns.

    Returns:
        The numbers in their order, with id, where, kind and the paper's figure as printed; recomputed (from logs, by
        formula, or as the cited source prints it) and over how many; ours with low, high, n, model and since;
        checked_since; status, verdict, ours_verdict and note. Figures are in the number's own unit.

    Example:
        >>> from rlm_memory_core.experiments.paper import registry as paper
        >>> card = scorecard(paper.register(), read([])).set_index("id")
        >>> card.loc["section5.4.gain", ["paper", "status", "verdict"]].tolist()
        ['9×', 'recomputed', 'agrees']
    """
    found = _Evidence(evidence)
    return pd.DataFrame([_judge(number, numbers, found) for number in numbers.values()])


def counts(card: pd.DataFrame) -> pd.DataFrame:
    """How many numbers have each status and verdict.

    Args:
        card: What `scorecard` gives.

    Returns:
        One row a status, one column a verdict, and an "all" for both.
    """
    table = pd.crosstab(card["status"], card["verdict"])
    table = table.reindex(index=list(STATUSES), columns=list(VERDICTS), fill_value=0)
    table["all"] = table.sum(axis="columns")
    table.loc["all"] = table.sum()
    return table


def of_run(folder: str | Path) -> pd.DataFrame:
    """The scorecard of a run's folder.

    Args:
        folder: Such as "outputs/offline"; a relative one lies in the project.

    Raises:
        ValueError: There are no results, or a file of them is not a results document.
    """
    return scorecard(paper.register(), evidence_of(folder))


def evidence_of(folder: str | Path) -> pd.DataFrame:
    """The results of a run, and the published ones of notebooks that have none in the run; `since` tells them apart.

    Raises:
        ValueError: As for `of_run`.
    """
    own = results_of(folder)
    mark = project_root() / folder / STARTED
    found = [read(own, mark.read_text(encoding="utf-8").strip() if mark.is_file() else "")]
    published = project_root() / "outputs" / mark.parent.name / "results"
    missing = {path.name for path in published.glob("*.json")} - {path.name for path in own}
    if missing:
        found.append(read([published / name for name in sorted(missing)], "9999", "published"))
    return pd.concat(found, ignore_index=True)


def results_of(folder: str | Path) -> list[Path]:
    """The results documents in a run's folder, in the notebooks' order.

    Raises:
        ValueError: There are none.
    """
    found = sorted((project_root() / folder / "results").glob("*.json"))
    if not found:
        raise ValueError(f"there are no results in {folder}; run rlm-memory reproduce first")
    return found


@dataclass(frozen=True, slots=True)
class _Figure:
    """One piece of evidence, in the unit of the number that it is compared with."""

    value: float
    n: int | None = None
    low: float | None = None
    high: float | None = None
    model: str = ""
    since: str = ""


_NOTHING = _Figure(math.nan)


class _Evidence:
    """Results rows by id; among several rows of one id, the one from the notebook that the register names."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.notebooks = set(frame["notebook"])
        self._rows = {str(name): rows.to_dict("records") for name, rows in frame.groupby("id")}

    def find(self, number: Number, origin: Number, prefix: str = "") -> _Figure | None:
        """The figure for a number, or for the number that it restates."""
        for each in (number, origin):
            rows = self._rows.get(prefix + each.id, [])
            if rows:
                row = next((row for row in rows if row["notebook"] == each.notebook), rows[0])
                low, high = (None if pd.isna(row[end]) else row[end] / number.scale for end in ("low", "high"))
                return _Figure(row["value"] / number.scale, row["n"], low, high, row["model"], row["since"])
        return None


def _judge(number: Number, numbers: Mapping[str, Number], evidence: _Evidence) -> dict[str, Any]:
    origin = source(number, numbers)
    recomputed = evidence.find(number, origin, RECOMPUTED)
    ours = evidence.find(number, origin)
    if ours is not None and number.unit == "seconds" and ours.model in _OFFLINE:
        ours = None
    fault = number.fault or origin.fault
    ours_verdict = CONTROL if ours is not None and origin.setting else _of_ours(number, ours)
    if origin.formula:
        recomputed = _Figure(derive(number, numbers))
        status, verdict = "recomputed", _overlap(number, derive_range(number, numbers))
    elif number.kind == "cited":
        if recomputed is None and origin.published is not None:
            recomputed = _Figure(origin.published * origin.scale / number.scale)
        status, verdict = "cited", _of_figure(number, recomputed)
    elif recomputed is not None:
        status, verdict = "recomputed", _of_figure(number, recomputed)
    else:
        status, verdict = ("not run" if ours is None else "measured"), ours_verdict
    missing = _missing(origin, evidence) if status == "not run" else ""
    checked, seen = recomputed or _NOTHING, ours or _NOTHING
    return {
        "id": number.id,
        "where": number.where,
        "kind": number.kind,
        "paper": number.printed,
        "recomputed": checked.value,
        "recomputed_n": checked.n,
        "ours": seen.value,
        **{name: getattr(seen, name) for name in ("low", "high", "n", "model", "since")},
        "checked_since": checked.since,
        "status": status,
        "verdict": FAULTY if fault else verdict,
        "ours_verdict": ours_verdict,
        "note": "; ".join(filter(None, (fault, number.note, missing))),
    }


def _of_figure(number: Number, figure: _Figure | None) -> str:
    return NONE if figure is None else _overlap(number, (figure.value, figure.value))


def _of_ours(number: Number, ours: _Figure | None) -> str:
    if ours is None:
        return NONE
    if ours.model in _OFFLINE and number.kind != "data":
        return CONTROL
    if ours.low is None or ours.high is None:
        return _of_figure(number, ours)
    return _overlap(number, (ours.low, ours.high))


def _overlap(number: Number, found: Range) -> str:
    """Compares a range with the printed number: AGREES if some value in it has the printed digits, within the bound."""
    low, high = number.range
    if number.bound == "at least":
        high = math.inf
    elif number.bound == "at most":
        low = -math.inf
    return AGREES if found[0] <= high + _SLACK and low - _SLACK <= found[1] else DIFFERS


def _missing(origin: Number, evidence: _Evidence) -> str:
    if origin.notebook not in evidence.notebooks:
        return f"{origin.notebook} has not been run"
    return f"{origin.notebook} was run and gives no figure for it"
