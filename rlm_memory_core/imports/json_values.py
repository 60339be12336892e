"""Reads the JSON values in a file one by one, so that memory use does not grow with the file.

A file contains values one after another, usually one in each line. The entries of a list are read one by one. A value
that is not JSON becomes an error, and reading goes on with the next line that is not indented.
"""

import io
import json
import re
from collections.abc import Iterator
from typing import IO, Any

_WINDOW = 20_000  # characters that are parsed at once; an error in them costs time for each
_LONGEST = 100_000_000  # maximum characters of a value, or of blanks: a small archive may contain gigabytes
_NEAR = 100  # characters: an error so near to the end of what was read may mean that the value goes on
_LISTS_IN_LINES = re.compile(r"\A\s*+\[[^\n]*\][^\S\n]*+\n\s*+[\[{]")  # each line is a list, and a value of its own
_BETWEEN = re.compile(r"[\s,]*")
_NEXT = re.compile(r"\n(?=[^\s}\]])")


class HistoryFileError(Exception):
    """A file is not a history. The one-line message says what is wrong and where."""


def joined(where: str, place: str) -> str:
    """Return a place within another."""
    return ", ".join(filter(None, (where, place)))


def json_values(file: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """Read the values in a file.

    Args:
        file: JSON or JSON Lines in UTF-8. It is closed at the end. Each byte that is not text becomes a lone surrogate.

    Yields:
        The place of a value, such as "line 3", and the value; a `HistoryFileError` if it is not JSON.

    >>> list(json_values(io.BytesIO(b'[{"a": 1}, 2]')))
    [('entry 1', {'a': 1}), ('entry 2', 2)]
    """
    with io.TextIOWrapper(file, "utf-8-sig", "surrogateescape") as text:
        decoder, buffer, at, number, line, counted, in_list = json.JSONDecoder(), text.read(_WINDOW), 0, 1, 1, 0, False
        lists_are_values = _LISTS_IN_LINES.match(buffer)
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
                following = _NEXT.search(buffer, at)
                size = len(buffer) - at
                near = len(buffer) - getattr(error, "pos", 0) < _NEAR or "Unterminated" in str(error)
                if (near or not following) and size < _LONGEST and (more := text.read(max(_WINDOW, size))):
                    buffer, at, counted = buffer[at:] + more, 0, 0
                    continue
                if at == len(buffer) and not in_list:
                    return
                reason = getattr(error, "msg", "nested too deeply, or a number with too many digits")
                rest = "; what follows it is not read" if in_list and not following else ""
                yield place, HistoryFileError(f"is not JSON ({reason}){rest}")
                if not following:
                    return
                end = following.end()
            else:
                yield place, value
            number, at = number + 1, end
