"""The command `rlm-memory calls`: lists, exports and prunes recorded calls. It asks no model.

Every call that is listed or exported is checked first: a damaged file is one line of error.
An export holds the answers, not the requests: a request is kept as its hash alone (see
`recorded_calls.call_key`), and can be made again from the data with `recorded="replay"`.
"""

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
from .common import Refused, confirm


def add_parser(commands: Any) -> None:
    """Add the command to those of the command line.

    Args:
        commands: What `ArgumentParser.add_subparsers` gave.
    """
    calls = commands.add_parser("calls", help="list, export or prune recorded calls")
    actions = calls.add_subparsers(required=True, metavar="ACTION")
    for name, command, summary in (
        ("list", _list, "print how many calls are recorded, by model"),
        ("export", _export, "write recorded answers as JSON lines"),
        ("prune", _prune, "delete recorded calls for good"),
    ):
        part = actions.add_parser(name, help=summary, description=summary.capitalize() + ".")
        part.set_defaults(command=command)
        part.add_argument("--file", type=Path, metavar="PATH", help="the file of recorded calls (default: the cache's)")
        part.add_argument("--model", help="only this model's")
        if name == "export":
            part.add_argument("--to", type=Path, metavar="PATH", help="where to write (default: standard output)")
        if name == "prune":
            part.add_argument("--older-than", type=_days, metavar="DAYS", help="only calls older than this")
            part.add_argument("--all", action="store_true", help="every call, of every model and age")
            part.add_argument("--yes", action="store_true", help="do not ask before calls are deleted")


@dataclass
class _Sum:
    """The calls of one model."""

    usage: Usage
    bytes: int
    first: str
    last: str


def _list(options: argparse.Namespace) -> int:
    with _opened(options) as calls:
        calls.verify()
        sums: dict[str, _Sum] = {}
        for call in calls.records(options.model):
            one = sums.setdefault(call.model, _Sum(Usage(), 0, call.created, call.created))
            one.usage += _usage(call)
            one.bytes += len(call.response.encode())
            one.last = call.created  # they come oldest first
        print(calls.path)
        print("\n".join(_table(sums)) if sums else "No calls are recorded.")
    return 0


def _usage(call: RecordedCall) -> Usage:
    try:
        return usage_of(json.loads(call.response))
    except (ValueError, TypeError, AttributeError):  # a server that counts in a way of its own
        return Usage(calls=1)


def _table(sums: dict[str, _Sum]) -> Iterator[str]:
    width = max(len("model"), *map(len, sums))
    yield f"{'model':<{width}} {'calls':>9} {'prompt tokens':>15} {'completion':>12} {'size':>10}  first and last (UTC)"
    for model, one in sorted(sums.items()):
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
        raise Refused("say what to prune: --model, --older-than, or --all")
    before = None
    if options.older_than is not None:
        before = f"{datetime.now(UTC) - timedelta(days=options.older_than):%Y-%m-%d %H:%M:%S}"
    with _opened(options) as calls:
        count = calls.count(options.model, before)
        print(f"{count:,} of {len(calls):,} calls in {calls.path} will be deleted, and must then be paid for again.")
        if count:
            confirm(options.yes, "stopped before anything was deleted")
            print(f"{calls.prune(options.model, before):,} calls deleted.")
    return 0


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[CallStore]:
    """The file, which is not made where there is none."""
    path = options.file or cache_path() / "calls.sqlite"
    if not path.is_file():
        raise Refused(f"there are no recorded calls in {path}")
    with closing(CallStore(path)) as calls:
        yield calls


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= 36_500:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days")
    return days
