"""Turns: a serialised history, or any text, cut into turns and sentences.

It knows the marks that the package writes and how English ends a sentence; it
compares nothing with a question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from ..store.dates import parse_date
from ..store.escaping import unescape, without_marks

_TURN = re.compile(r"^\[Turn (\d+)\]\[([^\[\]\n]*)\]: ?", re.M)
_SESSION = re.compile(r"^\[--- Session \d+(?: \| ([^\[\]\n]*))? ---\](?:\n|\Z)", re.M)
_SPEAKER = re.compile(r"([A-Z][\w'-]*(?: [A-Z][\w'-]*){0,2}): ")
_SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+(?=[^a-z\s])")
_ABBREVIATION = re.compile(r"(?:\b(?:[DMS]r|Mrs|Ms|Prof|Inc|vs|e\.g|i\.e|No|approx)|\b[A-Z])$")
_LIST_MARK = re.compile(r"\s*(?:\d{1,3}[.)]|[-*•#]+)\s+")
_HEAD_END = re.compile(r":\s| [-–—] |: ?$|\. ")
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a history, with the place and day of its session, and its own number where it has one."""

    role: str
    text: str
    day: date | None = None
    session: int = 0
    speaker: str = ""
    number: int | None = None


def parse_turns(text: str, day: date | None = None) -> list[Turn]:
    """Cut a serialised history into turns; a text without turn marks is taken line by line.

    Args:
        text: Lines such as ``[Turn 1][user]: Hello`` under ``[--- Session 1 | date ---]`` lines, or any text.
        day: The day of a text that has no session lines.

    >>> [turn.role for turn in parse_turns("[Turn 1][user]: Hello\\n[Turn 2][assistant]: Hi")]
    ['user', 'assistant']
    """
    marks = list(_SESSION.finditer(text))
    starts = [0, *(mark.end() for mark in marks)]
    ends = [*(mark.start() for mark in marks), len(text)]
    days = [day, *(parse_date(mark[1]) or day for mark in marks)]
    turns: list[Turn] = []
    for session, (start, end, spoken) in enumerate(zip(starts, ends, days, strict=True)):
        piece = text[start:end]
        if not piece.strip():
            continue
        parts = _TURN.split(piece)
        if len(parts) == 1:
            turns += [named("", _said(line), spoken, session) for line in piece.splitlines() if line.strip()]
            continue
        if parts[0].strip():
            turns.append(Turn("", _said(parts[0]), spoken, session))
        for number, role, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            turns.append(replace(named(role, _said(body), spoken, session), number=int(number)))
    return turns


def _said(body: str) -> str:
    """What was said, from what was serialised: without marks that are none, and Markdown's underscores put right."""
    return without_marks(unescape(body)).replace("\\_", "_")


def named(role: str, text: str, day: date | None = None, session: int = 0) -> Turn:
    """Make a turn; a name and a colon at its start say who speaks.

    >>> named("user", "Ann: I ski.").speaker
    'Ann'
    """
    name = _SPEAKER.match(text)
    return Turn(role, text[name.end() :], day, session, name[1]) if name else Turn(role, text, day, session)


def sentences(text: str) -> list[str]:
    """Cut a turn into sentences and list items; a list mark stays with its item.

    >>> sentences("I saw Dr. Lee. It went well.\\n1. Rest")
    ['I saw Dr. Lee.', 'It went well.', '1. Rest']
    """
    found: list[str] = []
    for line in text.splitlines():
        mark = _LIST_MARK.match(line)
        start = mark.end() if mark else 0
        began = 0
        for end in _SENTENCE_END.finditer(line, start):
            if line[end.start()] != "." or not _ABBREVIATION.search(line, max(end.start() - 8, 0), end.start()):
                found.append(line[began : end.end()])
                began = end.end()
        found.append(line[began:])
    return [piece for whole in found for piece in _pieces(whole.strip())]


def _pieces(sentence: str) -> list[str]:
    """A sentence as it is, or a run-on text in pieces that can still be quoted."""
    if len(sentence) <= _LONGEST:
        return [sentence] if sentence else []
    return [sentence[at : at + _LONGEST].strip() for at in range(0, len(sentence), _LONGEST)]


def heads(following: Sequence[str]) -> str:
    """The heads of the list that follows a line, put into one phrase."""
    found: list[str] = []
    for line in following:
        mark = _LIST_MARK.match(line)
        if mark and (not found or mark[0].strip()[0] in "-*•" or mark[0].strip()[0].isdigit()):
            head = _HEAD_END.split(line[mark.end() :].replace("**", ""), maxsplit=1)[0].strip()
            found.append(" ".join(head.split()[:8]).rstrip(".:;,"))
        elif not found or len(found) == 8:
            break
    *most, last = [head for head in found if head] or [""]
    return f"{', '.join(most)}{',' if len(most) > 1 else ''} and {last}" if most else last
