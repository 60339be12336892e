"""What the authors' logs and result files say of their data and settings: sizes, counts, windows.

The numbers of the paper's text and captions that no score stands behind. Scores are
recomputed in `audit_tables`.
"""

from __future__ import annotations

import pandas as pd

from ..run.results import Result
from .audit_costs import of, one_scan
from .paper_logs import PaperLogs


def data_results(logs: PaperLogs) -> list[Result]:
    """The facts behind Tables 1, 2 and 5 and Section 5.4, and three claims on seconds, by the ids of `paper.toml`.

    Example:
        >>> from rlm_memory_core.experiments.paper.paper_logs import load
        >>> {result.id: result.value for result in data_results(load())}["section7.population"]  # doctest: +SKIP
        500
    """
    return [*_needle(logs), *_synthetic(logs), *_longmemeval(logs), *_seconds(logs)]


def _needle(logs: PaperLogs) -> list[Result]:
    lengths = [row["num_turns"] for row in logs.results["niah_results.json"]]
    return [Result(f"reproducibility.turns.{length}", length, 1) for length in lengths]


def _synthetic(logs: PaperLogs) -> list[Result]:
    filed = logs.results["synthetic_longmemeval_results.json"]
    total = filed["n_samples"]
    return [
        Result("table3.caption.samples", total, total),
        Result("section4.1.synthetic.categories", len(filed["by_type"]), total),
        *(Result(f"table1.n.{kind}", row["n"], row["n"]) for kind, row in filed["by_type"].items()),
    ]


def _longmemeval(logs: PaperLogs) -> list[Result]:
    histories = logs.answers.drop_duplicates("question_id")
    n = len(histories)
    return [
        Result("section7.population", logs.settings.population, 1),
        Result("table5.caption.window", logs.settings.window, 1),
        Result("section5.4.types", histories["question_type"].nunique(), n),
        Result("section5.4.history.turns", float(histories["turns"].mean()), n),
        Result("abstract.history.characters", float(histories["characters"].mean()), n),
    ]


def _seconds(logs: PaperLogs) -> list[Result]:
    """What stands beside three claims on seconds.

    The repository's "about 4 s" beside the median of the run with sub-agents at once; the ranges of
    Sections 6 and 7 beside the quartiles of the single-session questions and of that run's full scans.
    """
    parallel = of(logs.answers, "adaptive")["seconds"]
    scans = parallel.loc[one_scan(logs.answers).index]
    sequential = of(logs.answers, "rlm")
    simple = sequential.loc[sequential["question_type"].str.startswith("single-session"), "seconds"]
    return [
        Result("readme.table.rlm.seconds", float(parallel.median()), len(parallel)),
        *_quartiles("section6.simple.seconds", simple),
        *_quartiles("section7.parallel.seconds", scans),
    ]


def _quartiles(name: str, values: pd.Series[float]) -> list[Result]:
    ends = (("low", 0.25), ("high", 0.75))
    return [Result(f"{name}.{end}", float(values.quantile(share)), len(values)) for end, share in ends]
