"""Measures and identifies values that the code passes to the host, without writing them out.

A value of the code may be far larger than its memory: `[b] * 1000` holds one list a thousand times. `measure` goes
through a value piece by piece and stops at a limit.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple

MAX_CHARACTERS = 32_000_000  # of the arguments of one call: more than a history that is copied into the sandbox
_VALUE = 64  # characters that a value counts, besides its text


class Measured(NamedTuple):
    """What `measure` found.

    Args:
        digest: Equal for equal values of equal types, in every run.
        characters: How much text the values hold, with something for each value; above the limit if there is more.
        longest: Characters of the longest text.
    """

    digest: bytes
    characters: int
    longest: int


def measure(value: Any, limit: int = MAX_CHARACTERS) -> Measured:
    """Go through a value and the values in it, up to a limit.

    Args:
        value: Any value.
        limit: Characters after which no more is read.

    >>> measure([1]).digest == measure([1.0]).digest, measure(["ab", "abc"]).longest
    (False, 3)
    """
    digest, characters, longest = blake2b(digest_size=16), 0, 0
    waiting = [value]
    while waiting and characters <= limit:
        each = waiting.pop()
        text, inner = _opened(each)
        characters, longest = characters + len(text) + _VALUE, max(longest, len(text))
        digest.update(f"{type(each).__name__} {len(text)} {len(inner)} ".encode())
        digest.update(text.encode("utf-8", "surrogatepass"))
        waiting.extend(reversed(inner))
    return Measured(digest.digest(), characters, longest)


def _opened(value: Any) -> tuple[str, list[Any]]:
    """A value's own text, and the values in it."""
    if isinstance(value, str):
        return value, []
    if isinstance(value, bytes):
        return value.decode("latin-1"), []
    if isinstance(value, dict):
        return "", list(chain.from_iterable(value.items()))
    if isinstance(value, (list, tuple)):
        return "", list(value)
    if isinstance(value, (set, frozenset)):
        return "", sorted(value, key=lambda each: each if isinstance(each, str) else measure(each, 1000).digest.hex())
    if hasattr(value, "attributes"):  # an object of a class of the code
        return str(value.name), [value.attributes]
    return (f"{value:x}" if isinstance(value, int) else repr(value)), []  # a huge number has no decimal text
