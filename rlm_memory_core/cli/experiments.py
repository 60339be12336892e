"""The commands `rlm-memory reproduce`, `estimate` and `report`: run the notebooks, or say what a run costs or gave."""

from __future__ import annotations

import argparse
import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..query.trace import total_cost
from .common import UNANSWERED, Refused, confirm, rates_of

if TYPE_CHECKING:
    from ..experiments.run.reproduce import Plan, Ready


def reproduce_command(options: argparse.Namespace) -> int:
    """Run the notebooks, write the report, and print the scorecard; return the exit code."""
    try:
        if not options.dask:
            _plan(options).llm.open()  # a missing key is said before data is downloaded, or anything asked
    except ValueError as error:
        raise Refused(error) from error
    plan, ready = _prepared(options)
    from ..experiments.run import execution, reproduce

    for llm in () if options.dask else reproduce.models(plan, ready):
        llm.open()
    if not all(llm.is_local for llm in reproduce.models(plan, ready)):
        confirm(options.yes, "stopped before anything was spent")
    spent: float | None = 0.0
    problems: list[str] = []
    unanswered = 0
    try:
        reproduce.check_models(plan, ready)
        for book in ready:
            name = book.notebook.name
            print(f"{name}: {book.notebook.title} ...", flush=True)
            if plan.budget_usd is not None and book.notebook.asks is not None:
                left = max(plan.budget_usd - (spent or 0.0), 0.0)
                book = replace(book, parameters={**book.parameters, "budget_usd": left})
            ran = execution.execute(plan, book)
            spent = total_cost((spent, ran.spent_usd))
            if ran.skipped:
                print(f"{name}: skipped: {ran.skipped}")
            problems += [f"{name}: {problem}" for problem in ran.problems]
            unanswered += ran.failed
    except reproduce.ReproduceError as error:
        raise Refused(error) from error
    if ready:
        _print_report(plan)
        dollars = "not known, the model has no price" if spent is None else f"${spent:.2f}"
        print("\n".join([f"\nSpent: {dollars}", *problems]))
    return UNANSWERED if unanswered else 0


def estimate_command(options: argparse.Namespace) -> int:
    """Print what the run needs; return the exit code."""
    _prepared(options)
    return 0


def report_command(options: argparse.Namespace) -> int:
    """Write and print the report of the last run; return the exit code."""
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
    for book in books:
        name = book.notebook.name
        print(f"{name}: skipped: {book.skipped}" if book.skipped else f"{name}: {book.estimate}")
        if book.judge is not None and book.judge.rates is None:
            print(f"{name}: the price of the judge, {book.judge.model}, is not known")
    if len(ready) > 1:
        print(f"together: {reproduce.total(ready)}")
    return plan, ready


def _print_report(plan: Plan) -> None:
    from ..experiments.paper import scorecard, scorecard_tables
    from ..experiments.run import catalog
    from ..experiments.show import report

    try:
        chosen = catalog.select(plan.only) if plan.only else []
        card = scorecard.of_run(plan.folder, [notebook.name for notebook in chosen if not notebook.judges])
        page = report.write(plan.folder)
    except ValueError as error:
        raise Refused(error) from error
    print(f"\nModel: {plan.llm.label}. From {plan.folder}\n")
    table = scorecard_tables.all_numbers(card).reset_index()
    print(table.apply(lambda column: column.str.ljust(column.str.len().max())).to_string(index=False, justify="left"))
    print(f"\nNumbers of the paper by status and verdict:\n{scorecard.counts(card).to_string()}\n\nReport: {page}")


def _plan(options: argparse.Namespace) -> Plan:
    from ..experiments.run import reproduce

    same = ("model", "base_url", "only", "outputs", "dask", "hedge", "requests_per_minute", "tokens_per_minute")
    given = {name: getattr(options, name) for name in same}
    rates = rates_of(options.prices)
    return reproduce.Plan(**given, parameters=_parameters(options), budget_usd=options.budget, rates=rates)


def _parameters(options: argparse.Namespace) -> dict[str, Any]:
    """Notebook parameters by name, as Python literals where they are literals, else as text."""
    given = {name: _literal(value) for name, value in options.parameters}
    if options.sample is not None:
        given["sample"] = options.sample
    if options.judge is not None:
        given["judge_model"] = options.judge
    return given


def _literal(text: str) -> Any:
    try:
        value = ast.literal_eval(text)
        return list(value) if isinstance(value, tuple) else value  # as in -p turns 20,50
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
