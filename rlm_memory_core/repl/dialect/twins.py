"""Awaiting twins of functions that ask sub-agents.

The sandbox has no threads. A thread pool, `map` or `asyncio.to_thread` that is given `ask` runs several of its calls at
once if there is an `async def _rlm_later_ask` with the same body, in which each call of a sub-agent is awaited.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from .text_edits import TextEdits

LATER = "_rlm_later_"
"""Comes before a function's name: its awaiting twin."""

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def write_twin(function: ast.FunctionDef, asking: Collection[str], edits: TextEdits) -> str:
    """The source of a function's twin.

    Args:
        function: A function at the top level of a program.
        asking: The names that have a twin.
        edits: The edits to the program, which apply to the twin too.

    Returns:
        The source, or "" if the function asks nobody or no twin of it can be written.
    """
    arguments = function.args
    defaults = [*arguments.defaults, *(default for default in arguments.kw_defaults if default)]
    if function.decorator_list or not all(isinstance(default, ast.Constant) for default in defaults):
        return ""
    calls = _calls(function, asking)
    if not calls:
        return ""
    kept = list(edits.edits)
    start, end = edits.span(function)
    name = edits.code.index(function.name.encode(), start + len("def "))
    edits.replace(start, name, f"async def {LATER}")
    for call in calls:
        first, last = edits.span(call)
        edits.replace(first, first, f"(await {LATER}")
        edits.close(last, ")")
    twin = edits.text(start, end)
    edits.edits = kept
    return twin


def write_twin_lambda(function: ast.Lambda, asking: Collection[str], edits: TextEdits) -> str:
    """The source of the twin of a lambda that only calls a function with a twin; otherwise ""."""
    body = function.body
    if not (isinstance(body, ast.Call) and isinstance(body.func, ast.Name) and _calls(function, asking) == [body]):
        return ""
    start, end = edits.span(function)
    place = edits.span(body.func)[0]
    return f"{edits.text(start, place)}{LATER}{edits.text(place, end)}"


def _calls(function: ast.FunctionDef | ast.Lambda, asking: Collection[str]) -> list[ast.Call]:
    """The calls to await; none if the function has a name of its own that is like one of theirs."""
    found: list[ast.Call] = []
    waiting: list[ast.AST] = [function.body] if isinstance(function, ast.Lambda) else [*function.body]
    names = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return []
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in asking:
            found.append(node)
        if isinstance(node, _SCOPES):
            names.add(getattr(node, "name", ""))
        else:
            waiting += ast.iter_child_nodes(node)
    return [] if names & set(asking) else found
