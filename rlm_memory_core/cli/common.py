"""Shared by several commands: exit codes, refusals, confirmation, argument types, and printing."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

UNANSWERED = 1
"""The exit code of a command that ran but left a question without an answer; 2 means that it could not run."""


class Refused(Exception):
    """A command cannot run; the message is one line for the user."""


@contextmanager
def refusing(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of these kinds into one line for the user.

    >>> with refusing(ValueError):
    ...     int("x")
    Traceback (most recent call last):
    rlm_memory_core.cli.common.Refused: invalid literal for int() with base 10: 'x'
    """
    try:
        yield
    except kinds as error:
        raise Refused(error) from error


def confirm(yes: bool, refusal: str) -> None:
    """Ask the user to confirm something that cannot be undone.

    Args:
        yes: Whether the user has agreed already, with --yes.
        refusal: The message if the user says no.

    Raises:
        Refused: The user says no, or there is no input to read.

    >>> confirm(True, "stopped")
    """
    if yes:
        return
    try:
        agreed = input("Go on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        raise Refused("there is no input to confirm with; give --yes to go on without asking") from None
    if not agreed:
        raise Refused(refusal)


def rates_of(prices: list[float] | None) -> tuple[float, float] | None:
    """Convert `--prices` to dollars per prompt token and per completion token.

    >>> rates_of([1.0, 2.0]), rates_of(None)
    ((1e-06, 2e-06), None)
    """
    return (prices[0] / 1e6, prices[1] / 1e6) if prices else None


def argument(what: str, kind: Callable[[str], Any], fits: Callable[[Any], bool] = bool) -> Callable[[str], Any]:
    """Return an argument type.

    Args:
        what: What the argument is, for the error.
        kind: Converts the text. An error means that it cannot be converted.
        fits: Whether the value is allowed.

    >>> argument("a number of days", float, lambda days: days >= 0)("1.5")
    1.5
    """

    def parse(text: str) -> Any:
        with suppress(KeyError, ValueError, OSError):
            if fits(value := kind(text)):
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")

    return parse


def printable(text: str) -> str:
    r"""Replace control characters, which could change what the terminal shows.

    >>> printable("red: \x1b[31m")
    'red: \ufffd[31m'
    """
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


def note(line: str) -> None:
    """Print one line for the user to standard error."""
    print(printable(f"rlm-memory: {' '.join(line.split())}"), file=sys.stderr)


def say(text: str) -> None:
    """Print to standard output. Characters that its encoding lacks become question marks."""
    encoding = sys.stdout.encoding or "utf-8"
    print(printable(text).encode(encoding, "replace").decode(encoding), flush=True)
