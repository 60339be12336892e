"""Audits the paper's Tables 2 to 6: whether each cell, total and ratio follows from the authors' files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import pandas as pd

from ..score.answers import alternatives, normalize
from ..score.results import as_text
from ..types import Result
from . import registry as paper
from .checks import KINDS, Check, agreement, of, sheet
from .paper_logs import PaperLogs
from .recompute import by_id

_FULL_CONTEXT = 55.4  # percent; the paper's Table 7
_LONGEST = 1_000  # words: no answer of the logs is longer


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


def rounded_twice(logs: PaperLogs) -> pd.DataFrame:
    """Table 6's RLM F1 cells, with bounds on the exact means behind the logged F1 values.

    The logs print F1 with four digits. F1 is a ratio of word counts, 2 shared / (said + wanted), and the gold
    answer gives `wanted`, so few fractions fit a printed value. "lowest" and "highest" are the means of the
    smallest and largest that fit. A cell was rounded twice if both round to another digit than the paper prints.
    """
    answers = of(logs.answers, "rlm")
    rows = {}
    for kind in KINDS:
        typed = answers[answers["question_type"] == kind]
        bounds = [exact_f1(f1, gold) for f1, gold in zip(typed["f1"], typed["gold"], strict=True)]
        low, high = (float(sum(ends) / len(bounds)) for ends in zip(*bounds, strict=True))
        printed = paper.register()[f"table6.rlm.f1.{kind}"]
        filed = logs.results["real_longmemeval_100_results.json"]["by_type"][kind]["rlm_f1"]
        rows[kind] = {
            "mean of the log": f"{typed['f1'].mean():.5f}",
            "exact, lowest": f"{low:.5f}",
            "exact, highest": f"{high:.5f}",
            "result file": f"{filed:.4f}",
            "paper": printed.show(printed.value),
            "agrees": agreement(typed["f1"].mean(), printed.value, printed.digits),
        }
    return as_text(rows, "question type")


def exact_f1(printed: float, gold: str) -> tuple[Fraction, Fraction]:
    """The smallest and the largest F1 over word sets that print as a four-digit value.

    Args:
        printed: The logged F1.
        gold: The gold answer; it is split into alternatives as the authors split it.

    Raises:
        ValueError: No ratio of word counts prints as this value.

    Example:
        >>> exact_f1(0.6667, "8 meals")
        (Fraction(2, 3), Fraction(2, 3))
    """
    fitting: set[Fraction] = set()
    for accepted in alternatives(gold, "paper"):
        wanted = len(normalize(accepted).split())
        totals = np.arange(1, _LONGEST) + wanted  # words said and wanted, for every length of an answer
        shared = np.rint(printed * totals / 2).astype(int)  # the only count that can come close
        near = np.flatnonzero((shared <= wanted) & (np.abs(2 * shared / totals - printed) < 1e-4))
        candidates = [Fraction(2 * int(shared[i]), int(totals[i])) for i in near]
        fitting |= {value for value in candidates if f"{float(value):.4f}" == f"{printed:.4f}"}
    if not fitting:
        raise ValueError(f"no F1 against {len(gold.split())} words prints as {printed:.4f}")
    return min(fitting), max(fitting)


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
