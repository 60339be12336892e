"""The paper's Tables 2 to 6, recomputed from its authors' logs and result files.

Tables 5 and 6 come from the single answers that the logs print, Tables 2 to 4 from
the result files, which hold means alone. No method is run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..run.results import Result
from ..score.answers import alternatives, normalize
from ..score.intervals import mean_interval, wilson
from . import registry as paper
from .paper_logs import PaperLogs

PREFIX = "recomputed."
"""What the ids of recomputed numbers start with, before the number's own id."""

KINDS = (
    "single-session-user",
    "single-session-assistant",
    "knowledge-update",
    "temporal-reasoning",
    "multi-session",
    "single-session-preference",
)
"""The question types in the order of the paper's Table 6."""

_NIAH = {"rlm": "rlm_accuracy", "truncation": "truncation_accuracy", "full-context": "fullcontext_accuracy"}
_SYNTHETIC = {"rlm": ("rlm", "rlm"), "truncation": ("truncation", "trunc"), "full-context": ("full_context", "full")}
_METRICS = {"em": "em", "f1": "f1", "tokens": "avg_tokens", "seconds": "avg_latency_s"}
_LONGEST = 1_000  # words: no answer of the logs is longer


class Check(NamedTuple):
    """A line of an audit: what the paper says of something, what its logs say, and whether the two agree."""

    what: str
    paper: str
    logs: str
    holds: bool | None = None


def sheet(checks: Sequence[Check]) -> pd.DataFrame:
    """Checks as a frame of text, with "holds" or "does not hold" where that was asked."""
    verdicts = {True: "holds", False: "does not hold", None: ""}
    rows = {
        check.what: {"the paper": check.paper, "its logs": check.logs, "verdict": verdicts[check.holds]}
        for check in checks
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("what")


def recompute(logs: PaperLogs) -> list[Result]:
    """Every number of the paper's tables that its logs and result files give, unrounded.

    Returns:
        Results under the ids of `paper.toml`: Tables 5 and 6 with intervals, Tables 2, 3 and 4 as
        the files have them, Table 4's gains as differences.
    """
    return [*_table2(logs), *_table3_and_4(logs), *_table5_and_6(logs.answers)]


def against_paper(results: Sequence[Result], *tables: str) -> pd.DataFrame:
    """Tables of the paper, cell by cell: printed, recomputed, and whether they agree.

    Checks that the tables follow from the logs. "yes" is agreement to the printed digit,
    "rounded twice" agreement only if the number is rounded to four digits first, as the
    authors' result files round it.

    Args:
        results: What `recompute` gave.
        tables: The beginnings of the ids, such as "table6". Captions, labels and cells that no log could give
            are left out; "no log" marks a cell that the register finds in the authors' files and `results` lacks.
    """
    recomputed = {result.id.removeprefix(PREFIX): result.value for result in results}
    rows = {}
    for name, number in paper.register().items():
        value = recomputed.get(name)
        if name.partition(".")[0] in tables and number.row and (number.recomputes or value is not None):
            rows[name] = {
                "paper": f"{number.value:,.{number.digits}f}",
                "recomputed": "" if value is None else _unrounded(value, number.digits),
                "agrees": "no log" if value is None else agreement(value, number.value, number.digits),
            }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["paper", "recomputed", "agrees"]).rename_axis("cell")


def agreement(value: float, printed: float, digits: int) -> str:
    """How a number agrees with a printed one: "yes", "rounded twice" (first to four digits), or "no".

    >>> agreement(0.61947, 0.620, 3), agreement(0.6471, 0.647, 3)
    ('rounded twice', 'yes')
    """
    wanted = rounded(printed, digits)
    if rounded(value, digits) == wanted:
        return "yes"
    return "rounded twice" if rounded(rounded(value, 4), digits) == wanted else "no"


def rounded(value: float | Decimal, digits: int) -> Decimal:
    """A number rounded half up in decimal, as people round what they read."""
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def rounded_twice(logs: PaperLogs) -> pd.DataFrame:
    """Table 6's RLM F1 cells, with the exact means that the logged F1 values allow.

    The logs print F1 with four digits, but an F1 is a ratio of word counts, 2 shared / (said +
    wanted). The gold answer gives `wanted`, so few fractions fit a printed value; lowest and
    highest are the means of the smallest and largest that do. Supports "rounded twice" where
    both round to another digit than the paper prints.
    """
    answers = logs.answers[logs.answers["method"] == "rlm"]
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
            "paper": f"{printed.value:.3f}",
            "agrees": agreement(typed["f1"].mean(), printed.value, printed.digits),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("question type")


def exact_f1(printed: float, gold: str) -> tuple[Fraction, Fraction]:
    """The smallest and the largest F1 over word sets that print as a four-digit value.

    Args:
        printed: The logged F1.
        gold: The gold answer, read with its alternatives as the authors read it.

    Raises:
        ValueError: No ratio of word counts prints so.

    Example:
        >>> exact_f1(0.6667, "8 meals")
        (Fraction(2, 3), Fraction(2, 3))
    """
    fitting: set[Fraction] = set()
    for accepted in alternatives(gold, "paper"):
        wanted = len(normalize(accepted).split())
        totals = np.arange(1, _LONGEST) + wanted  # words said and wanted, for every length of an answer
        shared = np.rint(printed * totals / 2).astype(int)  # the only count that can come near
        near = np.flatnonzero((shared <= wanted) & (np.abs(2 * shared / totals - printed) < 1e-4))
        candidates = [Fraction(2 * int(shared[i]), int(totals[i])) for i in near]
        fitting |= {value for value in candidates if f"{float(value):.4f}" == f"{printed:.4f}"}
    if not fitting:
        raise ValueError(f"no F1 against {len(gold.split())} words prints as {printed:.4f}")
    return min(fitting), max(fitting)


