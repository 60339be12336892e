"""What several commands share: exit codes, refusals, confirmation, and arguments with a check."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

UNANSWERED = 1
"""The exit code of a command that ran but left a question without an answer."""

USAGE_ERROR = 2
"""The exit code of a command that could not run."""


class Refused(Exception):
    """A command cannot run; the message is one line for the user."""


def confirm(yes: bool, refusal: str) -> None:
    """Ask the user before doing something that cannot be undone.

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


def add_model(command: Any) -> None:
    """Add the arguments that name a model and what it may cost: --model, --base-url, --budget, --prices."""
    from ..models.llm import OFFLINE, OFFLINE_LABEL

    command.add_argument("--model", default=OFFLINE, help=f"name of a model (default: {OFFLINE}, the {OFFLINE_LABEL})")
    command.add_argument("--base-url", metavar="URL", help="address of an OpenAI-compatible server (default: OpenAI's)")
    command.add_argument("--budget", type=dollars, metavar="USD", help="start no call once this much is spent")
    command.add_argument(
        "--prices",
        nargs=2,
        type=dollars,
        metavar=("IN", "OUT"),
        help="dollars per million tokens, for a model without a known price",
    )


def rates_of(prices: list[float] | None) -> tuple[float, float] | None:
    """Convert `--prices` to dollars per prompt token and per completion token.

    >>> rates_of([1.0, 2.0]), rates_of(None)
    ((1e-06, 2e-06), None)
    """
    return (prices[0] / 1e6, prices[1] / 1e6) if prices else None


def amount(name: str, most: float = sys.float_info.max) -> Callable[[str], float]:
    """Return an argument type for numbers from 0 up.

    Args:
        name: What the number is, for the error.
        most: The largest number allowed.

    >>> amount("a number of days", 36_500)("1.5")
    1.5
    """

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not {name}")
        return value

    return parse


dollars = amount("an amount of dollars")
