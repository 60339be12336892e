"""Checks a run before it starts: parameters, data, model and price. A mistake costs one line and no money.

`execution` runs the notebooks.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlm_memory_core.models import background
from rlm_memory_core.models.call_store import RecordingError
from rlm_memory_core.models.hedging import HEDGE
from rlm_memory_core.models.llm import LLM, OFFLINE, ModelError, connect

from ..data.assets import DataBroken, DataUnavailable, project_root
from ..methods import PAPER_WINDOW, check_embedder, make
from ..score.judge import connect_judge
from .catalog import Notebook, select
from .dask_cluster import DaskExecutor
from .estimate import NOTHING, Estimate, estimate, judging
from .executors import ExecutorError


class ReproduceError(Exception):
    """A run cannot start or continue; one line says what is wrong and what to do."""


@dataclass(frozen=True)
class Plan:
    """A request to reproduce notebooks.

    Args:
        model, base_url: As for `connect`.
        only: Numbers or names of notebooks; empty for all.
        parameters: Values of notebook parameters, by name.
        budget_usd: A hard limit in dollars over all notebooks, or None.
        rates: Dollars per prompt and per completion token, or None for the known price.
        outputs: The folder of all outputs; None for the project's `outputs`.
        dask: The address of a Dask scheduler whose workers answer the questions; "" answers them here.
        hedge: The share of sub-agent calls that may be sent again when they are late.
        requests_per_minute, tokens_per_minute: As for `connect`.
    """

    model: str = OFFLINE
    base_url: str | None = None
    only: Sequence[str] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    budget_usd: float | None = None
    rates: tuple[float, float] | None = None
    outputs: Path | None = None
    dask: str = ""
    hedge: float = HEDGE
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    @property
    def llm(self) -> LLM:
        """The model, connected."""
        return connect(
            self.model,
            self.base_url,
            rates=self.rates,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
        )

    @property
    def folder(self) -> Path:
        """The output folder: one folder per model."""
        profile = re.sub(r"[^\w.-]+", "-", self.model).strip("-.") or "model"
        return (self.outputs or project_root() / "outputs").resolve() / profile


@dataclass(frozen=True)
class Ready:
    """A notebook that was checked.

    Args:
        notebook: The notebook.
        parameters: The values that papermill sets.
        estimate: The expected cost.
        judge: The model that judges its answers, or None.
        skipped: Why it cannot be run, if its data is missing; else "".
    """

    notebook: Notebook
    parameters: Mapping[str, Any]
    estimate: Estimate = NOTHING
    judge: LLM | None = None
    skipped: str = ""


def prepare(plan: Plan) -> list[Ready]:
    """Checks the plan against the notebooks, their parameters and their data; asks no model.

    Raises:
        ReproduceError: A name or value is wrong, or a file is missing or broken.
    """
    try:
        llm = plan.llm
        notebooks = select(plan.only)
        if not 0 <= plan.hedge <= 1:
            raise ValueError(f"hedge is a share of the calls, between 0 and 1, not {plan.hedge:g}")
        if plan.budget_usd is not None and llm.rates is None:
            raise ValueError(
                f"the price of {plan.model} is not known, so that a budget in dollars cannot be held; give --prices"
            )
        if plan.dask:
            with DaskExecutor(plan.dask) as cluster:
                cluster.check()
    except (ValueError, ExecutorError) as error:
        raise ReproduceError(str(error)) from error
    declared = {notebook.name: _declared(notebook) for notebook in notebooks}
    known = set().union(*declared.values())
    unknown = sorted(set(plan.parameters) - known)
    if unknown:
        raise ReproduceError(f"no notebook has a parameter {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return [_check(plan, notebook, declared[notebook.name], llm) for notebook in notebooks]


def total(ready: Sequence[Ready]) -> Estimate:
    """Adds up what all notebooks will take."""
    return sum((book.estimate for book in ready), NOTHING)


def models(plan: Plan, ready: Sequence[Ready]) -> list[LLM]:
    """Returns the models that the notebooks will ask: the one that answers, and the judges."""
    answering = [plan.llm] if any(book.notebook.asks for book in ready) else []
    return [*answering, *_judges(ready)]


def check_models(plan: Plan, ready: Sequence[Ready]) -> None:
    """Asks each model for one word, so that a wrong key or address, or a broken cache, shows now.

    On a cluster every worker asks for itself: it has its own key, network and cache. Judges are asked here. The reply
    is recorded, so a model that judges two notebooks gets one request.

    Raises:
        ReproduceError: A model gave no answer.
    """
    try:
        if plan.dask and any(book.notebook.asks for book in ready):
            with DaskExecutor(plan.dask) as cluster:
                cluster.on_each(_ask_for_a_word, plan.llm)
        for llm in _judges(ready) if plan.dask else models(plan, ready):
            _ask_for_a_word(llm)
    except (ModelError, RecordingError, ExecutorError) as error:
        raise ReproduceError(str(error)) from error


def _judges(ready: Sequence[Ready]) -> list[LLM]:
    return [book.judge for book in ready if book.judge is not None]


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


def _check(plan: Plan, notebook: Notebook, declared: Mapping[str, Any], llm: LLM) -> Ready:
    ours = {
        "model": plan.model,
        "base_url": plan.base_url or "",
        "rates": list(plan.rates or ()),
        "output_dir": _from_root(plan.folder),
        "run_dir": _from_root(plan.folder),
        "dask": plan.dask,
        "hedge": plan.hedge,
        "requests_per_minute": plan.requests_per_minute or 0.0,
        "tokens_per_minute": plan.tokens_per_minute or 0.0,
    }
    given = {name: value for name, value in plan.parameters.items() if name in declared}
    taken = sorted({*ours, "budget_usd"} & set(given))
    if taken:
        raise ReproduceError(
            f"{', '.join(taken)} cannot be set with -p; "
            "use --model, --base-url, --prices, --budget, --hedge, --requests-per-minute, --tokens-per-minute, --dask "
            "or --outputs"
        )
    for name, value in given.items():
        if not _fits(value, declared[name]):
            raise ReproduceError(f"parameter {name} of {notebook.name} is like {declared[name]!r}, not {value!r}")
    parameters = {**given, **{name: value for name, value in ours.items() if name in declared}}
    if notebook.asks is None:
        return Ready(notebook, parameters)
    complete = {**declared, **parameters}
    embedding_model = complete.get("embedding_model", "")
    try:
        if "methods" in complete:
            make(complete["methods"], llm, complete["window"])  # checks the names
        check_embedder(embedding_model, llm)
        embedder = llm.another(embedding_model) if embedding_model else None
        judge = _judge(plan, complete, llm)
        expected = NOTHING
        for run in notebook.asks(complete):
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
    return Ready(notebook, parameters, expected, judge)


def _judge(plan: Plan, parameters: Mapping[str, Any], llm: LLM) -> LLM | None:
    """Returns the judge that a notebook's parameters name; raises ValueError if the parameters are wrong."""
    judge = connect_judge(
        parameters.get("judge_model", ""), llm, parameters.get("judge_base_url", ""), parameters.get("judge_rates", ())
    )
    if judge is not None and judge.rates is None and plan.budget_usd is not None:
        raise ValueError(
            f"the price of the judge, {judge.model}, is not known, so that a budget in dollars cannot be held; "
            "give -p judge_rates '[IN, OUT]' in dollars per token"
        )
    return judge


def _fits(value: object, default: object) -> bool:
    """Checks whether a value has the type of the default; an int is also good for a float."""
    if isinstance(default, list) and default:
        return isinstance(value, list) and all(_fits(item, default[0]) for item in value)
    return type(value) in ((int, float) if isinstance(default, float) else (type(default),))


def _from_root(folder: Path) -> str:
    """Returns a folder inside the project as a relative path, so that notebooks do not show this machine's paths."""
    root = project_root()
    return str(folder.relative_to(root) if folder.is_relative_to(root) else folder)
