"""Reads the JSON values in a file one by one, so that memory use does not grow with the file.

A file contains values one after another, usually one in each line. The entries of a list are read one by one. If a
value is not JSON, it is reported, and reading goes on with the next line, or in a list with the next line that begins
with a bracket.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

Problem = Callable[[str, str], None]
"""Called with a place in the file, such as "line 3" ("" means the whole file), and what is wrong there."""

_WINDOW = 20_000  # characters that are parsed at once; an error in them costs time for each
_LONGEST = 100_000_000  # maximum characters of a value, or of blanks: a small archive may contain gigabytes
_NEAR = 100  # characters: an error so near to the end of what was read may mean that the value goes on
_LEAD = re.compile(r"\A(?:[\w\s$.\"'[\]]{0,200}(?:[=(]|default)(?=\s*[\[{]))?")  # the beginning of a script
_LISTS_IN_LINES = re.compile(r"\A\s*+\[[^\n]*\][^\S\n]*+\n\s*+[\[{]")  # each line is a list, and a value of its own
_BETWEEN = re.compile(r"[\s,;)\x1e]*")
_NEXT_VALUE, _NEXT_LINE = re.compile(r"\n(?=[{[])"), re.compile(r"\n(?=[^\s}\]])")


class HistoryFileError(Exception):
    """A file is not a history. The one-line message says what is wrong and where."""


def joined(where: str, place: str) -> str:
    """Return a place within another."""
    return ", ".join(filter(None, (where, place)))


def json_values(file: io.BufferedIOBase, problem: Problem) -> Iterator[tuple[str, Any]]:
    """Read the values in a file.

    Args:
        file: JSON or JSON Lines, in UTF-8, UTF-16 or UTF-32, also as the only value of a script. The file must be
            seekable, and is closed at the end. Each byte that is not text becomes a lone surrogate.
        problem: Called for each part that cannot be read.

    Yields:
        The place of a value ("" if it is the whole file), and the value.

    >>> list(json_values(io.BytesIO(b'[{"a": 1}, 2]'), print))
    [('entry 1', {'a': 1}), ('entry 2', 2)]
    """
    encoding = json.detect_encoding(file.read(4))
    file.seek(0)
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    with io.TextIOWrapper(file, encoding, errors) as text:  # type: ignore[type-var]
        yield from _values(text, problem)


def _values(text: io.TextIOBase, problem: Problem) -> Iterator[tuple[str, Any]]:
    decoder, number, line, counted, in_list = json.JSONDecoder(), 1, 1, 0, False
    buffer = text.read(_WINDOW)
    at, lists_are_values = _LEAD.match(buffer).end(), _LISTS_IN_LINES.match(buffer)  # type: ignore[union-attr]
    alien = "is a PDF" if buffer.startswith("%PDF") else "is not a text file" if "\0" in buffer[:_NEAR] else ""
    if alien or not buffer.strip():
        problem("", alien or "is empty")
        return
    while True:
        at = _BETWEEN.match(buffer, at).end()  # type: ignore[union-attr]
        if buffer[at : at + 1] == ("]" if in_list else "[") and (in_list or number == 1) and not lists_are_values:
            in_list, at = not in_list, at + 1
            continue
        line, counted = line + buffer.count("\n", counted, at), at
        place = f"entry {number}" if in_list else f"line {line}"
        try:
            value, end = decoder.raw_decode(buffer, at)
        except (RecursionError, ValueError) as error:
            near = len(buffer) - getattr(error, "pos", 0) < _NEAR or str(error).startswith("Unterminated")
            if near and len(buffer) - at < _LONGEST and (more := text.read(max(_WINDOW, len(buffer) - at))):
                buffer, at, counted = buffer[at:] + more, 0, 0
                continue
            if at == len(buffer) and not in_list:
                return
            pattern = _NEXT_VALUE if in_list or number == 1 else _NEXT_LINE
            while not (following := pattern.search(buffer, at)) and len(buffer) - at < _LONGEST:
                if not (more := text.read(max(_WINDOW, len(buffer)))):
                    break
                buffer += more
            reason = getattr(error, "msg", "nested too deeply, or a number with too many digits")
            what = f"is not JSON ({reason})" if at < len(buffer) else "is missing: the file was cut off"
            problem(place, f"{what}; what follows it is not read" if in_list and not following else what)
            if not following:
                return
            end = following.end()
        else:
            yield place, value
        number, at = number + 1, end
