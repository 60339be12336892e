"""Decides whether turns that a last search printed beside FINAL may change the answer.

If they may, the model sees them and answers again. That costs one more call, so common words do not count.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from ..search.occurrences import occurrences, stem
from ..search.word_index import spread
from ..search.words import content_words
from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .evidence import Evidence

_RARE, _RARER = 0.02, 0.012  # shares of the turns that contain a rare word
_FEW = 3  # a word in so few turns weighs twice as much
_MUCH, _ENOUGH = 4, 2  # weight of rare words shared with question and quotes, and with an earlier cited turn
_POINTED = 2  # a search that prints no more new turns was for something definite
_MOST_WORDS = 300
_NEAR = 10  # turns; one that is as near to a cited turn shares words with it anyway
_PASTED = 800  # characters; a longer turn of the user is a pasted text


def may_change(
    store: MemoryStore, question: str, cited: Collection[Evidence], new: Collection[Turn], probes: Collection[str],
    is_open: bool = False,
) -> list[Turn]:  # fmt: skip
    """Return those of some new turns that may change an answer.

    A turn may if it shares much with the question and the quotes, or if it follows a cited turn and repeats a name or
    rare words of it: people tell of changes in steps, and a later step hardly ever repeats the matter's own word. It
    also may if it contains all words of a probe, one of them rare, and nothing else is new: the search was for it. If
    one other turn is new, it must contain two words of such probes. A probe does not count if a cited turn near the new
    one contains it too: the new turn then only goes on about the same matter.

    Texts that the user pasted, and what the assistant said near a cited turn, count only if the answer is open.

    Args:
        store: The history. Its words must be indexed.
        question: The question.
        cited: The evidence for the answer.
        new: Turns that the model had not seen when it answered.
        probes: What it searched for beside the answer.
        is_open: Whether the answer is "I don't know". Then it does not matter how much else is new.
    """
    known = [store.turns[number - 1] for number in {each.turn for each in cited if each.turn}]
    new = [turn for turn in new if is_open or not (_is_near(turn, known) if _is_assistant(turn) else _is_pasted(turn))]
    found = _sharing(store, " ".join([question, *(each.quote for each in cited)]), new, _RARE, _MUCH)
    if is_open or len(new) <= _POINTED:
        said = defaultdict[int, set[str]](set)  # for each turn, the stems of the probes that it contains
        for words in map(content_words, probes):
            containing = _containing(store, words, [*new, *known])
            for turn in containing:
                if not _is_near(turn, [each for each in containing if each in known]):
                    said[turn.index].update(map(stem, words))
        found += [turn for turn in new if len(said[turn.index]) >= (1 if is_open else len(new))]
    for turn in known:
        if not (_is_assistant(turn) or _is_pasted(turn)):
            later = [each for each in new if each.index > turn.index + _NEAR and not _is_pasted(each)]
            found += _sharing(store, turn.content, later, _RARER, _ENOUGH)
    return found


def _is_assistant(turn: Turn) -> bool:
    return turn.role == "assistant"


def _is_pasted(turn: Turn) -> bool:
    return len(turn.content) > _PASTED


def _is_near(turn: Turn, others: Collection[Turn]) -> bool:
    """Return whether a turn is one of some others, or near one of them in the same session."""
    return any(turn.session == each.session and abs(turn.index - each.index) <= _NEAR for each in others)


def _containing(store: MemoryStore, words: Sequence[str], turns: Collection[Turn]) -> list[Turn]:
    """Return those of some turns that contain all of some words, if one of the words is rare."""
    words = list(dict.fromkeys(words))[:_MOST_WORDS]
    counts = spread(store, words)
    if not 0 < min(counts.values(), default=0) <= max(_FEW, int(len(store) * _RARER)):
        return []
    found = occurrences(words, [turn.content for turn in turns])
    return [turn for turn, places in zip(turns, found, strict=True) if {word for *_, word in places}.issuperset(words)]


def _sharing(store: MemoryStore, text: str, turns: Collection[Turn], rare: float, least: int) -> list[Turn]:
    """Return those of some turns that share rare words with a text.

    Args:
        store: The history.
        text: The text.
        turns: The turns.
        rare: The largest share of all turns that may contain such a word.
        least: The weight that the shared words must have together.
    """
    most = max(_FEW, int(len(store) * rare))
    counts = spread(store, list(dict.fromkeys(content_words(text)))[:_MOST_WORDS]) if turns else {}
    weights = {word: 2 if count <= _FEW else 1 for word, count in counts.items() if 0 < count <= most}
    found = zip(turns, occurrences(list(weights), [turn.content for turn in turns]), strict=True)
    return [turn for turn, places in found if sum(map(weights.__getitem__, {word for *_, word in places})) >= least]
