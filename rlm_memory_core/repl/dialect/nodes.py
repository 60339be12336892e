"""The parts of a program's syntax, as `ast` gives them, in half of its time.

Each program of a model is gone through several times before it runs, so that this is a good part of what a query costs
by itself. Contexts and operators hold nothing that is looked for here: they are left out.
"""

from __future__ import annotations

import ast

_PLAIN = frozenset({"arg", "asname", "attr", "conversion", "ctx", "id", "kind", "level", "module", "op", "ops"})
"""Fields that hold no node but a context or an operator."""
_fields: dict[type[ast.AST], tuple[str, ...]] = {}


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly within a node, in order.

    >>> [type(child).__name__ for child in children(ast.parse("a + b", mode="eval").body)]
    ['Name', 'Name']
    """
    kind = type(node)
    if kind not in _fields:
        _fields[kind] = tuple(field for field in kind._fields if field not in _PLAIN)
    found: list[ast.AST] = []
    for field in _fields[kind]:
        value = getattr(node, field, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            found += [each for each in value if isinstance(each, ast.AST)]
    return found


def within(node: ast.AST) -> list[ast.AST]:
    """A node and all nodes within it, outer ones before inner ones.

    >>> [type(each).__name__ for each in within(ast.parse("a(b)", mode="eval").body)]
    ['Call', 'Name', 'Name']
    """
    found = [node]
    for each in found:  # it grows meanwhile
        found += children(each)
    return found
