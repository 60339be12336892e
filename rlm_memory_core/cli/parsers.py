"""The options of every command, with their types and help.

This file does not import the commands, so that `--help` answers at once. It names the function of each.
"""

import argparse
import os
import re
from collections.abc import Callable
from difflib import get_close_matches
from itertools import takewhile
from math import inf
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from .. import __version__
from .common import argument

_FILES = "an export of ChatGPT or Claude (.zip or conversations.json) or ShareGPT, or messages as JSON or JSON Lines"
HISTORY = f"HISTORY is a store (.db), {_FILES}; - reads standard input."
_NOTEBOOKS = "Reads the notebooks of a checkout, and LongMemEval and LoCoMo as JSON from $RLM_MEMORY_DATA or data/."
ASK_ENDS = (
    "--json prints one object; what is not known is null. Its keys: question, question_date, model, answer; error "
    '(why the query ended early, or ""); evidence (a list of {session, date, turn, quote, text}); coverage {asked, '
    "found, not_found, failed: {reason: count}, cut, copies}; false_quotes (dropped, because they are not in the "
    "history); sessions_read, sessions; calls, replayed_calls, prompt_tokens, completion_tokens, cost_usd, seconds. "
    "Exit codes: 0 answered; 1 ended early, such as by a spent budget; 2 not answered, with one line that says why."
)
_DOLLARS = argument("an amount of dollars", float, lambda usd: 0 <= usd < inf)
_COUNT = argument("a whole number from 1 up", int, lambda count: count >= 1)
_ADDRESS = "address of an OpenAI-compatible server (default: OpenAI's)"
_PORT = argument("a port: ports go from 0 to 65535", int, range(65_536).__contains__)
_SECONDS = argument("a number of seconds above 0", float, lambda seconds: 0 < seconds < inf)
_DAYS = argument("a number of days", float, lambda days: 0 <= days <= 36_500)
_ZONE = argument("a time zone such as Europe/Berlin", lambda name: ZoneInfo(name).key)


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the arguments, and name a misspelt option. `argparse` may only say which other one is missing."""
        known = ["--help", *re.findall(r"--[\w-]+", self.format_usage())]
        is_checked = self.get_default("command") and "_ARGCOMPLETE" not in os.environ  # not while a word is completed
        given = takewhile("--".__ne__, args if is_checked else ())
        for name in [word.partition("=")[0] for word in given if word.startswith("--") and " " not in word]:
            if not any(option.startswith(name) for option in known):
                near = get_close_matches(name, known, 1, 0.7)
                self.error(f"there is no option {name}{''.join(f'; did you mean {each}?' for each in near)}")
        options, rest = super().parse_known_args(args, namespace)
        if getattr(options, "base_url", None) and options.model == self.get_default("model"):
            self.error("--base-url needs --model: which model of this server?")
        return options, rest

    def error(self, message: str) -> Any:
        """Print the line and exit with 2."""
        self.exit(2, f"rlm-memory: {' '.join(message.split())} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands. Each sets `command`, the module and the name of a function of the options."""
    summary = "Long-term memory for LLM assistants, and the experiments of the paper."
    whole = Parser(prog="rlm-memory", description=summary)
    whole.add_argument("--version", action="version", version=f"rlm-memory {__version__}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_ask, _add_show, _add_history_files, _add_experiments, _add_calls, _add_servers):
        add(commands)
    return whole


def _add_ask(commands: Any) -> None:
    """Add `ask`."""
    summary = "answer a question about a history, and show the evidence; or chat"
    add = _command(commands, "ask", "ask:ask", summary, HISTORY, ASK_ENDS)
    add("history", metavar="HISTORY", help="the file; only --chat adds to it")
    add("question", metavar="QUESTION", nargs="?", help="the question")
    _add_model(add)
    modes = "auto (default): use and add recorded answers; replay: only use; refresh: replace; off: neither"
    add("--recorded", choices=("auto", "replay", "refresh", "off"), default="auto", help=modes)
    add("--timeout", type=_SECONDS, default=120.0, metavar="SECONDS", help="longest silence of a server (%(default)g)")
    add("--max-tokens", type=_COUNT, metavar="N", help="longest reply (default: 8192, or 32768 if it thinks)")
    add("--question-date", metavar="DATE", help="the day of the question, such as 2023-05-30")
    add("--reading", choices=("search", "paper"), help="search (default), or paper: sub-agents read every session")
    add("--first", type=_COUNT, metavar="K", help="with --reading paper: read the K best sessions first")
    add("--chat", action="store_true", help="answer each line of input; a store (.db, may be new) keeps the chat")
    add("--json", action="store_true", help="print one JSON object, for programs")
    add("--trace", action="store_true", help="print the model's messages and code to standard error")


def _add_show(commands: Any) -> None:
    """Add `show`."""
    add = _command(commands, "show", "history_files:show", "list a history's sessions, print one, or search", HISTORY)
    add("history", metavar="HISTORY", help="the history's file")
    add("--session", type=_COUNT, metavar="N", help="print session N")
    add("--search", metavar="TEXT", help="print the turns that contain a text, in any letter case")


def _add_history_files(commands: Any) -> None:
    """Add `import` and `check`."""
    summary = "add chat exports or message files to a store; what is there already is not added again"
    add = _command(commands, "import", "history_files:import_files", summary, f"Reads FILE, which is {_FILES}.")
    add("files", nargs="+", type=Path, metavar="FILE", help="a file to add")
    _add_store(add, required=True)
    summary = "check whether a store is sound, and copy what can be read out of a damaged one"
    add = _command(commands, "check", "history_files:check", summary, "Reads a store (.db).")
    add("store", type=Path, metavar="STORE", help="the file; it is not changed")
    add("--to", type=Path, metavar="PATH", help="the copy (default: the file's name with .recovered)")


def _add_experiments(commands: Any) -> None:
    """Add `reproduce`, `estimate` and `report`."""
    for name, summary, reads in (
        ("reproduce", "run the notebooks, write the report, and print the scorecard", _NOTEBOOKS),
        ("estimate", "print the calls, tokens and dollars that a run needs, without running it", _NOTEBOOKS),
        ("report", "write the report of the last run, and print the scorecard", "Reads its results: JSON and CSV."),
    ):
        add = _command(commands, name, f"experiments:{name}_command", summary, reads)
        _add_model(add)
        add("--only", action="append", type=_notebook, default=[], metavar="NN", help="notebook NN; can be repeated")
        add("--sample", default="", metavar="paper|all|N", help="questions of LongMemEval to ask")
        add("--judge", metavar="MODEL", help="the model that judges LongMemEval answers (default: none)")
        add("--hedge", type=float, default=0.05, help="share of slow calls that may be sent again (%(default)s)")
        for limit in ("--requests-per-minute", "--tokens-per-minute"):
            add(limit, type=_COUNT, metavar="N", help="the server's limit, if you know it")
        named = {"metavar": ("NAME", "VALUE"), "help": "set a notebook's parameter, such as -p turns '[20, 50]'"}
        add("-p", dest="parameters", nargs=2, action="append", default=[], **named)
        add("--outputs", type=Path, metavar="DIR", help="folder for the outputs (default: outputs/runs)")
        add("--yes", action="store_true", help="spend money without asking")
        if name == "reproduce":
            add("--dask", default="", metavar="ADDRESS", help="a Dask scheduler whose workers answer the questions")


def _add_calls(commands: Any) -> None:
    """Add `calls` with its actions."""
    reads = "Reads a SQLite file of recorded calls."
    calls = commands.add_parser("calls", help="list, export or prune recorded calls", description=reads)
    actions = calls.add_subparsers(required=True, metavar="ACTION")
    for name, summary in (
        ("list", "print how many calls are recorded for each model"),
        ("export", "print recorded answers as JSON Lines"),
        ("prune", "delete recorded calls permanently"),
    ):
        add = _command(actions, name, f"calls:{name}_calls", summary, reads)
        add("--file", type=Path, metavar="PATH", help="the file (default: the one in the cache folder)")
        add("--model", help="only calls of this model")
        if name == "prune":
            add("--older-than", type=_DAYS, metavar="DAYS", help="only calls older than this many days")
            add("--all", action="store_true", help="all calls")
            add("--yes", action="store_true", help="delete without asking")


def _add_servers(commands: Any) -> None:
    """Add `serve` and `mcp`."""
    for name, where, summary in (
        ("serve", "serve:serve", "serve OpenAI's API in front of a model, with a memory"),
        ("mcp", "mcp:serve_mcp", "serve a history to agents as MCP tools, over stdin and stdout or over HTTP"),
    ):
        is_mcp = name == "mcp"
        add = _command(commands, name, where, summary, "Reads and adds to a store (.db).")
        _add_store(add, required=is_mcp)
        add("--base-url", metavar="URL", help=_ADDRESS)
        add("--host", default="127.0.0.1", help="address to listen on (%(default)s); others need $RLM_MEMORY_TOKEN")
        add("--allow-host", action="append", default=[], metavar="NAME", help="name by which clients call this machine")
        if is_mcp:
            add("--http", type=_PORT, metavar="PORT", help="serve over HTTP, on this port; 0 takes a free one")
            add("--model", help="a model that answers the questions of the tool `ask` (default: no such tool)")
            add("--read-only", action="store_true", help="offer no tool that adds to the history")
        else:
            add("--port", type=_PORT, default=8000, help="port (default: %(default)s); 0 takes a free one")
            add("--model", default="offline", help="the model that answers (default: %(default)s)")
            add("--threshold", type=_COUNT, default=20_000, metavar="N", help="search above N characters (%(default)s)")
            add("--requests-per-minute", type=_COUNT, default=3_000, metavar="N", help="of each person (%(default)s)")


def _command(commands: Any, name: str, where: str, summary: str, reads: str, end: str = "") -> Callable[..., Any]:
    told = f"{summary[0].upper()}{summary[1:]}. {reads}"
    part = commands.add_parser(name, help=summary, description=told, epilog=end)
    part.set_defaults(command=where)
    return cast("Callable[..., Any]", part.add_argument)


def _add_store(add: Callable[..., Any], required: bool) -> None:
    """Add the options for a store that the command adds to."""
    made = "the history's file, created if it does not exist"
    add("--store", type=Path, required=required, help=made if required else f"{made} (default: no memory)")
    add("--tz", type=_ZONE, metavar="ZONE", help="your time zone, such as Europe/Berlin (default: this machine's)")


def _add_model(add: Callable[..., Any]) -> None:
    """Add the options for a model and its cost."""
    add("--model", default="offline", help="a model's name (default: offline, which is not an LLM and only quotes)")
    add("--base-url", metavar="URL", help=_ADDRESS)
    add("--budget", type=_DOLLARS, metavar="USD", help="stop asking once this much is spent")
    add("--prices", nargs=2, type=_DOLLARS, metavar=("IN", "OUT"), help="dollars per million tokens")


def _notebook(given: str) -> str:
    return given.zfill(2) if given.isdecimal() else given
