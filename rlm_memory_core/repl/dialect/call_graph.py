"""Which names may stand for a function that reaches the host: definitions anywhere, aliases, lambdas, methods.

This errs on the side of more, scopes are not told apart: what is done with the answer (helpers that can wait for the
host) is as right for functions that do not reach it. Awaiting twins need to know exactly; that is `program`'s to say.
A method, or an attribute that holds a function, stands as `.name`, whatever object it is of.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .nodes import children, within

_DEFS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BINDING = (*_DEFS, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.For)
_WHEN_MADE = ("__init__", "__post_init__")


def read(*nodes: ast.AST) -> frozenset[str]:
    """The names and attributes that code reads.

    >>> sorted(read(ast.parse("a.b(c)")))
    ['.b', 'a', 'c']
    """
    found = set()
    for node in nodes:
        for inner in within(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
                found.add(inner.id)
            elif isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Load):
                found.add(f".{inner.attr}")
    return frozenset(found)


def called(node: ast.AST) -> frozenset[str]:
    """The names that code calls, and the one that it is.

    >>> sorted(called(ast.parse("lambda s: f(s)", mode="eval").body))
    ['f']
    """
    calls = [inner.func for inner in within(node) if isinstance(inner, ast.Call)]
    return frozenset(each.id for each in [node, *calls] if isinstance(each, ast.Name))


def uses(tree: ast.AST) -> dict[str, frozenset[str]]:
    """What each name that a program binds to a function may use.

    >>> sorted(uses(ast.parse("q = lambda s: ask(s)"))["q"])
    ['ask', 's']
    """
    found: dict[str, frozenset[str]] = {}
    binding = [node for node in within(tree) if isinstance(node, _BINDING)]
    makers = frozenset(node.name for node in binding if isinstance(node, _DEFS) and _makes_function(node))
    for node in binding:
        for name, names in _bound(node, makers):
            found[name] = found.get(name, frozenset()) | names
    return found


def _bound(node: ast.AST, makers: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    if isinstance(node, _DEFS):
        yield node.name, read(node)
    elif isinstance(node, ast.ClassDef):
        methods = [inner for inner in node.body if isinstance(inner, _DEFS)]
        yield node.name, read(*(method for method in methods if method.name in _WHEN_MADE))
        for method in methods:
            yield f".{method.name}", read(method)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            yield alias.asname or alias.name.split(".")[0], frozenset()
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _assigned(target, node.value, makers)
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        yield from _assigned(node.target, node.value, makers)
    elif isinstance(node, ast.For) and isinstance(node.iter, (ast.List, ast.Tuple)):
        for item in node.iter.elts:
            yield from _assigned(node.target, item, makers)


def _assigned(target: ast.expr, value: ast.expr, makers: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    pair = (ast.Tuple, ast.List)
    if isinstance(target, pair) and isinstance(value, pair) and len(target.elts) == len(value.elts):
        for one, other in zip(target.elts, value.elts, strict=True):
            yield from _assigned(one, other, makers)
        return
    names = _of_function(value, makers)
    while isinstance(target, ast.Subscript):
        target = target.value
    if names is not None and isinstance(target, ast.Name):
        yield target.id, names
    elif names is not None and isinstance(target, ast.Attribute):
        yield f".{target.attr}", names


def _of_function(value: ast.expr, makers: frozenset[str]) -> frozenset[str] | None:
    """What a value uses, where it may be a function or hold some; None where nothing is known."""
    if isinstance(value, (ast.Lambda, ast.Name, ast.Attribute)):
        return read(value)
    if isinstance(value, ast.Constant):
        return frozenset()
    if isinstance(value, ast.Call):
        parts = [*value.args, *(keyword.value for keyword in value.keywords)]
        made = read(value.func) if makers & called(value.func) else frozenset()
        known = [names for part in parts if (names := _of_function(part, makers))]
        return made.union(*known) if made or known else None
    if isinstance(value, (ast.IfExp, ast.BoolOp, ast.Dict, ast.List, ast.Tuple)):
        parts = [part for part in children(value) if isinstance(part, ast.expr)]
        return frozenset().union(*(_of_function(part, makers) or () for part in parts))
    return None


def _makes_function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function returns one that it defines."""
    parts = within(node)
    inner = {part.name for part in parts if isinstance(part, _DEFS) and part is not node}
    returned = [part.value for part in parts if isinstance(part, ast.Return)]
    return any(isinstance(each, ast.Lambda) or (isinstance(each, ast.Name) and each.id in inner) for each in returned)
