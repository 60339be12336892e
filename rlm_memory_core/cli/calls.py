"""The command `rlm-memory calls`: lists, exports or deletes recorded calls. It asks no model."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..models.call_store import CallStore, RecordedCall
from ..models.llm import cache_path
from ..models.normalise import usage_of
from ..models.pricing import Usage
from .common import Refused, amount, confirm


def add_parser(commands: Any) -> None:
    """Add `calls` to the command line's `commands`."""
    calls = commands.add_parser("calls", help="list, export or prune recorded calls")
    actions = calls.add_subparsers(required=True, metavar="ACTION")
    for name, command, summary in (
        ("list", _list, "print how many calls are recorded for each model"),
        ("export", _export, "write recorded answers as JSON lines"),
        ("prune", _prune, "delete recorded calls permanently"),
    ):
        part = actions.add_parser(name, help=summary, description=summary.capitalize() + ".")
        part.set_defaults(command=command)
        part.add_argument(
            "--file", type=Path, metavar="PATH", help="file of recorded calls (default: the one in the cache folder)"
        )
        part.add_argument("--model", help="only calls of this model")
        if name == "export":
            part.add_argument("--to", type=Path, metavar="PATH", help="file to write (default: standard output)")
        if name == "prune":
            part.add_argument(
                "--older-than",
                type=amount("a number of days", 36_500),
                metavar="DAYS",
                help="only calls older than this many days",
            )
            part.add_argument("--all", action="store_true", help="all calls")
            part.add_argument("--yes", action="store_true", help="delete without asking")


@dataclass
class _Total:
    """Totals for one model."""

    usage: Usage
    bytes: int
    first: str
    last: str


def _list(options: argparse.Namespace) -> int:
    with _opened(options) as calls:
        calls.verify()
        totals: dict[str, _Total] = {}
        for call in calls.records(options.model):
            one = totals.setdefault(call.model, _Total(Usage(), 0, call.created, call.created))
            one.usage += _usage(call)
            one.bytes += len(call.response.encode())
            one.last = call.created  # calls come oldest first
        print(calls.path)
        print("\n".join(_table(totals)) if totals else "No calls are recorded.")
    return 0


def _usage(call: RecordedCall) -> Usage:
    try:
        return usage_of(json.loads(call.response))
    except (ValueError, TypeError, AttributeError):  # the server reports usage in another form
        return Usage(calls=1)


def _table(totals: dict[str, _Total]) -> Iterator[str]:
    width = max(len("model"), *map(len, totals))
    yield f"{'model':<{width}} {'calls':>9} {'prompt tokens':>15} {'completion':>12} {'size':>10}  first and last (UTC)"
    for model, one in sorted(totals.items()):
        taken = one.usage
        figures = f"{taken.calls:>9,} {taken.prompt_tokens:>15,} {taken.completion_tokens:>12,}"
        yield f"{model:<{width}} {figures} {one.bytes / 1e6:>7,.1f} MB  {one.first} {one.last}"


def _export(options: argparse.Namespace) -> int:
    with _opened(options) as calls:
        lines = (json.dumps(_as_json(call), ensure_ascii=False) for call in calls.records(options.model))
        if options.to is None:
            for line in lines:
                print(line)
            return 0
        draft = options.to.with_name(options.to.name + ".part")
        try:
            with draft.open("w", encoding="utf-8") as out:
                count = sum(out.write(line + "\n") > 0 for line in lines)
            draft.replace(options.to)
        finally:
            draft.unlink(missing_ok=True)
        print(f"{count:,} calls are in {options.to}", file=sys.stderr)
    return 0


def _as_json(call: RecordedCall) -> dict[str, Any]:
    return {**asdict(call), "response": json.loads(call.response)}


def _prune(options: argparse.Namespace) -> int:
    chosen = options.model is not None or options.older_than is not None
    if chosen == options.all:
        raise Refused("say what to prune: --model or --older-than, or --all")
    before = None
    if options.older_than is not None:
        before = f"{datetime.now(UTC) - timedelta(days=options.older_than):%Y-%m-%d %H:%M:%S}"
    with _opened(options) as calls:
        count = calls.count(options.model, before)
        print(
            f"{count:,} of {len(calls):,} calls in {calls.path} will be deleted; asking them again costs money again."
        )
        if count:
            confirm(options.yes, "stopped before anything was deleted")
            print(f"{calls.prune(options.model, before):,} calls deleted.")
    return 0


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[CallStore]:
    """Open the file of recorded calls, without creating it."""
    path = options.file or cache_path() / "calls.sqlite"
    if not path.is_file():
        raise Refused(f"there are no recorded calls in {path}")
    with closing(CallStore(path)) as calls:
        yield calls
