"""Which sentences of a history match a question best.

A sentence counts for each word of the question that it holds, and for less if the word stands elsewhere in its turn or
in a turn beside it. Rare words count for more. SQLite's FTS5 compares the words by their stems.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from ..search.word_index import content_words
from ..store.escaping import well_formed
from .history import Turn, sentences

_WORD = re.compile(r"[^\W_]+")
_IN_TURN, _BESIDE = 1 / 2, 1 / 4  # what a word counts that is not in the sentence itself
_OTHER_SPEAKER = 1 / 2  # what a sentence of the assistant counts where the question is not about the assistant
_TABLE = "CREATE VIRTUAL TABLE texts USING fts5 (text, content = '', tokenize = 'porter unicode61 remove_diacritics 2')"


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence and how well it matches a question.

    Args:
        text: The sentence.
        turn: The turn that holds it.
        covered: The share of the question's words, by their weights, in the sentence and around it.
        score: `covered`, less if the assistant speaks and was not asked.
        near: The question's words that stand around the sentence and not in it.
    """

    text: str
    turn: Turn
    covered: float
    score: float
    near: tuple[str, ...]


def question_words(question: str) -> list[str]:
    """The content words of a question, in small letters.

    >>> question_words("What is my cat called?")
    ['cat', 'called']
    """
    return content_words(" ".join(_WORD.findall(well_formed(question))))


def names(question: str) -> list[str]:
    """The words that are capitalised within a sentence of the question, in small letters.

    >>> names("Where does my cousin Boris live? In Rome?")
    ['boris', 'rome']
    """
    words = question.split()
    inner = [word for before, word in zip(words, words[1:], strict=False) if before[-1] not in ".?!:"]
    return [name for word in inner if word.strip("\"'“‘(")[:1].isupper() for name in question_words(word)]


def best_passages(turns: Sequence[Turn], question: str, weigh: bool = True) -> list[Passage]:
    """The sentences that say something on a question, the best first.

    Args:
        turns: The history, oldest turn first.
        question: Any text.
        weigh: Whether words that few turns hold count for more. In a single session, that says little.

    Returns:
        All sentences with words of the question in or around them; of equals the earlier comes first. None, if the
        question has a name that is nowhere in the history.

    >>> best_passages([Turn("user", "It rains. My cat is Mochi.")], "What is my cat called?")[0].text
    'My cat is Mochi.'
    """
    words = question_words(question)
    cut = [(place, sentence) for place, turn in enumerate(turns) for sentence in sentences(turn.text)]
    places = [place for place, _ in cut] + list(range(len(turns)))
    texts = [sentence for _, sentence in cut] + [f"{turn.role} {turn.about}" for turn in turns]
    in_text = _texts_with(words, texts)
    in_turn = {word: {places[at] for at in found} for word, found in in_text.items()}
    if weigh and any(not in_turn[name] for name in names(question)):
        return []
    beside = {word: _neighbours(found, turns) for word, found in in_turn.items()}
    weights = {word: _rarity(len(found), len(turns)) if weigh else 1.0 for word, found in in_turn.items()}
    touched = set().union(*in_turn.values(), *beside.values())
    passages = []
    for at, (place, sentence) in enumerate(cut):
        if place in touched:
            levels = {
                word: 1.0 if at in in_text[word] else _IN_TURN if place in in_turn[word] else _BESIDE * (place in found)
                for word, found in beside.items()
            }
            covered = sum(weights[word] * level for word, level in levels.items()) / sum(weights.values())
            asked = turns[place].role != "assistant" or _ADDRESSED.search(question)
            near = tuple(word for word, level in levels.items() if 0 < level < 1)
            passages.append(Passage(sentence, turns[place], covered, covered * (1 if asked else _OTHER_SPEAKER), near))
    return sorted(passages, key=lambda passage: -passage.score)


def tells_more(passage: Passage, question: str) -> bool:
    """Whether a sentence has content words that are not in the question: else it only asks the same."""
    return len(content_words(passage.text)) > len(question_words(question)) - len(passage.near)


_ADDRESSED = re.compile(r"\byou\b|\byour\b", re.I)


def _texts_with(words: Sequence[str], texts: Sequence[str]) -> dict[str, set[int]]:
    """For each word, the positions of the texts that hold it in any form."""
    with closing(sqlite3.connect(":memory:")) as index:
        index.execute(_TABLE)
        index.executemany("INSERT INTO texts (rowid, text) VALUES (?, ?)", enumerate(map(well_formed, texts)))
        sql = "SELECT rowid FROM texts WHERE texts MATCH ?"
        return {word: {at for (at,) in index.execute(sql, (f'"{word}"',))} for word in words}


def _neighbours(places: set[int], turns: Sequence[Turn]) -> set[int]:
    """The places of the turns beside these, in the same session."""
    pairs = [(place, near) for place in places for near in (place - 1, place + 1) if 0 <= near < len(turns)]
    return {near for place, near in pairs if turns[near].session == turns[place].session}


def _rarity(held: int, count: int) -> float:
    """BM25's weight of a word that stands in so many of the turns."""
    return math.log(1 + (count - held + 0.5) / (held + 0.5))
