r"""Evidence: quotes from the history that an answer rests on, each looked up in its turn.

A sub-agent is asked for lines such as

    - [Turn 12] "My cat is called Mochi.": the cat's name

`check_reply` reads such lines, or JSON, and looks each quote up in the session. `supporting` tells which evidence
shares words with an answer. Nothing here judges what a quote means, or whether it proves the answer.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..models.types import UNKNOWN
from ..repl.output import to_text
from ..search.occurrences import Words, quoted_words
from ..search.words import content_words
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
_ANSWER, _FOUND = 20_000, 4_000  # characters compared: of the answer, of one piece of evidence
_SHARE = 0.5  # of the best weight: evidence above it supports the answer
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_QUOTED = 5  # sentences that an answer without citations is taken to rest on

CITED = "cited turn"
"""How the REPL tells that a citation was looked up and recorded."""


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
    lines = reply.splitlines() if lines is None else lines
    quoting = {number: split for number, line in enumerate(lines) if (split := _split(line, turns))}
    stored = look_up([_claim(*each, date) for each in quoting.values()], turns)
    for (number, (before, _, after)), found in zip(quoting.items(), stored, strict=True):
        if found is None:
            lines[number] = f"{before}{_NOT_THERE}{after}"
    return Extract("\n".join(lines) or reply, tuple(filter(None, stored)), stored.count(None))


def look_up(claims: Iterable[Evidence], turns: Sequence[Turn]) -> list[Evidence | None]:
    """Look quotes up. Returns each claim with the turn's number and exact words, or None if no turn holds its quote.

    >>> turns = [Turn(12, 3, "user", "So, my cat is called “Mochi”!", "")]
    >>> look_up([Evidence(3, None, 1, 'My cat is called "Mochi"'), Evidence(3, None, 12, "I have a dog")], turns)
    [Evidence(session=3, date=None, turn=12, quote='my cat is called “Mochi”!', text=''), None]
    """
    words: dict[int, Words] = {}
    return [_look_up(each, turns, words) if place < _MOST else None for place, each in enumerate(claims)]


def _look_up(claim: Evidence, turns: Sequence[Turn], words: dict[int, Words]) -> Evidence | None:
    """Look one claim up. `words` caches the words of each turn."""
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
    """The text from `start` to `stop` with the signs that touch it, such as a currency sign or a full stop."""
    before, after = content[max(start - 8, 0) : start], content[stop : stop + 8]
    return f"{_NO_SIGN.split(before)[-1]}{content[start:stop]}{_NO_SIGN.split(after)[0]}"


def _split(line: str, turns: Sequence[Turn]) -> tuple[str, str, str] | None:
    """Split a line with a quote: what comes before it, the quote, what follows. None for a line without a quote.

    The quote is the longest that a turn holds word for word, or else the shortest.
    """
    opening = _OPENING.search(line)
    start = opening.end() if opening else 0
    ends = [mark.start() for mark in _CLOSING.finditer(line, start + 1, start + 1 + _LONGEST)] if opening else []
    there = (end for end in reversed(ends[1:][-_ENDS:]) if any(line[start:end] in turn.content for turn in turns))
    end = next(there, ends[0] if ends else None)
    return None if end is None else (line[: start - 1], line[start:end], line[end + 1 :])


def _claim(before: str, quote: str, after: str, date: str | None) -> Evidence:
    """What a line with a quote claims."""
    turn = _TURN.search(before) or _TURN.search(after)
    return Evidence(None, date, int(turn[1]) if turn else None, quote, after.strip(_AROUND))


def _lines_of_json(reply: str) -> list[str] | None:
    """Write a reply in JSON, with or without a code fence, as the lines that were asked for; None for other replies."""
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
    return lines if value is None or isinstance(value, list) else None


def supporting(text: str, evidence: Sequence[Evidence]) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    """Split the evidence into what supports an answer and the rest.

    Evidence weighs as much as the words that it shares with the answer; a rare word weighs more. It supports the answer
    if it weighs at least half as much as the heaviest, or if the answer holds all words of its quote. Nothing supports
    "I don't know".

    Args:
        text: The answer.
        evidence: What was found, oldest session first.

    Returns:
        The supporting evidence, the heaviest first; and the rest, in the given order.

    >>> cat, dog = Evidence(1, None, 1, "My cat is called Mochi.", ""), Evidence(2, None, 3, "I have a dog.", "")
    >>> [found.quote for found in supporting("It is Mochi.", (dog, cat))[0]]
    ['My cat is called Mochi.']
    """
    said = set() if text.strip() == UNKNOWN else set(content_words(text[:_ANSWER]))
    in_quote = [set(content_words(each.quote[:_FOUND])) for each in evidence]
    held = [words | set(content_words(each.text[:_FOUND])) for words, each in zip(in_quote, evidence, strict=True)]
    spread = Counter(word for words in held for word in words)
    weights = [sum(math.log((len(evidence) + 1) / spread[word]) for word in words & said) for words in held]
    least = _SHARE * max(weights, default=0.0)
    order = sorted(range(len(evidence)), key=lambda at: -weights[at])
    best = [at for at in order if weights[at] and (weights[at] >= least or (in_quote[at] and in_quote[at] <= said))]
    rest = sorted(set(order).difference(best))
    return tuple(evidence[at] for at in best), tuple(evidence[at] for at in rest)


def quoted(text: str, turns: Sequence[Turn]) -> list[Evidence]:
    """The sentences of turns that an answer quotes, or else those that hold most of its words."""
    said = [(turn, sentence.strip()) for turn in turns for sentence in _SENTENCE.split(turn.content)]
    evidence = [Evidence(turn.session, None, turn.index, sentence) for turn, sentence in said if sentence]
    return list(supporting(text, evidence)[0][:_QUOTED])
