"""What the commands of the command line share: how a request is refused, and how the user is asked. Runs nothing."""

from __future__ import annotations

import argparse

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
