"""Opens the history that the user names, and prints its text safely for a terminal."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path

from ..imports import open_history, read_messages
from ..store.memory_store import MemoryStore
from .common import Refused


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
        Refused: There is no such file, or it is a folder.
    """
    path = Path(named)
    if not path.exists():
        hint = "; download it first, and give the file" if ":/" in str(named) else ""
        raise Refused(f"there is no file {named}{hint}")
    if path.is_dir():
        raise Refused(f"{path} is a folder; name the history's file in it")
    return path


def store_in_zone(path: Path, zone: str | None) -> MemoryStore:
    """Open a store for writing, in the user's time zone.

    Raises:
        Refused: There is no such zone.
    """
    try:
        return MemoryStore(path, tz=zone)
    except KeyError as error:
        raise Refused(f"there is no time zone {zone}; write one such as Europe/Berlin") from error


def printable(text: str) -> str:
    r"""Replace control characters, which could change what the terminal shows.

    >>> printable("red: \x1b[31m")
    'red: \ufffd[31m'
    """
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


def note(line: str) -> None:
    """Print one line for the user to standard error."""
    print(printable(f"rlm-memory: {' '.join(line.split())}"), file=sys.stderr)


def say(text: str) -> None:
    """Print to standard output. Characters that its encoding lacks become question marks."""
    encoding = sys.stdout.encoding or "utf-8"
    print(printable(text).encode(encoding, "replace").decode(encoding), flush=True)
