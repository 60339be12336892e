"""Runs notebooks with papermill, and reports what a run spent and what went wrong. `reproduce` checks them first.

Where nothing is paid, as many notebooks run at once as there are processors.
"""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from tqdm import tqdm

from rlm_memory_core.models.llm import OFFLINE
from rlm_memory_core.models.wording import first_line
from rlm_memory_core.query.answer import total_cost

from ..data.assets import DataUnavailable, one_line, project_root
from ..progress import VARIABLE
from ..score.judge import count_unjudged
from .catalog import Notebook
from .options import Options
from .reproduce import Plan, Ready, ReproduceError
from .results import STARTED

_INTERVAL = 0.3  # seconds between two looks at the progress
_BAR = "{desc} {percentage:3.0f}%|{bar:20}| {elapsed}, about {remaining} left"


@dataclass(frozen=True)
class Ran:
    """The outcome of one notebook.

    Args:
        name: The notebook's name.
        spent_usd: The dollars it spent; None if the price is unknown.
        failed: Missing answers: questions without one, counted once per method, and those without a judge's verdict.
        problems: What went wrong without ending the run, one line each.
        skipped: Why it was skipped, if its data is missing; "" if it ran.
        error: Why it failed, in one line; "" if it did not.
        told: How long it took, and how much is left of the run, in one line.
    """

    name: str
    spent_usd: float | None
    failed: int = 0
    problems: Sequence[str] = ()
    skipped: str = ""
    error: str = ""
    told: str = ""


def execute(plan: Plan, ready: Sequence[Ready]) -> Iterator[Ran]:
    """Runs notebooks into the plan's folder, and yields the outcome of each when it is done.

    One that fails does not end the others; it stays in the folder with its error. Notebooks that judge come last.
    """
    paid = any(book.notebook.asks for book in ready) and plan.options.model != OFFLINE
    jobs = 1 if paid else min(len(ready), os.cpu_count() or 1)
    queue = sorted(ready, key=lambda book: _turn(book.notebook, jobs))
    spent: float | None = 0.0
    waiting: dict[Future[Ran], Ready] = {}
    processes = multiprocessing.get_context("spawn")
    with (
        TemporaryDirectory() as folder,
        ProcessPoolExecutor(jobs, processes) as pool,
        closing(_Bar(ready, folder)) as bar,
    ):
        while queue or waiting:
            while queue and len(waiting) < jobs and not (waiting and _alone(queue[0], *waiting.values())):
                book = queue.pop(0)
                if plan.options.budget_usd >= 0 and book.notebook.asks is not None:
                    left = max(plan.options.budget_usd - (spent or 0.0), 0.0)
                    options = {**book.parameters["options"], "budget_usd": left}
                    book = replace(book, parameters={**book.parameters, "options": options})
                waiting[pool.submit(_run, plan, book, bar.start(book))] = book
            done, _ = wait(waiting, _INTERVAL, FIRST_COMPLETED)
            for future in done:
                ran = future.result()
                spent = total_cost((spent, ran.spent_usd))
                yield replace(ran, told=bar.end(waiting.pop(future)))
            bar.draw()


def _alone(*books: Ready) -> bool:
    """Whether one of them must run alone: it measures time, or judges what the others found."""
    return any(book.notebook.timed or book.notebook.judges for book in books)


def _turn(notebook: Notebook, jobs: int) -> tuple[bool, bool, float]:
    """Sorts notebooks: what measures time first, what judges the others last, else the longest first if several run."""
    return notebook.judges, not notebook.timed, -notebook.seconds if jobs > 1 else 0.0


