"""What the commands of the command line share: how a request is refused, and how the user is asked. Runs nothing."""

from __future__ import annotations

import argparse
from typing import Any

UNANSWERED = 1
"""The exit code of a command that ran and left a question without an answer."""


class Refused(Exception):
    """A request that cannot be carried out; its one line goes to the user."""


def confirm(yes: bool, otherwise: str) -> None:
    """Ask before something is done that cannot be undone.

    Args:
        yes: The user agreed beforehand, with --yes.
        otherwise: What is said where the user does not agree.

    Raises:
        Refused: The user does not agree, or is not there.

    >>> confirm(True, "stopped")
    """
    if yes:
        return
    try:
        agreed = input("Go on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        raise Refused("nobody is there to say yes; give --yes to go on without asking") from None
    if not agreed:
        raise Refused(otherwise)


def add_prices(command: Any) -> None:
    """Add `--prices` to a command, for models whose price is not known."""
    command.add_argument(
        "--prices",
        nargs=2,
        type=dollar_amount,
        metavar=("IN", "OUT"),
        help="dollars per million tokens, if not known",
    )


def rates_of(prices: list[float] | None) -> tuple[float, float] | None:
    """What was typed after `--prices`, as dollars per prompt and per completion token.

    >>> rates_of([1.0, 2.0]), rates_of(None)
    ((1e-06, 2e-06), None)
    """
    return (prices[0] / 1e6, prices[1] / 1e6) if prices else None


def dollar_amount(text: str) -> float:
    """An amount that was typed.

    Raises:
        argparse.ArgumentTypeError: It is none.

    >>> dollar_amount("0.5")
    0.5
    """
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of dollars")
    return amount
