"""What the authors' logs and result files say of their data and settings: sizes, counts, windows.

The numbers of the paper's text and captions that no score stands behind. Scores are
recomputed in `audit_tables`.
"""

from __future__ import annotations

from .paper_logs import PaperLogs
from .results import Result


def data_results(logs: PaperLogs) -> list[Result]:
    """The facts behind Tables 1, 2 and 5 and Section 5.4, and the parallel run's seconds, by the ids of `paper.toml`.

    Example:
        >>> from .paper_logs import load
        >>> {result.id: result.value for result in data_results(load())}["section7.population"]  # doctest: +SKIP
        500
    """
    return [*_needle(logs), *_synthetic(logs), *_longmemeval(logs), *_parallel(logs)]


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


def _parallel(logs: PaperLogs) -> list[Result]:
    """The median of the run with sub-agents at once, beside the "about 4 s" of the repository's README."""
    seconds = logs.answers.loc[logs.answers["method"] == "adaptive", "seconds"]
    return [Result("readme.table.rlm.seconds", float(seconds.median()), len(seconds))]
