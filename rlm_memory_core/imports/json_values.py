"""Reads the JSON values of a file one by one, so that memory does not grow with the file.

A file is a list, whose entries are read one by one; lines with one value each; or one value. What is not JSON is named
and left out. Bytes that are not UTF-8 become replacement characters.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

Problem = Callable[[str, str], None]
"""Called with a place in the file, such as "line 3", and what is wrong there."""

_More = Callable[..., str]
"""Reads so many characters; to the end of the line if asked for whole lines, and -1 is all."""

_WINDOW = 1_000_000  # characters read at once
_SAMPLE = 100  # lines that tell whether each line is a value
_BETWEEN = re.compile(r"[\s,]*")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # how Python keeps a byte that cannot be decoded
_DEEP = "its JSON is nested too deeply"


class HistoryFileError(Exception):
    """A file is not a history; the message says in one line what is wrong and where."""


def json_values(
    file: io.BufferedReader, problem: Problem, progress: Callable[[int], None]
) -> Iterator[tuple[str, Any]]:
    """Read the values of a file.

    Args:
        file: JSON or JSON Lines, in UTF-8 or, with a byte order mark, UTF-16.
        problem: Called for each part that cannot be read.
        progress: Called with the number of bytes read so far.

    Yields:
        The place of a value ("" if it is the whole file), and the value.

    Raises:
        HistoryFileError: The file is empty, or nothing of it is JSON.

    >>> list(json_values(io.BufferedReader(io.BytesIO(b'[{"a": 1}, 2]')), print, lambda done: None))
    [('entry 1', {'a': 1}), ('entry 2', 2)]
    """
    wide = file.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff")
    form = ("utf-16", "replace") if wide else ("utf-8-sig", "surrogateescape")
    text = io.TextIOWrapper(file, *form, newline="\n")
    invalid = 0

    def more(size: int, whole_lines: bool = False) -> str:
        nonlocal invalid
        read = text.read(size) + (text.readline() if whole_lines else "")
        invalid += len(_NOT_UTF8.findall(read))
        progress(file.tell())
        return read

    try:
        start = more(_WINDOW)
        if not start.strip():
            raise HistoryFileError("it is empty")
        yield from _values(start, more, problem)
    finally:
        text.detach()  # the file is the caller's
    if invalid:
        problem(f"{invalid:,} bytes", "are not UTF-8 text; each became the character \ufffd")


def _values(start: str, more: _More, problem: Problem) -> Iterator[tuple[str, Any]]:
    lines = [line for line in start.split("\n", _SAMPLE + 1)[: _SAMPLE + 1] if line.strip()]
    others = sum(map(_is_json, lines[1:]))
    if len(lines) > 1 and (_is_json(lines[0]) or (2 * others > len(lines) - 1 and not start.lstrip().startswith("["))):
        yield from _lines(start, more, problem)
    elif start.lstrip().startswith("["):
        yield from _entries(start, more, problem)
    else:
        yield "", _load(start + more(-1))


def _lines(start: str, more: _More, problem: Problem) -> Iterator[tuple[str, Any]]:
    """One value a line."""
    number, window = 0, start + more(0, True)
    while window:
        for line in window.removesuffix("\n").split("\n"):
            number += 1
            try:
                if line.strip():
                    yield f"line {number}", _load(line, "")
            except HistoryFileError as error:
                problem(f"line {number}", str(error))
        window = more(_WINDOW, True)


def _entries(buffer: str, more: _More, problem: Problem) -> Iterator[tuple[str, Any]]:
    """The entries of one list; a window of text is parsed at a time."""
    decoder, number, at = json.JSONDecoder(), 1, buffer.index("[") + 1
    while True:
        match = _BETWEEN.match(buffer, at)
        at = match.end() if match else at
        if buffer[at : at + 1] == "]":
            return
        try:
            value, end = decoder.raw_decode(buffer, at)
        except RecursionError:
            problem(f"entry {number}", f"{_DEEP}; what follows it is not read")
            return
        except ValueError as error:
            near = len(buffer) - getattr(error, "pos", 0) < _SAMPLE or str(error).startswith("Unterminated")
            following = more(max(_WINDOW, len(buffer) - at)) if near else ""
            if not following:
                what = f"is not JSON ({_reason(error)})" if at < len(buffer) else "is missing: the file was cut off"
                problem(f"entry {number}", f"{what}; what follows it is not read")
                return
            buffer, at = buffer[at:] + following, 0
            continue
        yield f"entry {number}", value
        number, at = number + 1, end


def _load(text: str, place: str = "line {} ") -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise HistoryFileError(_DEEP) from None
    except ValueError as error:
        line = place.format(getattr(error, "lineno", 1))
        raise HistoryFileError(f"{line}is not JSON ({_reason(error)})") from None


def _reason(error: ValueError) -> str:
    return getattr(error, "msg", "") or "a number has too many digits"


def _is_json(text: str) -> bool:
    with suppress(HistoryFileError):
        _load(text)
        return True
    return False
