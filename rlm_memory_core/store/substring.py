"""Compares texts as readers do, and searches for a substring in this way.

`comparable` makes alike what looks alike: letter case, compositions of accents, full-width letters and digits,
typographic quotes and dashes. `substring_condition` lets SQLite leave out most contents that do not hold a keyword. It
looks for a piece of the keyword, at most 50 characters of it: its time grows with them. The caller checks what it
selects.
"""

from __future__ import annotations

import re
from unicodedata import normalize

_ALIKE = (("'", "‘’‚‛ʼ"), ('"', "“”„‟«»"), ("-", "‐‒–—―−"))
_SIGNS = {ord(sign): plain for plain, signs in _ALIKE for sign in signs}
_INVISIBLE = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF), "")
_BEYOND_LIKE = re.compile("[\0\u0130\u212a]")  # LIKE stops at a NUL, and knows only ASCII's capital I and K
_ASCII, _OTHERS = re.compile(r"""[^\0"'\-\x80-\U0010ffff]{1,50}"""), re.compile(r"[\x80-\U0010ffff]{1,50}")


def comparable(text: str) -> str:
    """A text in the form in which texts are compared. It is not shown to anybody.

    >>> comparable("Cafe\\u0301 “５”") == comparable('CAFÉ "5"')
    True
    """
    if text.isascii():
        return text.lower()
    return normalize("NFKC", normalize("NFKC", text).casefold()).translate(_SIGNS | _INVISIBLE)


def is_beyond_like(content: str) -> bool:
    """Whether `substring_condition` cannot tell what a content holds, so that it selects it always.

    >>> is_beyond_like("a milk carton"), is_beyond_like("\\u0130zmir"), is_beyond_like("Cafe\\u0301")
    (False, True, True)
    """
    return bool(_BEYOND_LIKE.search(content)) or comparable(content) != content.lower().translate(_SIGNS)


def substring_condition(keyword: str) -> tuple[str, str]:
    """The condition on the columns `content` and `beyond_like`, and its one parameter.

    >>> substring_condition("50% off")
    ("(content LIKE ? ESCAPE '\\\\' OR beyond_like)", '%50\\\\% off%')
    """
    wanted = comparable(keyword)
    like = "(content LIKE ? ESCAPE '\\' OR beyond_like)"
    if pieces := _ASCII.findall(wanted):
        return like, "%" + re.sub(r"[%_\\]", r"\\\g<0>", max(pieces, key=len)) + "%"
    piece = max(_OTHERS.findall(wanted), key=len, default="")
    caseless = piece == piece.upper() and "\u0307" not in piece  # lower() makes U+0307
    return ("(instr(content, ?) OR beyond_like)", piece) if piece and caseless else (like, "%")
