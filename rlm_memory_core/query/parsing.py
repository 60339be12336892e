"""Reads a model's message: its code blocks and its FINAL.

A FINAL(...) counts outside code fences, at the start of a line. Parentheses are balanced, so that
FINAL(Paris (France)) is read as a whole. A block that holds only FINAL(...) with words in it, which Python cannot run,
is an answer too.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass, replace
from textwrap import dedent
from typing import Literal

_FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)[^`\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
_FINAL = re.compile(r"^[ \t>*`_]*FINAL(_VAR)?[ \t]*\(", re.MULTILINE)
_QUOTED = re.compile(r"""[ \t]*("[^"\n]*"|'[^'\n]*')[ \t]*\)""")
_NOT_CODE = frozenset({"text", "json", "output", "markdown", "md", "bash", "sh"})


@dataclass(frozen=True, slots=True)
class Final:
    """An answer given in the message.

    Args:
        text: The text between the parentheses, without quotes around it.
        kind: "variable" for FINAL_VAR; "word" for FINAL of a single word, which may be a variable's name; "value" for
            anything else.
    """

    text: str
    kind: Literal["value", "word", "variable"]


@dataclass(frozen=True, slots=True)
class Message:
    """The parts of a model's message.

    Args:
        blocks: The code, in order.
        final: The first answer outside the code, or None.
        prose: The message without its code.
    """

    blocks: tuple[str, ...]
    final: Final | None
    prose: str


def parse_message(text: str) -> Message:
    """Split a model's message into its parts.

    >>> parse_message("```repl\\nprint(1)\\n```\\nFINAL(Paris (France))").final.text
    'Paris (France)'
    """
    text = text.replace("\r\n", "\n")
    blocks = [
        dedent(match[3]).strip("\n")
        for match in _FENCE.finditer(text)
        if match[2].lower() not in _NOT_CODE and match[3].strip()
    ]
    prose = _FENCE.sub("", text)
    final = _final(prose)
    if final is None and blocks and _is_answer(blocks[-1]):
        final = _final(blocks.pop())
    return Message(tuple(blocks), final, prose.strip())


def finals_only(message: Message) -> Message:
    """The message with only those lines of code that answer. The other code of the last reply does not run.

    >>> finals_only(parse_message("```\\nprint(1)\\nFINAL(2)\\n```")).blocks
    ('FINAL(2)',)
    """
    lines = [line.strip() for block in message.blocks for line in block.splitlines()]
    return replace(message, blocks=tuple(line for line in lines if _FINAL.match(line)))


def _is_answer(block: str) -> bool:
    """Whether a block is FINAL(...) and nothing else, and is not Python."""
    match = _FINAL.match(block)
    end = None if match is None else _closing(block, match.end())
    if match is None or (end is not None and block[end + 1 :].strip()):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(block)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return False


def _final(prose: str) -> Final | None:
    match = _FINAL.search(prose)
    if match is None:
        return None
    inside = _balanced(prose, match.end())
    bare = _unquote(inside)
    if match[1] and bare.isidentifier():
        return Final(bare, "variable")
    return Final(bare, "word" if bare == inside and inside.isidentifier() else "value")


def _balanced(text: str, start: int) -> str:
    """The text from `start` to the closing parenthesis, or to the end of the line if there is none."""
    quoted = _QUOTED.match(text, start)
    if quoted:
        return quoted[1]
    end = _closing(text, start)
    inside = text[start:].split("\n", 1)[0] if end is None else text[start:end]
    return inside.strip()


def _closing(text: str, start: int) -> int | None:
    """The place of the parenthesis that closes the one before `start`; None if there is none."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return None


def _unquote(text: str) -> str:
    for quote in ('"""', "'''", '"', "'", "`"):
        if len(text) >= 2 * len(quote) and text.startswith(quote) and text.endswith(quote):
            return text[len(quote) : -len(quote)].strip()
    return text
