r"""Findings: what a sub-agent says about its session, with quotes, and whether the session holds these words.

A sub-agent is asked for lines such as

    - [Turn 12] "My cat is called Mochi.": the cat's name

`check_reply` reads these lines, or JSON, once for each reply, and looks each quote up in the session. Whether the
quoted words mean what the sub-agent says is not judged.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..repl.output import to_text
from ..search.quotes import Words, quoted_words
from ..store.turns import Turn

_LONGEST = 2_000  # characters of a quote
_MOST = 300  # quotes of one reply that are looked up; more than that count as false
_OPENING, _CLOSING = re.compile('["“«„]'), re.compile(r'["”»“](?=\s*+(?:$|[:;,.(\[–—-]))')
_ENDS = 8  # further closing marks that are tried as the end of a quote
_TURN = re.compile(r"\bturns?\W{0,3}(\d{1,9})(?!\d)", re.I)
_NUMBER = re.compile(r"\d{1,9}")
_AROUND = " \t:;,.-–—*"
_LEFT_OUT = re.compile(r"\.{3,}+|…|\[(?:\.{3}|…)\]")
_NO_SIGN = re.compile(r"[\w\s]")
_PARTS = 3  # parts of a quote that leaves words out, at most
_TEXTS = ("text", "value", "fact", "says", "finding")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a sub-agent found.

    Args:
        quote: The words of the turn.
        text: What they say, in the sub-agent's words; "" for a quote alone.
        turn: The number of the turn; None if the sub-agent gives none.
    """

    quote: str
    text: str = ""
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class Extract:
    """A reply whose quotes have been looked up.

    Args:
        text: The reply; in place of each quote that is not in the session, a note says so.
        findings: What it quotes, each quote in the exact words of its turn.
        false_quotes: How many of its quotes are not in the session.
    """

    text: str = ""
    findings: tuple[Finding, ...] = ()
    false_quotes: int = 0


NO_EXTRACT = Extract()


def check_reply(reply: str, turns: Sequence[Turn]) -> Extract:
    """Read a reply and look up each of its quotes.

    The words of a quote must be in one turn, in the same order. Case and the characters between words may differ, and
    "..." may leave some out. If the words are in another turn than the reply says, the number is corrected.

    Args:
        reply: Lines with a quote and the number of its turn, or JSON objects with `quote`, `turn` and `text`. Anything
            else is text without a finding.
        turns: The turns that the sub-agent read. A quote that holds quotation marks itself is the longest one that
            a turn holds word for word; otherwise it ends at the first mark after which a comment can begin.

    >>> turns = [Turn(12, 3, "user", "So, my cat is called “Mochi”!", "")]
    >>> check_reply('- [Turn 1] "My cat is called Mochi": a cat', turns).findings
    (Finding(quote='my cat is called “Mochi”!', text='a cat', turn=12),)
    >>> check_reply('- [Turn 12] "I have a dog": a pet', turns).text
    '- [Turn 12] (a quote that is not in the session): a pet'
    """
    objects = _objects(reply)
    if objects is not None:
        found, false_quotes = checked(filter(None, map(_from_object, objects)), turns)
        return Extract(reply, tuple(found), false_quotes)
    lines = reply.splitlines()
    quoting = {number: parsed for number, line in enumerate(lines) if (parsed := _from_line(line, turns))}
    as_stored = _look_up_all((finding for finding, _, _ in quoting.values()), turns)
    for (number, (_, start, stop)), stored in zip(quoting.items(), as_stored, strict=True):
        if stored is None:
            lines[number] = f"{lines[number][:start]}(a quote that is not in the session){lines[number][stop:]}"
    return Extract("\n".join(lines), tuple(filter(None, as_stored)), as_stored.count(None))


def checked(findings: Iterable[Finding], turns: Sequence[Turn]) -> tuple[list[Finding], int]:
    """The findings whose quote is in a turn, in the exact words of the turn, and how many are not.

    >>> turns = [Turn(12, 3, "user", "So, my cat is called “Mochi”!", "")]
    >>> checked([Finding('My cat is called "Mochi"', turn=1), Finding("I have a dog")], turns)
    ([Finding(quote='my cat is called “Mochi”!', text='', turn=12)], 1)
    """
    as_stored = _look_up_all(findings, turns)
    return list(filter(None, as_stored)), as_stored.count(None)


