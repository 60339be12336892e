"""Checks a run before it starts: parameters, data, model and price. A mistake costs one line and no money.

`execution` runs the notebooks.
"""

import ast
import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from rlm_memory_core.models import background
from rlm_memory_core.models.call_store import RecordingError
from rlm_memory_core.models.llm import LLM, OFFLINE, ModelError

from ..data.assets import DataBroken, DataUnavailable, project_root
from ..methods import PAPER_WINDOW, check_embedder, make
from .catalog import Notebook, select
from .dask_cluster import DaskExecutor
from .estimate import NOTHING, Estimate, estimate, judging
from .executors import ExecutorError
from .options import Options

_OPTIONS = {name: getattr(Options(), name) for name in Options.__dataclass_fields__}
_FLAGS = {  # what -p cannot set, because a flag of its own does
    "model": "--model", "base_url": "--base-url", "rates": "--prices", "budget_usd": "--budget", "hedge": "--hedge",
    "requests_per_minute": "--requests-per-minute", "tokens_per_minute": "--tokens-per-minute", "dask": "--dask",
    "options": "-p with the name of the option", "output_dir": "--outputs", "run_dir": "--outputs",
}  # fmt: skip


class ReproduceError(Exception):
    """A run cannot start or continue; one line says what is wrong and what to do."""


@dataclass(frozen=True)
class Plan:
    """A request to reproduce notebooks.

    Args:
        options: Model, server, limits and the other settings that notebooks share.
        only: Numbers or names of notebooks; empty for all.
        parameters: Values of parameters of single notebooks, by name.
        sample: "paper", "all", or the number of questions that each notebook asks; "" for the notebooks' own.
        outputs: The folder of all runs; None for the project's `outputs/runs`, which git ignores.
    """

    options: Options = field(default_factory=Options)
    only: Sequence[str] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sample: str = ""
    outputs: Path | None = None

    @property
    def llm(self) -> LLM:
        """The model, connected."""
        return self.options.llm

    @property
    def profile(self) -> str:
        """The name of the run's folder: one folder per model."""
        return re.sub(r"[^\w.-]+", "-", self.options.model).strip("-.") or "model"

    @property
    def folder(self) -> Path:
        """The output folder."""
        return (self.outputs or project_root() / "outputs" / "runs").resolve() / self.profile


def make_plan(flags: Mapping[str, Any], parameters: Mapping[str, Any], **others: Any) -> Plan:
    """Makes a plan from a command line.

    Args:
        flags: Fields of `Options`; a None is left out.
        parameters: What -p sets: fields of `Options`, and parameters of notebooks.
        others: Further fields of `Plan`.

    Raises:
        ReproduceError: A parameter has a flag of its own, or is not like its default.
    """
    if taken := sorted(set(parameters) & set(_FLAGS)):
        raise ReproduceError(f"{taken[0]} cannot be set with -p; use {_FLAGS[taken[0]]}")
    options = {name: value for name, value in parameters.items() if name in _OPTIONS}
    for name, value in options.items():
        _check_kind(name, value, _OPTIONS[name], "")
    options |= {name: value for name, value in flags.items() if value is not None}
    for name in ("requests_per_minute", "tokens_per_minute"):
        if options.get(name) == 0:  # in a notebook, 0 means no limit
            raise ReproduceError(f"{name} must be at least 1, not 0")
    return Plan(Options(**options), parameters={n: v for n, v in parameters.items() if n not in options}, **others)


@dataclass(frozen=True)
class Ready:
    """A notebook that was checked.

    Args:
        notebook: The notebook.
        parameters: The values that papermill sets.
        estimate: The expected cost.
        questions: How many answers it asks for; 0 where that was not counted, because asking is free.
        skipped: Why it cannot be run, if its data is missing; else "".
    """

    notebook: Notebook
    parameters: Mapping[str, Any]
    estimate: Estimate = NOTHING
    questions: int = 0
    skipped: str = ""


