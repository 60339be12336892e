"""Writes a turn on one line: all of it, its beginning, or the sentences that match.

Because each turn takes one line, no text in the history can imitate a line of ours. " / " marks the end of a line, and
" … " marks omitted text.
"""

import re
from bisect import bisect_right

from ..search.find import Hit
from ..store.escaping import escape

_LEAD = 60  # characters from the beginning of a turn, to show what it is about
_SIGHT = 20_000  # characters before and after the rarest match that are searched
_LIST = 700  # a list or table of up to so many characters is shown whole
_LARGE, _FOLLOWING = 600, 10  # with more room than so many characters, begin with so many parts from the best match on
_BLOCK = re.compile(r"(?:[ \t]*(?:\||\d+[.)]\s|[-*•]\s)[^\n]*(?:\n|\Z))+|[^\n]+")
_SENTENCE = re.compile(
    r"(?:\d{1,3}[.)]\s+)?+\S(?:[^.!?…。！？]|[.!?…](?![\"')\]]*\s))*+(?:[。！？]|[.!?…]++[\"')\]]*)?+"
)
_LINE = re.compile(r"[^\n]+")


def one_line(text: str) -> str:
    r"""Return the text on one line.

    >>> one_line("Hi.\n\n12 user:  I moved")
    'Hi. / 12 user: I moved'
    """
    return escape(" / ".join(filter(None, (" ".join(line.split()) for line in text.splitlines()))))


def head(text: str, room: int, hint: str = "") -> str:
    """Return the beginning of a text and the number of characters that follow. A text that fits is returned whole.

    >>> head("one two three", 9)
    'one two … (+6 characters)'
    """
    if len(text) <= room:
        return one_line(text)
    kept = _whole_words(text, room)
    return f"{one_line(kept)} … (+{len(text) - len(kept):,} characters{hint})"


def excerpt(hit: Hit, room: int) -> str:
    """Return a short turn whole. For a long one, return its beginning and the sentences that match best.

    The remaining room is filled with nearby sentences, statements before questions. Short lists and tables are not cut.
    A row of a long table comes with the table's header.
    """
    content = hit.turn.content
    if len(content) <= room:
        return one_line(content)
    rarest, _, _ = max(hit.matches, key=lambda match: match[2], default=(0, 0, 0.0))
    first, last = max(rarest - _SIGHT, 0), rarest + _SIGHT
    parts = _parts(content, first, last, room)
    starts = [start for start, _, _ in parts]
    held: dict[int, set[float]] = {} if hit.matches else {0: set()}
    for start, _, weight in hit.matches:
        if first <= start < last:
            held.setdefault(max(bisect_right(starts, start) - 1, 0), set()).add(weight)
    matching = sorted(held, key=lambda at: (-sum(held[at]), at))
    best = matching[0]
    near = [at for at in range(max(best - 20, 0), min(best + 20, len(parts))) if at not in held]
    near.sort(key=lambda at: (content[slice(*parts[at][:2])].endswith(("?", "？")), abs(at - best)))
    chosen: set[int] = set()
    follows = range(best, min(best + _FOLLOWING, len(parts)) if room > _LARGE else best)
    for at in dict.fromkeys([*follows, *matching, *near]):
        start, end, header = parts[at]
        if not chosen or end - start <= room:
            chosen |= {at, header}
            room -= end - start
    spans = [(0, len(_whole_words(content, _LEAD)))]
    for start, end, _ in map(parts.__getitem__, sorted(chosen)):
        if content[spans[-1][1] : start].strip():
            spans.append((start, end))
        else:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
    more = " …" if content[spans[-1][1] :].strip() else ""
    return " … ".join(one_line(content[start:end]) for start, end in spans) + more


def _parts(content: str, first: int, last: int, room: int) -> list[tuple[int, int, int]]:
    """Split content into sentences, short lists and lines of long lists. A part longer than `room` is split further.

    Each part has a start, an end, and the index of its table's header. Outside tables, that is its own index.
    """
    parts: list[tuple[int, int, int]] = []
    piece = re.compile(rf"\S(?:.{{0,{room - 1}}}(?!\S)|.{{0,{room - 1}}})", re.S)
    for block in _BLOCK.finditer(content, first, last):
        is_list = "\n" in block[0].rstrip("\n")
        if is_list and len(block[0]) <= min(_LIST, 3 * room):
            parts.append((*block.span(), len(parts)))
            continue
        header = len(parts) if is_list and block[0].lstrip().startswith("|") else None
        for found in (_LINE if is_list else _SENTENCE).finditer(content, *block.span()):
            for part in [found] if len(found[0]) <= room else piece.finditer(content, *found.span()):
                parts.append((*part.span(), len(parts) if header is None else header))
    return parts or [(first, last, 0)]


def _whole_words(text: str, room: int) -> str:
    """Cut a text at a word boundary, after at most `room` characters."""
    return re.sub(r"\s\S{0,30}\Z", "", text[:room]).rstrip()
