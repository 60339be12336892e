r"""Findings: what a sub-agent says about its session, with quotes, and whether the session holds these words.

A sub-agent is asked for lines such as

    - [Turn 12] "My cat is called Mochi.": the cat's name

`check_reply` reads these lines, or JSON, once for each reply, and looks each quote up in the session. Whether the
quoted words mean what the sub-agent says is not judged.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..repl.output import to_text
from ..search.occurrences import Words, quoted_words
from ..store.escaping import well_formed
from ..store.turns import Turn
from .prompts.record import NOT_FOUND

_LONGEST = 2_000  # characters of a quote
_MOST = 300  # quotes of one reply that are looked up; more than that count as false
_OPENING, _CLOSING = re.compile('["“«„]'), re.compile(r'["”»“](?=\s*+(?:$|[:;,.(\[–—-]))')
_ENDS = 8  # further closing marks that are tried as the end of a quote
_TURN = re.compile(r"\bturns?\W{0,3}(\d{1,9})(?!\d)", re.I)
_AROUND = " \t:;,.-–—*"
_LEFT_OUT = re.compile(r"\.{3,}+|…|\[(?:\.{3}|…)\]")
_NO_SIGN = re.compile(r"[\w\s]")
_PARTS = 3  # parts of a quote that leaves words out, at most
_TEXTS = ("text", "value", "fact", "says", "finding")
_NOT_THERE = "(a quote that is not in the session)"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a sub-agent found in one session, or what the code cited.

    Args:
        session: The session's number, from 1; None if the code asked with a prompt of its own.
        date: The session's date, or None.
        turn: The number of the turn that is quoted, or None.
        quote: Words of that turn, exactly as they are stored; "" if the sub-agent quoted nothing.
        text: What the quote says, in the sub-agent's words; all of its reply if it quoted nothing.
    """

    session: int | None
    date: str | None
    turn: int | None
    quote: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Extract:
    """A reply whose quotes have been looked up.

    Args:
        text: The reply, in lines; in place of each quote that is not in the session, a note says so.
        findings: What it quotes, each quote in the exact words of its turn.
        false_quotes: How many of its quotes are not in the session.
    """

    text: str = ""
    findings: tuple[Evidence, ...] = ()
    false_quotes: int = 0


def is_not_found(reply: str) -> bool:
    """Whether a sub-agent replies that its session says nothing, with or without marks around that word.

    >>> is_not_found(" NOT_FOUND. "), is_not_found("The file was NOT_FOUND, he said.")
    (True, False)
    """
    return reply.strip().strip("`*'\".").strip().upper() == NOT_FOUND


def check_reply(reply: str, turns: Sequence[Turn], date: str | None = None) -> Extract:
    """Read a reply and look up each of its quotes.

    The words of a quote must be in one turn, in the same order. Case and the characters between words may differ, and
    "..." may leave some out. If the words are in another turn than the reply says, the number is corrected.

    Args:
        reply: Lines with a quote and the number of its turn, or JSON objects with `quote`, `turn` and `text`, which are
            read as such lines. Anything else is text without a finding.
        turns: The turns that the sub-agent read. A quote that holds quotation marks itself is the longest one that
            a turn holds word for word; otherwise it ends at the first mark after which a comment can begin.
        date: The date of their session, or None.

    >>> turns = [Turn(12, 3, "user", "So, my cat is called “Mochi”!", "")]
    >>> check_reply('- [Turn 1] "My cat is called Mochi": a cat', turns).findings
    (Evidence(session=3, date=None, turn=12, quote='my cat is called “Mochi”!', text='a cat'),)
    >>> check_reply('- [Turn 12] "I have a dog": a pet', turns).text
    '- [Turn 12] (a quote that is not in the session): a pet'
    """
    lines = _lines_of_json(reply)
    if lines == []:
        return Extract(reply)
    lines = lines or reply.splitlines()
    spans = {number: span for number, line in enumerate(lines) if (span := _quote(line, turns))}
    stored = look_up([_of_line(lines[number], *span, date) for number, span in spans.items()], turns)
    for (number, (start, stop)), found in zip(spans.items(), stored, strict=True):
        if found is None:
            lines[number] = f"{lines[number][:start]}{_NOT_THERE}{lines[number][stop:]}"
    return Extract("\n".join(lines), tuple(filter(None, stored)), stored.count(None))


