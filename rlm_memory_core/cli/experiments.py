"""The commands `rlm-memory reproduce`, `estimate` and `report`: run the notebooks, or say what a run costs or gave."""

from __future__ import annotations

import argparse
import ast
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        part.add_argument("--sample", metavar="paper|all|N", help="LongMemEval questions: the paper's 100, all, or N")
        part.add_argument("--judge", metavar="MODEL", help="model that judges LongMemEval answers (default: none)")
        hedge = "share of sub-agent calls that may be sent again when late (default: %(default)s)"
        part.add_argument("--hedge", type=_number, default=HEDGE, metavar="SHARE", help=hedge)
        part.add_argument("--requests-per-minute", type=_number, metavar="N", help="the server's limit, if you know it")
        part.add_argument("--tokens-per-minute", type=_number, metavar="N", help="the server's limit, if you know it")
        parameter = {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}
        part.add_argument("-p", dest="parameters", help="set a notebook parameter; can be repeated", **parameter)
        part.add_argument("--outputs", type=Path, metavar="DIR", help="folder for the outputs (default: outputs)")
        part.add_argument("--yes", action="store_true", help="spend money without asking")
        if name == "reproduce":
            part.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler whose workers answer the questions")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _reproduce(options: argparse.Namespace) -> int:
    plan, ready = _prepared(options)
    from ..experiments.run import execution, reproduce

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
    try:
        from ..experiments.run import reproduce
    except ModuleNotFoundError as error:
        raise Refused(f'{error.name} is not installed; run pip install "rlm-memory[notebooks]"') from error
    return reproduce.Plan(
        model=options.model,
        base_url=options.base_url,
        only=options.only,
        parameters=_parameters(options),
        budget_usd=options.budget,
        rates=rates_of(options.prices),
        outputs=options.outputs,
        dask=options.dask,
        hedge=options.hedge,
        requests_per_minute=options.requests_per_minute,
        tokens_per_minute=options.tokens_per_minute,
    )


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
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
