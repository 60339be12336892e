"""Values that pass between the sandbox and the host: how large they are, what kind they are, and how they read as text.

A value may be far smaller in memory than as text: `[b] * 1000` holds one list a thousand times. So nothing here writes
a value out before it is measured or cut.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence, Sized
from hashlib import blake2b
from itertools import chain, takewhile
from typing import Any, NamedTuple

from ..models.types import UNKNOWN

MAX_ANSWER_CHARACTERS = 100_000
MAX_CHARACTERS = 32_000_000  # of the arguments of one call; more than a history in the sandbox
MAX_TEXT_CHARACTERS = 10_000  # of a text for a search, a ranking or a question
_VALUE = 64  # characters counted for each value in addition to its text
# the sandbox passes a range as its text
_RANGE = re.compile(r"range\((-?\d{1,18}), (-?\d{1,18})(?:, (-?[1-9]\d{0,17}))?\)")


def shorten(text: str, limit: int) -> str:
    """Shorten a text of more than `limit` characters to its beginning and end, and note how much was cut.

    >>> shorten("abcdefghij", limit=4)
    'ab\\n[... 6 characters cut; print less ...]\\nij'
    """
    if len(text) <= limit:
        return text
    head, tail = text[: limit - limit // 2], text[len(text) - limit // 2 :]
    return f"{head}\n[... {len(text) - limit:,} characters cut; print less ...]\n{tail}"


def to_text(value: Any, limit: int = MAX_ANSWER_CHARACTERS) -> str:
    """Convert an answer of any type to text, up to a limit: a value may hold the same long text a thousand times.

    >>> to_text(["Mochi", "Luna"]), to_text(2.0), to_text(None)
    ('Mochi, Luna', '2', "I don't know")
    >>> to_text(["Mochi"] * 1000, limit=10)
    'Mochi, Mo\\n[... cut: more than 10 characters ...]'
    """
    cutter = _Cutter(limit)
    try:
        text = _to_text(value if isinstance(value, str) else cutter.cut(value))
    except (RecursionError, TypeError, ValueError):
        return f"a {type(value).__name__} that cannot be written out"
    return (
        f"{text[:limit]}\n[... cut: more than {limit:,} characters ...]" if cutter.left <= 0 else shorten(text, limit)
    )


class _Cutter:
    """Copies values up to a total number of characters."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def cut(self, value: Any) -> Any:
        """Copy a value. Once the limit is reached, cut texts and drop items. A set becomes a sorted list."""
        self.left -= 1
        if isinstance(value, (str, bytes)):
            kept = value[: max(self.left, 0)]
            self.left -= len(value)
            return kept
        if isinstance(value, dict):
            pairs = self._while_left(value.items())
            return {key if isinstance(key, (int, float)) else str(self.cut(key)): self.cut(item) for key, item in pairs}
        if isinstance(value, (set, frozenset)):
            return sorted((self.cut(item) for item in self._while_left(value)), key=str)
        if isinstance(value, (list, tuple)):
            return [self.cut(item) for item in self._while_left(value)]
        if hasattr(value, "attributes"):  # an object of a class that the code defines
            before = self.left
            held = (f"{name}={self.cut(item)!r}" for name, item in value.attributes.items())
            text = f"{value.name}({', '.join(self._while_left(held))})"
            self.left = min(self.left, before - len(text))  # escaping nested quotes doubles their length at each level
            return text
        return value

    def _while_left(self, items: Iterable[Any]) -> Iterator[Any]:
        return takewhile(lambda _: self.left > 0, items)


def _to_text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip() or UNKNOWN
    if value is None:
        return UNKNOWN
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return ", ".join(map(_to_text, value)) or UNKNOWN
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


class Measured(NamedTuple):
    """The result of `measure`.

    Args:
        digest: A hash that is equal for equal values of equal types, in every run.
        characters: Total length of all texts, plus a fixed amount per value. Above the limit if reading stopped there.
        longest: Length of the longest text.
    """

    digest: bytes
    characters: int
    longest: int


def measure(value: Any, limit: int = MAX_CHARACTERS, known: dict[int, Measured] | None = None) -> Measured:
    """Measure a value and the values in it, up to a limit.

    Args:
        value: Any value.
        limit: The number of characters after which to stop reading.
        known: Members of sets that were measured before, by `id`; None for none.

    >>> measure([1]).digest == measure([1.0]).digest, measure(["ab", "abc"]).longest
    (False, 3)
    """
    digest, characters, longest, known = blake2b(digest_size=16), 0, 0, {} if known is None else known
    waiting = [value]
    while waiting and characters <= limit:
        each = waiting.pop()
        text, inner = _opened(each)
        if isinstance(each, (set, frozenset)):  # it has no order
            for member in each:
                if id(member) not in known:
                    known[id(member)] = measure(member, limit - characters, known)
                characters, longest = characters + known[id(member)].characters, max(longest, known[id(member)].longest)
            digest.update(b"".join(sorted(known[id(member)].digest for member in each)))
        characters, longest = characters + len(text) + _VALUE, max(longest, len(text))
        digest.update(f"{type(each).__name__} {len(text)} {len(inner)} ".encode())
        digest.update(text.encode("utf-8", "surrogatepass"))
        waiting.extend(reversed(inner))
    return Measured(digest.digest(), characters, longest)


def _opened(value: Any) -> tuple[str, list[Any]]:
    """Return a value's own text, and the values in it, but for those in a set."""
    if isinstance(value, str):
        return value, []
    if isinstance(value, bytes):
        return value.decode("latin-1"), []
    if isinstance(value, dict):
        return "", list(chain.from_iterable(value.items()))
    if isinstance(value, (list, tuple)):
        return "", list(value)
    if isinstance(value, (set, frozenset)):
        return "", []
    if hasattr(value, "attributes"):  # an object of a class that the code defines
        return str(value.name), [value.attributes]
    return (f"{value:x}" if isinstance(value, int) else repr(value)), []  # hex: huge integers have no decimal text


def how_many(value: object) -> int:
    """Return how many sub-agents an argument asks: one per item of a collection, one for anything else.

    >>> how_many([3, 1]), how_many({3, 1}), how_many("range(0, 20)"), how_many("Who?"), how_many(None)
    (2, 2, 20, 1, 1)
    """
    values = _crossed(value)
    return len(values) if isinstance(values, Sized) and not isinstance(values, (str, bytes)) else 1


def listed(function: str, value: object, what: str) -> Sequence[Any]:
    """Check that an argument is a list, a tuple or a range. A set or dict would give the replies no order.

    Args:
        function: The name of the host function, for the error.
        value: The argument.
        what: What the function takes, for the error.

    Returns:
        The argument. A range that arrived as text becomes a range again.

    Raises:
        TypeError: The argument is something else.

    >>> listed("read_facts", "range(0, 2)", "a list of positions")
    range(0, 2)
    """
    values = _crossed(value)
    if isinstance(values, (list, tuple, range)):
        return values
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


def _crossed(value: object) -> object:
    """Return an argument as the code wrote it, because a range arrives as text."""
    match = _RANGE.fullmatch(value) if isinstance(value, str) else None
    return range(*(int(number) for number in match.groups() if number is not None)) if match else value
