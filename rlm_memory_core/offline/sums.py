"""Sums: amounts added up and things counted over several passages.

An amount is taken as it is stated; a thing counts once however often it is
told. It does not know whether a thing was later sold, lost or returned.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ..store.dates import NUMBER_WORDS
from .evidence import Evidence
from .forms import COUNTED, CURRENCY, DIFFERENCE, NUMBER
from .passages import Passage
from .question import Query
from .words import WORD, stem, weight

Value = tuple[str, list[Passage]]
"""A value in words, and the passages it rests on."""

_MONEY = re.compile(
    rf"(?:(?P<sign>[$€£])\s?(?P<of_sign>\d[\d,]*(?:\.\d+)?)|(?<![\d$€£.,])(?P<of_word>\d[\d,]*(?:\.\d+)?)\s(?P<word>{CURRENCY})\b)"
    r"(?P<each> (?:each|apiece|per (?:piece|person|head)|a piece)\b)?"
)
_SO_MANY = re.compile(rf"\b({NUMBER})(?: [\w'-]+){{1,4}} (?:for|at)(?: about)? $", re.I)
_DURATION = re.compile(
    rf"\b({NUMBER}|(?:(?<=for )|(?<=took )|(?<=spent )|(?<=about )|(?<=in ))an?)"  # not "twice a week"
    r"[\s-]+(?:full |whole )?(minute|hour|day|week|month|year)s?\b",
    re.I,
)
_COUNT = re.compile(rf"\b({NUMBER})\b", re.I)
_NUMBER_NEAR = re.compile(rf"\b{NUMBER}\b(?!-)((?:\s+[\w'-]+){{1,4}})", re.I)
_DIFFERENCE = re.compile(DIFFERENCE, re.I)
_OTHER_THING = re.compile(r", |\band\b")
_LONG = 60  # characters before a price in which the number of things is looked for
_HOURS = {"minute": 1 / 60, "hour": 1.0, "day": 24.0, "week": 168.0, "month": 730.5, "year": 8766.0}
_NAMES = {value: word for word, value in NUMBER_WORDS.items()}

_Amounts = Callable[[str], list[tuple[int, float]]]


def total(query: Query, evidence: Evidence) -> Value | None:
    """Add up one amount an item where the question lists items, else all different amounts of the user's own.

    Args:
        query: The question, taken apart.
        evidence: Its passages.
    """
    if not query.unit and COUNTED.search(query.text):
        return count(query, evidence)
    best = evidence.best
    amounts = _of_duration(query.unit) if query.unit else _of_money
    found = _by_item(query, amounts, evidence)
    if len(found) < 2:
        near = [passage for passage in best[:8] if passage.score >= 0.7 * best[0].score and passage.role != "assistant"]
        every = slice(None) if query.unit else slice(1)  # beside a price, others stand for other things
        first = [(stated[1], passage) for passage in near for stated in amounts(passage.text)[every]]
        found = list({amount: (amount, passage) for amount, passage in reversed(first)}.values())[::-1]
    if len(found) < 2:
        return None
    values = [amount for amount, _ in found]
    result = abs(values[0] - values[1]) if _DIFFERENCE.search(query.text) else sum(values)
    support = [passage for _, passage in found]
    if query.unit:
        return f"{result:g} {query.unit}{'' if result == 1 else 's'}", support
    return _priced(result, support), support


def sum_of_items(query: Query, evidence: Evidence) -> Value | None:
    """Add up the prices of things that a question on money lists, where each has one of its own."""
    found = _by_item(query, _of_money, evidence)
    if len(found) < 2 or len(found) < len(query.part_terms):
        return None
    support = [passage for _, passage in found]
    return _priced(sum(amount for amount, _ in found), support), support


def _priced(amount: float, support: Sequence[Passage]) -> str:
    """An amount in the currency of the passages it comes from."""
    written = f"{amount:,.2f}".removesuffix(".00")
    stated = next((match for passage in support if (match := _MONEY.search(passage.text))), None)
    return (
        f"{written} {stated['word']}" if stated and stated["word"] else f"{stated['sign'] if stated else '$'}{written}"
    )


def count(query: Query, evidence: Evidence) -> Value | None:
    """Count the different things told, or add up the numbers of listed items; nothing where a sentence states it.

    Args:
        query: The question, taken apart.
        evidence: Its passages.
    """
    best = evidence.best
    listed = _by_item(query, _of_count, evidence)
    if len(listed) > 1:
        return spoken_number(round(sum(amount for amount, _ in listed))), [passage for _, passage in listed]
    own = [passage for passage in best if passage.role != "assistant" and passage.score >= 0.75 * best[0].score]
    if any(_states(passage.text, query) for passage in own[:4] if passage.score >= 0.85 * best[0].score):
        return None
    known: list[set[str]] = []
    support: list[Passage] = []
    for passage in own:
        if not query.counted & passage.hits:
            continue
        said = [word for word in WORD.findall(passage.text) if weight(word) >= 0.5]
        names = {stem(word) for word in said[1:] if word[0].isupper()}
        new = (names or {stem(word) for word in said}) - set(query.terms)
        if not any(len(new & other) >= min(len(new), len(other)) / 3 for other in known):
            known.append(new)
            support.append(passage)
    return (spoken_number(len(known)), support) if known else None


def spoken_number(number: int, thing: str = "") -> str:
    """Give a number as digits and, where it is short, as a word.

    Args:
        number: The number.
        thing: What it counts, with a blank before it.

    >>> spoken_number(4), spoken_number(45, " days"), spoken_number(4, " days")
    ('4 (four)', '45 days', '4 days (four days)')
    """
    return f"{number}{thing} ({_NAMES[number]}{thing})" if number <= 20 else f"{number:,}{thing}"


def _by_item(query: Query, amounts: _Amounts, evidence: Evidence) -> list[tuple[float, Passage]]:
    """For each item that the question lists, the amount that stands closest to its words, and closer to no other's."""
    rows = [list(_stated(terms, amounts, evidence)) for terms in query.part_terms]
    found: dict[tuple[str, int], tuple[int, int, float, Passage]] = {}
    waiting = list(range(len(rows)))
    while waiting:
        item = waiting.pop(0)
        while rows[item]:
            key, apart, amount, passage = rows[item].pop(0)
            if key not in found or apart < found[key][1]:
                if key in found:
                    waiting.append(found[key][0])
                found[key] = item, apart, amount, passage
                break
    return [(amount, passage) for _, _, amount, passage in sorted(found.values(), key=lambda entry: entry[0])]


