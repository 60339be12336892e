r"""Evidence: the quotes from the history that an answer is based on. Each quote is looked up in its turn.

Sub-agents are asked for lines such as

    - [Turn 12] "My cat is called Mochi.": the cat's name

`check_reply` reads such lines and looks each quote up in the session. `supporting` finds the evidence that
shares words with an answer. Nothing here judges what a quote means, or whether it proves the answer.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice

from ..models.pricing import Usage
from ..models.types import UNKNOWN
from ..search.occurrences import Words
from ..search.words import content_words, exact_words, may_contain
from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .prompts import NOT_FOUND

_LONGEST = 2_000  # maximum characters of a quote
_MOST = 300  # only so many quotes of a reply are looked up; the others count as false
_OPENING, _CLOSING = re.compile('["“«„]'), re.compile(r'["”»“](?=\s*+(?:$|[:;,.(\[–—-]))')
_ENDS = 8  # after the first closing mark, so many more are tried as the end of a quote
_TURN = re.compile(r"\bturns?\W{0,3}(\d{1,9})(?!\d)", re.I)
_AROUND = " \t:;,.-–—*"
_JSON = re.compile(r"""\A\s*+(?:`{3,}+\w*+\s*+)?(?:\{\s*+"|\[\s*+[{"])""")  # the beginning of a reply that is JSON
_LEFT_OUT = re.compile(r"\.{3,}+|…|\[(?:\.{3}|…)\]")
_BLOCK, _OVERLAP = 50_000, 15_000  # characters of a turn that are folded at once; a quote with gaps fits the overlap
_MOST_BLOCKS = 20  # blocks that are folded for one quote and turn
_words = lru_cache(maxsize=50)(Words)  # folding a turn of some megabytes takes seconds; up to 20 MB are kept
_LETTER = re.compile(r"[^\W_]")
_NO_SIGN = re.compile(r"[\w\s]")
_PARTS = 3  # maximum parts of a quote that omits words
_ANSWER, _FOUND = 20_000, 4_000  # characters that are compared: of the answer, and of each piece of evidence
_SHARE = 0.5  # evidence with at least this share of the best weight supports the answer
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_QUOTED = 5  # maximum sentences that are used as evidence for an answer without citations
_READ, _MOST_SENTENCES = 200_000, 20_000  # characters of a turn, and sentences of all turns, that are compared for it

CITED = "cited turn"
"""The REPL prints this when a citation was found and recorded."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a sub-agent found in one session, or what the code cited.

    Args:
        session: The session's number, from 1; None if the code wrote its own prompt.
        date: The session's date, or None.
        turn: The number of the quoted turn, or None.
        quote: Words of that turn, exactly as stored; "" if the sub-agent quoted nothing.
        text: What the quote says, in the sub-agent's words; the whole reply if the sub-agent quoted nothing.
    """

    session: int | None
    date: str | None
    turn: int | None
    quote: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One sub-agent call.

    Args:
        session: The text that the sub-agent read; "" for a prompt that the model wrote itself.
        reply: The sub-agent's reply; "" if the call failed.
        usage: Tokens; an estimate for a call that was stopped or timed out.
        cost_usd: Cost in dollars; None if the price is not known.
        started: Seconds from the start of the query to the start of the call.
        seconds: How long the call took.
        recorded: Whether the reply was replayed.
        error: Why the call failed, in one line; "" if it did not.
        cut: Whether the model's token limit cut the reply off. The reply then ends with a note.
        batch: The number of the batch. The calls of a batch are sent at once. A new batch begins after the code has
            seen a reply to the one before.
        number: The number of the session that was read, from 1; None if the text is not part of the history.
        date: The date of that session, or None.
        thoughts: The sub-agent's reasoning before its reply, if the server shows it.
        text: What the code gets: the reply, with a note instead of each quote that is not in the session. It is
            NOT_READ if the call failed.
        findings: The quotes that were found, in the exact words of their turns.
        false_quotes: The number of quotes that are not in the session.
    """

    session: str = field(repr=False)
    reply: str
    usage: Usage
    cost_usd: float | None
    started: float
    seconds: float
    recorded: bool
    error: str = ""
    cut: bool = False
    batch: int = 0
    number: int | None = None
    date: str | None = None
    thoughts: str = ""
    text: str = field(default="", repr=False)
    findings: tuple[Evidence, ...] = ()
    false_quotes: int = 0

    @property
    def found(self) -> bool:
        """Whether the reply says anything about the question."""
        return not self.error and not is_not_found(self.reply)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The findings, without quotes that are not in the session. If the reply quotes nothing, the whole reply."""
        if not self.found or self.findings or self.false_quotes:
            return self.findings
        return (Evidence(self.number, self.date, None, "", self.reply),)

    @property
    def copies(self) -> int:
        """The number of extra requests sent because the reply was late or broke off. `usage` includes them."""
        return max(self.usage.calls - 1, 0)


def is_not_found(reply: str) -> bool:
    """Return whether a reply is only NOT_FOUND, with or without punctuation and tags around it.

    >>> is_not_found(" NOT_FOUND. "), is_not_found("The file was NOT_FOUND, he said.")
    (True, False)
    """
    return re.sub(r"<[^<>\n]*>|[\s`*'\".]", "", reply).upper() == NOT_FOUND


def check_reply(reply: str, turns: Sequence[Turn], date: str | None = None) -> tuple[str, tuple[Evidence, ...], int]:
    """Read a reply and look up each of its quotes.

    The words of a quote must be in one turn, in the same order. Case and the characters between words may differ, and
    "..." may replace some words. If the reply names the wrong turn, the number is corrected.

    A quote may contain quotation marks. It is then the longest one that is in a turn word for word. If there is none,
    the quote ends at the first mark that a comment can follow.

    Args:
        reply: Lines with a quote and the number of its turn. Anything else, such as JSON, is text without a finding.
        turns: The turns that the sub-agent read.
        date: The date of their session, or None.

    Returns:
        The `text`, `findings` and `false_quotes` of a `Call`.

    >>> turns = [Turn(12, 3, "user", "So, my cat is called “Mochi”!", "")]
    >>> check_reply('- [Turn 1] "My cat is called Mochi": a cat', turns)[1]
    (Evidence(session=3, date=None, turn=12, quote='my cat is called “Mochi”!', text='a cat'),)
    >>> check_reply('- [Turn 12] "I have a dog": a pet', turns)[0]
    '- [Turn 12] (a quote that is not in the session): a pet'
    """
    if _JSON.match(reply):
        return reply, (), 0
    lines = reply.splitlines()
    stored: list[Evidence | None] = []
    for number, line in enumerate(lines):
        if split := _split(line, turns):
            before, quote, after = split
            turn = _TURN.search(before) or _TURN.search(after)
            claim = Evidence(None, date, int(turn[1]) if turn else None, quote, after.strip(_AROUND))
            stored.append(look_up(claim, turns) if len(stored) < _MOST else None)
            if stored[-1] is None:
                lines[number] = f"{before}(a quote that is not in the session){after}"
    return "\n".join(lines) or reply, tuple(filter(None, stored)), stored.count(None)


def look_up(claim: Evidence, turns: Sequence[Turn]) -> Evidence | None:
    """Look a quote up. Return the claim with the turn's number and exact words, or None if the quote is in no turn.

    Nothing is folded for a quote that is in its turn word for word.

    >>> turns = [Turn(12, 3, "user", "So, my cat is called “Mochi”!", "")]
    >>> look_up(Evidence(3, None, 1, 'My cat is called "Mochi"'), turns)
    Evidence(session=3, date=None, turn=12, quote='my cat is called “Mochi”!', text='')
    """
    pieces = _LEFT_OUT.split(claim.quote, _PARTS) if len(claim.quote) <= _LONGEST else []
    if not 0 < len(pieces) <= _PARTS or not _LETTER.search(claim.quote):
        return None
    parts: list[list[str]] = []
    for turn in sorted(turns, key=lambda turn: turn.index != claim.turn):  # first the turn that the claim names
        if claim.quote in turn.content:
            return replace(claim, session=turn.session, turn=turn.index)
        parts = parts or [part for part, _ in map(exact_words, pieces) if part]
        if parts and (span := _span(turn.content, parts)):
            return replace(claim, session=turn.session, turn=turn.index, quote=_with_ends(turn.content, *span))
    return None


def _span(content: str, parts: Sequence[Sequence[str]]) -> tuple[int, int] | None:
    """Find the parts of a quote in a turn, in order. Return where they start and end, or None."""
    starts = range(0, max(len(content) - _OVERLAP, 1), _BLOCK - _OVERLAP)
    blocks = ((start, content[start : start + _BLOCK]) for start in starts)
    for start, block in islice((each for each in blocks if may_contain(each[1], parts[0])), _MOST_BLOCKS):
        if found := _words(block).span(parts, 2 * _LONGEST):
            return start + found[0], start + found[1]
    return None


def _with_ends(content: str, start: int, stop: int) -> str:
    """Return the text from `start` to `stop` with the symbols next to it, such as a currency sign or a full stop."""
    before, after = content[max(start - 8, 0) : start], content[stop : stop + 8]
    return f"{_NO_SIGN.split(before)[-1]}{content[start:stop]}{_NO_SIGN.split(after)[0]}"


def _split(line: str, turns: Sequence[Turn]) -> tuple[str, str, str] | None:
    """Split a line into the text before a quote, the quote, and the text after it. None if the line has no quote.

    The quote is the longest one that is in a turn word for word, or else the shortest one.
    """
    opening = _OPENING.search(line)
    start = opening.end() if opening else 0
    ends = [mark.start() for mark in _CLOSING.finditer(line, start + 1, start + 1 + _LONGEST)] if opening else []
    there = (end for end in reversed(ends[1:][-_ENDS:]) if any(line[start:end] in turn.content for turn in turns))
    end = next(there, ends[0] if ends else None)
    return None if end is None else (line[: start - 1], line[start:end], line[end + 1 :])


def supporting(text: str, evidence: Sequence[Evidence]) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    """Split evidence into the part that supports an answer and the rest.

    The weight of evidence is the sum of the weights of the words that it shares with the answer. Rare words weigh more.
    Evidence supports the answer if it weighs at least half as much as the heaviest evidence, or if the answer contains
    all words of the quote. Nothing supports "I don't know".

    Args:
        text: The answer.
        evidence: What was found, oldest session first.

    Returns:
        The supporting evidence, heaviest first, and the rest in the given order.

    >>> cat, dog = Evidence(1, None, 1, "My cat is called Mochi.", ""), Evidence(2, None, 3, "I have a dog.", "")
    >>> [found.quote for found in supporting("It is Mochi.", (dog, cat))[0]]
    ['My cat is called Mochi.']
    """
    said = set() if text.strip() == UNKNOWN else set(content_words(text[:_ANSWER]))
    in_quote = [set(content_words(each.quote[:_FOUND])) for each in evidence]
    held = [words | set(content_words(each.text[:_FOUND])) for words, each in zip(in_quote, evidence, strict=True)]
    spread = Counter(word for words in held for word in words)
    weights = [math.fsum(math.log((len(evidence) + 1) / spread[word]) for word in words & said) for words in held]
    least = _SHARE * max(weights, default=0.0)
    order = sorted(range(len(evidence)), key=lambda at: -weights[at])
    best = [at for at in order if weights[at] and (weights[at] >= least or (in_quote[at] and in_quote[at] <= said))]
    rest = sorted(set(order).difference(best))
    return tuple(evidence[at] for at in best), tuple(evidence[at] for at in rest)


def quoted(text: str, turns: Sequence[Turn], store: MemoryStore) -> list[Evidence]:
    """Return the sentences of turns that an answer quotes, or else those that contain most of its words."""
    said = ((turn, sentence.strip()) for turn in turns for sentence in _SENTENCE.split(turn.content[:_READ]))
    of_turns = (Evidence(turn.session, None, turn.index, sentence) for turn, sentence in said if sentence)
    evidence = list(islice(of_turns, _MOST_SENTENCES))
    best = supporting(text, evidence)[0][:_QUOTED]
    return [replace(each, date=store.sessions[(each.session or 1) - 1].date) for each in best]
