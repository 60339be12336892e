"""The command line: the command `rlm-memory` and its parts, one module each.

An error is one line on standard error and exit code 2; a traceback is a bug. Exit code 1 means that the command ran
but left a question without an answer.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence

from .. import __version__
from . import parsers
from .common import USAGE_ERROR, Refused


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: The words after `rlm-memory`; None takes them from the process.
    """
    try:
        try:
            whole = parser()
            if "_ARGCOMPLETE" in os.environ:  # the shell asks how a word can go on
                import argcomplete

                argcomplete.autocomplete(whole)
            options = whole.parse_args(arguments)
            return int(options.command(options))
        finally:
            sys.stdout.flush()  # now, while a closed pipe can be handled, and not at exit
    except BrokenPipeError:  # the reader, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit does not fail again
        return 0
    except KeyboardInterrupt:
        print("rlm-memory: stopped; run it again to continue from the recorded answers", file=sys.stderr)
        return 130
    except SystemExit:  # help, or wrong arguments: the next line would import what they need not wait for
        raise
    except _told() as error:
        print(f"rlm-memory: {_with_options(str(error), list(vars(options)))}", file=sys.stderr)
        return USAGE_ERROR


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each sets `command`, a function from options to an exit code."""
    summary = "Long-term memory for LLM assistants, and the experiments of the paper."
    parser = parsers.Parser(prog="rlm-memory", description=summary)
    parser.add_argument("--version", action="version", version=f"rlm-memory {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in parsers.ALL:
        add(commands)
    return parser


def _told() -> tuple[type[Exception], ...]:
    """The errors that tell the user in one line why a command cannot be run; imported only when there is one."""
    from ..imports import HistoryFileError
    from ..models.types import ModelError, RecordingError
    from ..store.schema import StoreError

    return Refused, HistoryFileError, ModelError, RecordingError, StoreError, OSError


def _with_options(said: str, names: Sequence[str]) -> str:
    """Name options where an error names arguments of Python.

    >>> _with_options("first must be at least 1, unless model='offline'", ["first", "model"])
    '--first must be at least 1, unless --model offline'
    """
    name = rf"({'|'.join(names)})"
    said = re.sub(rf"\b{name}=(['\"])(.*?)\2", r"--\1 \3", said)
    said = re.sub(r'Reading\("(\w+)"\)', r"--reading \1", said)
    said = re.sub(rf"(^|with ){name}\b", r"\1--\2", said)
    return re.sub(r"--\w+", lambda option: option[0].replace("_", "-"), said)
