"""The parts of a program are those that `ast` finds."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from rlm_memory_core.repl.dialect import nodes

_HOLD_NOTHING = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
_SOURCES = sorted(Path(nodes.__file__).parent.glob("*.py"))
_RARE = """
def f(a, /, b: int = 1, *c: int, d: str = "", **e) -> None:
    global g
    nonlocal_ = yield a
    match a:
        case {"x": [1, *rest], **more} | C(1, y=None) as whole if b:
            pass
    try:
        raise E from None
    except* (A, B) as error:
        del a[1:2:3], b.c
    else:
        assert a, f"{a!r:>{b}}"
    async def inner(): return [await x async for x in y if z], {**k, 1: 2}, {*s}, (lambda q, *, r=2: q)
    with a as (b, c), d: x: int; y += 1; import p.q as r
"""


@pytest.mark.parametrize(
    "source", [path.read_text() for path in _SOURCES] + [_RARE], ids=[*(path.stem for path in _SOURCES), "rare"]
)
def test_nothing_is_passed_over_but_contexts_and_operators(source: str) -> None:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        held = [child for child in ast.iter_child_nodes(node) if not isinstance(child, _HOLD_NOTHING)]
        assert nodes.children(node) == held
    assert nodes.within(tree) == [node for node in ast.walk(tree) if not isinstance(node, _HOLD_NOTHING)]


def test_a_node_that_was_made_without_all_its_fields_has_parts_too() -> None:
    call = ast.Call(func=ast.Name(id="f"))
    assert nodes.children(call) == [call.func]
