"""Formats the output of the search tools: turns under the headings of their sessions.

A turn that was printed whole is not printed again, and neither is the same excerpt of a turn. Only its number and day
are.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from ..repl.worker import moment
from ..search.find import Found, Hit
from ..store.escaping import label
from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .excerpts import excerpt, one_line

WIDE, OF_USER, NARROW = (400, 600), (400, 120), (220, 120)
"""How many characters of a user's and of an assistant's turn are shown. A shorter turn is shown whole."""

_LONG, _OF_LONG = 600, 200  # a turn of more characters is usually pasted text: show only so many of them
_OF_BEST = 1_200  # characters of the assistant's turn that matches a question best
_FEW_WORDS = 12  # up to so many missing words are listed
_BEFORE, _AFTER = 2, 3  # turns shown before and after a turn
_BLOCK = 50  # turns read at once


class Listing:
    """Formats turns of a history. `shown` contains the turns that were shown so far, in part or whole.

    Args:
        store: A snapshot of the history, so that later turns are ignored.
    """

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.shown: set[int] = set()
        self._whole: set[int] = set()
        self._headings: set[str] = set()
        self._written: dict[str, tuple[int, bool]] = {}  # for each line, its turn or 0, and whether the turn is whole
        self._printed: set[str] = set()

    def printed(self, output: str) -> tuple[str, set[int]]:
        """Mark the turns in an output as shown.

        Returns:
            The output for the model, in which one line replaces each run of turns that were shown before, and the
            numbers of the turns that show anything new. The number 0 means a note.
        """
        lines: list[str] = []
        heading: list[str] = []
        again: list[int] = []
        new: set[int] = set()
        for line in output.split("\n"):
            turn, whole = self._written.get(line, (0, False))
            if line in self._headings:
                heading = [line]
            elif turn and (turn in self._whole or line in self._printed):
                again.append(turn)
            else:
                lines += [*self._shown_above(again), *(heading if turn or not again else ()), line]
                heading, again = [], []
                if line in self._written and line not in self._printed:
                    new.add(turn)
                    self._printed.add(line)
                if turn:
                    self.shown.add(turn)
                    self._whole |= {turn} if whole else set()
        return "\n".join([*lines, *(self._shown_above(again) or heading)]), new

    def line(self, turn: Turn, text: str, whole: bool) -> str:
        """Return the line that shows a turn as `text`. `whole` says whether the text is the whole turn."""
        line = f"{turn.index} {label(f'{turn.role} {turn.name}'.rstrip())}: {text}"
        self._written[line] = turn.index, whole
        return line

    def note(self, text: str) -> str:
        """Return a line that is not a turn, such as a sub-agent's finding."""
        self._written[text] = 0, False
        return text

    def hits(
        self, hits: Sequence[Hit], room: tuple[int, int] = WIDE, best: Hit | None = None, by_date: bool = False
    ) -> list[str]:
        """List hits under the headings of their sessions. The session with the first hit comes first.

        More is shown of the `best` hit.
        """
        groups: dict[int, list[Hit]] = {}
        for hit in sorted(hits, key=self._time) if by_date else hits:
            groups.setdefault(hit.turn.session, []).append(hit)
        lines = []
        for session, group in groups.items():
            lines.append(self.heading(session))
            for hit in sorted(group, key=lambda hit: hit.turn.index):
                size, most = len(hit.turn.content), room[hit.turn.role == "assistant"]
                shown = _OF_BEST if hit is best else min(most, _OF_LONG) if size > _LONG else most
                lines.append(self.line(hit.turn, excerpt(hit, shown), size <= max(most, shown)))
        return lines

    def heading(self, session: int) -> str:
        """Return the line above the turns of a session."""
        date = self.date(session)
        heading = f"-- session {session}" + (f", {date}" if date else "")
        self._headings.add(heading)
        return heading

    def date(self, session: int) -> str | None:
        """Return the date of a session on one line, or None."""
        ((date,),) = self.store.query("SELECT date FROM sessions WHERE number = ?", (session,))
        return date and label(date)

    def _shown_above(self, turns: Sequence[int]) -> list[str]:
        """Return one line with the numbers of turns, in order."""
        return [f"shown above: {', '.join(map(str, sorted(set(turns))))}"] if turns else []

    def _time(self, hit: Hit) -> tuple[datetime, int]:
        """Return a sort key: the date and time of the hit's session. Hits without a date come first."""
        return moment(self.date(hit.turn.session)) or datetime.min, hit.turn.index

    def session(self, number: int, around: int | None = None) -> Iterator[Turn]:
        """Yield the turns of a session, or only those near the turn `around`. They are read in blocks."""
        sql = "SELECT min(turn_index), max(turn_index) FROM turns WHERE session = ? AND turn_index <= ?"
        first, last = self.store.query(sql, (number, len(self.store)))[0]
        if around is not None:
            first, last = max(first, around - _BEFORE), min(last, around + _AFTER)
        for start in range((first or 1) - 1, last or 0, _BLOCK):
            yield from self.store.turns[start : min(start + _BLOCK, last)]


def left_out(found: Found) -> str:
    """Return a line that says what was left out; "" if nothing was."""
    many = f"{len(found.nowhere)} of these words" if len(found.nowhere) > _FEW_WORDS else ""
    parts = {
        "more good hits, not shown": str(found.more or ""),
        "nothing good for": ", ".join(map(one_line, found.without)),
        "nowhere in the history": many or ", ".join(map(one_line, found.nowhere)),
    }
    told = "; ".join(f"{what}: {which}" for what, which in parts.items() if which)
    return f"({told})" if told else ""
