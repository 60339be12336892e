"""Cuts the text of a history into turns and sentences.

This module knows the marks that the package writes around turns and sessions. It does not compare text with a question.
"""

import re
from dataclasses import dataclass
from datetime import date

from ..store.dates import parse_date
from ..store.escaping import unescape, without_marks

_MARK = re.compile(r"^(?:\[--- Session \d+(?: \| ([^\[\]\n]*))? ---\]$|\[Turn (\d+)\]\[([^\[\]\n]*)\]: ?)", re.M)
_NO_END = r"(?<!\b[A-Z]\.)(?<!\b[A-Z][a-z]\.)(?<!\b\d\.)(?<!\b\d\d\.)"  # "J.", "Dr.", "1."
_SENTENCE_END = re.compile(rf"([.!?…]{_NO_END}[\"”’')\]]*)\s+(?=[^a-z\s])|([。！？])")
_COLON = re.compile(r":\s*\n\s*")
_PIECE = re.compile(r"\S.{0,239}(?!\S)|\S{240}")


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a history.

    Args:
        role: Who speaks; "" if unknown.
        text: What is said.
        day: The day of the session, or None.
        session: The position of the session.
        number: The number of the turn in the history, or None.
        about: Words that describe the turn, but cannot be quoted from it.
        weight: How much the turn's sentences count.
    """

    role: str
    text: str
    day: date | None = None
    session: int = 0
    number: int | None = None
    about: str = ""
    weight: float = 1.0


def parse_turns(text: str, day: date | None = None) -> list[Turn]:
    """Cut a serialised history into turns. A text without marks becomes one turn of an unknown speaker.

    Args:
        text: Lines such as ``[Turn 1][user]: Hello`` under ``[--- Session 1 | date ---]`` lines, or any text.
        day: The day of turns before the first session line.

    >>> [(turn.role, turn.number) for turn in parse_turns("[Turn 1][user]: Hello\\n[Turn 2][assistant]: Hi")]
    [('user', 1), ('assistant', 2)]
    """
    turns: list[Turn] = []
    role, number, session, start = "", None, 0, 0
    for mark in [*_MARK.finditer(text), None]:
        said = text[start : mark.start() if mark else len(text)]
        if said.strip():
            turns.append(Turn(role, without_marks(unescape(said)), day, session, number))
        if mark and mark[2]:
            role, number = mark[3], int(mark[2])
        elif mark:
            role, number, session, day = "", None, session + 1, parse_date(mark[1])
        start = mark.end() if mark else start
    return turns


def sentences(text: str) -> list[str]:
    """Cut a text into sentences of at most 240 characters. Longer sentences are cut into pieces.

    A line that ends with a colon continues in the next line, like a list after its heading.

    >>> sentences("I saw Dr. Lee. It went well.\\n1. Rest")
    ['I saw Dr. Lee.', 'It went well.', '1. Rest']
    """
    lines = _SENTENCE_END.sub(r"\1\2\n", _COLON.sub(": ", text)).splitlines()
    return [piece.strip() for line in lines for piece in _PIECE.findall(line)]
