"""The lists that code hands to the functions that ask sub-agents: what counts as one, how long it is, where it points.

A list, a tuple or a range is one; a set or a dict has no order that replies could come in, and what makes its values
one by one does not cross from the sandbox. Nothing is read here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Sized
from typing import Any

_RANGE = re.compile(r"range\((-?\d{1,18}), (-?\d{1,18})(?:, (-?[1-9]\d{0,17}))?\)")  # what crosses is its text


def how_many(value: object) -> int:
    """How many sub-agents a value asks: as many as it holds; a text, or what holds nothing, asks one.

    >>> how_many([3, 1]), how_many({3, 1}), how_many("range(0, 20)"), how_many("Who?"), how_many(None)
    (2, 2, 20, 1, 1)
    """
    values = _crossed(value)
    return len(values) if isinstance(values, Sized) and not isinstance(values, (str, bytes)) else 1


def listed(function: str, value: object, what: str) -> Sequence[Any]:
    """A list, a tuple or a range as it came.

    Args:
        function: Who takes it.
        value: What the code gave.
        what: What the function takes, for the error.

    Raises:
        TypeError: It is something else.

    >>> listed("read_facts", "range(0, 2)", "a list of positions")
    range(0, 2)
    """
    values = _crossed(value)
    if isinstance(values, (list, tuple, range)):
        return values
    given = "text" if isinstance(value, str) else type(value).__name__
    raise TypeError(f"{function} takes {what}, not {given}; make a list with list(...) of anything else")


def from_start(position: object, count: int) -> int:
    """A position counted from the start; -1 is the last.

    Args:
        position: What the code gave.
        count: How many sessions there are.

    Raises:
        TypeError: It is no whole number.
        IndexError: There is no such position.

    >>> from_start(-1, 20), from_start(3, 20)
    (19, 3)
    """
    if not isinstance(position, int) or isinstance(position, bool):
        raise TypeError(f"the position of a session is a whole number, not {type(position).__name__}")
    if not -count <= position < count:
        there = f"positions go from 0 to {count - 1}" if count else "the history is empty"
        raise IndexError(f"no session {position}: {there}")
    return position % count


def _crossed(value: object) -> object:
    match = _RANGE.fullmatch(value) if isinstance(value, str) else None
    return range(*(int(number) for number in match.groups() if number is not None)) if match else value
