"""What a run left in its folder, as the report tells it: where each notebook's results come from, and its questions.

It reads `results/`, and judges nothing. A broken file is named in one line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.assets import one_line
from ..run.catalog import NOTEBOOKS

_NAMES = ["question_id", "question_type", "method", "model"]
_TEXT = [*_NAMES, "error"]
_FIGURES = [
    "em", "f1", "em_strict", "f1_squad", "prompt_tokens", "completion_tokens", "calls", "seconds", "answer_words",
]  # fmt: skip
_ASKING = {book.name for book in NOTEBOOKS if book.asks}
_TITLES = {book.name: book.title for book in NOTEBOOKS}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the results of one notebook come from.

    Args:
        notebook: Its name, such as "01_niah".
        title: What it reproduces.
        ran: Whether it left results; without, the rest is empty.
        model, commit, seed, data, date, spent: As its results document has them, as text.
        versions: Of Python and the packages.
        asked: Questions, counted once a method; None where it keeps none.
        failed: Those without an answer.
        reason: Why the first of them failed.
    """

    notebook: str
    title: str
    ran: bool = False
    model: str = ""
    commit: str = ""
    seed: str = ""
    data: str = ""
    date: str = ""
    spent: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    asked: int | None = None
    failed: int = 0
    reason: str = ""


def documents(folder: Path) -> list[Path]:
    """The results documents below an outputs folder, in the notebooks' order.

    Raises:
        ValueError: There is none.
    """
    found = sorted((folder / "results").glob("*.json"))
    if not found:
        raise ValueError(f"there are no results in {folder}; run rlm-memory reproduce first")
    return found


def questions(folder: Path, notebook: str) -> pd.DataFrame | None:
    """The questions that a notebook asked, one row a question and method.

    Args:
        folder: Such as outputs/offline.
        notebook: Such as "01_niah".

    Returns:
        The rows of its CSV, an empty text where there was no error; None where it left none.

    Raises:
        ValueError: The file is not such a table.
    """
    path = folder / "results" / f"{notebook}.questions.csv"
    if not path.is_file():
        return None
    try:
        frame = pd.read_csv(path, dtype=dict.fromkeys(_TEXT, str) | dict.fromkeys(_FIGURES, float))
    except ValueError as error:
        raise ValueError(f"{path} is not a table of questions: {one_line(error)}") from error
    if missing := [name for name in (*_TEXT, *_FIGURES) if name not in frame]:
        raise ValueError(f"{path} is not a table of questions: it has no column {missing[0]}")
    frame[_TEXT] = frame[_TEXT].fillna("")
    if notebook in _ASKING and (problem := _problem(frame)):
        raise ValueError(f"{path} {problem}; run rlm-memory reproduce again")
    return frame


def origins(folder: Path) -> list[Origin]:
    """Where the results of every notebook come from, those without results among them.

    Raises:
        ValueError: A results document has no provenance, or a table of questions is broken.
    """
    paths = {path.stem: path for path in documents(folder)}
    names = sorted({*_TITLES, *paths})
    return [_origin(paths[name], folder) if name in paths else Origin(name, _TITLES[name]) for name in names]


def answered(found: list[Origin]) -> str:
    """The model that answered: of the notebooks that ask one; "" where none of them ran."""
    return " and ".join(dict.fromkeys(each.model for each in found if each.ran and each.notebook in _ASKING))


def _problem(frame: pd.DataFrame) -> str:
    """Why no tables can be made of these rows; "" where they can."""
    if frame.empty:
        return "holds no questions"
    cells = frame[[*_NAMES, *_FIGURES]]
    empty = (cells.isna() | (cells == "")).any()
    if empty.any():
        return f"has an empty cell in the column {empty.idxmax()}"
    if not frame["em"].between(0, 1).all():
        return "has an em outside 0 to 1"
    asked = [sorted(rows) for _, rows in frame.groupby("method")["question_id"]]
    if any(each != asked[0] or len(set(each)) < len(each) for each in asked):
        return "does not hold each question once for every method"
    return ""


def _origin(path: Path, folder: Path) -> Origin:
    asked = questions(folder, path.stem)
    if asked is None and path.stem in _ASKING:
        raise ValueError(f"{path} has no {path.stem}.questions.csv beside it; run rlm-memory reproduce again")
    errors = [] if asked is None else [error for error in asked["error"] if error]
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["provenance"]
        spent = told.get("spent_usd")
        return Origin(
            notebook=path.stem,
            title=_TITLES.get(path.stem, ""),
            ran=True,
            model=str(told["model"]),
            commit=str(told.get("commit") or "not known"),
            seed=str(told.get("seed", "")),
            data=str(told.get("data_sha256") or ""),
            date=str(told.get("date", "")).replace("T", " ").replace("+00:00", " UTC"),
            spent="not known, the model has no price" if spent is None else f"${spent:,.2f}",
            versions={str(name): str(version) for name, version in told.get("versions", {}).items()},
            asked=None if asked is None else len(asked),
            failed=len(errors),
            reason=errors[0] if errors else "",
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a results document: {one_line(error)}") from error
