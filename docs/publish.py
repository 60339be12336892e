"""Publishes the offline reader's last run: `make publish` after `make reproduce`, with the data.

Copies `outputs/runs/offline` to `outputs/offline`, and the outputs of its notebooks into `notebooks/`. Both are
committed, and the tests compare with them. Answers stay where they are: they quote the data set.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from rlm_memory_core.experiments.run.catalog import NOTEBOOKS
from rlm_memory_core.experiments.run.results import STARTED

ROOT = Path(__file__).resolve().parent.parent
RUN, PUBLISHED = (ROOT / "outputs" / where for where in ("runs/offline", "offline"))
_INJECTED = "injected-parameters"


def publish(run: Path = RUN, published: Path = PUBLISHED, notebooks: Path = ROOT / "notebooks") -> None:
    """Replaces what is published by a whole run with default parameters.

    Raises:
        SystemExit: The run is not whole, or a notebook of it is not the committed one.
    """
    if problem := _problem(run, notebooks):
        sys.exit(f"nothing is published: {problem}; run make reproduce with all data and no arguments")
    shutil.rmtree(published, ignore_errors=True)
    shutil.copytree(run, published, ignore=shutil.ignore_patterns("hypotheses", STARTED))
    for book in NOTEBOOKS:
        executed = _cells(run / f"{book.name}.ipynb")
        path = notebooks / f"{book.name}.ipynb"
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for number, (cell, shown) in enumerate(zip(_code(notebook["cells"]), _code(executed), strict=True), 1):
            cell["outputs"], cell["execution_count"] = _counted(shown["outputs"], number), number
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"published: {published.relative_to(ROOT)} and {len(NOTEBOOKS)} notebooks")


def _problem(run: Path, notebooks: Path) -> str:
    """Why a run cannot be published; "" if it can."""
    started = (run / STARTED).read_text(encoding="utf-8") if (run / STARTED).is_file() else "9"
    for book in NOTEBOOKS:
        path, results = run / f"{book.name}.ipynb", run / "results" / f"{book.name}.json"
        if not path.is_file() or not (book.judges or results.is_file()):
            return f"{book.name} has no results in {run.relative_to(ROOT)}"
        if not book.judges and json.loads(results.read_text(encoding="utf-8"))["provenance"]["date"] < started:
            return f"{book.name} is of an earlier run"
        committed = json.loads((notebooks / path.name).read_text(encoding="utf-8"))["cells"]
        if [_source(cell) for cell in _cells(path)] != [_source(cell) for cell in committed]:
            return f"{book.name} has changed since"
    return ""


def _cells(path: Path) -> list[dict]:
    """The cells of an executed notebook, without the one that sets its parameters."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if _INJECTED not in cell["metadata"].get("tags", [])]


def _code(cells: list[dict]) -> list[dict]:
    return [cell for cell in cells if cell["cell_type"] == "code"]


def _source(cell: dict) -> str:
    return "".join(cell["source"])


def _counted(outputs: list[dict], number: int) -> list[dict]:
    """Outputs with the cell's own number: the cell with the parameters is not counted."""
    return [{**each, "execution_count": number} if "execution_count" in each else each for each in outputs]


if __name__ == "__main__":
    publish()
