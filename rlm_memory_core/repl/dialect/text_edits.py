"""Edits to a program's text at the places of its syntax nodes. Lines keep their numbers."""

from __future__ import annotations

import ast


class TextEdits:
    """Collects edits and applies them.

    Args:
        code: The program, with `\\n` line ends.

    >>> edits = TextEdits("f(x)")
    >>> edits.wrap(ast.parse("f(x)", mode="eval").body.args[0], "g(", ")")
    >>> edits.text()
    'f(g(x))'
    """

    def __init__(self, code: str) -> None:
        self.code = code.encode()
        self.edits: list[tuple[int, int, int, str]] = []  # start, rank among those that start there, end, text
        self._lines = [0]
        for line in self.code.split(b"\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)

    def span(self, node: ast.AST) -> tuple[int, int]:
        """The bytes where a node starts and ends."""
        start = self._lines[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        end = self._lines[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
        return start, end

    def replace(self, start: int, end: int, text: str) -> None:
        """Replace some bytes."""
        self.edits.append((start, len(self.edits) + 1, end, text))

    def close(self, place: int, text: str) -> None:
        """Insert what ends an outer expression: after the ends of inner ones, which come later."""
        self.edits.append((place, -len(self.edits) - 1, place, text))

    def rename(self, node: ast.AST, text: str) -> None:
        """Replace a node."""
        self.replace(*self.span(node), text)

    def wrap(self, node: ast.AST, before: str, after: str) -> None:
        """Put text around a node."""
        start, end = self.span(node)
        self.replace(start, start, before)
        self.close(end, after)

    def text(self, start: int = 0, end: int | None = None) -> str:
        """The program, or a part of it, after the edits."""
        end = len(self.code) if end is None else end
        parts, place = [], start
        for first, _, last, text in sorted(self.edits):
            if start <= first and last <= end:
                parts += [self.code[place:first], text.encode()]
                place = last
        return b"".join([*parts, self.code[place:end]]).decode()
