"""Writes a turn on one line: whole, its beginning, or the stretch that matches.

On one line nothing that was said can pose as a line of ours. " / " stands for the end of a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..search.find import Hit
from ..search.probes import Match
from ..store.escaping import escape

_LEAD = 60  # characters of a turn's beginning, to tell what it is about
_LIST = 700  # characters: a list or table up to this length is shown whole
_ITEM = re.compile(r"[ \t]*(?:\||\d+[.)]\s|[-*•]\s)")


def one_line(text: str) -> str:
    r"""The text on one line.

    >>> one_line("Hi.\n\n12 user:  I moved")
    'Hi. / 12 user: I moved'
    """
    return escape(" / ".join(filter(None, (" ".join(line.split()) for line in text.splitlines()))))


def head(text: str, room: int, hint: str = "") -> str:
    """The beginning of a text, and how much more there is; a text that fits is whole.

    >>> head("one two three", 9)
    'one two … (+6 characters)'
    """
    if len(text) <= room:
        return one_line(text)
    kept = _without_torn_words(text[:room], end=True)
    return f"{one_line(kept)} … (+{len(text) - len(kept.rstrip()):,} characters{hint})"


def excerpt(hit: Hit, room: int) -> tuple[str, int, int]:
    """A turn that was found: whole if it is short; otherwise how it begins, and the stretch with the rarest matches.

    A list or a table is not cut if it is not long; a longer table keeps its header.

    Returns:
        The text, and where the stretch begins and ends in the turn.
    """
    content = hit.turn.content
    if len(content) <= room:
        return one_line(content), 0, len(content)
    start, end, header = _stretch(content, hit.matches, room)
    if start < _LEAD:
        start = 0
    lead = f"{one_line(_without_torn_words(content[:_LEAD], end=True))} … " if start else ""
    kept = _without_torn_words(content[start:end], start=start > 0 and not header, end=end < len(content))
    parts = " / ".join(map(one_line, filter(None, (header, kept))))
    return f"{lead}{parts}{' …' if end < len(content) else ''}", start, end


def _stretch(content: str, matches: Sequence[Match], room: int) -> tuple[int, int, str]:
    """Where the part to show begins and ends, and the header of the table that it is cut from."""
    start = min(_densest(matches, room), max(len(content) - room, 0))
    first = next((begin for begin, _, _ in matches if begin >= start), start)
    block_start, block_end = _list_around(content, first)
    if first < block_end and block_end - block_start <= min(_LIST, 3 * room):
        return block_start, max(block_end, min(block_start + room, len(content))), ""
    if first < block_end and content[block_start:].lstrip().startswith("|") and block_start < start:
        row = content.rfind("\n", 0, first) + 1
        return row, row + room, content[block_start : content.find("\n", block_start)]
    return start, start + room, ""


def _list_around(content: str, place: int) -> tuple[int, int]:
    """The list items or table rows without a gap around a place; an empty range where there are none."""
    start = content.rfind("\n", 0, place) + 1
    end = start
    if not _ITEM.match(content, start):
        return place, place
    while start > 0 and _ITEM.match(content, before := content.rfind("\n", 0, start - 1) + 1):
        start = before
    while end < len(content) and _ITEM.match(content, end):
        end = content.find("\n", end) + 1 or len(content)
    return start, end


def _densest(matches: Sequence[Match], room: int) -> int:
    """Where the stretch begins that holds the greatest weight of different matches."""
    best, best_start = -1.0, 0
    for place, (start, _, _) in enumerate(matches[:200]):
        weights: dict[float, int] = {}
        for _, stop, weight in matches[place : place + 50]:
            if stop - start <= room * 3 // 4:
                weights[weight] = weights.get(weight, 0) + 1
        total = sum(weight * (1 + 0.2 * min(count - 1, 3)) for weight, count in weights.items())
        if total > best:
            best, best_start = total, max(start - room // 4, 0)
    return best_start


def _without_torn_words(text: str, start: bool = False, end: bool = False) -> str:
    """A stretch of a text without the words that a cut parted."""
    if start and " " in text[:30]:
        text = text.split(" ", 1)[1]
    return text.rsplit(" ", 1)[0] if end and " " in text[-30:] else text
