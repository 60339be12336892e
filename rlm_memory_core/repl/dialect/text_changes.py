"""Changes to a program's text at the places of its syntax: collected one by one, then made all at once.

Places are counted in bytes, as the parser counts columns. What is changed, and to what, is not known here.
"""

from __future__ import annotations

import ast


class TextChanges:
    """A program's text, and the changes to it.

    Args:
        code: The program.
    """

    def __init__(self, code: str) -> None:
        self._code = code.encode()
        self._starts = [0]
        for line in self._code.split(b"\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._changes: list[tuple[int, int, str]] = []

    def text(self) -> str:
        """The program with all changes made."""
        parts, place = [], 0
        for start, end, text in sorted(self._changes, key=lambda change: change[:2]):
            parts += [self._code[place:start], text.encode()]
            place = end
        return b"".join([*parts, self._code[place:]]).decode()

    def _at(self, node: ast.AST, end: bool = False) -> int:
        line, column = (node.end_lineno, node.end_col_offset) if end else (node.lineno, node.col_offset)  # type: ignore[attr-defined]
        return int(self._starts[line - 1] + column)

    def _change(self, start: int, end: int, text: str) -> None:
        """Replace a part of the text; lines that it had are kept as blank ones within parentheses by the caller."""
        self._changes.append((start, end, text))

    def _after(self, place: int, words: str) -> int:
        """The place after some words, however they are spaced."""
        for word in words.split():
            place = self._code.index(word.encode(), place) + len(word)
        return place

    def _span(self, node: ast.AST) -> tuple[int, int]:
        return self._at(node), self._at(node, end=True)
