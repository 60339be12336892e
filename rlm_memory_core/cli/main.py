"""The command line: the command `rlm-memory` and its parts, one module each.

An error prints one line on standard error and exits with 2; a traceback is a bug. Exit code 1 means that the command
ran but left a question unanswered.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module

from .common import Refused, note
from .parsers import parser

_EXTRAS = {"experiments": "notebooks", "mcp": "mcp"}  # what to install for a module of commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: The words after `rlm-memory`; None takes them from the process.
    """
    try:
        try:
            whole = parser()
            if "_ARGCOMPLETE" in os.environ:  # the shell wants completions
                import argcomplete

                argcomplete.autocomplete(whole)
            options = whole.parse_args(arguments)
            return _run(options)
        finally:
            sys.stdout.flush()  # here a closed pipe can be handled, at exit it cannot
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # keeps the flush at exit from failing
        return 0
    except KeyboardInterrupt:
        note("stopped; run it again to continue from the recorded answers")
        return 130
    except SystemExit:  # --help or wrong arguments; skip the slow imports of the next line
        raise
    except _told() as error:
        note(_with_options(str(error), list(vars(options))))
        return 2


def _run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code: 0 if it returns None.

    Its module is imported only now, so that `--help` answers at once.
    """
    module, function = options.command.split(":")
    try:
        return int(getattr(import_module(f".{module}", __package__), function)(options) or 0)
    except ModuleNotFoundError as error:
        if module not in _EXTRAS:
            raise
        raise Refused(f'{error.name} is not installed; run pip install "rlm-memory[{_EXTRAS[module]}]"') from error


def _told() -> tuple[type[Exception], ...]:
    """Return the errors that are shown as one line. It imports them only when there is an error to show."""
    from ..imports import HistoryFileError
    from ..models.types import ModelError, RecordingError
    from ..store.schema import StoreError

    return Refused, HistoryFileError, ModelError, RecordingError, StoreError, OSError


def _with_options(said: str, names: Sequence[str]) -> str:
    """Replace the names of Python arguments in an error by the names of options; drop an error number.

    >>> _with_options("first must be at least 1, unless model='offline'", ["first", "model"])
    '--first must be at least 1, unless --model offline'
    """
    name = rf"({'|'.join(names)})"
    said = re.sub(r"^\[Errno -?\d+\] ", "", said)  # the number of an OSError
    said = re.sub(rf"\b{name}=(['\"])(.*?)\2", r"--\1 \3", said)
    said = re.sub(r'Reading\("(\w+)"\)', r"--reading \1", said)
    said = re.sub(rf"(^|with ){name}\b", r"\1--\2", said)
    return re.sub(r"--\w+", lambda option: option[0].replace("_", "-"), said)