def begin(plan: Plan) -> None:
    """Notes in the run's folder when it began: older results in it are no figures of this run."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    (plan.folder / STARTED).write_text(datetime.now(UTC).isoformat(timespec="seconds"), encoding="utf-8")


class _Bar:
    """How far a run is, in expected seconds: by questions where they were counted, else by the time that passed."""

    def __init__(self, ready: Sequence[Ready], folder: str) -> None:
        self._folder = Path(folder)
        self._expected = {book.notebook.name: book.estimate.seconds or book.notebook.seconds for book in ready}
        self._running: dict[str, tuple[float, int]] = {}
        self._done = 0.0
        self._bar = tqdm(total=sum(self._expected.values()), bar_format=_BAR, disable=None, leave=False)
        self._started = time.perf_counter()

    def start(self, book: Ready) -> Path:
        """Notes that a notebook begins; returns the file in which its kernel writes how much it has asked."""
        self._running[book.notebook.name] = time.perf_counter(), book.questions
        self.draw()
        return self._folder / book.notebook.name

    def end(self, book: Ready) -> str:
        """Notes that a notebook is done; says how long it took and what is left."""
        began, _ = self._running.pop(book.notebook.name)
        self._done += self._expected[book.notebook.name]
        share, now = self._done / sum(self._expected.values()), time.perf_counter()
        rest = f", about {(now - self._started) * (1 - share) / share:.0f} s left" if share < 1 else ""
        return f"done in {now - began:.0f} s ({share:.0%}{rest})"

    def draw(self) -> None:
        """Draws the bar as it stands."""
        seconds, told = self._done, []
        for name, (began, questions) in self._running.items():
            asked, label = "0", ""
            with suppress(OSError, ValueError):  # not there yet, or half written
                asked, label = (self._folder / name).read_text(encoding="utf-8").split(" ", 1)
            expected = self._expected[name]
            share = int(asked) / questions if questions else (time.perf_counter() - began) / expected
            seconds += expected * min(share, 0.95)
            told.append(f"{name[:2]} {label} {asked}" if label else name)
        self._bar.set_description_str("; ".join(told), refresh=False)
        self._bar.n = seconds
        self._bar.refresh()

    def close(self) -> None:
        """Removes the bar."""
        self._bar.close()


def _run(plan: Plan, ready: Ready, progress: Path) -> Ran:
    """Runs one notebook, in a process of its own."""
    # papermill imports jsonschema, which would build grammars for 2 s to check addresses that no notebook has
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import papermill
    from nbclient.exceptions import DeadKernelError

    os.environ[VARIABLE] = str(progress)
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # the kernel of this environment, not the user's
    plan.folder.mkdir(parents=True, exist_ok=True)
    name = ready.notebook.name
    target = plan.folder / f"{name}.ipynb"
    try:
        papermill.execute_notebook(
            ready.notebook.path,
            target,
            parameters=dict(ready.parameters),
            kernel_name="python3",
            progress_bar=False,
            cwd=str(project_root()),
            extra_arguments=["--log-level=CRITICAL"],  # else kernels log their encryption and shutdown
        )
    except DeadKernelError:
        return Ran(name, None, error=f"the kernel of {name} died; was there enough memory?")
    except papermill.PapermillExecutionError as error:
        if error.ename == DataUnavailable.__name__:
            target.unlink()
            return Ran(name, 0.0, skipped=one_line(error.evalue))
        why = f"{error.ename}: {one_line(error.evalue)} (the notebook is in {target})"
        return Ran(name, None, error=f"{name} failed in cell {error.exec_count}: {why}")
    finally:
        if target.is_file():
            _tidy(target, plan.options)
    if ready.notebook.judges:
        return Ran(name, 0.0)
    written = plan.folder / "results" / f"{name}.json"
    if not written.is_file():
        raise ReproduceError(f"{name} did not write {written}; it must call results.write")
    document = json.loads(written.read_text(encoding="utf-8"))
    spent_usd = document["provenance"]["spent_usd"]
    if ready.notebook.asks is None:
        return Ran(name, spent_usd)
    rows = pd.read_csv(written.with_suffix(".questions.csv"))
    unjudged = count_unjudged(document["rows"])
    problems = _problems(rows)
    if unjudged:
        problems.append(f"{unjudged} answers were not judged; the notebook says why")
    return Ran(name, spent_usd, int(rows["error"].count()) + unjudged, problems)


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


def _tidy(path: Path, options: Options) -> None:
    """Removes passwords in addresses, and timings, from an executed notebook, so that reruns differ only in results."""
    text = path.read_text(encoding="utf-8")
    for address in filter(None, (options.base_url, options.judge_base_url)):
        text = text.replace(address, first_line(address))
    book = json.loads(text)
    for part in (book, *book["cells"]):
        for noise in ("papermill", "execution"):
            part["metadata"].pop(noise, None)
    path.write_text(json.dumps(book, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
