"""Recomputes the paper's numbers from its authors' logs and result files. No method is run here.

`paper.toml` declares each number: its field `recomputes` names the figure in the authors' files as
source:who:what:slice[:statistic]. This module looks such a figure up.
"""

from collections.abc import Sequence

import pandas as pd

from ..score.results import measured
from ..types import Result
from . import registry as paper
from .checks import KINDS, of, one_scan
from .formulas import evaluate
from .paper_logs import PaperLogs

PREFIX = "recomputed."
"""The ids of recomputed results start with this; the number's own id follows."""

_NEEDLE_RUNS = 5  # conversations of each length behind one figure of the needle's result file
_SYNTHETIC = {"rlm": ("rlm", "rlm"), "truncation": ("truncation", "trunc"), "full-context": ("full_context", "full")}
_NEEDLE_FIELDS = {"characters": "history_chars", "turns": "num_turns"}
_SYNTHETIC_FIELDS = {"em": "em", "f1": "f1", "tokens": "avg_tokens", "seconds": "avg_latency_s"}
_QUANTILES = {"median": 0.5, "lower-quartile": 0.25, "upper-quartile": 0.75}

_FURTHER = {
    **{f"table4.{method}.f1.overall": f"synthetic:{method}:f1:overall" for method in _SYNTHETIC},
    **{f"table6.{method}.em.overall": f"run_100:{method}:em:overall" for method in ("truncation", "rlm")},
    **{f"table6.{method}.f1.overall": f"run_100:{method}:f1:overall" for method in ("truncation", "rlm")},
    **{f"table6.truncation.f1.{kind}": f"run_100:truncation:f1:{kind}" for kind in KINDS},
}
"""Figures that the paper does not print, or that repeat another table's."""


def results(logs: PaperLogs) -> list[Result]:
    """Every number of the paper that its authors' files give, unrounded, as "recomputed." and the number's id.

    Args:
        logs: What `paper_logs.load` returns.

    Returns:
        Scores from the single answers have 95% intervals. Table 4's gains are differences of other results.

    Example:
        >>> from rlm_memory_core.experiments.paper.paper_logs import load
        >>> by_id(results(load()))["section7.population"].value  # doctest: +SKIP
        500
    """
    declared = {number.id: number.recomputes for number in paper.register().values() if number.recomputes}
    found = [_recompute(PREFIX + name, path, logs) for name, path in (declared | _FURTHER).items()]
    return [*found, *_gains(found)]


def by_id(found: Sequence[Result]) -> dict[str, Result]:
    """Recomputed results by the ids that the numbers have in `paper.toml`."""
    return {result.id.removeprefix(PREFIX): result for result in found}


def _recompute(name: str, path: str, logs: PaperLogs) -> Result:
    source, who, what, part, *statistic = path.split(":")
    if source == "niah":
        row = next(row for row in logs.results["niah_results.json"] if row["num_turns"] == int(part))
        field = _NEEDLE_FIELDS.get(what) or f"{who.replace('-', '')}_{what}"
        return Result(name, row[field], 1 if what == "turns" else _NEEDLE_RUNS)
    if source == "synthetic":
        return _synthetic(name, who, what, part, logs)
    if what in ("population", "window"):
        return Result(name, getattr(logs.settings, what), 1)
    # the rows of "rlm" also hold the facts of histories and samples
    method = "adaptive" if source == "adaptive_100" else {"history": "rlm", "samples": "rlm"}.get(who, who)
    rows = _slice(logs.answers, method, part)
    if what in ("count", "categories"):
        return Result(name, len(rows) if what == "count" else rows["question_type"].nunique(), len(rows))
    values = rows[what]
    if statistic:
        return Result(name, float(values.quantile(_QUANTILES[statistic[0]])), len(values))
    if who == "history":
        return Result(name, float(values.mean()), len(values))
    return measured(name, values)


def _synthetic(name: str, who: str, what: str, part: str, logs: PaperLogs) -> Result:
    filed = logs.results["synthetic_longmemeval_results.json"]
    by_type = filed["by_type"]
    n = filed["n_samples"] if part == "overall" else by_type[part]["n"]
    if who == "samples":
        return Result(name, n if what == "count" else len(by_type), n)
    method, prefix = _SYNTHETIC[who]
    overall = filed["overall"][method]
    return Result(name, overall[_SYNTHETIC_FIELDS[what]] if part == "overall" else by_type[part][f"{prefix}_{what}"], n)


def _slice(answers: pd.DataFrame, method: str, part: str) -> pd.DataFrame:
    """A method's answers to all questions, to one question type, to single-session types, or those of one full scan."""
    rows = of(answers, method)
    if part == "overall":
        return rows
    if part == "one-scan":
        return rows.loc[one_scan(answers).index]
    kinds = rows["question_type"]
    return rows[kinds.str.startswith("single-session") if part == "single-session" else kinds == part]


def _gains(found: Sequence[Result]) -> list[Result]:
    """Table 4's last column, worked out from recomputed scores instead of printed ones."""
    known = by_id(found)
    return [
        Result(
            PREFIX + name,
            evaluate(number.formula, lambda each: (known[each].value,) * 2)[0],
            known[f"table4.rlm.f1.{name.removeprefix('table4.gain.')}"].n,
        )
        for name, number in paper.register().items()
        if name.startswith("table4.gain.")
    ]
