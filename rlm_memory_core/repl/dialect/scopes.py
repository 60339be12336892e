"""Which names a function, a class or a comprehension binds for itself, and a visitor that knows in which it is.

A name that an enclosing function binds is not the builtin, module or function of the session's that it is elsewhere.
Imports within a function are not counted: `rlm_memory_core.repl.dialect.edits` follows these by what they import.
"""

from __future__ import annotations

import ast
from typing import TypeAlias

from .nodes import children, within

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_WITHIN = frozenset({"body", "elt", "key", "value", "generators"})
"""Fields of a scope that are evaluated within it; defaults, decorators and annotations are not."""


def parameters(function: Function) -> frozenset[str]:
    """The names of a function's parameters.

    >>> sorted(parameters(ast.parse("lambda a, *b, c=1: a", mode="eval").body))
    ['a', 'b', 'c']
    """
    return frozenset(node.arg for node in within(function.args) if isinstance(node, ast.arg))


def bound_in(scope: ast.AST) -> frozenset[str] | None:
    """The names that a scope binds for itself; None for what is no scope.

    >>> (function,) = ast.parse("def f(a): b, d = a, [c for c in a]").body
    >>> sorted(bound_in(function))
    ['a', 'b', 'd']
    """
    if isinstance(scope, _COMPREHENSIONS):
        targets = [node for each in scope.generators for node in within(each.target)]
        return frozenset(node.id for node in targets if isinstance(node, ast.Name))
    if not isinstance(scope, (*_FUNCTIONS, ast.ClassDef)):
        return None
    found = set() if isinstance(scope, ast.ClassDef) else set(parameters(scope))
    elsewhere: set[str] = set()  # global and nonlocal
    waiting: list[ast.AST] = [scope.body] if isinstance(scope, ast.Lambda) else list(scope.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, _COMPREHENSIONS):
            walrus = [inner.target.id for inner in within(node) if isinstance(inner, ast.NamedExpr)]
            found.update(walrus)
        elif not isinstance(node, ast.Lambda):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
                found.add(node.name)
            elif isinstance(node, (ast.Global, ast.Nonlocal)):
                elsewhere.update(node.names)
            waiting += children(node)
    return frozenset(found - elsewhere)


class ScopedVisitor(ast.NodeVisitor):
    """A visitor that knows the scopes around the node that it visits."""

    _scopes: tuple[tuple[ast.AST, frozenset[str]], ...] = ()

    def generic_visit(self, node: ast.AST) -> None:
        """Visit what is within a node, each part in its scope."""
        bound = bound_in(node)
        if bound is None:
            for part in children(node):
                self.visit(part)
            return
        around = self._scopes
        for field, value in ast.iter_fields(node):
            self._scopes = (*around, (node, bound)) if field in _WITHIN else around
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, ast.AST):
                    self.visit(inner)
        self._scopes = around

    def locals(self) -> frozenset[str]:
        """The names that the scopes around bind; those of a class only directly in its body."""
        last = len(self._scopes) - 1
        seen = [
            names
            for place, (node, names) in enumerate(self._scopes)
            if place == last or not isinstance(node, ast.ClassDef)
        ]
        return frozenset().union(*seen)

    def is_in_class_body(self) -> bool:
        """Whether a class body, and no function within it, is what is visited."""
        around = [node for node, _ in self._scopes if not isinstance(node, _COMPREHENSIONS)]
        return bool(around) and isinstance(around[-1], ast.ClassDef)