def look_up(claims: Iterable[Evidence], turns: Sequence[Turn]) -> list[Evidence | None]:
    """Each claim with the turn that has its quote and the exact words of that turn; None for a quote in no turn.

    >>> turns = [Turn(12, 3, "user", "So, my cat is called “Mochi”!", "")]
    >>> look_up([Evidence(3, None, 1, 'My cat is called "Mochi"'), Evidence(3, None, 12, "I have a dog")], turns)
    [Evidence(session=3, date=None, turn=12, quote='my cat is called “Mochi”!', text=''), None]
    """
    words: dict[int, Words] = {}
    return [_look_up(each, turns, words) if place < _MOST else None for place, each in enumerate(claims)]


def _look_up(claim: Evidence, turns: Sequence[Turn], words: dict[int, Words]) -> Evidence | None:
    """One claim; `words` caches the words of turns by their index."""
    pieces = _LEFT_OUT.split(claim.quote) if len(claim.quote) <= _LONGEST else []
    parts = [part for part in map(quoted_words, pieces) if part]
    if len(pieces) > _PARTS or not parts:
        return None
    for turn in sorted(turns, key=lambda turn: turn.index != claim.turn):  # the turn that is named comes first
        if claim.quote in turn.content:
            return replace(claim, session=turn.session, turn=turn.index)
        if turn.index not in words:
            words[turn.index] = Words(turn.content)
        if span := words[turn.index].span(parts, 2 * _LONGEST):
            return replace(claim, session=turn.session, turn=turn.index, quote=_with_ends(turn.content, *span))
    return None


def _with_ends(content: str, start: int, stop: int) -> str:
    """The words from `start` to `stop` with the signs that touch them, such as a currency sign or a full stop."""
    before, after = content[max(start - 8, 0) : start], content[stop : stop + 8]
    return f"{_NO_SIGN.split(before)[-1]}{content[start:stop]}{_NO_SIGN.split(after)[0]}"


def _quote(line: str, turns: Sequence[Turn]) -> tuple[int, int] | None:
    """Where a line's quote begins and ends, its marks included: the longest that is in a turn, or else the shortest."""
    opening = _OPENING.search(line)
    if opening is None:
        return None
    start = opening.start()
    ends = [mark.end() for mark in _CLOSING.finditer(line, start + 2, start + 2 + _LONGEST)]
    for end in reversed(ends[1:][-_ENDS:]):
        if any(line[start + 1 : end - 1] in turn.content for turn in turns):  # word for word: this costs little
            return start, end
    return (start, ends[0]) if ends else None


def _of_line(line: str, start: int, stop: int, date: str | None) -> Evidence:
    """The claim of a line with a quote from `start` to `stop`."""
    before, after = line[:start], line[stop:]
    turn = _TURN.search(before) or _TURN.search(after)
    return Evidence(None, date, int(turn[1]) if turn else None, line[start + 1 : stop - 1], after.strip(_AROUND))


def _lines_of_json(reply: str) -> list[str] | None:
    """The lines that a reply in JSON, with or without a code fence, was asked for; None for any other reply."""
    lines: list[str] = []

    def write(each: dict[str, Any]) -> None:
        said, text = each.get("quote"), next((each[name] for name in _TEXTS if each.get(name)), "")
        if said not in (None, ""):
            quote = said if isinstance(said, str) and len(said) <= _LONGEST else "…"  # which is in no turn
            turn = f"[Turn {to_text(each['turn'])}] " if each.get("turn") else ""
            line = f'- {turn}"{quote}": {to_text(text) if text else ""}'
            lines.append(" ".join(well_formed(line).split()))

    try:
        value = json.loads(reply.strip().strip("`").removeprefix("json"), object_hook=write)
    except (ValueError, RecursionError):  # other text; a number of thousands of digits, thousands of brackets
        return None
    return lines if lines or value is None or isinstance(value, list) else None