def weighted_means(results: Sequence[Result]) -> pd.DataFrame:
    """Checks that the "overall" rows of Tables 4 and 6 are the means of their rows, weighted by n.

    Table 6 is checked on the paper's printed digits, Table 4 on the result file's, both
    within what the rounding of the rows allows.
    """
    filed = {result.id.removeprefix(PREFIX): result for result in results}
    checks = []
    for metric in ("rlm.em", "rlm.f1", "truncation.em"):
        printed = {kind: paper.register()[f"table6.{metric}.{kind}"].value for kind in (*KINDS, "overall")}
        sizes = {kind: paper.register()[f"table6.n.{kind}"].value for kind in KINDS}
        checks.append(_weighted(f"Table 6, {metric}", printed, sizes))
    for method in _SYNTHETIC:
        rows = {name.rpartition(".")[2]: one for name, one in filed.items() if name.startswith(f"table4.{method}.f1.")}
        values = {kind: one.value for kind, one in rows.items()}
        checks.append(
            _weighted(f"Table 4, {method}", values, {kind: one.n for kind, one in rows.items() if kind != "overall"})
        )
    return sheet(checks)


def headlines(results: Sequence[Result]) -> pd.DataFrame:
    """Checks the abstract's ratios: 9x over truncation, +50% F1, 9.4 points below full context.

    The first two follow from the tables. The third subtracts a containment EM on 100 questions
    from a judged accuracy on 500 (claim 5), so that only its arithmetic holds.
    """
    value = {result.id.removeprefix(PREFIX): result.value for result in results}
    gain = value["table5.rlm.em"] / value["table5.truncation.em"]
    relative = value["table3.rlm.f1"] / value["table3.truncation.f1"] - 1
    points = 55.4 - 100 * value["table5.rlm.em"]  # the paper's Table 7
    return sheet(
        [
            Check("EM over truncation", "9x", f"{gain:.1f}x", round(gain) == 9),
            Check("synthetic F1 over truncation", "+50%", f"+{100 * relative:.0f}%", round(100 * relative) == 50),
            Check("points below full context", "9.4", f"{points:.1f}", round(points, 1) == 9.4),
        ]
    )


def _table2(logs: PaperLogs) -> list[Result]:
    results = []
    for row in logs.results["niah_results.json"]:
        length = row["num_turns"]
        results.append(Result(f"table2.characters.{length}", row["history_chars"], 5))
        results += [Result(f"table2.{method}.{length}", row[field], 5) for method, field in _NIAH.items()]
    return results


def _table3_and_4(logs: PaperLogs) -> list[Result]:
    filed: dict[str, Any] = logs.results["synthetic_longmemeval_results.json"]
    results = []
    for method, (overall, prefix) in _SYNTHETIC.items():
        means = filed["overall"][overall]
        n = filed["n_samples"]
        results += [
            Result(f"table3.{method}.{name}", means[field], n) for name, field in _METRICS.items() if field in means
        ]
        results.append(Result(f"table4.{method}.f1.overall", means["f1"], n))
        results += [
            Result(f"table4.{method}.f1.{kind}", row[f"{prefix}_f1"], row["n"])
            for kind, row in filed["by_type"].items()
        ]
    value = {result.id: result.value for result in results}
    for kind, n in [*((kind, row["n"]) for kind, row in filed["by_type"].items()), ("overall", filed["n_samples"])]:
        gain = value[f"table4.rlm.f1.{kind}"] - value[f"table4.truncation.f1.{kind}"]
        results.append(Result(f"table4.gain.{kind}", gain, n))
    return results


def _table5_and_6(answers: pd.DataFrame) -> list[Result]:
    results = []
    for method in ("truncation", "rlm"):
        rows = answers[answers["method"] == method]
        results += [_share(f"table5.{method}.em", rows["em"]), _mean(f"table5.{method}.f1", rows["f1"])]
        results.append(_mean(f"table5.{method}.seconds", rows["seconds"]))
        if rows["tokens"].notna().all():
            results.append(_mean(f"table5.{method}.tokens", rows["tokens"]))
        for kind in (*KINDS, "overall"):
            typed = rows if kind == "overall" else rows[rows["question_type"] == kind]
            results.append(_share(f"table6.{method}.em.{kind}", typed["em"]))
            results.append(_mean(f"table6.{method}.f1.{kind}", typed["f1"]))
            if method == "rlm":
                results.append(Result(f"table6.n.{kind}", len(typed), len(typed)))
    return results


def _unrounded(value: float, digits: int) -> str:
    """A number with two digits more than are printed, unless it is whole."""
    return f"{value:,.{digits if value == round(value) else digits + 2}f}"


def _share(name: str, values: pd.Series[float]) -> Result:
    return Result(name, float(values.mean()), len(values), *wilson(float(values.sum()), len(values)))


def _mean(name: str, values: pd.Series[float]) -> Result:
    return Result(name, float(values.mean()), len(values), *mean_interval(list(values)))


def _weighted(what: str, values: dict[str, float], sizes: dict[str, float]) -> Check:
    mean = sum(size * values[kind] for kind, size in sizes.items()) / sum(sizes.values())
    # Each printed number may be off by half of its last digit, the mean of the rows and the row itself.
    return Check(what, f"{values['overall']:.3f}", f"{mean:.4f}", abs(mean - values["overall"]) <= 0.001)
