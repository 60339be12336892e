"""Decides which session a turn belongs to, and begins sessions.

In a history, all turns of one session come before those of the next. So two programs must not write to the same session
alternately. Each open store writes its own sessions, and begins a new one if another program has begun one meanwhile.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any
from uuid import uuid4

from .times import begins_session, local, parse_time, written

_LAST = """SELECT number, date, title, until, writer, EXISTS (SELECT 1 FROM turns WHERE session = number)
    FROM sessions ORDER BY number DESC LIMIT 1"""


class SessionWriter:
    """The sessions that one open store writes.

    Args:
        query: Runs SQL on the history's database, in the transaction that stores the turn.
        zone: The user's time zone; None means this machine's.
        gap: The silence after which a new session begins.
    """

    def __init__(self, query: Callable[[str, Sequence[Any]], list[Any]], zone: tzinfo | None, gap: timedelta) -> None:
        self._query, self._zone, self._gap, self._name = query, zone, gap, uuid4().hex
        self._own: tuple[int, str | None, str] = (0, None, "")  # the last session written: its number, date and title

    def begin(self, date: str | None, title: str, when: datetime | None = None) -> int:
        """Begin a session with this date, or with the date of its first turn, and return its number."""
        ((last,),) = self._query("SELECT coalesce(max(number), 0) FROM sessions", ())
        return self._keep(last + 1, written(when, self._zone) if when else date, title, when, None)

    def of_turn(self, when: datetime | None) -> int:
        """Return the number of the session for a turn said at this time. Begin a new session if necessary."""
        last = self._query(_LAST, ())
        if not last:
            return self.begin(None, "", when)
        number, date, title, until, writer, used = last[0]
        if writer != self._name and (writer or self._own[0]):  # of another program, even if that has ended meanwhile
            return self.begin(*self._own[1:], when)
        before, now = parse_time(until or date or ""), when
        if before and now and until is None:  # the session's date is what the user's clock showed
            before, now = local(before, self._zone), local(now, self._zone)
        if now and used and (before is None or begins_session(before, now, self._zone, self._gap)):
            return self.begin(None, title, when)
        return self._keep(number, written(when, self._zone) if when and date is None else date, title, when, until)

    def release(self) -> None:
        """Let the next store that opens the file continue the session."""
        if self._own[0]:
            self._query("UPDATE sessions SET writer = NULL WHERE number = ? AND writer = ?", (self._own[0], self._name))

    def _keep(self, number: int, date: str | None, title: str, when: datetime | None, until: str | None) -> int:
        self._own = (number, date, title)
        row = (number, date, title, when.isoformat() if when else until, self._name)
        self._query("INSERT OR REPLACE INTO sessions (number, date, title, until, writer) VALUES (?, ?, ?, ?, ?)", row)
        return number
