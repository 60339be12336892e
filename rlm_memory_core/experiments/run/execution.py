"""Runs notebooks through papermill, and says what a run spent and what went wrong.

What a notebook computes is the notebook's affair; what is run is checked by `reproduce`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.assets import DataUnavailable, project_root
from ..score.judge import count_unjudged
from .progress import watch
from .reproduce import Plan, Ready, ReproduceError


@dataclass(frozen=True)
class Ran:
    """A notebook that was run.

    Args:
        spent_usd: The dollars it spent; None where the price is not known.
        failed: Answers that are missing: questions without one, counted once a method, and those a judge left open.
        problems: What went wrong without ending the run, a line each.
        skipped: Why the notebook could not run for want of data; "" where it ran.
    """

    spent_usd: float | None
    failed: int = 0
    problems: Sequence[str] = ()
    skipped: str = ""


def execute(plan: Plan, ready: Ready) -> Ran:
    """Run one notebook into the plan's folder.

    Raises:
        ReproduceError: A cell failed; the notebook with its error is kept in the folder.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError

    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # the kernel of this environment, not the user's
    plan.folder.mkdir(parents=True, exist_ok=True)
    target = plan.folder / f"{ready.notebook.name}.ipynb"
    try:
        with watch(ready.notebook.name):
            papermill.execute_notebook(
                ready.notebook.path,
                target,
                parameters=dict(ready.parameters),
                kernel_name="python3",
                progress_bar=False,
                cwd=str(project_root()),
                extra_arguments=["--log-level=CRITICAL"],  # or kernels chat about encryption and their own end
            )
    except DeadKernelError as error:
        raise ReproduceError(f"the kernel of {ready.notebook.name} died; was there enough memory?") from error
    except papermill.PapermillExecutionError as error:
        if error.ename == DataUnavailable.__name__:
            target.unlink()
            return Ran(0.0, skipped=_one_line(error.evalue))
        raise ReproduceError(
            f"{ready.notebook.name} failed in cell {error.exec_count}: {error.ename}: {_one_line(error.evalue)} "
            f"(the notebook is in {target})"
        ) from error
    _tidy(target)
    if ready.notebook.judges:
        return Ran(0.0)
    results = plan.folder / "results"
    document = _results(results / f"{ready.notebook.name}.json")
    spent_usd = document["provenance"]["spent_usd"]
    if ready.notebook.asks is None:
        return Ran(spent_usd)
    rows = pd.read_csv(results / f"{ready.notebook.name}.questions.csv")
    unjudged = count_unjudged(document["rows"])
    problems = _problems(rows)
    if unjudged:
        problems.append(f"{unjudged} answers were not judged; the notebook says why")
    return Ran(spent_usd, int(rows["error"].count()) + unjudged, problems)


def _problems(rows: pd.DataFrame) -> list[str]:
    """Questions without an answer and sub-agents that failed, each with the first reason."""
    problems = []
    errors, failures = rows["error"].dropna(), rows["failures"].dropna()
    if len(errors):
        problems.append(f"{len(errors)} of {len(rows)} had no answer ({errors.iloc[0]})")
    if len(failures):
        failed, asked = rows["failed_subagents"].sum(), rows["subagents"].sum()
        problems.append(f"{failed} sub-agents of {asked} failed ({failures.iloc[0]})")
    return problems


def _results(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReproduceError(
            f"{path} cannot be read ({_one_line(str(error))}); run rlm-memory reproduce again"
        ) from error
    return document


def _tidy(path: Path) -> None:
    """Take timings and paths of this machine out of an executed notebook: reruns then differ only in results."""
    book = json.loads(path.read_text(encoding="utf-8"))
    for part in (book, *book["cells"]):
        for noise in ("papermill", "execution"):
            part["metadata"].pop(noise, None)
    path.write_text(json.dumps(book, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
