"""Which sentences of a history match a question best.

A sentence counts for each word of the question that it holds, and for less if the word stands elsewhere in its turn or
in a turn beside it. Rare words count for more. SQLite's FTS5 compares the words by their stems.
"""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dateutil.parser import parserinfo

from ..search.occurrences import occurrences
from ..search.words import content_words, with_other_vowels
from ..store.escaping import well_formed
from .history import Turn, sentences

_IN_TURN, _BESIDE = 1 / 2, 1 / 4  # what a word counts that stands in the same turn, or in a turn beside it
_NOT_ASKED = 1 / 2  # what a sentence of the assistant counts in a question that does not say "you"
_ASKS = 1 / 2  # what a sentence counts that asks
_WORDY = 6  # words of a question that count in full
_YOU = re.compile(r"\byour?\b", re.I)
_DATES = parserinfo()


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence and how well it matches a question.

    Args:
        text: The sentence.
        turn: The turn that holds it.
        covered: The share of the question's words in the sentence and around it. A question of more than six words
            counts as one of six: the others are wordiness.
        score: The share by the words' weights, less for the assistant's sentences if they are not asked for.
        words: The question's words in the sentence.
        near: The question's words around it.
    """

    text: str
    turn: Turn
    covered: float
    score: float
    words: tuple[str, ...]
    near: tuple[str, ...]

    @property
    def tells_more(self) -> bool:
        """Whether the sentence has other content words than the question: if not, it only asks the same."""
        return len(content_words(self.text)) > len(self.words)


def question_words(question: str) -> list[str]:
    """The content words of a question, in small letters.

    >>> question_words("What is my cat called?")
    ['cat', 'called']
    """
    return content_words(well_formed(question))


def names(question: str) -> list[str]:
    """The capitalised words within sentences of a question, in small letters. Months and weekdays are no names.

    >>> names("Where did my cousin Boris live in July? In Rome?")
    ['boris', 'rome']
    """
    words = question.split()
    inner = [word for before, word in pairwise(words) if before[-1] not in ".?!:"]
    found = [name for word in inner if word.lstrip("\"'“‘(")[:1].isupper() for name in question_words(word)]
    return [name for name in found if _DATES.month(name) is None and _DATES.weekday(name) is None]


def best_passages(turns: Sequence[Turn], question: str, weigh: bool = True) -> list[Passage]:
    """The sentences with words of a question in or around them, the best first; of equals the earlier comes first.

    Args:
        turns: The history, oldest turn first.
        question: Any text.
        weigh: Whether words that few turns hold count for more. Within a single session that says little.

    >>> best_passages([Turn("user", "It rains. My cat is Mochi.")], "What is my cat called?")[0].text
    'My cat is Mochi.'
    """
    words = question_words(question)
    texts = [f"{turn.role} {turn.about} {turn.text}" for turn in turns]
    forms = {word: word for word in words}
    in_turn = _found(forms, texts)
    if not any(in_turn.values()):  # "grow" may stand there as "grew"
        forms = {with_other_vowels(word) or word: word for word in words}
        in_turn = _found(forms, texts)
    weights = {word: _rarity(len(found), len(turns)) if weigh else 1.0 for word, found in in_turn.items()}
    around = _around(in_turn, turns)  # only these turns are cut into sentences: most turns of a history match nothing
    cut = [(place, sentence) for place in sorted(around) for sentence in sentences(turns[place].text)]
    words_of: dict[int, list[str]] = {}
    for word, found in _found(forms, [sentence for _, sentence in cut]).items():
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


def _found(forms: Mapping[str, str], texts: Sequence[str]) -> dict[str, set[int]]:
    """For each word, by the forms to look for, the positions of the texts that hold it."""
    found: dict[str, set[int]] = {word: set() for word in forms.values()}
    for at, each in enumerate(occurrences(list(forms), texts)):
        for *_, form in each:
            found[forms[form]].add(at)
    return found


def _around(in_turn: Mapping[str, Collection[int]], turns: Sequence[Turn]) -> dict[int, dict[str, float]]:
    """For each turn near a word of the question, what that word counts for all of its sentences."""
    around: dict[int, dict[str, float]] = {}
    for word, found in in_turn.items():
        for place in sorted(found):
            for near in (place - 1, place + 1):
                if 0 <= near < len(turns) and turns[near].session == turns[place].session:
                    around.setdefault(near, {}).setdefault(word, _BESIDE)
            around.setdefault(place, {})[word] = _IN_TURN
    return around


def _rarity(held: int, count: int) -> float:
    """BM25's weight of a word that so many of the turns hold."""
    return math.log(1 + (count - held + 0.5) / (held + 0.5))
