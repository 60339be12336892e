"""Every command's options: what they are called, what they may be, and what the help says of them.

This file imports no command: `later` does when one runs. So `--help` answers at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .common import later, number

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
_DOLLARS = number("an amount of dollars")
_COUNT = number("a whole number from 1 up", 1, kind=int)
_PORT = number("a port: ports go from 0 to 65535", 0, 65_535, int)
_ADDS = "Reads and adds to a store (.db)."
_ZONE = "your time zone, such as Europe/Berlin (default: this machine's)"
_ADDRESS = "address of an OpenAI-compatible server (default: OpenAI's)"
_SECONDS = number("a number of seconds above 0", 0.001)


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments."""

    def error(self, message: str) -> Any:
        """Print the line and exit with 2."""
        self.exit(2, f"rlm-memory: {' '.join(message.split())} (see {self.prog} --help)\n")


def add_ask(commands: Any) -> None:
    """Add `ask`."""
    summary = "answer a question about a history, and show the evidence; or chat"
    ask = _command(commands, "ask", "ask:ask", summary, HISTORY, ASK_ENDS)
    ask.add_argument("history", metavar="HISTORY", help="the history's file; only a chat adds to it")
    ask.add_argument("question", metavar="QUESTION", nargs="?", help="the question")
    _add_model(ask)
    modes = "use recorded answers and add new ones (auto, the default), only use, replace, or do neither (off)"
    ask.add_argument("--recorded", choices=("auto", "replay", "refresh", "off"), default="auto", help=modes)
    silent = "give up on a server that is silent for so long (default: %(default)g)"
    ask.add_argument("--timeout", type=_SECONDS, default=120.0, metavar="SECONDS", help=silent)
    ask.add_argument("--max-tokens", type=_COUNT, metavar="N", help="the longest reply (default: 8192, or 32768)")
    ask.add_argument("--question-date", metavar="DATE", help="the day of the question, such as 2023-05-30")
    way = "search (the default): the model searches by itself; paper: sub-agents read all sessions"
    ask.add_argument("--reading", choices=("search", "paper"), help=way)
    ask.add_argument("--first", type=_COUNT, metavar="K", help="in the paper's reading: the K best sessions first")
    chat = "chat: each line of input is a message; a store (.db, made if it is not there) keeps it and the reply"
    ask.add_argument("--chat", action="store_true", help=chat)
    ask.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    ask.add_argument("--trace", action="store_true", help="print the model's messages and code to standard error")


def add_show(commands: Any) -> None:
    """Add `show`."""
    show = _command(commands, "show", "show:show", "list the sessions of a history, print one, or search", HISTORY)
    show.add_argument("history", metavar="HISTORY", help="the history's file")
    show.add_argument("--session", type=_COUNT, metavar="N", help="print session N")
    show.add_argument("--search", metavar="TEXT", help="print the turns that hold a text, in any letter case")


def add_history_files(commands: Any) -> None:
    """Add `import` and `check`."""
    summary = "add chat exports or message files to a store; what is there already is not added again"
    part = _command(commands, "import", "history_files:import_files", summary, f"Reads FILE, which is {_FILES}.")
    part.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file to add")
    part.add_argument("--store", type=Path, required=True, help="the history's file, created if it does not exist")
    part.add_argument("--tz", metavar="ZONE", help=_ZONE)
    summary = "check whether a store is sound, and copy what can be read out of a damaged one"
    part = _command(commands, "check", "history_files:check", summary, "Reads a store (.db).")
    part.add_argument("store", type=Path, metavar="STORE", help="the history's file; it is only read")
    part.add_argument("--to", type=Path, metavar="PATH", help="the copy (default: the file's name with .recovered)")


def add_experiments(commands: Any) -> None:
    """Add `reproduce`, `estimate` and `report`."""
    for name, summary, reads in (
        ("reproduce", "run the notebooks, write the report, and print the scorecard", _NOTEBOOKS),
        ("estimate", "print the calls, tokens and dollars that a run needs, without running it", _NOTEBOOKS),
        ("report", "write the report of the last run, and print the scorecard", "Reads its results: JSON and CSV."),
    ):
        part = _command(commands, name, f"experiments:{name}_command", summary, reads)
        part.set_defaults(dask="", needs="rlm-memory[notebooks]")
        _add_model(part)
        only = "run this notebook, such as 1 or 01_niah; can be repeated"
        part.add_argument("--only", action="append", type=_notebook, default=[], metavar="NN", help=only)
        part.add_argument("--sample", type=_sample, metavar="paper|all|N", help="questions of LongMemEval to ask")
        part.add_argument("--judge", metavar="MODEL", help="model that judges LongMemEval answers (default: none)")
        hedge = "share of sub-agent calls that may be sent again when late (default: %(default)s)"
        part.add_argument("--hedge", type=number("a share between 0 and 1", 0, 1), default=0.05, help=hedge)
        part.add_argument("--requests-per-minute", type=_COUNT, metavar="N", help="the server's limit, if you know it")
        part.add_argument("--tokens-per-minute", type=_COUNT, metavar="N", help="the server's limit, if you know it")
        parameter = {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}
        described = "set a notebook's parameter, such as -p turns '[20, 50]'; can be repeated"
        part.add_argument("-p", dest="parameters", help=described, **parameter)
        part.add_argument("--outputs", type=Path, metavar="DIR", help="folder for the outputs (default: outputs/runs)")
        part.add_argument("--yes", action="store_true", help="spend money without asking")
        if name == "reproduce":
            part.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler whose workers answer the questions")


