"""Which generator functions may run to their end when they are called, and where they give values.

That changes nothing a program can see as long as the function touches nothing outside itself: it prints nothing,
asks nobody, binds no outer name and changes no object that it did not make. Any other is left as it is,
and refused by the sandbox.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from .nodes import children, within

_CHANGES = frozenset(
    "append add extend insert remove pop popitem clear update setdefault discard sort reverse appendleft popleft "
    "extendleft rotate subtract write".split()
)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def as_list(
    function: ast.FunctionDef, prints: Callable[[ast.AST], bool]
) -> list[tuple[ast.Yield | ast.YieldFrom, str]] | None:
    """The yields of a generator function, each with the list method that takes its values; None where it must stay.

    Args:
        function: Any function.
        prints: Whether code prints or reaches the host.
    """
    yields = [node for node in _own(function) if isinstance(node, (ast.Yield, ast.YieldFrom))]
    if not yields or function.decorator_list or function.args.posonlyargs or prints(function):
        return None
    statements = {id(node.value) for node in _own(function) if isinstance(node, ast.Expr)}
    if any(id(node) not in statements for node in yields):
        return None  # the value that a consumer sends back
    local = {node.id for node in _own(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    if any(_reaches_out(node, local) for node in _own(function)):
        return None
    return [(node, "append" if isinstance(node, ast.Yield) else "extend") for node in yields]


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function's own body, without those of functions within it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting += children(node)


def _reaches_out(node: ast.AST, local: set[str]) -> bool:
    if isinstance(node, (ast.Global, ast.Nonlocal, ast.Await, ast.Delete, *_SCOPES)):
        return True
    if isinstance(node, ast.Return):
        return node.value is not None
    if isinstance(node, ast.While):
        return isinstance(node.test, ast.Constant) and not any(
            isinstance(inner, (ast.Break, ast.Return)) for inner in within(node)
        )
    if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
        return not _is_local(node.value, local)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
        return not _is_local(node.func.value, local)
    return False


def _is_local(node: ast.expr, local: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in local
