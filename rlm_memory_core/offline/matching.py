"""Finds the sentences of a history that match a question best.

A sentence scores for each word of the question that it contains, and less for a word elsewhere in its turn or in a
neighbouring turn. Rare words count more. SQLite's FTS5 compares words by their stems.
"""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from dateutil.parser import parserinfo

from ..search.occurrences import occurrences, stem
from ..search.words import content_words, with_other_vowels
from ..store.escaping import well_formed
from ..store.substring import comparable
from .history import Turn, sentences

_IN_TURN, _BESIDE = 1 / 2, 1 / 4  # weight of a word elsewhere in the same turn, and in a neighbouring turn
_NOT_ASKED = 1 / 2  # weight of the assistant's sentences if the question does not say "you"
_ASKS = 1 / 2  # weight of a sentence that is a question
_WORDY = 6  # a question with more words counts as one with so many
_LETTERS = re.compile("[a-z]+")
_YOU = re.compile(r"\byour?\b", re.I)
_DATES = parserinfo()


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence and how well it matches a question.

    Args:
        text: The sentence.
        turn: The turn that contains it.
        covered: The share of the question's words in and near the sentence. A question with more than six words counts
            as one with six, because long questions contain filler words.
        score: The share weighted by the words' weights. It is lower for the assistant's sentences if the question does
            not ask about them, and for questions.
        words: The question's words in the sentence.
        near: The question's words near the sentence.
    """

    text: str
    turn: Turn
    covered: float
    score: float
    words: tuple[str, ...]
    near: tuple[str, ...]

    @property
    def tells_more(self) -> bool:
        """Whether the sentence has content words that the question lacks. If not, it only repeats the question."""
        return len(content_words(self.text)) > len(self.words)


def question_words(question: str) -> list[str]:
    """Return the content words of a question in lower case.

    >>> question_words("What is my cat called?")
    ['cat', 'called']
    """
    return content_words(well_formed(question))


def names(question: str) -> list[str]:
    """Return the capitalised words within sentences of a question, in lower case, without months and weekdays.

    >>> names("Where did my cousin Boris live in July? In Rome?")
    ['boris', 'rome']
    """
    words = question.split()
    inner = [word for before, word in pairwise(words) if before[-1] not in ".?!:"]
    found = [name for word in inner if word.lstrip("\"'“‘(")[:1].isupper() for name in question_words(word)]
    return [name for name in found if _DATES.month(name) is None and _DATES.weekday(name) is None]


def best_passages(turns: Sequence[Turn], question: str, weigh: bool = True) -> list[Passage]:
    """Return the sentences with words of a question in or near them, best first, then earliest first.

    Args:
        turns: The history, oldest turn first.
        question: Any text.
        weigh: Whether rare words count more. Within a single session, rarity says little.

    >>> best_passages([Turn("user", "It rains. My cat is Mochi.")], "What is my cat called?")[0].text
    'My cat is Mochi.'
    """
    words = question_words(question)
    texts = [f"{turn.role} {turn.about} {turn.text}" for turn in turns]
    find = _found
    in_turn = find(words, texts)
    if not any(in_turn.values()):
        find = _found_irregular
        in_turn = find(words, texts)
    weights = {word: _rarity(len(found), len(turns)) if weigh else 1.0 for word, found in in_turn.items()}
    around = _around(in_turn, turns)  # cut only these turns into sentences: most turns match nothing
    cut = [(place, sentence) for place in sorted(around) for sentence in sentences(turns[place].text)]
    words_of: dict[int, list[str]] = {}
    for word, found in find(words, [sentence for _, sentence in cut]).items():
        for at in found:
            words_of.setdefault(at, []).append(word)
    total = sum(weights.values())
    in_place = {place: sum(weights[word] * level for word, level in near.items()) for place, near in around.items()}
    of_assistant = _YOU.search(question) is not None
    passages = []
    for at, (place, sentence) in enumerate(cut):
        near, here = around[place], words_of.get(at, ())
        covered = (sum(near.values()) + sum(1 - near[word] for word in here)) / min(len(weights), _WORDY)
        score = (in_place[place] + sum(weights[word] * (1 - near[word]) for word in here)) / total
        score *= turns[place].weight
        score *= _NOT_ASKED if turns[place].role == "assistant" and not of_assistant else 1.0
        score *= _ASKS if sentence.endswith("?") else 1.0
        others = tuple(word for word in near if word not in here)
        passages.append(Passage(sentence, turns[place], covered, score, tuple(here), others))
    return sorted(passages, key=lambda passage: -passage.score)


def _found(words: Sequence[str], texts: Sequence[str]) -> dict[str, set[int]]:
    """Return, for each word, the positions of the texts that contain it."""
    found: dict[str, set[int]] = {word: set() for word in words}
    for at, each in enumerate(occurrences(words, texts)):
        for *_, word in each:
            found[word].add(at)
    return found


def _found_irregular(words: Sequence[str], texts: Sequence[str]) -> dict[str, set[int]]:
    """Do what `_found` does, but look for irregular forms of the words: "grow" may occur as "grew"."""
    said = [set(map(stem, _LETTERS.findall(comparable(text)))) for text in texts]
    return {word: {at for at, each in enumerate(said) if not each.isdisjoint(_irregular(word))} for word in words}


@lru_cache(maxsize=1_000)
def _irregular(word: str) -> frozenset[str]:
    return frozenset(map(stem, with_other_vowels(word).split()))


def _around(in_turn: Mapping[str, Collection[int]], turns: Sequence[Turn]) -> dict[int, dict[str, float]]:
    """Return, for each turn with or next to words of the question, how much these words count for its sentences."""
    around: dict[int, dict[str, float]] = {}
    for word, found in in_turn.items():
        for place in sorted(found):
            for near in (place - 1, place + 1):
                if 0 <= near < len(turns) and turns[near].session == turns[place].session:
                    around.setdefault(near, {}).setdefault(word, _BESIDE)
            around.setdefault(place, {})[word] = _IN_TURN
    return around


def _rarity(held: int, count: int) -> float:
    """Return BM25's weight of a word that is in `held` of `count` turns."""
    return math.log(1 + (count - held + 0.5) / (held + 0.5))
