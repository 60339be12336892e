"""Opens the history that the user names, and runs the commands `show`, `import` and `check`, which ask no model.

They list, print and search a history, import files into a store, and recover a damaged store.
"""

import argparse
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from tqdm import tqdm

from ..imports import import_file, open_history, read_messages, recover
from ..search.word_index import take_in_new_turns
from ..store.memory_store import MemoryStore
from ..views.rendering import counted, in_one_line
from .common import UNANSWERED, Refused, note, say

_SHOWN = 20  # problems to list; the rest is counted


def history(named: str) -> AbstractContextManager[MemoryStore]:
    """Open a history for reading, for the length of a `with` block.

    Args:
        named: A file, or "-" for standard input.

    Raises:
        Refused: There is no such file.
        HistoryFileError: It is not a history.
    """
    if named == "-":
        return read_messages(sys.stdin.buffer.read(), "standard input", note)
    return open_history(existing(named), note)


def existing(named: str | Path) -> Path:
    """Return the path of a file.

    Raises:
        Refused: There is no such file.
    """
    path = Path(named)
    if not path.is_file():
        raise Refused(f"there is no file {named}; give a file on this machine, not a folder or a web address")
    return path


def show(options: argparse.Namespace) -> int:
    """Print the sessions, one session or the matches; return the exit code, which is 1 if a search finds nothing."""
    with history(options.history) as store:
        if options.search:
            found = store.search_history(options.search)
            for turn in found:
                say(f"session {turn.session}, {store.sessions[turn.session - 1].date or 'no date'}\n{turn}")
            if not found:
                note(f"no turn contains {options.search!r}")
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


def import_files(options: argparse.Namespace) -> None:
    """Import the files and report what was added and what could not be read."""
    files = list(map(existing, options.files))  # a missing file must not create a store
    with MemoryStore(options.store, tz=options.tz) as store:
        for path in files:
            _import(store, path)
        say(f"{options.store}: {counted(len(store), 'turn')} in {counted(len(store.sessions), 'session')}")


def _import(store: MemoryStore, path: Path) -> None:
    with tqdm(desc=f"reading {path.name}", leave=False, disable=None, unit_scale=True) as bar:

        def show(what: str, done: int, total: int) -> None:
            bar.set_description_str(f"{what} {path.name}", refresh=False)
            bar.total = total
            bar.update(done - bar.n)

        report = import_file(store, path, show)
        bar.set_description_str(f"indexing {path.name}")
        take_in_new_turns(store)  # once, here: `ask` works on a copy, which it throws away
    for line in report.lines(_SHOWN):
        note(f"{path}: {line}")
    say(f"{path}: {report}")


def check(options: argparse.Namespace) -> int:
    """Check a store; if it is damaged, copy what can be read. Return the exit code."""
    path = existing(options.store)
    is_sound, line = recover(path, options.to or path.with_name(f"{path.name}.recovered"))
    say(line)
    return 0 if is_sound else 1
