"""Audits the paper's Tables 2 to 6: whether each cell, total and ratio follows from the authors' files."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ..score.results import as_text
from ..types import Result
from . import registry as paper
from .checks import KINDS, Check, agreement, sheet
from .recompute import by_id

_FULL_CONTEXT = 55.4  # percent; the paper's Table 7


def against_paper(results: Sequence[Result], *tables: str) -> pd.DataFrame:
    """Tables of the paper, cell by cell: printed, recomputed, and whether they agree.

    "yes" means that the recomputed number rounds to the printed digits; "rounded twice" that it does so only
    after rounding to four digits first, as the authors' result files do.

    Args:
        results: What `recompute.results` returns.
        tables: How the ids start, such as "table6". Captions, labels and cells that no log can give
            are left out; "no log" marks a cell that `paper.toml` finds in the authors' files and `results` lacks.
    """
    recomputed = by_id(results)
    rows = {}
    for name, number in paper.register().items():
        result = recomputed.get(name)
        if name.partition(".")[0] in tables and number.row and (number.recomputes or result):
            rows[name] = {
                "paper": number.show(number.value),
                "recomputed": _unrounded(result.value, number.digits) if result else "",
                "agrees": agreement(result.value, number.value, number.digits) if result else "no log",
            }
    return as_text(rows, "cell")


def weighted_means(results: Sequence[Result]) -> pd.DataFrame:
    """Checks that the "overall" rows of Tables 4 and 6 are the means of their rows, weighted by n.

    Uses the printed digits of Table 6 and the result file's digits of Table 4, and allows for the rounding of rows.
    """
    recomputed, register = by_id(results), paper.register()
    sizes = {kind: register[f"table6.n.{kind}"].value for kind in KINDS}
    checks = []
    for column in ("rlm.em", "rlm.f1", "truncation.em"):
        printed = {kind: register[f"table6.{column}.{kind}"].value for kind in (*KINDS, "overall")}
        checks.append(_weighted(f"Table 6, {column}", printed, sizes))
    for method in ("rlm", "truncation", "full-context"):
        start = f"table4.{method}.f1."
        rows = {name.removeprefix(start): one for name, one in recomputed.items() if name.startswith(start)}
        filed_sizes = {kind: one.n for kind, one in rows.items() if kind != "overall"}
        checks.append(_weighted(f"Table 4, {method}", {kind: one.value for kind, one in rows.items()}, filed_sizes))
    return sheet(*checks)


def headlines(results: Sequence[Result]) -> pd.DataFrame:
    """Checks the abstract's ratios: 9x over truncation, +50% F1, 9.4 points below full context.

    The first two follow from the tables. The third subtracts a containment EM on 100 questions
    from a judged accuracy on 500 (claim 5), so only its arithmetic holds.
    """
    value = {name: result.value for name, result in by_id(results).items()}
    gain = value["table5.rlm.em"] / value["table5.truncation.em"]
    relative = value["table3.rlm.f1"] / value["table3.truncation.f1"] - 1
    points = _FULL_CONTEXT - 100 * value["table5.rlm.em"]
    return sheet(
        Check("EM over truncation", "9x", f"{gain:.1f}x", round(gain) == 9),
        Check("synthetic F1 over truncation", "+50%", f"+{100 * relative:.0f}%", round(100 * relative) == 50),
        Check("points below full context", "9.4", f"{points:.1f}", round(points, 1) == 9.4),
    )


def _unrounded(value: float, digits: int) -> str:
    """A number with two more digits than printed, unless it is whole."""
    return f"{value:,.{digits if value == round(value) else digits + 2}f}"


def _weighted(what: str, values: Mapping[str, float], sizes: Mapping[str, float]) -> Check:
    mean = sum(size * values[kind] for kind, size in sizes.items()) / sum(sizes.values())
    # Each printed number may be off by half of its last digit: the rows, and so their mean, and the total.
    return Check(what, f"{values['overall']:.3f}", f"{mean:.4f}", abs(mean - values["overall"]) <= 0.001)
