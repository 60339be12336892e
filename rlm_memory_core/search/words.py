"""Cuts texts of any language into the words that are indexed and compared.

Words are compared without letter case, accents and the Arabic article. English words are compared by their stems,
which SQLite's FTS5 computes. Words in other alphabets are compared by their beginnings. If the history lacks a word,
its beginning can be searched for instead, so that "Katzen" finds "Katze". Text without spaces, such as Chinese,
Japanese or Thai, is cut into overlapping pairs or triples of characters. So are Korean and Hebrew, which attach
particles to words. `occurrences` finds words in texts.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, filterfalse
from unicodedata import category, normalize

from ..store.substring import comparable

TOKENS = "tokenize = 'porter ascii'"
"""Tells FTS5 how to split the result of `indexed_form`."""

_PAIRS = (  # Hangul, kana and Han are cut into pairs of characters
    "\u1100-\u11ff\u3005-\u3007\u3041-\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u318f\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)
_TRIPLES = (  # Hebrew, Thai, Lao, Burmese and Khmer are cut into triples; Hebrew attaches prefixes to words
    "\u05d0-\u05ea\u0e01-\u0e3a\u0e40-\u0e4e\u0e50-\u0e59\u0e80-\u0eff\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u17e0-\u17e9"
)
_MARKS = "".join(chr(code) for code in range(0x300, 0x1E00) if category(chr(code))[0] == "M") + "\u3099\u309a"
_SPACELESS = re.compile(f"([{_PAIRS}])|[{_TRIPLES}]")
_WORD = re.compile(rf"[{_PAIRS}]+|[{_TRIPLES}]+|(?:(?![{_PAIRS}{_TRIPLES}])[^\W_]|[{_MARKS}])+")
_ONE_CHARACTER = re.compile(rf"[{_PAIRS}{_TRIPLES}]|(?:(?![{_PAIRS}{_TRIPLES}])[^\W_]|[{_MARKS}])+")
_TOGETHER = re.compile(rf"[\0-\x7f]+(?=[\0-\x7f]|\Z)|.[{_MARKS}\u1160-\u11ff\uff9e\uff9f]*", re.S)
_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]+")
_ARTICLE, _ARABIC = re.compile(r"\A(?:[وفبك]?ال|لل)(?=..)"), str.maketrans("ىة", "يه")
# forms of a word may differ in the last two letters; they share at least three letters, in the Latin alphabet four
_ENDING, _LEAST, _LEAST_LATIN = 2, 3, 4
_VOWELS, _CONSONANTS = re.compile("[aeiou]+"), 3  # with fewer consonants, other vowels make a different word
_LONGEST = 10  # maximum consonants of a word with irregular forms
_ABLAUT = ("a", "e", "i", "o", "u", "ee", "oo", "ou")

# The closed classes of English: articles, pronouns, auxiliaries, prepositions, conjunctions, quantifiers,
# the commonest adverbs, and the parts of contractions ("I've" is read as "i" and "ve").
FUNCTION_WORDS = frozenset(
    "a about above across after again against ago all almost along already also although always am among an and "
    "another any anybody anyone anything are around as at away be because been before being below between both but "
    "by can cannot could d did do does doing done down during each either else enough even ever every everybody "
    "everyone everything few for from further get gets getting got had has have having he her here hers herself him "
    "himself his how i if in into is it its itself just ll m many may me might mine more most much must my myself "
    "neither no nobody none nor not nothing now of off often on once one ones only onto or other others our ours out "
    "over own per quite rather re s same shall she should since so some somebody someone something such t than that "
    "the their theirs them themselves then there these they this those though through to together too toward "
    "towards under until unto up upon us ve very was we were what whatever when whenever where whether which while "
    "who whoever whom whose why will with within without would yes yet you your yours yourself".split()
)


def indexed_form(text: str) -> str:
    """Return the words of a text as FTS5 indexes and compares them. ASCII text is unchanged: FTS5 finds its words.

    >>> indexed_form("Une tasse de café"), indexed_form("我的猫")
    ('une tasse de cafe', '我的 的猫 猫')
    """
    return text if text.isascii() else " ".join(word for word, *_ in _words(_folded(text)))


def telling(text: str) -> str:
    """Return the words of a turn that are indexed: all but English function words, which nobody searches for.

    So a search for a name with the stem of a function word, such as "Ines" ("in"), finds only the name. A function word
    with a capital letter is kept, because it may be a name.

    >>> telling("Ines is in Will's garden.")
    "Ines Will's garden."
    """
    chunks = [text] if text.isascii() else text.split()  # few are not ASCII, and only these take time
    kept = (filterfalse(_function_words(each).__contains__, indexed_form(each).split()) for each in chunks)
    return " ".join(chain.from_iterable(kept))


def located(text: str) -> list[tuple[str, int, int]]:
    """Return the words of `indexed_form`, and the start and the end of each in the text.

    >>> located("Zwei Cafés"), located("我的猫")
    ([('zwei', 0, 4), ('cafes', 5, 10)], [('我的', 0, 2), ('的猫', 1, 3), ('猫', 2, 3)])
    """
    folded, places = _traced(text)
    spans = [(places[start][0], places[stop - 1][1]) for _, start, stop in _words(folded)]
    return [(word, *span) for word, span in zip(indexed_form(text).split(), spans, strict=False)]


def exact_words(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the words of a text for comparing quotes, and their places.

    In text without spaces, each character is a word.

    >>> exact_words("Ein Café")
    (['ein', 'cafe'], [(0, 3), (4, 8)])
    """
    folded, places = _traced(text)
    found = list(_ONE_CHARACTER.finditer(folded))
    return [word[0] for word in found], [(places[word.start()][0], places[word.end() - 1][1]) for word in found]


