"""The commands `rlm-memory reproduce`, `estimate` and `report`: run the notebooks, price a run, or show its results."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from ..experiments.paper import scorecard, scorecard_tables
from ..experiments.run import execution, reproduce
from ..experiments.run.options import literal
from ..experiments.run.reproduce import Plan, Ready, ReproduceError
from ..experiments.show import report
from ..query.answer import total_cost
from .common import UNANSWERED, Refused, confirm, rates_of, refusing

_refusing = refusing(ReproduceError, ValueError)  # what a plan, its options, its data and its files may raise
_FLAGS = ("model", "base_url", "hedge", "requests_per_minute", "tokens_per_minute", "dask")


@_refusing
def reproduce_command(options: argparse.Namespace) -> int:
    """Run the notebooks, write the report, and print the scorecard; return the exit code."""
    print("Checking the notebooks, their data and the model ...", flush=True)
    plan = _plan(options)
    if not options.dask:
        plan.llm.open()  # reports a missing key before downloading data
    ready = _prepared(plan)
    if not all(llm.is_local for llm in reproduce.models(plan, ready)):
        confirm(options.yes, "stopped before anything was spent")
    reproduce.check_models(plan, ready)
    execution.begin(plan)
    titles = {book.notebook.name: book.notebook.title for book in ready}
    done = []
    for ran in execution.execute(plan, ready):
        outcome = f"skipped: {ran.skipped}" if ran.skipped else f"failed, {ran.told}" if ran.error else ran.told
        tqdm.write(f"{ran.name}: {titles[ran.name] + ': ' if not ran.skipped else ''}{outcome}")
        sys.stdout.flush()
        done.append(ran)
    if errors := [ran.error for ran in done if ran.error]:
        raise Refused("; ".join(errors))
    if ready:
        _print_report(plan)
        spent = total_cost(ran.spent_usd for ran in done)
        print("Spent:", "not known, the model has no price" if spent is None else f"${spent:.2f}")
        for ran in done:
            print(*(f"{ran.name}: {problem}\n" for problem in ran.problems), sep="", end="")
    return UNANSWERED if any(ran.failed for ran in done) else 0


@_refusing
def estimate_command(options: argparse.Namespace) -> None:
    """Print the calls, tokens and dollars that the run needs."""
    _prepared(_plan(options))


@_refusing
def report_command(options: argparse.Namespace) -> None:
    """Write and print the report of the last run."""
    _print_report(_plan(options))


def _plan(options: argparse.Namespace) -> Plan:
    flags = {name: getattr(options, name, "") for name in _FLAGS}
    flags |= {"rates": rates_of(options.prices), "budget_usd": options.budget, "judge_model": options.judge}
    parameters = {name: literal(value) for name, value in options.parameters}
    return reproduce.make_plan(flags, parameters, only=options.only, sample=options.sample, outputs=options.outputs)


def _prepared(plan: Plan) -> list[Ready]:
    """Check the options and print what the run needs."""
    books = reproduce.prepare(plan)
    ready = [book for book in books if not book.skipped]
    asking = [book for book in ready if book.questions]
    for book in books:
        if book.skipped or book.questions:
            print(f"{book.notebook.name}: {f'skipped: {book.skipped}' if book.skipped else book.estimate}")
    judge = plan.options.judge
    if judge is not None and judge.rates is None:
        print(f"the price of the judge, {judge.model}, is not known")
    if len(asking) > 1:
        print(f"together: {reproduce.total(ready)}")
    if not asking:
        print(f"No model is asked: {plan.llm.label}, $0.00")
    return ready


def _print_report(plan: Plan) -> None:
    card = scorecard.of_run(plan.folder)
    page = report.write(plan.folder)
    print(f"\nAnswered by: {plan.llm.label}")
    for line in scorecard_tables.older(scorecard.evidence_of(plan.folder)):
        print(f"* Not of this run: {line}")
    print("\n".join(["", *scorecard_tables.summary(card), ""]))
    near = page.relative_to(Path.cwd()) if page.is_relative_to(Path.cwd()) else page
    print(f"Every number, with its interval and its source: {near}")
