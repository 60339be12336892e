"""Compares texts as readers do, and searches for a substring in this way.

`comparable` makes alike what looks alike: letter case, compositions of accents, full-width letters and digits,
typographic quotes and dashes. `substring_condition` lets SQLite leave out most contents that do not hold a keyword. It
looks for a short piece of the keyword, so that no keyword makes the search slow; the caller checks what it selects.
"""

from __future__ import annotations

import re
from unicodedata import normalize

_SIGNS = dict.fromkeys(map(ord, "‘’‚‛ʼ"), "'") | dict.fromkeys(map(ord, "“”„‟«»"), '"')
_SIGNS |= dict.fromkeys(map(ord, "‐‒–—―−"), "-")
_INVISIBLE = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF), "")
_BEYOND_LIKE = re.compile("[\0\u0130\u212a]")  # LIKE stops at a NUL, and knows only ASCII's capital I and K
_ASCII, _OTHERS = re.compile(r"""[^\0"'\-\x80-\U0010ffff]+"""), re.compile(r"[\x80-\U0010ffff]+")
_DOT_ABOVE = "\u0307"  # the one character without a capital that lower() produces: from \u0130
_WILDCARDS = re.compile(r"[%_\\]")
_MOST = 50  # characters of a keyword that SQLite looks for: its time grows with them


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
    beyond = _BEYOND_LIKE.search(content) is not None
    return beyond or (not content.isascii() and comparable(content) != content.lower().translate(_SIGNS))


def substring_condition(keyword: str) -> tuple[str, str]:
    """The condition on the columns `content` and `beyond_like`, and its one parameter.

    >>> substring_condition("50% off")
    ("(content LIKE ? ESCAPE '\\\\' OR beyond_like)", '%50\\\\% off%')
    """
    wanted = comparable(keyword)
    like = "(content LIKE ? ESCAPE '\\' OR beyond_like)"
    if pieces := _ASCII.findall(wanted):
        literal = _WILDCARDS.sub(r"\\\g<0>", max(pieces, key=len)[:_MOST])
        return like, f"%{literal}%"
    piece = max(_OTHERS.findall(wanted), key=len, default="")[:_MOST]
    if piece and piece == piece.upper() and _DOT_ABOVE not in piece:
        return "(instr(content, ?) OR beyond_like)", piece  # a script without capital letters
    return like, "%"
