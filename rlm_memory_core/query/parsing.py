"""Reads a model's message: its code blocks and its FINAL.

FINAL(...) counts if it is outside code fences, at the start of a line; FINAL_VAR(...) there runs as code. Parentheses
are balanced, so that FINAL(Paris (France)) is read as a whole. A code block with nothing but FINAL(...) is also an
answer if Python cannot parse it, because it contains plain words.
"""

import ast
import re
import warnings
from dataclasses import dataclass
from textwrap import dedent

from ..repl.dialect.rewriter import MAX_CODE_CHARACTERS

_FENCED = re.compile(  # an unclosed fence extends to the end
    r"^[ \t]*+(`{3,}+|~{3,}+)[ \t]*+([\w+-]*+)[^`\n]*+\n(.*?)(?:^[ \t]*+\1[ \t]*+$|\Z)", re.MULTILINE | re.DOTALL
)
_FINAL = re.compile(  # the first item of a list counts; a later one may be a step of a plan
    r"(?:^|\A\s*+(?:[+-]|\d\d?[.)]))(?:[ \t>*`_#]|<(?:final_)?answer>)*+FINAL(_VAR)?[ \t]*+[(（]", re.MULTILINE
)
_VARIABLE = re.compile(r"\A(?:\w++ *+= *+)?\W*+([^\W\d]\w*+)\W*+")  # FINAL_VAR(name="x"), FINAL_VAR(x))
_PARENTHESIS = re.compile(r"[()（）]")
_SMILEY = re.compile(r"(?<!\S)[:;=]-?[()]")
_MARKUP = " \t\n*`_.>"
_NOT_CODE = frozenset({"text", "json", "output", "markdown", "md", "bash", "sh"})


@dataclass(frozen=True, slots=True)
class Final:
    """An answer given in the message.

    Args:
        text: The text between the parentheses, without quotes around it.
        is_text: Whether there were quotes. Otherwise, it may be text or code.
    """

    text: str
    is_text: bool


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
    fenced = [(tag.lower(), code) for _, tag, code in _FENCED.findall(text)]
    blocks = [dedent(code).strip("\n") for tag, code in fenced if tag not in _NOT_CODE and code.strip()]
    prose = _FENCED.sub("", text)
    final = _final(prose)
    if final is None and blocks and _is_answer(blocks[-1]):
        final = _final(blocks.pop())
    if isinstance(final, str):
        blocks, final = [*blocks, final], None
    return Message(tuple(blocks), final, prose.strip())


def parse_code(code: str) -> ast.Module | None:
    """Parse a program. Return None if it is not valid or too long."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(code) if len(code) <= MAX_CODE_CHARACTERS else None
    except Exception:  # the text can be anything
        return None


def final_lines(message: Message) -> list[str]:
    """Return the lines of a message's code that answer. In the paper's reading, only they run in the last reply.

    >>> final_lines(parse_message("```\\nprint(1)\\nFINAL(2)\\n```"))
    ['FINAL(2)']
    """
    lines = [line.strip() for block in message.blocks for line in block.splitlines()]
    return [line for line in lines if _FINAL.match(line)]


def _is_answer(block: str) -> bool:
    """Return whether a block is only FINAL(...), and not valid Python."""
    match = _FINAL.match(block)
    is_all = match is not None and not block[_end(block, match.end()) + 1 :].strip()
    return is_all and parse_code(block) is None


def _final(prose: str) -> Final | str | None:
    """Return the first FINAL; FINAL_VAR of a name as code, which reads the variable."""
    match = _FINAL.search(prose)
    if match is None:
        return None
    inside = prose[match.end() : _end(prose, match.end())].strip()
    if match[1] and (variable := _VARIABLE.fullmatch(inside)):
        return f'FINAL_VAR("{variable[1]}")'
    bare = _unquote(inside)
    return Final(bare, bare != inside)


def _end(text: str, start: int) -> int:
    """Return the index of the parenthesis that closes the one before `start`.

    If parentheses are unbalanced, as in "FINAL(1) milk 2) eggs)", return the last closing one of the line, or the one
    that ends the message. If none closes it, the answer ends with its line, or with the quote that ends its line.
    """
    closing = _unopened(text, start)
    line_end = text.find("\n", closing[0] if closing else start) % (len(text) + 1)  # turns -1 into the end of the text
    if not closing:
        return line_end - (text[line_end - 2 : line_end] in ('")', "')"))
    in_line = [place for place in closing if place < line_end]
    is_last = not text[closing[-1] + 1 :].strip(_MARKUP)
    return closing[-1] if is_last and len(in_line) == 1 else in_line[-1]


def _unopened(text: str, start: int) -> list[int]:
    """Return the indexes of closing parentheses without an opening one after `start`. Smileys do not count."""
    text = _SMILEY.sub(lambda smiley: " " * len(smiley[0]), text)
    found, depth = [], 0
    for match in _PARENTHESIS.finditer(text, start):
        depth += 1 if match[0] in "(（" else -1
        if depth < 0:
            found.append(match.start())
            depth = 0
    return found


def _unquote(text: str) -> str:
    for quote in ('"""', "'''", '"', "'", "`", "“"):
        if len(text) >= 2 * len(quote) and text.startswith(quote) and text.endswith(quote.replace("“", "”")):
            return text[len(quote) : -len(quote)].strip()
    return text
