"""The commands `rlm-memory reproduce`, `estimate` and `report`: run the notebooks, or say what a run costs or gave."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from ..models.hedging import HEDGE
from ..query.trace import total_cost
from .common import UNANSWERED, Refused, add_model, confirm, rates_of

if TYPE_CHECKING:
    from ..experiments.run.reproduce import Plan, Ready


def add_parsers(commands: Any) -> None:
    """Add the three commands to the command line's `commands`."""
    for name, command, summary in (
        ("reproduce", _reproduce, "run the notebooks, write the report, and print the scorecard"),
        ("estimate", _estimate, "print the calls, tokens and dollars that a run needs, without running it"),
        ("report", _report, "write the report of the last run, and print the scorecard"),
    ):
        part = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        part.set_defaults(command=command, dask="")
        add_model(part)
        part.add_argument(
            "--only", action="append", default=[], metavar="NN", help="run this notebook; can be repeated"
        )
        part.add_argument(
            "--sample", metavar="paper|all|N", help="questions: the paper's, all of LongMemEval, or N in each"
        )
        part.add_argument("--judge", metavar="MODEL", help="model that judges LongMemEval answers (default: none)")
        hedge = "share of sub-agent calls that may be sent again when late (default: %(default)s)"
        part.add_argument("--hedge", type=_number, default=HEDGE, metavar="SHARE", help=hedge)
        part.add_argument("--requests-per-minute", type=_number, metavar="N", help="the server's limit, if you know it")
        part.add_argument("--tokens-per-minute", type=_number, metavar="N", help="the server's limit, if you know it")
        parameter = {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}
        part.add_argument("-p", dest="parameters", help="set a notebook parameter; can be repeated", **parameter)
        part.add_argument("--outputs", type=Path, metavar="DIR", help="folder for the outputs (default: outputs/runs)")
        part.add_argument("--yes", action="store_true", help="spend money without asking")
        if name == "reproduce":
            part.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler whose workers answer the questions")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _reproduce(options: argparse.Namespace) -> int:
    print("Checking the notebooks, their data and the model ...", flush=True)  # the imports below take a second
    plan, ready = _prepared(options)
    from ..experiments.run import execution, reproduce

    spent: float | None = 0.0
    problems: list[str] = []
    errors: list[str] = []
    unanswered = 0
    try:
        if not all(llm.is_local for llm in reproduce.models(plan, ready)):
            confirm(options.yes, "stopped before anything was spent")
        reproduce.check_models(plan, ready)
        execution.begin(plan)
        titles = {book.notebook.name: book.notebook.title for book in ready}
        for ran in execution.execute(plan, ready):
            outcome = f"skipped: {ran.skipped}" if ran.skipped else f"failed, {ran.told}" if ran.error else ran.told
            tqdm.write(f"{ran.name}: {titles[ran.name] + ': ' if not ran.skipped else ''}{outcome}")
            sys.stdout.flush()
            spent = total_cost((spent, ran.spent_usd))
            problems += [f"{ran.name}: {problem}" for problem in ran.problems]
            errors += [ran.error] if ran.error else []
            unanswered += ran.failed
    except reproduce.ReproduceError as error:
        raise Refused(error) from error
    if errors:
        raise Refused("; ".join(errors))
    if ready:
        _print_report(plan)
        dollars = "not known, the model has no price" if spent is None else f"${spent:.2f}"
        print("\n".join([f"Spent: {dollars}", *problems]))
    return UNANSWERED if unanswered else 0


def _estimate(options: argparse.Namespace) -> int:
    _prepared(options)
    return 0


def _report(options: argparse.Namespace) -> int:
    _print_report(_plan(options))
    return 0


def _prepared(options: argparse.Namespace) -> tuple[Plan, list[Ready]]:
    """Check the request, and print what the run needs."""
    plan = _plan(options)
    from ..experiments.run import reproduce

    try:
        books = reproduce.prepare(plan)
    except reproduce.ReproduceError as error:
        raise Refused(error) from error
    ready = [book for book in books if not book.skipped]
    asking = [book for book in ready if book.questions]
    for book in books:
        if book.skipped:
            print(f"{book.notebook.name}: skipped: {book.skipped}")
    for book in asking:
        print(f"{book.notebook.name}: {book.estimate}")
    judge = plan.options.judge
    if judge is not None and judge.rates is None:
        print(f"the price of the judge, {judge.model}, is not known")
    if len(asking) > 1:
        print(f"together: {reproduce.total(ready)}")
    if not asking:
        print(f"No model is asked: {plan.llm.label}, $0.00")
    return plan, ready


def _print_report(plan: Plan) -> None:
    from ..experiments.paper import scorecard, scorecard_tables
    from ..experiments.show import report

    try:
        card = scorecard.of_run(plan.folder)
        page = report.write(plan.folder)
    except ValueError as error:
        raise Refused(error) from error
    print(f"\nAnswered by: {plan.llm.label}")
    for line in scorecard_tables.older(scorecard.evidence_of(plan.folder)):
        print(f"* Not of this run: {line}")
    print("\n".join(["", *scorecard_tables.summary(card), ""]))
    near = page.relative_to(Path.cwd()) if page.is_relative_to(Path.cwd()) else page
    print(f"Every number, with its interval and its source: {near}")


def _plan(options: argparse.Namespace) -> Plan:
    try:
        from ..experiments.run import reproduce
    except ModuleNotFoundError as error:
        raise Refused(f'{error.name} is not installed; run pip install "rlm-memory[notebooks]"') from error
    from ..experiments.run.options import literal

    flags = {
        "model": options.model,
        "base_url": options.base_url,
        "rates": rates_of(options.prices),
        "budget_usd": options.budget,
        "hedge": options.hedge,
        "requests_per_minute": options.requests_per_minute,
        "tokens_per_minute": options.tokens_per_minute,
        "dask": options.dask,
        "judge_model": options.judge,
    }
    parameters = {name: literal(value) for name, value in options.parameters}
    sample = options.sample or ""
    try:
        return reproduce.make_plan(flags, parameters, only=options.only, sample=sample, outputs=options.outputs)
    except reproduce.ReproduceError as error:
        raise Refused(error) from error
