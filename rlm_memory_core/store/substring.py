"""Searches for substrings the way readers compare texts.

`comparable` removes differences that readers ignore: letter case, the composition of accents, digits of other scripts,
full-width letters, ligatures, typographic quotes and dashes. This form is stored with the content of a turn, unless
SQLite's `lower` returns the same.
"""

import re
from unicodedata import normalize

_ALIKE = (("'", "‘’‚‛ʼ"), ('"', "“”„‟«»"), ("-", "‐‒–—―−"), ("i", "ı"), ("ae", "æ"), ("oe", "œ"))
_SIGNS = {ord(sign): plain for plain, signs in _ALIKE for sign in signs}
_SIGNS |= {ord(zero) + digit: str(digit) for zero in "٠۰߀०০੦૦୦௦౦೦൦๐໐༠၀០᠐" for digit in range(10)}
# these are invisible; 0x307 is the dot of a small İ
_SIGNS |= dict.fromkeys((0xAD, 0x307, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF), "")
_LONG_RUN = re.compile(r"([^\w\s\0-\x7f]{30})[^\w\s\0-\x7f]++")  # endless accents: sorting them takes quadratic time
_TONE = re.compile("\u0e4d([\u0e48-\u0e4b])")  # Thai: either mark may come first
LONGEST = 50  # SQLite searches for only so many characters of a keyword, to save time; the caller checks the rest
MAY_HOLD = "instr(coalesce(folded, lower(content)), ?)"
"""A condition on a turn's columns. Its parameter is the beginning of a comparable keyword."""


def comparable(text: str) -> str:
    """Return a text in the form for comparison. This form is never shown.

    >>> comparable("Cafe\\u0301 “５”") == comparable('CAFÉ "5"')
    True
    """
    if text.isascii():
        return text.lower()
    text = _LONG_RUN.sub(r"\1", text)
    text = normalize("NFKC", normalize("NFKC", text).casefold()).translate(_SIGNS)
    return _TONE.sub("\\1\u0e4d", text)
