"""Evaluates the formula of a derived number on ranges of other numbers.

A printed 0.46 means any value from 0.455 to 0.465, so a formula takes ranges and returns one; a range of zero
width is an exact number. A formula may use + - * /, `n("id")`, `min` and `max`. Two uses of the same number
count as independent, so a range may be wider than necessary, but never narrower.
"""

import ast
import math
import operator
from collections.abc import Callable, Sequence

Range = tuple[float, float]
"""The lowest and the highest value that a number may have."""

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: dict[str, Callable[[Sequence[float]], float]] = {"min": min, "max": max}


def evaluate(formula: str, n: Callable[[str], Range]) -> Range:
    """Evaluates a formula.

    Args:
        formula: Such as `n("table5.rlm.em") / n("table5.truncation.em")`.
        n: Returns the range of an id.

    Returns:
        The lowest and the highest value that the formula can have; not-a-number
        if it divides by a range that contains 0.

    Raises:
        SyntaxError: The formula is not an expression.
        ValueError: It is not plain arithmetic.

    Example:
        >>> evaluate('n("a") / 2', lambda name: (3.0, 5.0))
        (1.5, 2.5)
    """
    return _evaluate(ast.parse(formula, mode="eval").body, n)


def _evaluate(node: ast.expr, n: Callable[[str], Range]) -> Range:
    match node:
        case ast.Call(func=ast.Name(id="n"), args=[ast.Constant(value=str(name))], keywords=[]):
            return n(name)
        case ast.Constant(value=int() | float() as constant) if not isinstance(constant, bool):
            return (float(constant), float(constant))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _combine(_OPERATORS[type(sign)], _evaluate(left, n), _evaluate(right, n))
        case ast.Call(func=ast.Name(id=function), args=[_, _, *_], keywords=[]) if function in _FUNCTIONS:
            lows, highs = zip(*(_evaluate(each, n) for each in node.args), strict=True)
            return (_FUNCTIONS[function](lows), _FUNCTIONS[function](highs))
    raise ValueError(f"a formula may not hold {ast.unparse(node)}")


def _combine(apply: Callable[[float, float], float], left: Range, right: Range) -> Range:
    """The range between the corners of two ranges; they bound the result unless a division crosses 0."""
    if apply is operator.truediv and right[0] <= 0 <= right[1]:
        return (math.nan, math.nan)
    corners = [apply(one, other) for one in left for other in right]
    return (min(corners), max(corners))
