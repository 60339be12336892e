"""Compares texts as readers do, and searches for a substring in this way.

`comparable` makes alike what looks alike: letter case, compositions of accents, digits of all scripts, full-width
letters, ligatures, typographic quotes and dashes. A turn keeps this form beside its content, unless SQLite's `lower`
gives it as well.
"""

import re
from unicodedata import normalize

_ALIKE = (("'", "‘’‚‛ʼ"), ('"', "“”„‟«»"), ("-", "‐‒–—―−"), ("i", "ı"), ("ae", "æ"), ("oe", "œ"))
_SIGNS = {ord(sign): plain for plain, signs in _ALIKE for sign in signs}
_SIGNS |= {ord(zero) + digit: str(digit) for zero in "٠۰߀०০੦૦୦௦౦೦൦๐໐༠၀០᠐" for digit in range(10)}
# nothing is seen of these; 0x307 is the dot of a small İ
_SIGNS |= dict.fromkeys((0xAD, 0x307, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF), "")
_LONG_RUN = re.compile(r"([^\w\s\0-\x7f]{30})[^\w\s\0-\x7f]++")  # accents without end: to order them takes squared time
LONGEST = 50  # characters of a keyword that SQLite looks for: more take more time. The caller checks the rest
MAY_HOLD = "instr(coalesce(folded, lower(content)), ?)"
"""The condition on a turn's columns; its parameter is the beginning of a comparable keyword."""


def comparable(text: str) -> str:
    """A text in the form in which texts are compared. It is not shown to anybody.

    >>> comparable("Cafe\\u0301 “５”") == comparable('CAFÉ "5"')
    True
    """
    if text.isascii():
        return text.lower()
    text = _LONG_RUN.sub(r"\1", text)
    return normalize("NFKC", normalize("NFKC", text).casefold()).translate(_SIGNS)


def folded(content: str) -> str | None:
    """The comparable form of a turn's content; None if SQLite's `lower` gives it.

    >>> folded("A milk carton"), folded("CAFÉ")
    (None, 'café')
    """
    return None if content.isascii() else comparable(content)