def prepare(plan: Plan) -> list[Ready]:
    """Checks the plan against the notebooks, their parameters and their data; asks no model.

    Raises:
        ReproduceError: A name or value is wrong, or a file is missing or broken.
    """
    try:
        llm, options = plan.llm, plan.options
        notebooks = select(plan.only)
        if not 0 <= options.hedge <= 1:
            raise ValueError(f"hedge is a share of the calls, between 0 and 1, not {options.hedge:g}")
        if plan.sample not in ("", "paper", "all") and not (plan.sample.isdecimal() and int(plan.sample)):
            raise ValueError(f"the sample must be paper, all or a number of questions, not {plan.sample!r}")
        judge = "-p judge_rates '[IN, OUT]', in dollars per token"
        for asked, who, how in ((llm, "", "--prices"), (options.judge, "the judge, ", judge)):
            if options.budget_usd >= 0 and asked is not None and asked.rates is None:
                name = who + asked.model + "," * bool(who)
                raise ValueError(
                    f"the price of {name} is not known, so that a budget in dollars cannot be held; give {how}"
                )
        check_embedder(options.embedding_model, llm)
        if options.dask:
            with DaskExecutor(options.dask) as cluster:
                cluster.check()
    except (ValueError, ExecutorError) as error:
        raise ReproduceError(str(error)) from error
    declared = {notebook.name: _declared(notebook) for notebook in notebooks}
    known = set().union(*declared.values(), _OPTIONS) - set(_FLAGS)
    if unknown := sorted(set(plan.parameters) - known):
        raise ReproduceError(f"no notebook has a parameter {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return [_check(plan, notebook, declared[notebook.name]) for notebook in notebooks]


def total(ready: Sequence[Ready]) -> Estimate:
    """Adds up what all notebooks will take."""
    return sum((book.estimate for book in ready), NOTHING)


def models(plan: Plan, ready: Sequence[Ready]) -> list[LLM]:
    """Returns the models that the notebooks will ask: the one that answers, and the judge.

    Raises:
        ReproduceError: A model has no key, or its recorded calls cannot be opened.
    """
    asks, judge = any(book.notebook.asks for book in ready), plan.options.judge
    found = [plan.llm] if asks else []
    if judge is not None and any(book.notebook.judged for book in ready):
        found.append(judge)
    try:
        for llm in found:
            if not plan.options.dask or llm is judge:  # workers have keys of their own
                llm.open()
    except (ModelError, RecordingError) as error:
        raise ReproduceError(str(error)) from error
    return found


def check_models(plan: Plan, ready: Sequence[Ready]) -> None:
    """Asks each model for one word, so that a wrong key or address shows now.

    On a cluster every worker asks for itself: it has its own key, network and cache. The judge is asked here. The
    reply is recorded.

    Raises:
        ReproduceError: A model gave no answer.
    """
    try:
        for llm in models(plan, ready):
            if plan.options.dask and llm is plan.llm:
                with DaskExecutor(plan.options.dask) as cluster:
                    cluster.on_each(_ask_for_a_word, llm)
            else:
                _ask_for_a_word(llm)
    except (ModelError, RecordingError, ExecutorError) as error:
        raise ReproduceError(str(error)) from error


def _ask_for_a_word(llm: LLM) -> None:
    llm.open()
    if llm.model != OFFLINE:
        background.run(llm.complete([{"role": "user", "content": "Reply with the word ready."}]))


def _declared(notebook: Notebook) -> dict[str, Any]:
    """Returns the notebook's parameters and defaults, as its parameters cell declares them."""
    import papermill

    if not notebook.path.is_file():
        raise ReproduceError(f"{notebook.path} is not there; run this in a checkout of the project")
    found = papermill.inspect_notebook(str(notebook.path))
    return {name: ast.literal_eval(parameter["default"]) for name, parameter in found.items()}


def _check(plan: Plan, notebook: Notebook, declared: Mapping[str, Any]) -> Ready:
    options, llm = plan.options, plan.llm
    folder = _from_root(plan.folder)
    ours = {"model": options.model, "options": options.changed(), "output_dir": folder, "run_dir": folder}
    given = {name: value for name, value in plan.parameters.items() if name in declared}
    for name, value in given.items():
        _check_kind(name, value, declared[name], f" of {notebook.name}")
    parameters = _sampled(plan.sample, notebook, declared) | given
    parameters |= {name: value for name, value in ours.items() if name in declared}
    if notebook.asks is None:
        return Ready(notebook, parameters)
    complete = {**asdict(options), **declared, **parameters}
    judge = options.judge if notebook.judged else None
    expected, questions = NOTHING, 0
    try:
        if "methods" in complete:
            make(complete["methods"], llm, complete["window"])  # checks the names
        embedder = llm.another(options.embedding_model) if options.embedding_model else None
        free = llm.model == OFFLINE and judge is None
        for run in islice(notebook.asks(complete), 1 if free else None):  # the first tells whether its data is there
            if free:
                break
            questions += len(run.methods) * len(run.samples)
            expected += estimate(run.methods, run.samples, complete.get("window", PAPER_WINDOW), llm, embedder)
            if judge is not None:
                judged = len(run.samples) if run.judged is None else run.judged
                expected += judging(len(run.methods), judged, judge.rates)
    except DataBroken as error:
        raise ReproduceError(str(error)) from error
    except DataUnavailable as error:
        return Ready(notebook, parameters, skipped=str(error))
    except (ValueError, TypeError) as error:
        raise ReproduceError(f"{notebook.name}: {error}") from error
    return Ready(notebook, parameters, expected, questions)


def _sampled(sample: str, notebook: Notebook, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parameters that make a notebook ask `sample` questions, but no more than by default."""
    if "sample" in notebook.sampled:
        return {"sample": sample} if sample else {}
    if not sample.isdecimal():
        return {}
    return {name: min(declared[name], math.ceil(int(sample) / each)) for name, each in notebook.sampled.items()}


def _check_kind(name: str, value: object, default: object, where: str) -> None:
    if not _fits(value, default):
        like = shlex.quote(json.dumps(default))
        raise ReproduceError(f"{value!r} does not fit parameter {name}{where}; write it as in -p {name} {like}")


def _fits(value: object, default: object) -> bool:
    """Checks whether a value has the type of the default; an int is also good for a float."""
    if isinstance(default, list | tuple):
        return isinstance(value, list) and all(_fits(item, default[0]) for item in value if default)
    return type(value) in ((int, float) if isinstance(default, float) else (type(default),))


def _from_root(folder: Path) -> str:
    """Returns a folder inside the project as a relative path, so that notebooks do not show this machine's paths."""
    root = project_root()
    return str(folder.relative_to(root) if folder.is_relative_to(root) else folder)
