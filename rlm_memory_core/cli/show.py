"""The command `rlm-memory show`: lists the sessions of a history, prints one, or searches. It asks no model."""

from __future__ import annotations

import argparse

from ..views.rendering import counted, in_one_line
from .common import UNANSWERED, Refused
from .history import history, say


def show(options: argparse.Namespace) -> int:
    """Print what was asked for; return the exit code: 1 if a search finds nothing."""
    with history(options.history) as store:
        if options.search:
            found = store.search_history(options.search)
            for turn in found:
                say(f"session {turn.session}, {store.sessions[turn.session - 1].date or 'no date'}\n{turn}")
            return 0 if found else UNANSWERED
        if options.session is None:
            say(f"{counted(len(store.sessions), 'session')}, {counted(len(store), 'turn')}")
            for session in store.sessions:
                size, opening = counted(len(session.turns), "turn"), in_one_line(session.text, 80)
                say(f"session {session.number}, {session.date or 'no date'}, {size}: {opening}")
        elif options.session > len(store.sessions):
            raise Refused(f"--session must be at most {len(store.sessions)}, not {options.session}")
        else:
            say(str(store.sessions[options.session - 1]))
    return 0
