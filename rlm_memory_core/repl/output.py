"""Shortens what the code printed, and converts answers of any type to text."""

import json
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any

from ..models.types import UNKNOWN

MAX_ANSWER_CHARACTERS = 100_000


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
