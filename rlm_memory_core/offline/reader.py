"""Answers with quotes: from one session as a sub-agent does, or from a whole history.

Nothing is rephrased, inferred or computed. If a question is about the present, the newest of several passages that
match about equally well comes first.
"""

import re
from collections.abc import Sequence
from datetime import date

from ..query.prompts import NOT_FOUND, UNKNOWN
from ..store.dates import moments, parse_date
from .history import Turn, parse_turns
from .matching import Passage, best_passages

ABOUT = (
    "I am the offline reader (no LLM): I only quote what was said before. Ask me about that. "
    'To talk to a model, name one: model="gpt-4o-mini" in Python, --model gpt-4o-mini in the shell.'
)
_QUOTES = 3  # maximum sentences that a sub-agent quotes
_ENOUGH = 1 / 4  # a passage must cover more than this share of the question
_AS_GOOD, _WORTH_ADDING = 0.8, 0.5  # share of the best score of a passage that is about as good, or worth adding
_WORDS = 40  # maximum words of an answer
_PRESENT = re.compile(r"\b(?:am|is|are|do|does|has|have|now|current(?:ly)?|latest)\b|\w['’](?:ve|re|m)\b", re.I)
_PAST = re.compile(r"\b(?:did|was|were|had|used to)\b", re.I)


def extract(session: str, date: str | None, question: str) -> str:
    """Quote what a session says about a question, as a sub-agent does.

    Args:
        session: The session's text.
        date: The session's date, or None.
        question: The question.

    >>> extract("[Turn 1][user]: My cat is called Mochi.", "2023/05/20", "What is my cat called?")
    '- [Turn 1] "My cat is called Mochi.": user'
    """
    passages = best_passages(_said(parse_turns(session, parse_date(date))), question, weigh=False)
    told = [each for each in passages if each.covered > _ENOUGH and each.tells_more]
    return "\n".join(_line(passage) for passage in told[:_QUOTES]) or NOT_FOUND


def answer(turns: Sequence[Turn], question: str) -> str:
    """Quote the passages of a history that answer a question, or return "I don't know".

    Args:
        turns: The history, oldest turn first.
        question: The question.

    >>> answer([Turn("user", "My cat is called Mochi.")], "What is my cat called?")
    'My cat is called Mochi.'
    """
    return " ".join(quoted(turns, question)) or UNKNOWN


def quoted(turns: Sequence[Turn], question: str) -> dict[str, Passage]:
    """Return the passages that answer a question, in order, by the text that quotes them; {} if there are none."""
    passages = [each for each in best_passages(_said(turns), question) if each.covered > _ENOUGH and each.tells_more]
    if not passages:
        return {}
    best = [each for each in passages if each.score >= _WORTH_ADDING * passages[0].score]
    if _PRESENT.search(question) and not _PAST.search(question):
        as_good = [each for each in best if each.score >= _AS_GOOD * passages[0].score]
        best[: len(as_good)] = sorted(as_good, key=lambda passage: -passage.turn.session)
    dated = re.search(r"\bwhen\b", question, re.I) is not None
    quotes: dict[str, Passage] = {}
    for passage in best:
        day = _day(passage) if dated else None
        quote = f"{passage.text} ({day.day} {day:%B %Y})" if day else passage.text
        fits = len(" ".join([*quotes, quote]).split()) <= _WORDS
        if not quotes or (passage.words and fits and quote not in quotes):
            quotes[quote] = passage
    return quotes


def _said(turns: Sequence[Turn]) -> list[Turn]:
    """Leave out turns in which the reader describes itself."""
    return [turn for turn in turns if ABOUT not in turn.text]


def _line(passage: Passage) -> str:
    turn = passage.turn
    number = f"[Turn {turn.number}] " if turn.number else ""
    near = f", near: {', '.join(passage.near)}" if passage.near else ""
    return f'- {number}"{passage.text}": {turn.role}{near}'


def _day(passage: Passage) -> date | None:
    """Return the day that a passage is about: the day that its words name, or else the day of its session."""
    spoken = moments(passage.text, passage.turn.day)
    return spoken[0].day if spoken else passage.turn.day
