"""Compares an answer with the gold answer as text: EM and F1 by the paper's rules and by SQuAD's.

The paper's "exact match" is containment, and its F1 counts shared words once; SQuAD's own measures are here too. They
compare words, not meanings: "four" is not "4".
"""

import re
import string
from collections import Counter
from collections.abc import Callable
from typing import Literal, get_args

Scorer = Literal["fixed", "paper"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NOT_A_WORD = re.compile(r"[^\w\s]")
_PUNCTUATION = str.maketrans("", "", string.punctuation)

# read after white space became single spaces, so that time is linear in the length of a text
# "31 days. 32 days (with the last day) is also acceptable."
_ALSO_ACCEPTABLE = re.compile(r" (?:is|are)(?: also)? acceptable\.?\Z", re.I)
_FIRST_END = re.compile(r"(?<=.)[.;,] (?=.)")
_OR = re.compile(r"(?<!,) or ", re.I)  # after a comma it ends a list inside a sentence
_BRACKETED_OR = re.compile(r"\(or ([^()]+)\)", re.I)
_BRACKETS = re.compile(r" ?\([^()]*\)")
_COUNT = re.compile(r"(\d+) or (\d+)( \D+)", re.I)
_NOT_AN_ANSWER = frozenset("more less fewer so later earlier longer shorter over under not".split())
_LONGEST_CHOICE = 4  # words: "tea or coffee" offers a choice, a sentence with "or" in it does not


def normalize(text: str) -> str:
    """Returns the paper's normal form: lower case, no articles, words separated by single spaces.

    Example:
        >>> normalize("The red kite, e.g. at 7:30!")
        'red kite e g at 7 30'
    """
    return " ".join(_NOT_A_WORD.sub(" ", _ARTICLES.sub(" ", text.lower())).split())


def normalize_squad(text: str) -> str:
    """Returns SQuAD's normal form: deletes punctuation without leaving a space, then articles.

    Example:
        >>> normalize_squad("The red kite, e.g. at 7:30!")
        'red kite eg at 730'

    Source:
        Rajpurkar et al., "SQuAD", EMNLP 2016, Section 6.1, and its official script.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, gold: str, scorer: Scorer = "fixed") -> float:
    """Returns the paper's EM: 1.0 if the prediction CONTAINS a gold answer, after `normalize`.

    Containment of characters, not of words: "2" is in "on the 22nd". An empty gold never matches. `strict_match` is
    SQuAD's exact match.

    Args:
        prediction: The method's answer.
        gold: The benchmark's answer, with its alternatives.
        scorer: How to read alternatives; see `alternatives`.

    Example:
        >>> exact_match("You grew up in Nairobi.", "Nairobi")
        1.0

    Source:
        Paper, Section 4.3.
    """
    return _best(_contains, prediction, gold, scorer)


def strict_match(prediction: str, gold: str, scorer: Scorer = "fixed") -> float:
    """Returns SQuAD's exact match: 1.0 if the prediction equals a gold answer, after `normalize_squad`.

    Example:
        >>> strict_match("You grew up in Nairobi.", "Nairobi"), strict_match("nairobi.", "Nairobi")
        (0.0, 1.0)
    """
    return _best(_equals, prediction, gold, scorer)


def f1_set(prediction: str, gold: str, scorer: Scorer = "fixed") -> float:
    """Returns the paper's token F1, in 0..1: counts each shared word once, but lengths in full.

    So a repeated word lowers the score: "5.5 weeks" against itself shares 2 words of 3 and scores 0.67; `f1_squad`
    gives 1.0.

    Example:
        >>> f1_set("a blue car", "the blue house")
        0.5

    Source:
        Paper, Section 4.3; we inferred the counting from the authors' logged scores, which it reproduces to the digit.
    """
    return _best(_f1_set, prediction, gold, scorer)


def f1_squad(prediction: str, gold: str, scorer: Scorer = "fixed") -> float:
    """Returns SQuAD's token F1, in 0..1: a word counts as often as both texts have it, after `normalize_squad`.

    Example:
        >>> f1_squad("5.5 weeks", "5.5 weeks")
        1.0
    """
    return _best(_f1_squad, prediction, gold, scorer)


def alternatives(gold: str, scorer: Scorer = "fixed") -> list[str]:
    """Returns the answers that a gold answer accepts; the best score over them counts.

    `"fixed"` reads "X. Y is also acceptable", "X (or Y)" and a short "X or Y" as X and Y, and does not split at "or"
    inside a sentence or a list. `"paper"` splits as the authors did, errors included: it drops Y, and splits
    "Mindful.org" into "Mindful" and "g". Both keep the whole text as an answer too.

    Raises:
        ValueError: No such scorer.

    Example:
        >>> alternatives("31 days. 32 days (with the last day) is also acceptable.")[1:]
        ['31 days', '32 days']
    """
    if scorer not in get_args(Scorer):
        raise ValueError(f"scorer must be one of {', '.join(get_args(Scorer))}, not {scorer!r}")
    return [gold, *(_split_as_paper(gold) if scorer == "paper" else _split(gold))]


def _split_as_paper(gold: str) -> list[str]:
    if "acceptable" in gold.lower():
        return [gold.split(". ")[0]]
    return [part.strip() for part in re.split(r"\.\s*or", gold)]


def _split(gold: str) -> list[str]:
    gold = " ".join(gold.split())
    if (end := _ALSO_ACCEPTABLE.search(gold)) and len(both := _FIRST_END.split(gold[: end.start()], 1)) == 2:
        return [_BRACKETS.sub("", each).strip() for each in both]
    if found := _BRACKETED_OR.search(gold):
        return [_BRACKETED_OR.sub("", gold).strip(), found[1].strip()]
    text = gold.removeprefix("Either ").removeprefix("either ").rstrip(".")
    if found := _COUNT.fullmatch(text):  # "5 or 6 days" is "5 days", not any 5
        return [found[1] + found[3], found[2] + found[3]]
    choices = _OR.split(text)
    short = all(len(choice.split()) <= _LONGEST_CHOICE for choice in choices)
    if len(choices) == 1 or not short or _NOT_AN_ANSWER.intersection(choices[-1].lower().split()):
        return []
    return choices


def _best(compare: Callable[[str, str], float], prediction: str, gold: str, scorer: Scorer) -> float:
    return max(compare(prediction, accepted) for accepted in alternatives(gold, scorer))


def _contains(prediction: str, gold: str) -> float:
    wanted = normalize(gold)
    return float(bool(wanted) and wanted in normalize(prediction))


def _equals(prediction: str, gold: str) -> float:
    wanted = normalize_squad(gold)
    return float(bool(wanted) and wanted == normalize_squad(prediction))


def _f1_set(prediction: str, gold: str) -> float:
    said, wanted = normalize(prediction).split(), normalize(gold).split()
    return _f1(len(set(said) & set(wanted)), len(said), len(wanted))


def _f1_squad(prediction: str, gold: str) -> float:
    said, wanted = normalize_squad(prediction).split(), normalize_squad(gold).split()
    return _f1((Counter(said) & Counter(wanted)).total(), len(said), len(wanted))


def _f1(shared: int, said: int, wanted: int) -> float:
    # The harmonic mean of shared/said and shared/wanted.
    return 2 * shared / (said + wanted) if shared else 0.0
