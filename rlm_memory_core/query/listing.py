"""What the search tools print: turns under the headings of their sessions, and which turns were shown before.

A turn counts as shown once it was really printed whole; a list then names it by its number only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from ..repl.worker import moment
from ..search.find import Found, Hit
from ..store.escaping import label
from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .excerpts import excerpt, one_line

WIDE, NARROW, SHORT = (400, 320), (220, 120), (110, 110)
"""Characters shown of a turn: of the user's (up to which it is whole), and of the assistant's."""

_LONG, _OF_LONG = 600, 200  # a longer turn is mostly a pasted text: so much of it is shown
_FEW_WORDS = 8  # missing words that are named
_NEAR = 4  # turns on either side of a turn
_BLOCK = 50  # turns read at once


class Listing:
    """Writes turns of a history, and remembers which were `shown`, in part or whole.

    Args:
        store: The history; a snapshot, so that what is said later does not count.
    """

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.shown: set[int] = set()
        self._whole: set[int] = set()
        self._written: dict[str, tuple[Turn | None, bool]] = {}  # by line: its turn, and whether it is whole
        self._printed: set[str] = set()

    def printed(self, output: str) -> tuple[str, bool]:
        """Mark the turns whose lines stand in what the model is shown.

        Returns:
            The output, in which no turn is repeated, and whether any line of a turn is new.
        """
        lines: list[str] = []
        here: set[str] = set()
        for line in output.split("\n"):
            if line in self._written:
                turn, whole = self._written[line]
                if turn is not None:
                    self.shown.add(turn.index)
                    self._whole |= {turn.index} if whole else set()
                    lines.append(f"{_who(turn)}: shown above" if line in here else line)
                    here.add(line)
                    continue
                here.add(line)
            lines.append(line)
        is_new = not here <= self._printed
        self._printed |= here
        return "\n".join(lines), is_new

    def line(self, turn: Turn, text: str, whole: bool) -> str:
        """A turn's line, with so much of it as the text; `whole` if nothing is left out."""
        line = f"{_who(turn)}: {text}"
        self._written[line] = turn, whole
        return line

    def note(self, text: str) -> str:
        """A line that is no turn, such as a sub-agent's finding."""
        self._written[text] = None, False
        return text

    def found(self, found: Found, by_date: bool = False) -> str:
        """What a search found, and what is not listed."""
        hits = sorted(found.hits, key=self.by_time) if by_date else found.hits
        return "\n".join([*(self.hits(hits) or ["no good hit"]), *left_out(found)])

    def hits(self, hits: Sequence[Hit], room: tuple[int, int] = WIDE) -> list[str]:
        """Hits under the headings of their sessions, in the order of each session's first hit."""
        groups: dict[int, list[Hit]] = {}
        for hit in hits:
            groups.setdefault(hit.turn.session, []).append(hit)
        lines = []
        for session, group in groups.items():
            lines.append(self.heading(session))
            lines += [self._hit(hit, room) for hit in sorted(group, key=lambda hit: hit.turn.index)]
        return lines

    def _hit(self, hit: Hit, room: tuple[int, int]) -> str:
        if hit.turn.index in self._whole:
            return f"{_who(hit.turn)}: shown above"
        size, most = len(hit.turn.content), room[hit.turn.role == "assistant"]
        return self.line(hit.turn, excerpt(hit, min(most, _OF_LONG) if size > _LONG else most), size <= most)

    def heading(self, session: int) -> str:
        """The line above the turns of a session."""
        date = self.date(session)
        return f"-- session {session}" + (f", {date}" if date else "")

    def date(self, session: int) -> str | None:
        """The date of a session on one line, or None."""
        ((date,),) = self.store.query("SELECT date FROM sessions WHERE number = ?", (session,))
        return date and label(date)

    def by_time(self, hit: Hit) -> tuple[datetime, int]:
        """Sorts hits by the date and time of their sessions; those without a date come first."""
        return moment(self.date(hit.turn.session)) or datetime.min, hit.turn.index

    def session(self, number: int, around: int | None = None) -> Iterator[Turn]:
        """The turns of a session, read block by block; or those near one of them."""
        sql = "SELECT min(turn_index), max(turn_index) FROM turns WHERE session = ? AND turn_index <= ?"
        first, last = self.store.query(sql, (number, len(self.store)))[0]
        if around is not None:
            first, last = max(first, around - _NEAR), min(last, around + _NEAR)
        for start in range((first or 1) - 1, last or 0, _BLOCK):
            yield from self.store.turns[start : min(start + _BLOCK, last)]


def left_out(found: Found) -> list[str]:
    """One line on what is not listed; no line if nothing is left out."""
    left = [f"{found.more} more good hits, in these sessions or beyond the limit"] if found.more else []
    left += [f"no good hit for: {', '.join(map(one_line, found.without))}"] if found.without and found.hits else []
    left += [f"nowhere in the history: {_few(found.nowhere)}"] if found.nowhere else []
    left += [f"not under these filters: {_few(found.filtered)}"] if found.filtered else []
    return [f"({'; '.join(left)})"] if left else []


def _few(words: Sequence[str]) -> str:
    return ", ".join(map(one_line, words)) if len(words) <= _FEW_WORDS else f"{len(words)} of these words"


def _who(turn: Turn) -> str:
    return f"{turn.index} {label(f'{turn.role} {turn.name}'.rstrip())}"
