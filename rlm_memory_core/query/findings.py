r"""Findings: what a sub-agent says that its session says, with the words it stands on, and whether they are there.

A sub-agent is asked for lines such as

    - [Turn 12] "My cat is called Mochi.": the cat's name

or, where a day and a value are asked for too,

    - [Turn 12] "I ran it in 25:50.": 2023/05/14 | 25:50 | the time of a 5K run

`parse_findings` reads these, and JSON, and is lenient with all; `checked` looks each quote up in the session. What a
sub-agent adds of its own, after ";;", is kept apart as notes: the session does not say it, so it is no evidence, but
the code that asked may go by it. Nothing here judges whether the words bear out what is said of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..search.quotes import WORD, Words
from ..store.dates import parse_date
from ..store.turns import Turn

_OPEN, _CLOSE = '"“«„', '"”»“'
_LONGEST = 2_000  # characters of a quote
_END = rf"[{_CLOSE}](?=\s*(?:$|[:;,.(\[–—-]))"
_QUOTE, _CLOSING = re.compile(rf"[{_OPEN}].{{1,{_LONGEST}}}?{_END}"), re.compile(_END)
_ENDS = 8  # closing marks at which a quote is tried to end, beside the first
_TURN = re.compile(r"\bturns?\W{0,3}(\d+)", re.I)
_AROUND = " \t:;,.-–—*"
_FENCE = re.compile(r"\A\s*```\w*\n(.*?)\n?```\s*\Z", re.S)
_LEFT_OUT = re.compile(r"\s*(?:\.{3,}|…|\[(?:\.{3}|…)\])\s*")
_BEFORE, _AFTER = re.compile(r"[^\w\s]+\Z"), re.compile(r"[^\w\s]+")
_PARTS = 3  # of a quote that leaves something out
_FIELDS = re.compile(r"\s*:?\s*([^|]*?)\s*\|\s*([^|]*?)\s*\|\s*(.*)\Z", re.S)
_NONE = frozenset({"", "-", "–", "—", "none", "n/a", "unknown", "null"})
_NOTES = ";;"  # from here on a line holds notes of the sub-agent's own, and says nothing of the session
_TEXTS = ("text", "value", "fact", "says", "finding")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a sub-agent found.

    Args:
        quote: The words of the turn.
        text: What they say, in the sub-agent's words; "" where the quote stands alone.
        turn: The number of the turn, or None where it is not given.
        date: The day of which it is true, as the sub-agent wrote it; None where it gives no date.
        value: The number, amount or name that was asked for; "" where none is given.
        notes: What the sub-agent adds of its own, which is neither quoted nor said of the quote; "" for nothing.
    """

    quote: str
    text: str = ""
    turn: int | None = None
    date: str | None = None
    value: str = ""
    notes: str = ""


def parse_findings(reply: str, turns: Sequence[Turn] = ()) -> list[Finding]:
    """The findings of a reply that have a quote, in order; [] for plain text.

    Args:
        reply: Lines with a quote each and the number of its turn, or JSON objects with `quote`, `turn` and `text`;
            with a date and a value beside them where those were asked for. What follows ";;" on a line are notes.
        turns: What was read. A quote that holds quotation marks itself is the longest that is there, sign for sign; or
            else it ends at the first mark after which a comment can begin.

    >>> parse_findings('- [Turn 12] "My cat is called Mochi.": the name of the cat')
    [Finding(quote='My cat is called Mochi.', text='the name of the cat', turn=12, date=None, value='', notes='')]
    >>> parse_findings('- [Turn 3] "I ran it in 25:50.": 2023/05/14 | 25:50 | a 5K run')
    [Finding(quote='I ran it in 25:50.', text='a 5K run', turn=3, date='2023/05/14', value='25:50', notes='')]
    >>> config = Turn(1, 1, "user", 'It is {"cat": "Mochi", "age": 3}.', "")
    >>> parse_findings('- [Turn 1] "{"cat": "Mochi", "age": 3}": a setting', [config])[0].quote
    '{"cat": "Mochi", "age": 3}'
    >>> parse_findings('The cat is called Mochi.')
    []
    """
    objects = _objects(reply)
    if objects is not None:
        return [finding for each in objects if (finding := _from_object(each))]
    return [found[0] for line in reply.splitlines() if (found := _from_line(line, turns))]


def checked(findings: Iterable[Finding], turns: Sequence[Turn]) -> tuple[list[Finding], int]:
    """The findings whose quote is in the session, each as it stands there, and how many are not.

    Words must be the same and in the same order, whatever their case and what stands between them; "..." may
    leave some out. The number of the turn is put right where the words are in another turn of the session.

    Args:
        findings: What a sub-agent found.
        turns: The turns of the session that it read.

    >>> turns = [Turn(12, 3, "user", "So, my cat is called “Mochi”!", "")]
    >>> checked([Finding('My cat is called "Mochi"', turn=1), Finding("I have a dog")], turns)
    ([Finding(quote='my cat is called “Mochi”!', text='', turn=12, date=None, value='', notes='')], 1)
    """
    kept = []
    dropped = 0
    words: dict[int, Words] = {}
    for finding in findings:
        found = _look_up(finding, turns, words)
        if found is None:
            dropped += 1
        else:
            kept.append(found)
    return kept, dropped


