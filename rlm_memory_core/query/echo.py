"""Prints the value of a bare expression, as a notebook does."""

import ast
from collections.abc import Collection

from ..repl.dialect.rewriter import MAX_CODE_CHARACTERS

_QUIET = (ast.Call, ast.Constant, ast.Await, ast.Yield, ast.YieldFrom)  # many calls return None


def with_echo(code: str, tools: Collection[str]) -> str:
    """Put print(...) around each statement that is only a call to a tool, or only a value such as a variable.

    Args:
        code: A program. If it does not parse, it is returned unchanged; running it then reports the error.
        tools: The names of the tools.

    >>> print(with_echo('hits = find("cat")\\nif hits:\\n    look([3])\\nhits', ["find", "look"]))
    hits = find("cat")
    if hits:
        print(look([3]))
    print(hits)
    """
    if len(code) > MAX_CODE_CHARACTERS:
        return code
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code
    lines = [line.encode() for line in code.split("\n")]
    bare = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and _says_something(node.value, tools)]
    for value in sorted(bare, key=lambda value: (value.lineno, value.col_offset), reverse=True):
        end, start = (value.end_lineno or value.lineno) - 1, value.lineno - 1
        lines[end] = lines[end][: value.end_col_offset] + b")" + lines[end][value.end_col_offset :]
        lines[start] = lines[start][: value.col_offset] + b"print(" + lines[start][value.col_offset :]
    return b"\n".join(lines).decode()


def _says_something(value: ast.expr, tools: Collection[str]) -> bool:
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in tools
    return not isinstance(value, _QUIET)
