"""Searches for a substring in any letter case, as an SQL condition that SQLite tests by itself.

The condition selects every content that contains the substring when both are in lower case, and few others. The
caller checks what it selects.
"""

from __future__ import annotations

import re

_BEYOND_LIKE = re.compile("[\0\u0130\u212a]")
_BEYOND_ASCII = re.compile("[\0\x80-\U0010ffff]+")
_DOT_ABOVE = "\u0307"  # the one character without a capital that lower() produces: from \u0130
_WILDCARDS = re.compile(r"[%_\\]")


def is_beyond_like(content: str) -> bool:
    """Whether LIKE may miss ASCII letters in a content: it stops at a NUL, and knows only ASCII's capital I and K.

    >>> is_beyond_like("a milk carton"), is_beyond_like("\\u0130zmir")
    (False, True)
    """
    return _BEYOND_LIKE.search(content) is not None


def substring_condition(keyword: str) -> tuple[str, str]:
    """The condition on the columns `content` and `beyond_like`, and its one parameter.

    >>> substring_condition("50% off")
    ("(content LIKE ? ESCAPE '\\\\' OR beyond_like)", '%50\\\\% off%')
    """
    wanted = keyword.lower()
    like = "(content LIKE ? ESCAPE '\\' OR beyond_like)"
    literal = _WILDCARDS.sub(r"\\\g<0>", wanted)
    if _BEYOND_ASCII.sub("", wanted):
        return like, f"%{_BEYOND_ASCII.sub('%', literal)}%"
    if wanted == wanted.upper() and _DOT_ABOVE not in wanted:
        return "instr(content, ?)", wanted  # a script without capital letters
    return like, "%"