def may_contain(text: str, words: Iterable[str]) -> bool:
    """Return whether a text may contain all of some words of `exact_words`. This is much faster than `exact_words`."""
    return all(map(_folded(text).__contains__, words))


def content_words(text: str) -> list[str]:
    """Return the words of a text as they are compared, each once, without English function words.

    >>> content_words("What is my cat called? My CAT!"), content_words("我的猫")
    (['cat', 'called'], ['我的', '的猫'])
    """
    words = dict.fromkeys(word for word, *_ in _words(_folded(text), ends=False))
    return list(filterfalse(_function_words(text).__contains__, words))


def beginning(word: str) -> str:
    """Return the beginning that all forms of a word share; "" if only the word itself counts as a form.

    Args:
        word: A word from `content_words`, or a beginning from `loosened`.

    >>> beginning("cat"), beginning("кошка"), beginning("猫"), beginning("我的"), beginning("katz*")
    ('', 'кош', '猫', '', 'katz')
    """
    if word.endswith("*"):
        return word[:-1]
    if size := _size(word):
        return word if len(word) < size else ""
    return "" if word.isascii() else word[: max(len(word) - _ENDING, _LEAST)]


def loosened(word: str) -> str:
    """Return what to search for if the history lacks a word: its beginning and a star; "" for a short word.

    >>> loosened("katzen"), loosened("cat"), loosened("猫几")
    ('katz*', '', '猫*')
    """
    if _size(word):
        return f"{word[:-1]}*" if len(word) > 1 else ""
    return f"{word[: max(len(word) - _ENDING, _LEAST_LATIN)]}*" if word.isalpha() and len(word) >= _LEAST_LATIN else ""


def with_other_vowels(word: str) -> str:
    """Return possible irregular forms of an English word, for a history without any of the words; "" for a short word.

    >>> {"grew", "grown"} <= set(with_other_vowels("grow").split()), with_other_vowels("cat")
    (True, '')
    """
    if not (word.isascii() and word.isalpha() and _CONSONANTS <= len(_VOWELS.sub("", word)) <= _LONGEST):
        return ""
    runs = [run.span() for run in _VOWELS.finditer(word)]
    ends = ("", "e", "n", "en")  # grew, spoke, grown, spoken
    return " ".join(
        f"{word[:start]}{vowels}{word[stop:]}{end}" for start, stop in runs for vowels in _ABLAUT for end in ends
    )


def match_expression(words: Sequence[str]) -> str:
    """Return an FTS5 query for any of the words, in any form; "" if there are no words.

    Args:
        words: Results of `content_words`, `loosened` or `with_other_vowels`.

    >>> match_expression(["cat", "katz*"])
    '"cat" OR "katz" *'
    """
    forms = [form for word in words for form in word.split()]
    exact = [f'"{form}"' for form in forms if not form.endswith("*")]
    return " OR ".join([*exact, *(f'"{start}" *' for start in map(beginning, forms) if start)])


def _function_words(text: str) -> frozenset[str]:
    """Return the function words that may be in a text. Words with accents, such as "sợ", are not function words."""
    return FUNCTION_WORDS if text.isascii() else FUNCTION_WORDS.intersection(_WORD.findall(comparable(text)))


def _folded(text: str) -> str:
    """Fold case and accents of a text, so that its words can be compared. `_words` changes single words further."""
    text = comparable(text)
    return text if text.isascii() else normalize("NFC", _ACCENTS.sub("", normalize("NFD", text)))


def _words(folded: str, ends: bool = True) -> Iterator[tuple[str, int, int]]:
    """Yield the words of a folded text, and the start and the end of each.

    With `ends`, text without spaces also yields its last characters, which are shorter than its other words. They are
    indexed only so that short words find them.
    """
    for run in _WORD.finditer(folded):
        start, stop = run.span()
        if size := _size(run[0]):
            for at in range(start, stop if ends else max(stop - size, start) + 1):
                yield folded[at : min(at + size, stop)], at, min(at + size, stop)
        else:
            word = run[0] if run[0].isascii() else _ARTICLE.sub("", run[0].translate(_ARABIC))
            yield word, start, stop


def _size(run: str) -> int:
    """Return how many characters a word has in text without spaces; 0 for other text."""
    found = None if run.isascii() else _SPACELESS.match(run)
    return 0 if found is None else 2 if found[1] else 3


def _traced(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the folded text, and the place in the text that each of its characters comes from."""
    parts, places, fold = [], [], cache(_folded)
    for found in _TOGETHER.finditer(text):
        part = fold(found[0])
        parts.append(part)
        start, stop = found.span()
        places += [(at, at + 1) for at in range(start, stop)] if found[0].isascii() else [(start, stop)] * len(part)
    return "".join(parts), places
