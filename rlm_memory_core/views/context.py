"""The turns around a quote, as the sub-agent read them: out of the trace, so that no store is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..answer import Evidence
from ..escaping import unescape
from ..subagents import Call

_HEADING = re.compile(r"^\[Turn (\d+)\]\[([^\]\n]*)\]: ", re.M)  # content cannot pose as one (`escaping`)
_AROUND = 2  # turns before, and after


@dataclass(frozen=True, slots=True)
class Said:
    """A turn as it is shown, with the quote in it.

    Args:
        turn: Its number in the history.
        role: Who said it.
        before: What stands before the quote; all of it where nothing is quoted.
        quote: The quote; "" where nothing is quoted.
        after: What stands after it.
    """

    turn: int
    role: str
    before: str
    quote: str = ""
    after: str = ""


def around(evidence: Evidence, calls: Iterable[Call]) -> list[Said]:
    """The turn that is quoted and those around it; [] where nothing is quoted, or no call read it.

    Args:
        evidence: What was found.
        calls: The calls of the query.

    >>> from rlm_memory_core import Usage
    >>> text = "[Turn 1][user]: My cat is called Mochi.\\n[Turn 2][assistant]: Got it."
    >>> call = Call(text, "found", Usage(), 0.0, 0.0, 0.0, False, number=1)
    >>> for said in around(Evidence(1, None, 1, "called Mochi", ""), [call]):
    ...     print(said.turn, said.role, (said.before, said.quote, said.after))
    1 user ('My cat is ', 'called Mochi', '.')
    2 assistant ('Got it.', '', '')
    """
    if evidence.turn is None or not evidence.quote:
        return []
    mark = f"[Turn {evidence.turn}]["
    for call in calls:
        if call.number != evidence.session or mark not in call.session:
            continue
        turns = _turns(call.session)
        for place, said in enumerate(turns):
            before, quote, after = said.before.partition(evidence.quote)
            if said.turn == evidence.turn and quote:
                quoted = Said(said.turn, said.role, before, quote, after)
                return [*turns[max(place - _AROUND, 0) : place], quoted, *turns[place + 1 : place + 1 + _AROUND]]
    return []


def _turns(text: str) -> list[Said]:
    """The turns of a session that was read."""
    headings = list(_HEADING.finditer(text))
    stops = [heading.start() - 1 for heading in headings[1:]] + [len(text)]
    return [
        Said(int(heading[1]), heading[2], unescape(text[heading.end() : stop]))
        for heading, stop in zip(headings, stops, strict=True)
    ]
