"""The driver: checks what is asked for, and runs the notebooks through papermill.

It checks everything it can before it starts (parameters, data, model, price), so that
a mistake costs one line and no money. What a notebook computes is the notebook's affair.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from rlm_memory_core import background
from rlm_memory_core.llm import LLM, OFFLINE, ModelError, connect
from rlm_memory_core.pricing import Usage
from rlm_memory_core.recording import RecordingError

from .assets import DataBroken, DataUnavailable, project_root
from .catalog import Notebook, select
from .estimate import Estimate, estimate
from .methods import check_names
from .progress import watch


class ReproduceError(Exception):
    """A run that cannot start or go on; one line says what is wrong and what to do."""


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Args:
        model, base_url: As for `connect`.
        only: Numbers or names of notebooks; none for all.
        parameters: Values for notebook parameters, by name.
        budget_usd: A hard limit in dollars over all notebooks, or None.
        rates: Dollars per prompt and per completion token, or None for the known price.
        outputs: The folder of all outputs; None for the project's `outputs`.
    """

    model: str = OFFLINE
    base_url: str | None = None
    only: Sequence[str] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    budget_usd: float | None = None
    rates: tuple[float, float] | None = None
    outputs: Path | None = None

    @property
    def llm(self) -> LLM:
        """The model, connected."""
        return connect(self.model, self.base_url, rates=self.rates)

    @property
    def folder(self) -> Path:
        """Where outputs go: one folder a model."""
        profile = re.sub(r"[^\w.-]+", "-", self.model).strip("-.") or "model"
        return (self.outputs or project_root() / "outputs").resolve() / profile


@dataclass(frozen=True)
class Ready:
    """A notebook that can be run.

    Args:
        notebook: Which.
        parameters: What papermill puts into it.
        estimate: What it will take.
    """

    notebook: Notebook
    parameters: Mapping[str, Any]
    estimate: Estimate


@dataclass(frozen=True)
class Skipped:
    """A notebook whose data is not at hand, and why."""

    notebook: Notebook
    reason: str


