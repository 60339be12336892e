"""Reads the JSON values in a file one by one, so that memory use does not grow with the file.

A file contains a value in each line, or values that may take several lines. The entries of a list are read one by one.
Parts that are not JSON are reported and left out.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

Problem = Callable[[str, str], None]
"""Called with a place in the file, such as "line 3" ("" means the whole file), and what is wrong there."""

_WINDOW = 1_000_000  # characters that are parsed at once
_LONGEST = 100_000_000  # maximum characters of a value, or of blanks: a small archive may contain gigabytes
_SAMPLE = 100  # lines that are checked to find out whether each line is a value
_LEAD = re.compile(r"(?:[\w\s$.\"'[\]]{0,200}(?:[=(]|default)(?=\s*[\[{]))?\s*")  # the beginning of a script, or blanks
_BETWEEN = re.compile(r"[\s,;)\x1e]*")


class HistoryFileError(Exception):
    """A file is not a history. The one-line message says what is wrong and where."""


def json_values(file: io.BufferedIOBase, problem: Problem) -> Iterator[tuple[str, Any]]:
    """Read the values in a file.

    Args:
        file: JSON or JSON Lines, in UTF-8, UTF-16 or UTF-32, also as the only value of a script. The file must be
            seekable. Each byte that is not text becomes a lone surrogate.
        problem: Called for each part that cannot be read.

    Yields:
        The place of a value ("" if it is the whole file), and the value.

    >>> list(json_values(io.BytesIO(b'[{"a": 1}, 2]'), print))
    [('entry 1', {'a': 1}), ('entry 2', 2)]
    """
    encoding = json.detect_encoding(file.read(4))
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")  # type: ignore[type-var]
    try:
        start = text.read(_WINDOW)
        lead = _LEAD.match(start)[0]  # type: ignore[index]
        is_list = start.startswith("[", len(lead))
        start += "" if is_list else text.readline(_LONGEST)
        first, *others = [line for line in start.split("\n", _SAMPLE + 1)[: _SAMPLE + 1] if line.strip()] or [""]
        text.seek(0)
        if not first:
            problem("", "is empty")
        elif start.startswith("%PDF") or "\0" in start:
            problem("", f"is {'a PDF' if start.startswith('%PDF') else 'not a text file'}")
        elif not lead.strip() and (
            (_is_json(first) and (others or not is_list)) or 2 * sum(map(_is_json, others)) > len(others)
        ):
            for number, line in enumerate(iter(lambda: text.readline(_LONGEST), ""), 1):
                if line.strip():
                    yield from _value(f"line {number}", line, problem)
        else:
            yield from _values(text, problem)
    finally:
        text.detach()  # leave the file open for the caller


def _value(place: str, text: str, problem: Problem) -> Iterator[tuple[str, Any]]:
    try:
        yield place, json.loads(text)
    except (RecursionError, ValueError) as error:
        problem(place, _reason(error))


def _values(text: io.TextIOBase, problem: Problem) -> Iterator[tuple[str, Any]]:
    """Yield values that follow one another, and the entries of lists. A window of text is parsed at a time."""
    decoder, number, line, in_list, buffer = json.JSONDecoder(), 1, 0, False, text.read(_WINDOW)
    at = _LEAD.match(buffer).end()  # type: ignore[union-attr]
    while True:
        at = _BETWEEN.match(buffer, at).end()  # type: ignore[union-attr]
        if buffer[at : at + 1] == ("]" if in_list else "["):
            in_list, at = not in_list, at + 1
            continue
        try:
            value, end = decoder.raw_decode(buffer, at)
        except (RecursionError, ValueError) as error:
            near = len(buffer) - getattr(error, "pos", 0) < _SAMPLE or str(error).startswith("Unterminated")
            following = text.read(max(_WINDOW, len(buffer) - at)) if near and len(buffer) - at < _LONGEST else ""
            if following:
                line += buffer.count("\n", 0, at)
                buffer, at = buffer[at:] + following, 0
                continue
            if at < len(buffer) or in_list:
                place = f"entry {number}" if in_list else f"line {line + getattr(error, 'lineno', 1)}"
                what = _reason(error) if at < len(buffer) else "is missing: the file was cut off"
                problem(place, f"{what}; what follows it is not read" if in_list or number > 1 else what)
            return
        yield f"entry {number}" if in_list or number > 1 else "", value
        number, at = number + 1, end


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return f"is not JSON ({getattr(error, 'msg', 'a number has too many digits')})"


def _is_json(text: str) -> bool:
    return any(_value("", text, lambda *told: None))
