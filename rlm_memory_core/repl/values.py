"""Values that pass between the sandbox and the host: how large they are, what kind they are, and how they read as text.

A value may be far smaller in memory than as text: `[b] * 1000` holds one list a thousand times. So nothing here writes
a value out before it is measured or cut.
"""

import json
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple

from ..models.types import UNKNOWN

MAX_ANSWER_CHARACTERS = 100_000
MAX_CHARACTERS = 32_000_000  # of the arguments of one call; more than a history in the sandbox
MAX_TEXT_CHARACTERS = 10_000  # of a text for a search, a ranking or a question
_VALUE = 64  # characters counted for each value in addition to its text


def shorten(text: str, limit: int) -> str:
    """Shorten a text of more than `limit` characters to its beginning and end, and note how much was cut.

    >>> shorten("abcdefghij", limit=4)
    'ab\\n[... 6 characters cut; print less ...]\\nij'
    """
    if len(text) <= limit:
        return text
    head, tail = text[: limit - limit // 2], text[len(text) - limit // 2 :]
    return f"{head}\n[... {len(text) - limit:,} characters cut; print less ...]\n{tail}"


def to_text(value: Any) -> str:
    """Convert an answer of any type to text. A long text is shortened.

    >>> to_text(["Mochi", "Luna"]), to_text(2.0), to_text(None)
    ('Mochi, Luna', '2', "I don't know")
    """
    with suppress(RecursionError, TypeError, ValueError):  # it is too deep, or a number with too many digits
        if measure(value).characters <= MAX_CHARACTERS:
            return shorten(_written(value), MAX_ANSWER_CHARACTERS)
    return f"a {type(value).__name__} that cannot be written out"


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, list):
        return ", ".join(map(_written, value)) or UNKNOWN
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return UNKNOWN if value is None else str(value).strip() or UNKNOWN


class Measured(NamedTuple):
    """The result of `measure`.

    Args:
        characters: Total length of all texts, plus a fixed amount per value.
        longest: Length of the longest text.
    """

    characters: int
    longest: int


def measure(value: Any, known: dict[int, Measured] | None = None) -> Measured:
    """Measure a value and the values in it.

    Args:
        value: A value as code passes it: lists and dicts of text, numbers and dates.
        known: Values that were measured before, by `id`: a value may hold the same list a thousand times.

    >>> measure(["ab", "abc"]).longest
    3
    """
    known = {} if known is None else known
    if id(value) in known:
        return known[id(value)]
    text, inner = "", []
    if isinstance(value, dict):
        inner = list(chain.from_iterable(value.items()))
    elif isinstance(value, (list, tuple)):
        inner = list(value)
    elif isinstance(value, int):
        text = f"{value:x}"  # huge integers have no decimal text
    else:
        text = value if isinstance(value, str) else repr(value)
    parts = [measure(each, known) for each in inner]
    characters = len(text) + _VALUE + sum(part.characters for part in parts)
    known[id(value)] = Measured(characters, max([len(text), *(part.longest for part in parts)]))
    return known[id(value)]


def how_many(value: object) -> int:
    """Return how many sub-agents an argument asks: one per item of a list or dict, one for anything else.

    >>> how_many([3, 1]), how_many("Who?"), how_many(None)
    (2, 1, 1)
    """
    return len(value) if isinstance(value, (list, dict)) else 1


def listed(function: str, value: object, what: str) -> list[Any]:
    """Check that an argument is a list, and return it. Tuples, ranges and sets cross as lists.

    Args:
        function: The name of the host function, for the error.
        value: The argument.
        what: What the function takes, for the error.

    Raises:
        TypeError: The argument is something else.
    """
    if isinstance(value, list):
        return value
    given = "text" if isinstance(value, str) else type(value).__name__
    raise TypeError(f"{function} takes {what}, not {given}; make a list with list(...) of anything else")


def check_text(function: str, what: str, text: object) -> str:
    """Check that an argument is a string and not too long to search with, and return it.

    Raises:
        TypeError: It is not a string.
        ValueError: It is longer than MAX_TEXT_CHARACTERS.
    """
    if not isinstance(text, str):
        raise TypeError(f"{function} takes {what}, not {type(text).__name__}")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise ValueError(f"{function} takes at most {MAX_TEXT_CHARACTERS:,} characters, not {len(text):,}")
    return text


def from_start(position: object, count: int) -> int:
    """Return a session's position counted from the start. -1 is the last session.

    Args:
        position: The argument.
        count: How many sessions there are.

    Raises:
        TypeError: The position is not a whole number.
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
