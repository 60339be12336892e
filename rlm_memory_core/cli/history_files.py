"""The commands `rlm-memory import` and `rlm-memory check`: read a file into a store, and copy out a damaged store."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..imports import HistoryFileError, import_file, recover
from ..store.memory_store import MemoryStore
from .common import Refused

_SHOWN = 20  # problems named one by one


def add_parsers(commands: Any) -> None:
    """Add `import` and `check` to the command line's `commands`."""
    what = "add chat exports or message files to a store; what is there already is not added again"
    importing = commands.add_parser("import", help=what, description=f"{what.capitalize()}.")
    importing.set_defaults(command=_import)
    forms = "an export of ChatGPT or Claude (.zip or conversations.json), or messages as JSON or JSON Lines"
    importing.add_argument("files", nargs="+", type=Path, metavar="FILE", help=forms)
    importing.add_argument("--store", type=Path, required=True, help="the history's file, created if it does not exist")
    zone = "your time zone, such as Europe/Berlin, which decides the days of the sessions (default: this machine's)"
    importing.add_argument("--tz", metavar="ZONE", help=zone)
    what = "check whether a store is sound, and copy what can be read out of a damaged one"
    checking = commands.add_parser("check", help=what, description=f"{what.capitalize()}.")
    checking.set_defaults(command=_check)
    checking.add_argument("store", type=Path, help="the history's file; it is only read")
    checking.add_argument("--to", type=Path, help="the copy (default: the file's name with .recovered)")


def _import(options: argparse.Namespace) -> int:
    try:
        store = MemoryStore(options.store, tz=options.tz)
    except KeyError as error:
        raise Refused(f"there is no time zone {options.tz}; write one such as Europe/Berlin") from error
    with store:
        for path in options.files:
            with tqdm(desc=f"reading {path.name}", leave=False, disable=None, unit_scale=True) as bar:

                def show(what: str, done: int, total: int, bar: Any = bar, name: str = path.name) -> None:
                    bar.set_description_str(f"{what} {name}", refresh=False)
                    bar.total = total
                    bar.update(done - bar.n)

                try:
                    report = import_file(store, path, show)
                except HistoryFileError as error:
                    raise Refused(f"{path} cannot be imported: {error}") from error
            for problem in report.problems[:_SHOWN]:
                print(f"rlm-memory: {path}: {_printable(problem)}", file=sys.stderr)
            if report.unread > _SHOWN:
                print(f"rlm-memory: {path}: {report.unread - _SHOWN:,} more could not be read", file=sys.stderr)
            print(f"{path}: {_printable(str(report))}")
        print(f"{options.store}: {len(store):,} turns in {len(store.sessions):,} sessions")
    return 0


def _check(options: argparse.Namespace) -> int:
    if not options.store.is_file():
        raise Refused(f"there is no file {options.store}")
    copy = options.to or options.store.with_name(f"{options.store.name}.recovered")
    try:
        found = recover(options.store, copy)
    except HistoryFileError as error:
        raise Refused(error) from error
    print(found)
    return 0 if found.sound else 1


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "\ufffd" for each in text)
