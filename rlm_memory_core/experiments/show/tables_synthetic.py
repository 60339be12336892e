"""Tables 1, 3 and 4, the synthetic set, with our column beside the paper's, and the results behind them.

`tables` makes the tables of overall figures and of question types; this module adds the sizes of the synthetic
set and RLM's gain over truncation.
"""

from collections.abc import Sequence

import pandas as pd

from rlm_memory_core.query.prompts import UNKNOWN

from ..paper.registry import printed
from ..score.results import as_text, groups, measured, typed, with_interval
from ..score.scoring import UNCERTAIN, score_synthetic
from ..types import Result, Sample
from .tables import overall_results, overall_table, sizes_by_sample, typed_results, typed_table

_MULTI_SESSION = "multi-session-user"
_NO_FACT = Sample("", "abstention", "", UNKNOWN, sessions=(), abstain=True)


def results(frame: pd.DataFrame, samples: Sequence[Sample]) -> list[Result]:
    """Every figure of Tables 1, 3 and 4, and those of Sections 4.1, 4.3 and 5.3 on the synthetic set."""
    gains = _gains(frame)
    return [
        *_sizes(samples),
        *_abstention_scores(),
        *overall_results(frame, "table3"),
        *typed_results(frame, "table4"),
        *gains.values(),
        *([_categories_with_a_gain(gains)] if gains else []),
    ]


def table_1(samples: Sequence[Sample]) -> pd.DataFrame:
    """Table 1 as text: how many samples of each type there are, and how long their histories are."""
    sizes = sizes_by_sample(samples)
    rows = {}
    for kind, of_kind in typed(sizes):
        name = "table3.caption.samples" if kind == "overall" else f"table1.n.{kind}"
        rows[kind] = {
            "N, paper": printed(name),
            "N": f"{len(of_kind)}",
            "sessions": f"{of_kind['sessions'].iloc[0]}" if kind != "overall" else "",
            "turns": f"{of_kind['turns'].min()} to {of_kind['turns'].max()}",
            "characters": f"{of_kind['characters'].mean():,.0f}",
            "serialised": f"{of_kind['serialised'].mean():,.0f}",
            "longest": f"{of_kind['serialised'].max():,}",
        }
    return as_text(rows, "question type")


def table_3(frame: pd.DataFrame) -> pd.DataFrame:
    """Table 3 as text: one row per method."""
    return overall_table(frame, "table3")


def table_4(frame: pd.DataFrame) -> pd.DataFrame:
    """Table 4 as text: F1 by question type, and RLM's gain over truncation if both ran."""
    table = typed_table(frame, "table4", "f1", list(dict.fromkeys(frame["question_type"])))
    gains = _gains(frame)
    if gains:
        table["gain, paper"] = [printed(f"table4.gain.{kind}") for kind in table.index]
        table["gain"] = [with_interval(gains[kind]) for kind in table.index]
    return table


def _gains(frame: pd.DataFrame) -> dict[str, Result]:
    """RLM's F1 minus truncation's on the same questions, by question type."""
    wanted = ["rlm-sequential", "truncation"]
    if not set(wanted) <= set(frame["method"]):
        return {}
    by_method = frame.pivot(index=["question_id", "question_type"], columns="method", values="f1").reset_index()
    by_method["gain"] = by_method[wanted[0]] - by_method[wanted[1]]
    return {kind: measured(f"table4.gain.{kind}", rows["gain"]) for kind, rows in typed(by_method)}


def _categories_with_a_gain(gains: dict[str, Result]) -> Result:
    """How many question types gain more than chance allows: the interval lies above 0."""
    of_types = [result for kind, result in gains.items() if kind != "overall"]
    above = sum(result.low is not None and result.low > 0 for result in of_types)
    return Result("section5.3.categories", above, len(of_types))


def _sizes(samples: Sequence[Sample]) -> list[Result]:
    sizes = sizes_by_sample(samples)
    by_type = dict(groups(sizes, "question_type"))
    total = len(sizes)
    found = [
        Result("section4.1.synthetic.categories", len(by_type), total),
        Result("section4.1.synthetic.samples", total, total),
        Result("section4.1.synthetic.turns.low", int(sizes["turns"].min()), total),
        Result("section4.1.synthetic.turns.high", int(sizes["turns"].max()), total),
        Result("table3.caption.samples", total, total),
        *(Result(f"table1.n.{kind}", len(rows), len(rows)) for kind, rows in by_type.items()),
    ]
    if _MULTI_SESSION in by_type:
        rows = by_type[_MULTI_SESSION]
        found.append(Result("table1.sessions", float(rows["sessions"].mean()), len(rows)))
    return found


def _abstention_scores() -> list[Result]:
    """The scores of two answers to a question without an answer: one that says so, and one that does not."""
    return [
        Result("section4.3.abstention.hit", score_synthetic(_NO_FACT, UNKNOWN)["em"], 1),
        Result("section4.3.abstention.miss", score_synthetic(_NO_FACT, "It is blue.")["em"], 1),
        Result("section4.3.abstention.phrases", len(UNCERTAIN), len(UNCERTAIN)),
    ]