def without_false_quotes(reply: str, turns: Sequence[Turn]) -> str:
    """A reply in which each quote that is not in the session is replaced by a note that says so.

    >>> without_false_quotes('- [Turn 1] "I have a dog": a pet', [Turn(1, 1, "user", "Hi", "")])
    '- [Turn 1] (a quote that is not in the session): a pet'
    """
    if _objects(reply) is not None:
        return reply
    lines = []
    words: dict[int, Words] = {}
    for line in reply.splitlines():
        found = _from_line(line, turns)
        if found and _look_up(found[0], turns, words) is None:
            _, start, stop = found
            line = f"{line[:start]}(a quote that is not in the session){line[stop:]}"
        lines.append(line)
    return "\n".join(lines)


def _look_up(finding: Finding, turns: Sequence[Turn], words: dict[int, Words]) -> Finding | None:
    """The finding as it stands in a turn; `words` keeps those of the turns that were looked into."""
    parts = [part for part in map(_words, _LEFT_OUT.split(finding.quote)) if part]
    if len(finding.quote) > _LONGEST or len(_LEFT_OUT.findall(finding.quote)) >= _PARTS or not parts:
        return None
    for turn in sorted(turns, key=lambda turn: turn.index != finding.turn):  # the one that is named first
        if finding.quote in turn.content:
            return replace(finding, turn=turn.index)
        if turn.index not in words:
            words[turn.index] = Words(turn.content)
        if span := words[turn.index].span(parts, 2 * _LONGEST):
            return replace(finding, quote=_with_ends(turn.content, *span), turn=turn.index)
    return None


def _words(part: str) -> list[str]:
    return [word.lower() for word in WORD.findall(part)]


def _with_ends(content: str, start: int, stop: int) -> str:
    """The words as they stand, with the signs around them that no blank parts from them: a currency's, a full stop."""
    before, after = _BEFORE.search(content, max(start - 8, 0), start), _AFTER.match(content, stop, stop + 8)
    return content[before.start() if before else start : after.end() if after else stop]


def _quote(line: str, turns: Sequence[Turn]) -> tuple[int, int] | None:
    """Where a line's quote begins and ends, its marks included: the longest that is in a turn, or else the shortest."""
    line = line[: 4 * _LONGEST]
    first = _QUOTE.search(line)
    if first is None:
        return None
    start, stop = first.span()
    stops = [mark.end() for mark in _CLOSING.finditer(line, stop) if mark.end() <= start + _LONGEST + 2]
    for end in reversed(stops[-_ENDS:] if turns else ()):
        if any(line[start + 1 : end - 1] in turn.content for turn in turns):  # word for word: this costs little
            return start, end
    return start, stop


def _from_line(line: str, turns: Sequence[Turn]) -> tuple[Finding, int, int] | None:
    """The finding of a line, and where its quote begins and ends."""
    span = _quote(line, turns)
    if span is None:
        return None
    start, stop = span
    before, (after, _, notes) = line[:start], line[stop:].partition(_NOTES)
    turn = _TURN.search(before) or _TURN.search(after)
    date, value, text = _fields(after)
    number = int(turn[1]) if turn else None
    finding = Finding(line[start + 1 : stop - 1], text.strip(_AROUND), number, date, value, notes.strip())
    return finding, start, stop


def _fields(after: str) -> tuple[str | None, str, str]:
    """Day, value and text of what follows a quote; what does not begin with a day, or with "-" for one, is text."""
    fields = _FIELDS.match(after)
    if fields is None:
        return None, "", after
    date, value, text = fields.groups()
    if not _is_none(date) and parse_date(date) is None:
        return None, "", after
    return None if _is_none(date) else date, "" if _is_none(value) else value, text


def _is_none(field: str) -> bool:
    return field.strip().lower() in _NONE


def _from_object(each: Mapping[str, Any]) -> Finding | None:
    quote, turn = each.get("quote"), re.search(r"\d+", str(each.get("turn", "")))
    if not isinstance(quote, str) or not quote.strip():
        return None
    said = next((name for name in _TEXTS if each.get(name)), "")
    date, value = (str(each.get(name) or "") for name in ("date", "value"))
    dated = not _is_none(date) and parse_date(date) is not None
    return Finding(
        quote.strip(),
        str(each[said]) if said else "",
        int(turn[0]) if turn else None,
        date if dated else None,
        "" if _is_none(value) or said == "value" else value,
        str(each.get("notes") or ""),
    )


def _objects(reply: str) -> list[Mapping[str, Any]] | None:
    """The objects of a reply in JSON, fenced or not; None for any other reply."""
    fenced = _FENCE.match(reply)
    text = (fenced[1] if fenced else reply).strip()
    if not text.startswith(("{", "[{")) and not re.match(r"\[\s*\{", text):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if isinstance(value, dict):
        inner = next((each for each in value.values() if isinstance(each, list)), None)
        value = [value] if inner is None or "quote" in value else inner
    return [each for each in value if isinstance(each, dict)]
