"""Reads the JSON values in a file one by one, so that memory use does not grow with the file.

A file contains a list, whose entries are read one by one, or a value in each line, or a single value. Parts that are
not JSON are reported and left out.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

Problem = Callable[[str, str], None]
"""Called with a place in the file, such as "line 3" ("" means the whole file), and what is wrong there."""

_WINDOW = 1_000_000  # characters of a list that are parsed at once
_LONGEST = 100_000_000  # maximum characters of a value, or of blanks: a small archive may contain gigabytes
_SAMPLE = 100  # lines that are checked to find out whether each line is a value
_BETWEEN = re.compile(r"[\s,]*")


class HistoryFileError(Exception):
    """A file is not a history. The one-line message says what is wrong and where."""


def json_values(file: io.BufferedIOBase, problem: Problem) -> Iterator[tuple[str, Any]]:
    """Read the values in a file.

    Args:
        file: JSON or JSON Lines, in UTF-8 or, with a byte order mark, UTF-16. The file must be seekable. Each byte that
            is not text becomes a lone surrogate.
        problem: Called for each part that cannot be read.

    Yields:
        The place of a value ("" if it is the whole file), and the value.

    >>> list(json_values(io.BytesIO(b'[{"a": 1}, 2]'), print))
    [('entry 1', {'a': 1}), ('entry 2', 2)]
    """
    wide = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
    file.seek(0)
    text = io.TextIOWrapper(file, *(("utf-16", "replace") if wide else ("utf-8-sig", "surrogateescape")))  # type: ignore[type-var]
    try:
        start = text.read(_WINDOW)
        is_list = start.lstrip().startswith("[")
        start += "" if is_list else text.readline(_LONGEST)
        first, *others = [line for line in start.split("\n", _SAMPLE + 1)[: _SAMPLE + 1] if line.strip()] or [""]
        text.seek(0)
        if not first:
            problem("", "is empty")
        elif is_list and not (others and _is_json(first)):
            yield from _entries(text, problem)
        elif _is_json(first) or 2 * sum(map(_is_json, others)) > len(others):
            for number, line in enumerate(iter(lambda: text.readline(_LONGEST), ""), 1):
                if line.strip():
                    yield from _value(f"line {number}", line, problem)
        elif start.startswith("%PDF") or "\0" in start:
            problem("", f"is {'a PDF' if start.startswith('%PDF') else 'not a text file'}")
        else:
            yield from _value("", text.read(_LONGEST), problem)
            if text.read(1):
                problem("", f"has more than {_LONGEST:,} characters in one value")
    finally:
        text.detach()  # leave the file open for the caller


def _value(place: str, text: str, problem: Problem) -> Iterator[tuple[str, Any]]:
    try:
        yield place, json.loads(text)
    except (RecursionError, ValueError) as error:
        problem(place or f"line {getattr(error, 'lineno', 1)}", _reason(error))


def _entries(text: io.TextIOBase, problem: Problem) -> Iterator[tuple[str, Any]]:
    """Yield the entries of a list. A window of text is parsed at a time."""
    decoder, number, buffer = json.JSONDecoder(), 1, text.read(_WINDOW)
    at = buffer.index("[") + 1
    while True:
        at += len(_BETWEEN.match(buffer, at)[0])  # type: ignore[index]
        if buffer[at : at + 1] == "]":
            if (buffer[at + 1 :] + text.read(_SAMPLE)).strip():
                problem("what follows the list", "is not read")
            return
        try:
            value, end = decoder.raw_decode(buffer, at)
        except (RecursionError, ValueError) as error:
            near = len(buffer) - getattr(error, "pos", 0) < _SAMPLE or str(error).startswith("Unterminated")
            following = text.read(max(_WINDOW, len(buffer) - at)) if near and len(buffer) - at < _LONGEST else ""
            if not following:
                what = _reason(error) if at < len(buffer) else "is missing: the file was cut off"
                problem(f"entry {number}", f"{what}; what follows it is not read")
                return
            buffer, at = buffer[at:] + following, 0
            continue
        yield f"entry {number}", value
        number, at = number + 1, end


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return f"is not JSON ({getattr(error, 'msg', 'a number has too many digits')})"


def _is_json(text: str) -> bool:
    with suppress(RecursionError, ValueError):
        json.loads(text)
        return True
    return False
