"""Runs notebooks with papermill, and reports what a run spent and what went wrong. `reproduce` checks them first."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..data.assets import DataUnavailable, one_line, project_root
from ..progress import watch
from ..score.judge import count_unjudged
from .reproduce import Plan, Ready, ReproduceError


@dataclass(frozen=True)
class Ran:
    """The outcome of one notebook.

    Args:
        spent_usd: The dollars it spent; None if the price is unknown.
        failed: Missing answers: questions without one, counted once per method, and those without a judge's verdict.
        problems: What went wrong without ending the run, one line each.
        skipped: Why it was skipped, if its data is missing; "" if it ran.
    """

    spent_usd: float | None
    failed: int = 0
    problems: Sequence[str] = ()
    skipped: str = ""


def execute(plan: Plan, ready: Ready) -> Ran:
    """Runs one notebook into the plan's folder.

    Raises:
        ReproduceError: A cell failed (the notebook with its error stays in the folder), or there are no results.
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
                extra_arguments=["--log-level=CRITICAL"],  # else kernels log their encryption and shutdown
            )
    except DeadKernelError as error:
        raise ReproduceError(f"the kernel of {ready.notebook.name} died; was there enough memory?") from error
    except papermill.PapermillExecutionError as error:
        if error.ename == DataUnavailable.__name__:
            target.unlink()
            return Ran(0.0, skipped=one_line(error.evalue))
        raise ReproduceError(
            f"{ready.notebook.name} failed in cell {error.exec_count}: {error.ename}: {one_line(error.evalue)} "
            f"(the notebook is in {target})"
        ) from error
    _tidy(target)
    if ready.notebook.judges:
        return Ran(0.0)
    written = plan.folder / "results" / f"{ready.notebook.name}.json"
    if not written.is_file():
        raise ReproduceError(f"{ready.notebook.name} did not write {written}; it must call results.write")
    document = json.loads(written.read_text(encoding="utf-8"))
    spent_usd = document["provenance"]["spent_usd"]
    if ready.notebook.asks is None:
        return Ran(spent_usd)
    rows = pd.read_csv(written.with_suffix(".questions.csv"))
    unjudged = count_unjudged(document["rows"])
    problems = _problems(rows)
    if unjudged:
        problems.append(f"{unjudged} answers were not judged; the notebook says why")
    return Ran(spent_usd, int(rows["error"].count()) + unjudged, problems)


def _problems(rows: pd.DataFrame) -> list[str]:
    """Counts questions without an answer and failed sub-agents, each with the first reason."""
    problems = []
    errors, failures = rows["error"].dropna(), rows["failures"].dropna()
    if len(errors):
        problems.append(f"{len(errors)} of {len(rows)} had no answer ({errors.iloc[0]})")
    if len(failures):
        failed, asked = rows["failed_subagents"].sum(), rows["subagents"].sum()
        problems.append(f"{failed} sub-agents of {asked} failed ({failures.iloc[0]})")
    return problems


def _tidy(path: Path) -> None:
    """Removes timings and paths of this machine from an executed notebook, so that reruns differ only in results."""
    book = json.loads(path.read_text(encoding="utf-8"))
    for part in (book, *book["cells"]):
        for noise in ("papermill", "execution"):
            part["metadata"].pop(noise, None)
    path.write_text(json.dumps(book, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
