"""`any`, `all` and `next` of a generator expression, so that it goes no further than they would.

In the sandbox a generator expression is a list: one that asks sub-agents would ask them all. Its values become
those of a list whose iterables run dry (`sandbox.host.Until`) as soon as the answer is known.

It still runs to its end, within the limits on sub-agents, where the sandbox would have to wait for the host from within
an iterator, or knows no `:=`:

- elsewhere: `for reply in (llm_query(s) for s in sessions)`, `replies = map(llm_query, sessions)`;
- within another: the inner one of `any(r == "yes" for r in (llm_query(s) for s in sessions))`;
- `any(filter(...))` and `all(filter(...))`;
- directly in the body of a class.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

_COMMENT = re.compile(rb"#[^\n]*")
SETTLED = {"any": "True", "all": "False", "next": "None"}
"""What value settles each: a true one, a false one, any."""


def as_list(
    call: ast.Call, code: bytes, at: Callable[[ast.AST], tuple[int, int]], until: str, name: str
) -> list[tuple[int, int, str]]:
    """The changes, as (start, end, text), that make a list of a call's generator expression; [] where it must stay.

    Args:
        call: A call of one of `SETTLED`, with a generator expression first.
        code: The program.
        at: Where a node starts and ends in it.
        until: The helper.
        name: What to call its object.
    """
    generator = call.args[0]
    if not isinstance(generator, ast.GeneratorExp) or not isinstance(call.func, ast.Name) or call.keywords:
        return []
    start, end = at(call)
    opening, closing = at(generator)[0], at(generator)[1] - 1
    before, after = code[at(call.func)[1] : opening], code[closing + 1 : at(call.args[1])[0] if call.args[1:] else end]
    most = 2 if call.func.id == "next" else 1
    bare, rest = _COMMENT.sub(b"", before), _COMMENT.sub(b"", after)
    if bare.strip(b" \t\r\n(") or rest.strip(b" \t\r\n(),") or len(call.args) > most:
        return []
    more = bare.count(b"(") - 1  # pairs of parentheses around the expression's own
    blank, then = before.count(b"\n") * "\n", rest.replace(b")", b"", max(more, 0)).replace(b",", b"", 1).decode()
    is_shared = closing + 1 == end  # one pair of parentheses for the call and the expression
    changes = [
        (start, opening + 1, f"({name} := {until}({SETTLED[call.func.id]}), [{blank}"),
        (closing, closing + 1 + len(after), f"])[0].value({')' if is_shared else then}"),
    ]
    for node, method in ((generator.elt, "see"), *((each.iter, "each") for each in generator.generators)):
        first, last = at(node)
        changes += [(first, first, f"{name}.{method}("), (last, last, ")")]
    return changes