def _stated(
    terms: frozenset[str], amounts: _Amounts, evidence: Evidence
) -> Iterator[tuple[tuple[str, int], int, float, Passage]]:
    """For each passage on an item the amount closest to its words: where it stands, and how far from them."""
    for passage in evidence.of_item(terms)[:6]:
        stated = amounts(passage.text) if passage.role != "assistant" else []
        at = [word.start() for word in WORD.finditer(passage.text) if stem(word[0]) in terms & passage.hits]
        if stated and at:
            apart, place, amount = min(
                (min(_apart(passage.text, place, start) for start in at), place, amount) for place, amount in stated
            )
            yield (passage.text, place), apart, amount, passage


def _apart(sentence: str, amount: int, word: int) -> int:
    """How far an amount stands from a word; across a comma or an "and" it belongs rather to something else."""
    between = sentence[min(amount, word) : max(amount, word)]
    return len(between) * (1 if amount > word else 2) + 40 * bool(_OTHER_THING.search(between))


def _of_money(sentence: str) -> list[tuple[int, float]]:
    """The amounts of a sentence and their places; "two mugs for $25 each" is $50."""
    found = []
    for match in _MONEY.finditer(sentence):
        several = _SO_MANY.search(sentence, max(match.start() - _LONG, 0), match.start()) if match["each"] else None
        amount = float((match["of_sign"] or match["of_word"]).replace(",", ""))
        found.append((match.start(), amount * (_number(several[1]) if several else 1)))
    return found


def _of_count(sentence: str) -> list[tuple[int, float]]:
    return [(match.start(), _number(match[1])) for match in _COUNT.finditer(sentence)]


def _of_duration(unit: str) -> _Amounts:
    def durations(sentence: str) -> list[tuple[int, float]]:
        return [
            (match.start(), round(_number(match[1]) * _HOURS[match[2].lower()] / _HOURS[unit], 2))
            for match in _DURATION.finditer(sentence)
        ]

    return durations


def _number(text: str) -> float:
    text = text.lower().replace(",", "")
    if text[0].isdigit():
        return float(text)
    return float({"a": 1, "an": 1, "couple": 2, "a dozen": 12}.get(text) or NUMBER_WORDS.get(text, 0))


def _states(sentence: str, query: Query) -> bool:
    """Whether a sentence puts a number right before the thing that is counted."""
    return any(
        query.counted & {stem(word) for word in WORD.findall(match[1])} for match in _NUMBER_NEAR.finditer(sentence)
    )