def prepare(plan: Plan) -> list[Ready | Skipped]:
    """Check the plan against the notebooks, their parameters and their data; nothing is asked of a model.

    Raises:
        ReproduceError: Something is misspelled, missing or broken.
    """
    try:
        llm = plan.llm
        notebooks = select(plan.only)
    except ValueError as error:
        raise ReproduceError(str(error)) from error
    if plan.budget_usd is not None and llm.rates is None:
        raise ReproduceError(
            f"the price of {plan.model} is not known, so that a budget in dollars cannot be held; give --prices"
        )
    declared = {notebook.name: _declared(notebook) for notebook in notebooks}
    known = set().union(*declared.values())
    unknown = sorted(set(plan.parameters) - known)
    if unknown:
        raise ReproduceError(f"no notebook has a parameter {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return [_check(plan, notebook, declared[notebook.name], llm.rates) for notebook in notebooks]


def total(ready: Sequence[Ready]) -> Estimate:
    """What all notebooks will take."""
    dollars = [book.estimate.usd for book in ready]
    usage = sum((book.estimate.usage for book in ready), Usage())
    return Estimate(usage, None if None in dollars else sum(amount or 0.0 for amount in dollars))


def check_model(llm: LLM) -> None:
    """Ask the model for one word, so that a wrong key or address, or a broken cache, shows now.

    Raises:
        ReproduceError: It gave no answer.
    """
    try:
        llm.open()
        if llm.model != OFFLINE:
            background.run(llm.complete([{"role": "user", "content": "Reply with the word ready."}]))
    except (ModelError, RecordingError) as error:
        raise ReproduceError(str(error)) from error


@dataclass(frozen=True)
class Ran:
    """A notebook that was run.

    Args:
        spent_usd: The dollars it spent; None where the price is not known.
        asked: Questions, counted once a method.
        failed: Those without an answer.
        reason: Why the first of them failed; "" where none did.
        skipped: Why the notebook could not run for want of data; "" where it ran.
    """

    spent_usd: float | None
    asked: int
    failed: int
    reason: str
    skipped: str = ""


def execute(plan: Plan, ready: Ready) -> Ran:
    """Run one notebook into the plan's folder.

    Raises:
        ReproduceError: A cell failed; the notebook with its error is kept in the folder.
    """
    import papermill

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
    except papermill.PapermillExecutionError as error:
        if error.ename == DataUnavailable.__name__:
            target.unlink()
            return Ran(0.0, 0, 0, "", skipped=_one_line(error.evalue))
        raise ReproduceError(
            f"{ready.notebook.name} failed in cell {error.exec_count}: {error.ename}: {_one_line(error.evalue)} "
            f"(the notebook is in {target})"
        ) from error
    _tidy(target)
    if ready.notebook.judges:
        return Ran(0.0, 0, 0, "")
    results = plan.folder / "results"
    document = _results(results / f"{ready.notebook.name}.json")
    questions = results / f"{ready.notebook.name}.questions.csv"
    errors = pd.read_csv(questions)["error"] if ready.notebook.samples else pd.Series(dtype=str)
    reasons = errors.dropna()
    return Ran(document["provenance"]["spent_usd"], len(errors), len(reasons), reasons.iloc[0] if len(reasons) else "")


def _results(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReproduceError(
            f"{path} cannot be read ({_one_line(str(error))}); run rlm-memory reproduce again"
        ) from error
    return document


def _declared(notebook: Notebook) -> dict[str, Any]:
    """The notebook's parameters and their defaults, as its parameters cell declares them."""
    import ast

    import papermill

    if not notebook.path.is_file():
        raise ReproduceError(f"{notebook.path} is not there; run this in a checkout of the project")
    found = papermill.inspect_notebook(str(notebook.path))
    return {name: ast.literal_eval(parameter["default"]) for name, parameter in found.items()}


def _check(
    plan: Plan, notebook: Notebook, declared: Mapping[str, Any], rates: tuple[float, float] | None
) -> Ready | Skipped:
    ours = {
        "model": plan.model,
        "base_url": plan.base_url or "",
        "rates": list(plan.rates or ()),
        "output_dir": _from_root(plan.folder),
        "run_dir": _from_root(plan.folder),
    }
    given = {name: value for name, value in plan.parameters.items() if name in declared}
    taken = sorted({*ours, "budget_usd"} & set(given))
    if taken:
        raise ReproduceError(
            f"{', '.join(taken)} cannot be set with -p; use --model, --base-url, --prices, --budget or --outputs"
        )
    for name, value in given.items():
        if not _fits(value, declared[name]):
            raise ReproduceError(f"parameter {name} of {notebook.name} is like {declared[name]!r}, not {value!r}")
    parameters = {**given, **{name: value for name, value in ours.items() if name in declared}}
    if notebook.samples is None:
        return Ready(notebook, parameters, Estimate(Usage(), 0.0))
    complete = {**declared, **parameters}
    try:
        check_names(complete["methods"])
        samples = notebook.samples(complete)
        expected = estimate(complete["methods"], samples, complete["window"], rates)
    except DataBroken as error:
        raise ReproduceError(str(error)) from error
    except DataUnavailable as error:
        return Skipped(notebook, str(error))
    except (ValueError, TypeError) as error:
        raise ReproduceError(f"{notebook.name}: {error}") from error
    return Ready(notebook, parameters, expected)


def _fits(value: object, default: object) -> bool:
    """Whether a value is of the default's kind; whole numbers do for fractions, text for text alone."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    if isinstance(default, list) and default:
        return isinstance(value, list) and all(_fits(item, default[0]) for item in value)
    return isinstance(value, type(default))


def _from_root(folder: Path) -> str:
    """A folder as a notebook may show it: without this machine's path where it lies in the project."""
    root = project_root()
    return str(folder.relative_to(root) if folder.is_relative_to(root) else folder)


def _tidy(path: Path) -> None:
    """Take timings and paths of this machine out of an executed notebook: reruns then differ only in results."""
    book = json.loads(path.read_text(encoding="utf-8"))
    for part in (book, *book["cells"]):
        for noise in ("papermill", "execution"):
            part["metadata"].pop(noise, None)
    path.write_text(json.dumps(book, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
