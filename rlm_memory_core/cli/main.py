"""The command line: `rlm-memory reproduce`, `estimate`, `report`, `ask`, `import`, `check`, `calls` and `serve`.

An error is one line on standard error and exit code 2; a traceback is a bug. Exit code 1 means that the command ran
but left a question without an answer.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from .. import __version__
from ..models.call_store import RecordingError
from ..models.llm import ModelError
from ..store.memory_store import StoreError
from . import ask, calls, experiments, history_files, mcp, serve
from .common import USAGE_ERROR, Refused


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: The words after `rlm-memory`; None takes them from the process.
    """
    try:
        try:
            options = parser().parse_args(arguments)
            command: Callable[[argparse.Namespace], int] = options.command
            return command(options)
        finally:
            sys.stdout.flush()  # now, while a closed pipe can be handled, and not at exit
    except BrokenPipeError:  # the reader, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit does not fail again
        return 0
    except (Refused, ModelError, RecordingError, StoreError, OSError) as error:
        print(f"rlm-memory: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("rlm-memory: stopped; run it again to continue from the recorded answers", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each sets `command`, a function from options to an exit code."""
    parser = argparse.ArgumentParser(
        prog="rlm-memory", description="Long-term memory for LLM assistants, and the experiments of the paper."
    )
    parser.add_argument("--version", action="version", version=f"rlm-memory {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    experiments.add_parsers(commands)
    ask.add_parser(commands)
    history_files.add_parsers(commands)
    calls.add_parser(commands)
    serve.add_parser(commands)
    mcp.add_parser(commands)
    return parser
