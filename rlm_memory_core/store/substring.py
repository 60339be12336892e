"""A substring in any letter case as an SQL condition that SQLite tests by itself. Knows no table but a `content`.

The condition lets through every content that contains the substring when both are in small letters, and few
others: the caller looks at what came through, and is saved the rest, which are nearly all.
"""

from __future__ import annotations

import re

_BEYOND_LIKE = re.compile("[\0\u0130\u212a]")
_BEYOND_ASCII = re.compile("[\0\x80-\U0010ffff]+")
_DOT_ABOVE = "\u0307"  # the one mark without a capital letter that lower() brings forth: of \u0130
_ESCAPED = re.compile(r"[%_\\]")


def is_beyond_like(content: str) -> bool:
    """Whether LIKE may miss ASCII letters in a content: it stops at a NUL, and knows no capital I or K but ASCII's.

    >>> is_beyond_like("a milk carton"), is_beyond_like("\\u0130zmir")
    (False, True)
    """
    return _BEYOND_LIKE.search(content) is not None


def likeness(keyword: str) -> tuple[str, str]:
    """The condition, and its one parameter. `beyond_like` is a column that says `is_beyond_like(content)`.

    >>> likeness("50% off")
    ("(content LIKE ? ESCAPE '\\\\' OR beyond_like)", '%50\\\\% off%')
    """
    wanted = keyword.lower()
    like = "(content LIKE ? ESCAPE '\\' OR beyond_like)"
    literal = _ESCAPED.sub(r"\\\g<0>", wanted)
    if _BEYOND_ASCII.sub("", wanted):
        return like, f"%{_BEYOND_ASCII.sub('%', literal)}%"
    if wanted == wanted.upper() and _DOT_ABOVE not in wanted:
        return "instr(content, ?)", wanted  # a script without capital letters
    return like, "%"
