"""The command line: `rlm-memory reproduce`, `estimate`, `report`, `ask`, `calls` and `serve`.

Whatever goes wrong is one line on standard error and exit code 2; a traceback is a bug.
A run in which some questions had no answer says so and ends with exit code 1.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..models.call_store import RecordingError
from ..models.hedging import HEDGE
from ..models.llm import OFFLINE, OFFLINE_LABEL, ModelError
from ..query.trace import total_cost
from . import ask as cli_ask
from . import calls as cli_calls
from .common import UNANSWERED, Refused, add_prices, confirm, dollar_amount, rates_of

if TYPE_CHECKING:
    from ..experiments.run.reproduce import Plan, Ready

USAGE_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: What was typed after `rlm-memory`; None reads them from the process.
    """
    try:
        try:
            options = _parser().parse_args(arguments)
            command: Callable[[argparse.Namespace], int] = options.command
            return command(options)
        finally:
            sys.stdout.flush()  # now, where a closed pipe can be told, and not at the exit
    except BrokenPipeError:  # whoever read us, such as `head`, has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit would flush into the pipe again
        return 0
    except (Refused, ModelError, RecordingError, OSError) as error:
        print(f"rlm-memory: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print(
            "rlm-memory: stopped; the next run takes what models have answered so far from the record", file=sys.stderr
        )
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rlm-memory", description="Long-term memory for LLM assistants, reproducibly."
    )
    parser.add_argument("--version", action="version", version=f"rlm-memory {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, summary in (
        ("reproduce", _reproduce, "run the notebooks, write the report, and print the scorecard"),
        ("estimate", _estimate, "print what a run will take, and stop"),
        ("report", _report, "write the report of the last run, and print the scorecard"),
    ):
        part = commands.add_parser(name, help=summary, description=summary.capitalize() + ".")
        part.set_defaults(command=command)
        part.add_argument("--model", default=OFFLINE, help=f"a model's name (default: {OFFLINE}, the {OFFLINE_LABEL})")
        part.add_argument("--base-url", metavar="URL", help="an OpenAI-compatible server; OpenAI's own without it")
        part.add_argument("--only", action="append", default=[], metavar="NN", help="a notebook; may be repeated")
        part.add_argument("--sample", metavar="paper|all|N", help="LongMemEval questions: the paper's 100, all, or N")
        part.add_argument("--judge", metavar="MODEL", help="a model that judges LongMemEval's answers (default: none)")
        part.add_argument(
            "--hedge",
            type=_number,
            default=HEDGE,
            metavar="SHARE",
            help="second copies of late sub-agent calls, as a share (default: %(default)s)",
        )
        part.add_argument("--requests-per-minute", type=_number, metavar="N", help="the server's limit, if known")
        part.add_argument("--tokens-per-minute", type=_number, metavar="N", help="likewise")
        part.add_argument("--budget", type=dollar_amount, metavar="USD", help="start no call once this is spent")
        add_prices(part)
        part.add_argument(
            "-p", dest="parameters", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"),
            help="set a notebook parameter",
        )  # fmt: skip
        part.add_argument("--outputs", type=Path, metavar="DIR", help="where outputs go (default: outputs)")
        part.add_argument("--yes", action="store_true", help="do not ask before money is spent")
        part.set_defaults(dask="")
        if name == "reproduce":
            part.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler whose workers answer the questions")
    cli_ask.add_parser(commands)
    cli_calls.add_parser(commands)
    serve = commands.add_parser("serve", help="serve the offline reader as an OpenAI-compatible endpoint")
    serve.set_defaults(command=_serve)
    serve.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    serve.add_argument("--port", type=_port, default=8000, help="default: 8000; 0 takes a free one")
    return parser


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: they go from 0 to 65535")
    return int(text)


def _reproduce(options: argparse.Namespace) -> int:
    plan, ready = _prepared(options)
    from ..experiments.run import execution, reproduce

    asking = [book for book in ready if book.notebook.asks is not None]
    models = reproduce.models(plan, ready)
    if not all(llm.is_local for llm in models):
        confirm(options.yes, "stopped before anything was spent")
    try:
        reproduce.check_models(plan, ready)
        spent: float | None = 0.0
        problems: list[str] = []
        unanswered = 0
        for book in ready:
            print(f"{book.notebook.name}: {book.notebook.title} ...", flush=True)
            left = None if plan.budget_usd is None else max(plan.budget_usd - (spent or 0.0), 0.0)
            if left is not None and book in asking:
                book = replace(book, parameters={**book.parameters, "budget_usd": left})
            ran = execution.execute(plan, book)
            spent = total_cost((spent, ran.spent_usd))
            if ran.skipped:
                print(f"{book.notebook.name}: skipped: {ran.skipped}")
            problems += [f"{book.notebook.name}: {problem}" for problem in ran.problems]
            unanswered += ran.failed
    except reproduce.ReproduceError as error:
        raise Refused(error) from error
    if ready:
        _report_on(plan)
        dollars = "not known, the model has no price" if spent is None else f"${spent:.2f}"
        print("\n".join([f"\nSpent: {dollars}", *problems]))
    return UNANSWERED if unanswered else 0


def _estimate(options: argparse.Namespace) -> int:
    _prepared(options)
    return 0


def _report(options: argparse.Namespace) -> int:
    plan = _plan(options)
    _report_on(plan)
    return 0


def _report_on(plan: Plan) -> None:
    from ..experiments.paper import scorecard, scorecard_tables
    from ..experiments.run import catalog
    from ..experiments.show import report

    try:
        chosen = catalog.select(plan.only) if plan.only else []
        names = [notebook.name for notebook in chosen if not notebook.judges]
        card = scorecard.of_run(plan.folder, names)
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


def _prepared(options: argparse.Namespace) -> tuple[Plan, list[Ready]]:
    """Check the request and print what it will take."""
    from ..experiments.run import reproduce

    plan = _plan(options)
    try:
        books = reproduce.prepare(plan)
    except reproduce.ReproduceError as error:
        raise Refused(error) from error
    ready = [book for book in books if isinstance(book, reproduce.Ready)]
    for book in books:
        if isinstance(book, reproduce.Ready):
            print(f"{book.notebook.name}: {book.estimate}")
            if book.judge is not None and book.judge.rates is None:
                print(f"{book.notebook.name}: the price of the judge, {book.judge.model}, is not known")
        else:
            print(f"{book.notebook.name}: skipped: {book.reason}")
    if len(ready) > 1:
        print(f"together: {reproduce.total(ready)}")
    return plan, ready


def _parameters(options: argparse.Namespace) -> dict[str, Any]:
    """Values for notebook parameters: as Python literals where they are, else as text."""
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


def _serve(options: argparse.Namespace) -> int:
    from ..serving.offline_server import serve

    def ready(url: str) -> None:
        print(f"The {OFFLINE_LABEL} answers at {url} (model: {OFFLINE}). Stop with Ctrl-C.", flush=True)

    try:
        asyncio.run(serve(options.host, options.port, ready))
    except KeyboardInterrupt:
        return 0
    return 0
