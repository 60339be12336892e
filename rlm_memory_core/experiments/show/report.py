"""The report: one self-contained HTML page out of what a run left in its folder.

Scorecard, tables, figures and provenance, without any script or external resource.
Nothing is run or judged here, and the same files give the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from rlm_memory_core.models.llm import OFFLINE_LABEL

from ..paper import registry as paper
from ..paper.scorecard import DIFFERS, STATUSES, VERDICTS, counts, read, scorecard
from . import report_scorecard
from .report_run import answered, documents, origins
from .report_sections import sections

FILE = "report.html"
_TEMPLATE = "report.html.j2"


def render(folder: Path) -> str:
    """The report on a run, as HTML.

    Args:
        folder: A run's outputs, such as outputs/offline: `results/` must hold a results
            document, `figures/` may hold SVG files.

    Raises:
        ValueError: There are no results, or one of the files is broken; one line says which.
    """
    register = paper.register()
    found = origins(folder)
    evidence = read(documents(folder))
    card = scorecard(register, evidence)
    model = answered(found)
    rows = report_scorecard.rows(card, register, model)
    return _environment().get_template(_TEMPLATE).render(
        model=model,
        offline=model == OFFLINE_LABEL,
        statuses=STATUSES,
        verdicts=VERDICTS,
        signs=report_scorecard.SIGNS,
        words=report_scorecard.WORDS,
        counts=_counts(card),
        findings=report_scorecard.findings(rows, register),
        differing=[row for row in rows if row.verdict == DIFFERS],
        groups=report_scorecard.groups(rows, register),
        sections=sections(folder, evidence),
        further=report_scorecard.further(evidence, register),
        origins=found,
    )  # fmt: skip


def write(folder: Path) -> Path:
    """Write `report.html` into a run's folder, whole or not at all.

    Args:
        folder: As for `render`.

    Returns:
        The file.

    Raises:
        ValueError: As for `render`; a report that was there stays as it was.
    """
    target = folder / FILE
    page = render(folder)
    draft = target.with_name(FILE + ".part")
    draft.write_text(page, encoding="utf-8")
    draft.replace(target)
    return target


def _environment() -> Environment:
    loader = PackageLoader(__package__)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _counts(card: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Counts by status, and then by verdict."""
    rows = counts(card).to_dict("index")
    return {str(status): {str(verdict): int(count) for verdict, count in row.items()} for status, row in rows.items()}
