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

_WHOLE, _WINDOW = 400, 320  # characters of a user's turn that is shown whole, and of what is shown of others
_WEAK = 0.5  # a turn with less of every probe's weight is a weaker match
_BEGINS, _SHORT = 90, 160  # characters of a session's first turn, shown beside a hit that is so short
_NEAR = 4  # turns on either side of a turn
_BLOCK = 50  # turns read at once


@dataclass(slots=True)
class _Line:
    """A turn as it was written: the line, and which part of the turn is on it."""

    turn: int
    text: str
    start: int
    end: int


class Listing:
    """Writes turns of a history, and remembers which were shown.

    Args:
        store: The history as it is now: what is said later does not count.
    """

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.turns, self.sessions = len(store), len(store.sessions)
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

    def note(self, text: str) -> str:
        """A line that is no turn, such as a sub-agent's finding; it is new each time."""
        self._notes += 1
        self._pending.append(_Line(0, text, self._notes, self._notes))
        return text

    def line(self, turn: Turn, text: str, start: int = 0, end: int | None = None) -> str:
        """A turn's line; `start` and `end` say which part of its content is on it."""
        line = f"{turn.index} {label(turn.role)}: {text}"
        self._pending.append(_Line(turn.index, line, start, len(turn.content) if end is None else end))
        return line

    def found(self, found: Found, probes: Sequence[str], by_date: bool = False) -> str:
        """What a search found, with what was left out below."""
        weak = [] if by_date else [hit for hit in found.hits if hit.share < _WEAK]
        strong = [hit for hit in found.hits if hit not in weak]
        several = len(probes) > 1
        lines = self.hits(sorted(strong, key=by_time) if by_date else strong, several=several)
        if weak:
            lines += ["weaker matches:", *self.hits(weak, several=several)]
        return "\n".join([*(lines or ["nothing found"]), *_left_out(found)])

    def opening(self, found: Found, user: int, others: int) -> str:
        """The same in short; `user` and `others` are the characters shown of a turn."""
        lines = self.hits(found.hits, user, others, begins=0)
        return "\n".join([*(lines or ["nothing found"]), *_left_out(found)])

    def hits(
        self,
        hits: Sequence[Hit],
        user: int = _WHOLE,
        others: int = _WINDOW,
        several: bool = False,
        begins: int = _BEGINS,
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
                text, start, end = excerpt(hit, others if hit.turn.role == "assistant" else user)
                if self._is_shown(hit, start, end):
                    lines.append(f"{hit.turn.index} {label(hit.turn.role)}: shown above{by}")
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
        sql = "SELECT min(turn_index), max(turn_index) FROM turns WHERE session = ?"
        ((first, last),) = self.store.query(sql, (number,))
        if around is not None:
            first, last = max(first, around - _NEAR), min(last, around + _NEAR)
        for start in range((first or 1) - 1, min(last or 0, self.turns), _BLOCK):
            yield from self.store.turns[start : min(start + _BLOCK, last, self.turns)]

    def _beginning(self, group: Sequence[Hit], room: int) -> str:
        """How the session begins, where its hits are too short, or not the user's, to tell what they are about."""
        lacking = all(len(hit.turn.content) < _SHORT or hit.turn.role == "assistant" for hit in group)
        if not room or not lacking:
            return ""
        first = next(self.session(group[0].turn.session))
        if first.index in self.shown or any(hit.turn.index == first.index for hit in group):
            return ""
        return f", begins: {head(first.content, room)}"

    def _is_shown(self, hit: Hit, start: int, end: int) -> bool:
        """Whether the matches in this stretch of the turn stand in a stretch that was shown."""
        here = [match for match in hit.matches if start <= match[0] < end]
        first, last = (here[0][0], here[-1][1]) if here else (start, end)
        return self._was_shown(hit.turn.index, first, last)

    def _was_shown(self, turn: int, start: int, end: int) -> bool:
        return any(begin <= start and end <= stop for begin, stop in self.shown.get(turn, ()))


def by_time(hit: Hit) -> tuple[datetime, int]:
    """Sorts hits by the date and time of their sessions; those without a date come first."""
    return moment(hit.date) or datetime.min, hit.turn.index


def _left_out(found: Found) -> list[str]:
    """One line on what is not listed; no line if nothing is left out."""
    left = [f"{found.more} more"] if found.more else []
    left += [f"{found.weak} left out that match only common words"] if found.weak else []
    left += [f"nowhere in the history: {', '.join(map(one_line, found.nowhere))}"] if found.nowhere else []
    left += [f"not under these filters: {', '.join(map(one_line, found.filtered))}"] if found.filtered else []
    return [f"({'; '.join(left)})"] if left else []