def _look_up_all(findings: Iterable[Finding], turns: Sequence[Turn]) -> list[Finding | None]:
    words: dict[int, Words] = {}
    return [_look_up(each, turns, words) if place < _MOST else None for place, each in enumerate(findings)]


def _look_up(finding: Finding, turns: Sequence[Turn], words: dict[int, Words]) -> Finding | None:
    """The finding with the exact words of a turn, or None; `words` caches the words of turns by their index."""
    pieces = _LEFT_OUT.split(finding.quote) if len(finding.quote) <= _LONGEST else []
    parts = [part for part in map(quoted_words, pieces) if part]
    if len(pieces) > _PARTS or not parts:
        return None
    for turn in sorted(turns, key=lambda turn: turn.index != finding.turn):  # the turn that is named comes first
        if finding.quote in turn.content:
            return replace(finding, turn=turn.index)
        if turn.index not in words:
            words[turn.index] = Words(turn.content)
        if span := words[turn.index].span(parts, 2 * _LONGEST):
            return replace(finding, quote=_with_ends(turn.content, *span), turn=turn.index)
    return None


def _with_ends(content: str, start: int, stop: int) -> str:
    """The words from `start` to `stop` with the signs that touch them, such as a currency sign or a full stop."""
    before, after = content[max(start - 8, 0) : start], content[stop : stop + 8]
    return f"{_NO_SIGN.split(before)[-1]}{content[start:stop]}{_NO_SIGN.split(after)[0]}"


def _quote(line: str, turns: Sequence[Turn]) -> tuple[int, int] | None:
    """Where a line's quote begins and ends, its marks included: the longest that is in a turn, or else the shortest."""
    line = line[: 4 * _LONGEST]
    closings = [mark.start() for mark in _CLOSING.finditer(line)]
    for opening in _OPENING.finditer(line):
        start = opening.start()
        first, last = bisect_left(closings, start + 2), bisect_left(closings, start + _LONGEST + 2)
        if first < last:
            break
    else:
        return None
    stops = [place + 1 for place in closings[first:last]]
    for end in reversed(stops[1:][-_ENDS:]):
        if any(line[start + 1 : end - 1] in turn.content for turn in turns):  # word for word: this costs little
            return start, end
    return start, stops[0]


def _from_line(line: str, turns: Sequence[Turn]) -> tuple[Finding, int, int] | None:
    """The finding of a line, and where its quote begins and ends; None if it has no quote."""
    span = _quote(line, turns)
    if span is None:
        return None
    start, stop = span
    before, after = line[:start], line[stop:]
    turn = _TURN.search(before) or _TURN.search(after)
    return Finding(line[start + 1 : stop - 1], after.strip(_AROUND), int(turn[1]) if turn else None), start, stop


def _from_object(each: Mapping[str, Any]) -> Finding | None:
    """The finding of an object; one with an odd quote has no words, and an object without a quote is none."""
    quote, turn = each.get("quote"), _NUMBER.search(to_text(each.get("turn")))
    if quote is None or quote == "":
        return None
    text = next((to_text(each[name]) for name in _TEXTS if each.get(name)), "")
    return Finding(quote.strip() if isinstance(quote, str) else "", text, int(turn[0]) if turn else None)


def _objects(reply: str) -> list[Mapping[str, Any]] | None:
    """The objects of a reply in JSON, with or without a code fence; None for any other reply."""
    text = reply.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text[3:-3].partition("\n")[2].strip()
    if not text.startswith("{") and not text.removeprefix("[").lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # a number of thousands of digits, thousands of brackets
        return None
    if isinstance(value, dict):
        inner = next((each for each in value.values() if isinstance(each, list)), None)
        value = [value] if inner is None or "quote" in value else inner
    return [each for each in value if isinstance(each, dict)]
