"""What the search tools print: turns under the headings of their sessions, and which turns were shown before.

A turn counts as shown once its line was really printed; a list then names it by its number only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..repl.worker import moment
from ..search.find import Found, Hit
from ..store.escaping import label
from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .excerpts import excerpt, head, one_line

WIDE, NARROW, SHORT = (400, 320), (220, 120), (150, 150)
"""Characters shown of a turn: of the user's (up to which it is whole), and of the assistant's."""

_LONG, _OF_LONG = 600, 200  # a longer turn is mostly a pasted text: so much of it is shown
_WEAKER = 4  # matches that are shown if there is no better one
_BEGINS, _LACKING = 90, 160  # characters of a session's first turn, shown beside a hit that is so short
_NEAR = 4  # turns on either side of a turn
_BLOCK = 50  # turns read at once


@dataclass(frozen=True, slots=True)
class _Line:
    """A line, and which part of a turn is on it."""

    text: str
    turn: int
    start: int
    end: int


class Listing:
    """Writes turns of a history, and remembers in `shown` which parts of them were shown.

    Args:
        store: The history; a snapshot, so that what is said later does not count.
    """

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.shown: dict[int, list[tuple[int, int]]] = {}
        self._pending: list[_Line] = []
        self._notes = 0

    def printed(self, output: str) -> bool:
        """Mark the turns whose lines stand in what the model is shown. Returns whether any part of one is new."""
        lines = set(output.split("\n"))
        seen = [line for line in self._pending if line.text in lines]
        new = [line for line in seen if not self._was_shown(line.turn, line.start, line.end)]
        self._pending.clear()
        for line in new:
            self.shown.setdefault(line.turn, []).append((line.start, line.end))
        return bool(new)

    def line(self, turn: Turn, text: str, start: int, end: int) -> str:
        """A turn's line; `start` and `end` say which part of its content is on it."""
        self._pending.append(_Line(f"{_who(turn)}: {text}", turn.index, start, end))
        return self._pending[-1].text

    def note(self, text: str) -> str:
        """A line that is no turn, such as a sub-agent's finding; it is new each time."""
        self._notes += 1
        self._pending.append(_Line(text, 0, self._notes, self._notes))
        return text

    def found(self, found: Found, several: bool = False, by_date: bool = False) -> str:
        """What a search found: its hits, or the best of the weaker matches; and what is not listed."""
        if found.hits:
            lines = self.hits(sorted(found.hits, key=by_time) if by_date else found.hits, WIDE, several, _BEGINS)
        else:
            lines = ["only weaker matches:"] if found.weaker else ["nothing found"]
            lines += self.hits(found.weaker[:_WEAKER], SHORT, several)
        return "\n".join([*lines, *left_out(found)])

    def hits(
        self, hits: Sequence[Hit], room: tuple[int, int] = WIDE, several: bool = False, begins: int = 0
    ) -> list[str]:
        """Hits under the headings of their sessions, in the order of each session's first hit."""
        groups: dict[int, list[Hit]] = {}
        for hit in hits:
            groups.setdefault(hit.turn.session, []).append(hit)
        lines = []
        for session, group in groups.items():
            lines.append(self.heading(session) + self._beginning(group, begins))
            for hit in sorted(group, key=lambda hit: hit.turn.index):
                by = f"  <- {', '.join(map(one_line, hit.probes))}" if several else ""
                most = room[hit.turn.role == "assistant"]
                text, start, end = excerpt(hit, min(most, _OF_LONG) if len(hit.turn.content) > _LONG else most)
                here = [match for match in hit.matches if start <= match[0] < end]
                if self._was_shown(hit.turn.index, *((here[0][0], here[-1][1]) if here else (start, end))):
                    lines.append(f"{_who(hit.turn)}: shown above{by}")
                else:
                    lines.append(self.line(hit.turn, text + by, start, end))
        return lines

    def heading(self, session: int) -> str:
        """The line above the turns of a session."""
        date = self.date(session)
        return f"-- session {session}" + (f", {date}" if date else "")

    def date(self, session: int) -> str | None:
        """The date of a session on one line, or None."""
        ((date,),) = self.store.query("SELECT date FROM sessions WHERE number = ?", (session,))
        return date and label(date)

    def session(self, number: int, around: int | None = None) -> Iterator[Turn]:
        """The turns of a session, read block by block; or those near one of them."""
        sql = "SELECT min(turn_index), max(turn_index) FROM turns WHERE session = ? AND turn_index <= ?"
        first, last = self.store.query(sql, (number, len(self.store)))[0]
        if around is not None:
            first, last = max(first, around - _NEAR), min(last, around + _NEAR)
        for start in range((first or 1) - 1, last or 0, _BLOCK):
            yield from self.store.turns[start : min(start + _BLOCK, last)]

    def _beginning(self, group: Sequence[Hit], room: int) -> str:
        """How the session begins, where its hits are too short, or not the user's, to tell what they are about."""
        if not room or any(len(hit.turn.content) > _LACKING and hit.turn.role != "assistant" for hit in group):
            return ""
        first = next(self.session(group[0].turn.session))
        if first.index in self.shown or any(hit.turn.index == first.index for hit in group):
            return ""
        return f", begins: {head(first.content, room)}"

    def _was_shown(self, turn: int, start: int, end: int) -> bool:
        return any(begin <= start and end <= stop for begin, stop in self.shown.get(turn, ()))


def by_time(hit: Hit) -> tuple[datetime, int]:
    """Sorts hits by the date and time of their sessions; those without a date come first."""
    return moment(hit.date) or datetime.min, hit.turn.index


def left_out(found: Found) -> list[str]:
    """One line on what is not listed; no line if nothing is left out."""
    more = found.more + len(found.weaker) - (0 if found.hits else min(len(found.weaker), _WEAKER))
    left = [f"{more} more"] if more else []
    left += [f"nowhere in the history: {', '.join(map(one_line, found.nowhere))}"] if found.nowhere else []
    left += [f"not under these filters: {', '.join(map(one_line, found.filtered))}"] if found.filtered else []
    return [f"({'; '.join(left)})"] if left else []


def _who(turn: Turn) -> str:
    return f"{turn.index} {label(f'{turn.role} {turn.name}'.rstrip())}"
