"""Finds the turns around a quote, in the history if it is given, or else in the text that a sub-agent read."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..query.evidence import Call, Evidence
from ..store.escaping import unescape
from ..store.memory_store import MemoryStore

_HEADING = re.compile(r"^\[Turn (\d+)\]\[([^\]\n]*)\]: ", re.M)  # content never looks like this: see `store.escaping`
_AROUND = 2  # turns shown before and after


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """A turn, split where quotes begin and end.

    Args:
        turn: The turn's number in the history.
        role: Who said it.
        parts: The parts of its content, each with a flag that says whether it is quoted.
    """

    turn: int
    role: str
    parts: tuple[tuple[str, bool], ...]

    @property
    def quoted(self) -> bool:
        """Whether any part is quoted."""
        return any(quoted for _, quoted in self.parts)


def around(found: Sequence[Evidence], calls: Iterable[Call], store: MemoryStore | None = None) -> list[ShownTurn]:
    """Return the quoted turn and its neighbours; [] if there is no quote, or if no store or call contains the turn.

    Args:
        found: Evidence from one turn.
        calls: The query's calls.
        store: The history, or None.

    >>> from rlm_memory_core import Usage
    >>> text = "[Turn 1][user]: My cat is called Mochi.\\n[Turn 2][assistant]: Got it."
    >>> call = Call(text, "found", Usage(), 0.0, 0.0, 0.0, False, number=1)
    >>> for shown in around([Evidence(1, None, 1, "called Mochi", "")], [call]):
    ...     print(shown.turn, shown.role, shown.parts)
    1 user (('My cat is ', False), ('called Mochi', True), ('.', False))
    2 assistant (('Got it.', False),)
    """
    session, turn, quotes = found[0].session, found[0].turn, [each.quote for each in found if each.quote]
    if store is not None and turn is not None and quotes:
        said = [each for each in store.turns[max(turn - 1 - _AROUND, 0) : turn + _AROUND] if each.session == session]
        split = (_split(each.content, quotes if each.index == turn else ()) for each in said)
        return [ShownTurn(each.index, each.role, parts) for each, parts in zip(said, split, strict=True)]
    for call in calls if turn is not None and quotes else ():
        if call.number != session or f"[Turn {turn}][" not in call.session:
            continue
        turns = _turns(call.session)
        for place, (number, _, content) in enumerate(turns):
            if number == turn and any(quote in content for quote in quotes):
                near = turns[max(place - _AROUND, 0) : place + 1 + _AROUND]
                return [ShownTurn(*each[:2], _split(each[2], quotes if each[0] == turn else ())) for each in near]
    return []


def _split(content: str, quotes: Iterable[str]) -> tuple[tuple[str, bool], ...]:
    """Split the content into quoted and other parts. Overlapping quotes are marked once."""
    spans = sorted((start, start + len(quote)) for quote in quotes if (start := content.find(quote)) >= 0)
    parts: list[tuple[str, bool]] = []
    stop = 0
    for start, end in spans:
        parts += [(content[stop:start], False), (content[max(start, stop) : end], True)]
        stop = max(stop, end)
    return tuple(part for part in [*parts, (content[stop:], False)] if part[0])


def _turns(text: str) -> list[tuple[int, str, str]]:
    """Return the number, role and content of each turn in the text of a session."""
    headings = list(_HEADING.finditer(text))
    stops = [heading.start() - 1 for heading in headings[1:]] + [len(text)]
    return [
        (int(heading[1]), heading[2], unescape(text[heading.end() : stop]))
        for heading, stop in zip(headings, stops, strict=True)
    ]
