"""Reads what a run left in its folder for the report: the provenance of each notebook's results, and its questions.

Nothing is judged here. An error names the broken file in one line.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.assets import one_line
from ..paper.scorecard import results_of
from ..run.catalog import NOTEBOOKS

_NAMES = ["question_id", "question_type", "method", "model"]
_TEXT = [*_NAMES, "error"]
_FIGURES = [
    "em", "f1", "em_strict", "f1_squad", "prompt_tokens", "completion_tokens", "calls", "seconds", "answer_words",
]  # fmt: skip
_ASKING = {book.name for book in NOTEBOOKS if book.asks}
_JUDGING = {book.name for book in NOTEBOOKS if book.judges}
_TITLES = {book.name: book.title for book in NOTEBOOKS}


def questions(folder: Path, notebook: str) -> pd.DataFrame | None:
    """The questions that a notebook asked, one row per question and method.

    Args:
        folder: Such as outputs/offline.
        notebook: Such as "01_niah".

    Returns:
        The rows of its CSV, with an empty text for no error; None if it left no CSV.

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


def origins(folder: Path) -> list[dict[str, Any]]:
    """The provenance of every notebook's results, as the template reads it.

    A notebook without results has only `notebook`, `title`, `judges` and a false `ran`. The others add model, commit,
    seed, data (a checksum), date, spent and versions; asked (questions, once per method; None if it keeps none), failed
    (those without an answer) and reason (of the first failure).

    Raises:
        ValueError: A results document has no provenance, or a table of questions is broken.
    """
    paths = {path.stem: path for path in results_of(folder)}
    found = []
    for name in sorted({*_TITLES, *paths}):
        absent = {"notebook": name, "title": _TITLES.get(name, ""), "ran": False, "judges": name in _JUDGING}
        found.append(_origin(paths[name], folder) if name in paths else absent)
    return found


def answered(found: list[dict[str, Any]]) -> str:
    """The model of the notebooks that ask one; "" if none of them ran."""
    return " and ".join(dict.fromkeys(each["model"] for each in found if each["ran"] and each["notebook"] in _ASKING))


def _problem(frame: pd.DataFrame) -> str:
    """Why no table can be made of these rows; "" if one can."""
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


def _origin(path: Path, folder: Path) -> dict[str, Any]:
    asked = questions(folder, path.stem)
    if asked is None and path.stem in _ASKING:
        raise ValueError(f"{path} has no {path.stem}.questions.csv beside it; run rlm-memory reproduce again")
    errors = [] if asked is None else [error for error in asked["error"] if error]
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["provenance"]
        spent = told.get("spent_usd")
        return {
            "notebook": path.stem,
            "title": _TITLES.get(path.stem, ""),
            "ran": True,
            "model": str(told["model"]),
            "commit": str(told.get("commit") or "not known"),
            "seed": str(told.get("seed", "")),
            "data": str(told.get("data_sha256") or ""),
            "date": str(told.get("date", "")).replace("T", " ").replace("+00:00", " UTC"),
            "spent": "not known, the model has no price" if spent is None else f"${spent:,.2f}",
            "versions": {str(name): str(version) for name, version in told.get("versions", {}).items()},
            "asked": None if asked is None else len(asked),
            "failed": len(errors),
            "reason": errors[0] if errors else "",
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a results document: {one_line(error)}") from error