def add_calls(commands: Any) -> None:
    """Add `calls` with its actions."""
    reads = "Reads a SQLite file of recorded calls."
    calls = commands.add_parser("calls", help="list, export or prune recorded calls", description=reads)
    actions = calls.add_subparsers(required=True, metavar="ACTION")
    for name, summary in (
        ("list", "print how many calls are recorded for each model"),
        ("export", "write recorded answers as JSON Lines"),
        ("prune", "delete recorded calls permanently"),
    ):
        part = _command(actions, name, f"calls:{name}_calls", summary, reads)
        part.add_argument("--file", type=Path, metavar="PATH", help="the file (default: the one in the cache folder)")
        part.add_argument("--model", help="only calls of this model")
        if name == "export":
            part.add_argument("--to", type=Path, metavar="PATH", help="file to write (default: standard output)")
        if name == "prune":
            days = number("a number of days", most=36_500)
            part.add_argument("--older-than", type=days, metavar="DAYS", help="only calls older than this many days")
            part.add_argument("--all", action="store_true", help="all calls")
            part.add_argument("--yes", action="store_true", help="delete without asking")


def add_servers(commands: Any) -> None:
    """Add `serve` and `mcp`."""
    serve = _command(commands, "serve", "serve:serve", "put a memory before any model, as OpenAI's API", _ADDS)
    serve.add_argument("--store", type=Path, help="the history's file (default: no memory)")
    serve.add_argument("--model", default="offline", help="the model that answers (default: offline)")
    serve.add_argument("--port", type=_PORT, default=8000, help="port (default: %(default)s); 0 takes a free one")
    long = "the memory answers where a history has more characters than this (default: %(default)s)"
    serve.add_argument("--threshold", type=_COUNT, default=20_000, metavar="N", help=long)
    pace = "requests of one person in a minute; more get a 429 (default: %(default)s)"
    serve.add_argument("--requests-per-minute", type=_COUNT, default=3_000, metavar="N", help=pace)
    mcp = _command(commands, "mcp", "mcp:serve_mcp", "give agents a history as MCP tools, over stdio or HTTP", _ADDS)
    mcp.set_defaults(needs="rlm-memory[mcp]")
    mcp.add_argument("--store", type=Path, required=True, help="the history's file, created if it does not exist")
    mcp.add_argument("--read-only", action="store_true", help="offer no tool that adds to the history")
    mcp.add_argument("--model", help="a model that answers the questions of the tool `ask` (default: no such tool)")
    mcp.add_argument("--http", type=_PORT, metavar="PORT", help="listen on this port, 0 for a free one")
    for part in (serve, mcp):
        part.add_argument("--tz", metavar="ZONE", help=_ZONE)
        part.add_argument("--base-url", metavar="URL", help=_ADDRESS)
        host = "address to listen on (default: %(default)s); any other than loopback needs a key in $RLM_MEMORY_TOKEN"
        part.add_argument("--host", default="127.0.0.1", help=host)
        named = "a name or address by which clients call this machine; can be repeated"
        part.add_argument("--allow-host", action="append", default=[], metavar="NAME", help=named)


def _command(commands: Any, name: str, where: str, summary: str, reads: str, end: str = "") -> Any:
    part = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}. {reads}", epilog=end)
    part.set_defaults(command=later(*where.split(":")))
    return part


def _add_model(command: Any) -> None:
    """Add what names a model and what it may cost."""
    named = "name of a model (default: offline, the offline reader, which is no LLM and only quotes)"
    command.add_argument("--model", default="offline", help=named)
    command.add_argument("--base-url", metavar="URL", help=_ADDRESS)
    command.add_argument("--budget", type=_DOLLARS, metavar="USD", help="start no call once this much is spent")
    command.add_argument("--prices", nargs=2, type=_DOLLARS, metavar=("IN", "OUT"), help="dollars per million tokens")


def _notebook(given: str) -> str:
    return given.zfill(2) if given.isdecimal() else given


def _sample(given: str) -> str:
    return given if given in ("paper", "all") else str(_COUNT(given))


ALL = (add_ask, add_show, add_history_files, add_experiments, add_calls, add_servers)
"""Each adds its commands, in the order of the help."""
