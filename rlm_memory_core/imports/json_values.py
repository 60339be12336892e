"""A history file's text as JSON: one value, or one a line. What the values mean is not known here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


class HistoryFileError(Exception):
    """A file that is no history; one line says what is wrong, and where."""


def values_in(content: bytes) -> Iterator[tuple[str, Any]]:
    """What a file holds: one JSON value, or one a line; each with the place it is at, "" for the whole.

    Args:
        content: The file's bytes, text in UTF-8.

    Raises:
        HistoryFileError: It is empty, no text, or no JSON; it says in which line.

    >>> list(values_in(b'{"a": 1}\\n{"a": 2}'))
    [('line 1', {'a': 1}), ('line 2', {'a': 2})]
    """
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise HistoryFileError("it is text in UTF-16: save it as UTF-8")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HistoryFileError(f"it is no text in UTF-8 (byte {error.start + 1}): save it as UTF-8") from error
    if not text.strip():
        raise HistoryFileError("it is empty")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    try:
        if len(lines) > 1 and _is_by_line([line for _, line in lines], text):
            for number, line in lines:
                yield f"line {number}", _parsed(line, number)
        else:
            yield "", _parsed(text, 1)
    except RecursionError as error:
        raise HistoryFileError("its JSON is nested too deeply") from error


def _is_by_line(lines: list[str], text: str) -> bool:
    """Whether each line is meant to be a JSON value: the first is one, or the whole is none and most others are."""
    if _is_whole(lines[0]):
        return True
    others = lines[1:101]
    return not _is_whole(text) and 2 * sum(map(_is_whole, others)) > len(others)


def _is_whole(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _parsed(text: str, first_line: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        line = first_line + error.lineno - 1 if isinstance(error, json.JSONDecodeError) else first_line
        said = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise HistoryFileError(f"line {line} is no JSON ({said})") from error
