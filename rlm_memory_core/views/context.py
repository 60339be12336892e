"""The turns around a quote, as the sub-agent read them: out of the trace, so that no store is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..query.coverage import Call
from ..query.evidence import Evidence
from ..store.escaping import unescape

_HEADING = re.compile(r"^\[Turn (\d+)\]\[([^\]\n]*)\]: ", re.M)  # content cannot pose as one (`escaping`)
_AROUND = 2  # turns before, and after


@dataclass(frozen=True, slots=True)
class Said:
    """A turn as it is shown.

    Args:
        turn: Its number in the history.
        role: Who said it.
        parts: Its content, part by part, and whether the part is quoted.
    """

    turn: int
    role: str
    parts: tuple[tuple[str, bool], ...]

    @property
    def quoted(self) -> bool:
        """Whether anything of it is."""
        return any(quoted for _, quoted in self.parts)


def around(found: Sequence[Evidence], calls: Iterable[Call]) -> list[Said]:
    """The turn that is quoted and those around it; [] where nothing is quoted, or no call read it.

    Args:
        found: What quotes one turn.
        calls: The calls of the query.

    >>> from rlm_memory_core import Usage
    >>> text = "[Turn 1][user]: My cat is called Mochi.\\n[Turn 2][assistant]: Got it."
    >>> call = Call(text, "found", Usage(), 0.0, 0.0, 0.0, False, number=1)
    >>> for said in around([Evidence(1, None, 1, "called Mochi", "")], [call]):
    ...     print(said.turn, said.role, said.parts)
    1 user (('My cat is ', False), ('called Mochi', True), ('.', False))
    2 assistant (('Got it.', False),)
    """
    session, turn, quotes = found[0].session, found[0].turn, [each.quote for each in found if each.quote]
    if turn is None or not quotes:
        return []
    for call in calls:
        if call.number != session or f"[Turn {turn}][" not in call.session:
            continue
        turns = _turns(call.session)
        for place, (number, role, content) in enumerate(turns):
            if number == turn and any(quote in content for quote in quotes):
                near = turns[max(place - _AROUND, 0) : place + 1 + _AROUND]
                marked = Said(turn, role, _marked(content, quotes))
                return [marked if each is turns[place] else Said(*each[:2], ((each[2], False),)) for each in near]
    return []


def _marked(content: str, quotes: Iterable[str]) -> tuple[tuple[str, bool], ...]:
    """The content in parts; where quotes overlap they are one."""
    starts = ((content.find(quote), quote) for quote in quotes)
    spans = sorted((start, start + len(quote)) for start, quote in starts if start >= 0)
    parts: list[tuple[str, bool]] = []
    stop = 0
    for start, end in spans:
        if start < stop and end > stop:
            parts.append((content[stop:end], True))
        elif start >= stop:
            parts += [(content[stop:start], False), (content[start:end], True)]
        stop = max(stop, end)
    return tuple(part for part in [*parts, (content[stop:], False)] if part[0])


def _turns(text: str) -> list[tuple[int, str, str]]:
    """The turns of a session that was read: number, role, content."""
    headings = list(_HEADING.finditer(text))
    stops = [heading.start() - 1 for heading in headings[1:]] + [len(text)]
    return [
        (int(heading[1]), heading[2], unescape(text[heading.end() : stop]))
        for heading, stop in zip(headings, stops, strict=True)
    ]
