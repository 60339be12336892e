"""The tables and figures of the report: the notebooks' own tables from their saved questions, and their saved figures.

Captions and texts are in `templates/report.toml`. Nothing is scored here, and no conversation is read.
"""

import base64
import re
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from rlm_memory_core.models.llm import OFFLINE_LABEL

from .report_run import questions
from .tables import longmemeval_by_type, longmemeval_table, niah_table
from .tables_synthetic import table_3, table_4

CAPTIONS: dict[str, Any] = tomllib.loads(
    files(__package__).joinpath("templates", "report.toml").read_text(encoding="utf-8")
)
_TABLES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "Table 3": table_3,
    "Table 4": table_4,
    "Table 5": longmemeval_table,
    "Table 6": longmemeval_by_type,
}
_WIDE = 450  # points; a wider figure takes the whole width of the page
_NO_BREAK = "\u00a0"


def sections(folder: Path, evidence: pd.DataFrame) -> list[dict[str, Any]]:
    """The sections of the report on tables and figures, without those that have neither.

    Args:
        folder: A run's folder, such as outputs/offline.
        evidence: What `scorecard.read` returns for its results.

    Returns:
        For each section its title, text, pictures and tables, as the template reads them.

    Raises:
        ValueError: A table of questions is broken.
    """
    saved = {path.stem: path.read_bytes() for path in sorted((folder / "figures").glob("*.svg"))}
    found = [_section(each, folder, saved, evidence) for each in CAPTIONS["sections"]]
    return [section for section in found if section["pictures"] or section["tables"]]


def _section(about: dict[str, Any], folder: Path, saved: dict[str, bytes], evidence: pd.DataFrame) -> dict[str, Any]:
    """One section. Takes its figures, whose names match its pattern, out of those saved."""
    names = [name for name in saved if re.search(about["figures"], name)]
    pictures = [_picture(name, saved.pop(name), about.get("known_as", "")) for name in names]
    text, tables = about["text"], []
    frame = questions(folder, about["notebook"]) if "notebook" in about else None
    if frame is not None:
        sizes = dict(zip(evidence["id"], evidence["value"], strict=True))
        make = _TABLES | {"Table 2": lambda frame: niah_table(frame, sizes)}
        tables = [_table(f"{name}. {caption}", make[name](frame)) for name, caption in about["tables"].items()]
        if OFFLINE_LABEL in set(frame["model"]):
            text = f"{text} {about.get('offline', '')}".strip()
    return {"title": about["title"], "text": text, "pictures": pictures, "tables": tables}


def _table(caption: str, table: pd.DataFrame) -> dict[str, Any]:
    """A table for the template: each cell as a figure and its interval; "of_paper" marks the paper's columns."""
    columns = [str(table.index.name), *map(str, table.columns)]
    rows = [[_cell(str(cell)) for cell in row] for row in table.reset_index().to_numpy()]
    return {
        "caption": caption,
        "columns": columns,
        "of_paper": [name.endswith("paper") for name in columns],
        "rows": rows,
    }


def _cell(text: str) -> tuple[str, str]:
    figure, bracket, rest = text.partition(f"{_NO_BREAK}[")
    return figure, bracket.strip() + rest


def _picture(name: str, svg: bytes, known_as: str) -> dict[str, Any]:
    """A figure for the template. As a data URI its ids cannot clash with another's, and no script in it can run."""
    captions = CAPTIONS["figures"]
    told = (
        captions.get(name)
        or captions.get(known_as)
        or {"alt": f"The figure {name}.", "caption": name.replace("_", " ")}
    )
    width = re.search(rb'viewBox="[\d.-]+ [\d.-]+ ([\d.]+)', svg)
    data = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"
    return told | {"name": name, "data": data, "wide": width is not None and float(width[1]) > _WIDE}
