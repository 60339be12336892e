"""Writes a turn on one line: whole, its beginning, or the sentences that match.

On one line nothing that was said can pose as a line of ours. " / " stands for the end of a line, " … " for what is
left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..search.find import Hit
from ..search.probes import Match
from ..store.escaping import escape

_LEAD = 60  # characters of a turn's beginning, to tell what it is about
_LIST = 700  # characters: a list or table up to this length is shown whole
_BLOCK = re.compile(r"(?:[ \t]*(?:\||\d+[.)]\s|[-*•]\s)[^\n]*(?:\n|\Z))+|[^\n]+")
_SENTENCE = re.compile(r"\S(?:[^.!?…。！？]|[.!?…](?![\"')\]]*\s))*+(?:[。！？]|[.!?…]++[\"')\]]*)?+")
_LINE = re.compile(r"[^\n]+")


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


def excerpt(hit: Hit, room: int) -> str:
    """A turn that was found: whole if it is short; otherwise how it begins, and the sentences that match best.

    The rest of the room is filled with what stands near, statements before questions. A list or a table is not cut if
    it is not long; a row of a longer table comes with the table's header.
    """
    content = hit.turn.content
    if len(content) <= room:
        return one_line(content)
    parts = _parts(content, room)
    weights = [_weight(hit.matches, start, end) for start, end, _ in parts]
    best = max(range(len(parts)), key=lambda at: (weights[at], -at))
    near = [at for at in range(max(best - 20, 0), min(best + 20, len(parts))) if not weights[at]]
    near.sort(key=lambda at: (content[parts[at][0] : parts[at][1]].rstrip().endswith(("?", "？")), abs(at - best)))
    matching = sorted(filter(weights.__getitem__, range(len(parts))), key=lambda at: (-weights[at], at))
    chosen, left = {best}, room - (parts[best][1] - parts[best][0])
    for at in [*matching, *near]:
        size = parts[at][1] - parts[at][0]
        if at not in chosen and size <= left:
            chosen.add(at)
            left -= size
    return _written(content, [(at, *parts[at]) for at in sorted(chosen)], hit.matches, room)


def _written(content: str, parts: Sequence[tuple[int, int, int, str]], matches: Sequence[Match], room: int) -> str:
    """The chosen parts, each with its place among all, as one line."""
    texts = [] if parts[0][0] == 0 else [one_line(_without_torn_words(content[:_LEAD], end=True)), " … "]
    for at, (place, start, end, header) in enumerate(parts):
        if at and parts[at - 1][0] < place - 1:
            texts.append(" … ")
        elif at:
            texts.append(" / " if "\n" in content[parts[at - 1][2] - 1 : start] else " ")
        if header and not (at and parts[at - 1][3] == header):
            texts.append(f"{one_line(header)} / ")
        if end - start > max(room, min(_LIST, 3 * room) if "\n" in content[start:end].strip() else 0):
            first = max(start, min(_densest(matches, room), end - room))
            cut = _without_torn_words(content[first : first + room], start=first > start, end=first + room < end)
            texts.append(f"{'… ' if first > start and len(texts) < 2 else ''}{one_line(cut)}")
            end = min(first + room, end)
        else:
            texts.append(one_line(content[start:end]))
    return "".join(texts) + ("" if not content[end:].strip() else " …")


def _parts(content: str, room: int) -> list[tuple[int, int, str]]:
    """The sentences, short lists and lines of long lists: where each begins and ends, and the header of its table."""
    parts: list[tuple[int, int, str]] = []
    for block in _BLOCK.finditer(content):
        start, is_list = block.start(), "\n" in block[0].rstrip("\n")
        if is_list and len(block[0]) <= min(_LIST, 3 * room):
            parts.append((start, block.end(), ""))
            continue
        header = block[0].split("\n", 1)[0] if is_list and block[0].lstrip().startswith("|") else ""
        parts += [
            (start + found.start(), start + found.end(), header if found.start() else "")
            for found in (_LINE if is_list else _SENTENCE).finditer(block[0])
        ]
    return parts or [(0, len(content), "")]


def _weight(matches: Sequence[Match], start: int, end: int) -> float:
    return sum({weight for begin, _, weight in matches if start <= begin < end})


def _densest(matches: Sequence[Match], room: int) -> int:
    """Where the stretch begins that holds the greatest weight of different matches."""
    best, best_start = -1.0, 0
    for place, (start, _, _) in enumerate(matches[:200]):
        total = sum({weight for _, stop, weight in matches[place : place + 50] if stop - start <= room * 3 // 4})
        if total > best:
            best, best_start = total, max(start - room // 4, 0)
    return best_start


def _without_torn_words(text: str, start: bool = False, end: bool = False) -> str:
    """A stretch of a text without the words that a cut parted."""
    if start and " " in text[:30]:
        text = text.split(" ", 1)[1]
    return text.rsplit(" ", 1)[0] if end and " " in text[-30:] else text
