"""Turns what the code printed or answered into text: shortens outputs, and writes out answers of any type."""

from __future__ import annotations

import json
from typing import Any

UNKNOWN = "I don't know"
"""The answer if the history does not contain one (abstention, paper Section 3.2)."""


def shorten(text: str, limit: int) -> str:
    """Keep the head and the tail of a text longer than `limit` characters, and say how much was cut.

    >>> shorten("abcdefghij", limit=4)
    'ab\\n[... 6 characters cut; print less ...]\\nij'
    """
    if len(text) <= limit:
        return text
    head, tail = text[: limit - limit // 2], text[len(text) - limit // 2 :]
    return f"{head}\n[... {len(text) - limit:,} characters cut; print less ...]\n{tail}"


def to_text(value: Any) -> str:
    """Write out an answer of any type.

    >>> to_text(["Mochi", "Luna"]), to_text(2.0), to_text(None)
    ('Mochi, Luna', '2', "I don't know")
    """
    try:
        return _to_text(value)
    except (RecursionError, TypeError, ValueError):
        return f"a {type(value).__name__} that cannot be written out"


def _to_text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip() or UNKNOWN
    if value is None:
        return UNKNOWN
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (set, frozenset)):
        return ", ".join(sorted(_to_text(item) for item in value)) or UNKNOWN
    if isinstance(value, (list, tuple)):
        return ", ".join(_to_text(item) for item in value) or UNKNOWN
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
