"""The cost of a query: in the authors' logs, by arithmetic at today's prices, and by the length of the history.

Prices come from `genai-prices`. An estimate counts what a scan must read (see `estimate`); what the model writes
besides is unknown.
"""

import inspect
from collections.abc import Sequence
from itertools import product

import pandas as pd

from rlm_memory_core.models.pricing import Usage, cost, price
from rlm_memory_core.query.engine import MemoryRLM

from ..methods import FULL_SCAN, PAPER_WINDOW
from ..paper import paper_logs
from ..paper import registry as paper
from ..paper.checks import of
from ..run.estimate import piece_sizes, usage
from ..score.results import as_text, measured
from ..types import Result, Sample

PAPER_MODEL = "gpt-4o-mini"
HISTORY = 490_000
"""Characters of the paper's mean history."""

SESSIONS = 48
"""Sessions of the paper's mean history, to the next whole one."""

LENGTHS = (50, 100, 200, 500, 1_000, 2_000, 5_000)
"""Sessions of the histories that cost is estimated for; the paper's have 50."""


def logged_answers(logs_dir: str = "") -> pd.DataFrame:
    """The single answers of the authors' logs; see `paper_logs.load`."""
    return paper_logs.load(logs_dir).answers


def bill(models: Sequence[str] = (PAPER_MODEL,)) -> pd.DataFrame:
    """Dollars for the paper's token count, and for reading its mean history, by model.

    Args:
        models: Names that `genai-prices` knows.

    Returns:
        A table of text: one row for each thing that is paid for, with its tokens and one column per model.

    Raises:
        ValueError: The price of a model is unknown.
    """
    pieces = _history(SESSIONS)
    counted = int(paper.register()["table5.rlm.tokens"].value)
    items = {
        f"{counted:,} tokens, were they all prompts": Usage(counted),
        f"truncation to {PAPER_WINDOW:,} characters": usage("truncation", pieces, [], PAPER_WINDOW),
        f"all {HISTORY:,} characters in one call": usage("full-context", pieces, [], PAPER_WINDOW),
        f"one full scan: {SESSIONS} sub-agents": usage(FULL_SCAN, pieces, [], PAPER_WINDOW),
    }
    rows = {
        what: {"tokens": f"{taken.total_tokens:,}", **{model: f"${_dollars(taken, model):.4f}" for model in models}}
        for what, taken in items.items()
    }
    return as_text(rows, "what is paid for")


def real_scans(samples: Sequence[Sample], model: str = PAPER_MODEL) -> pd.DataFrame:
    """The calls, tokens and dollars of one full scan of each real history.

    Args:
        samples: The benchmark's questions.
        model: The model whose price is used; see `bill`.

    Returns:
        One row per question: question_id, calls (of sub-agents), tokens, usd.
    """
    rows = []
    for sample in samples:
        pieces = piece_sizes(sample)
        taken = usage(FULL_SCAN, pieces, [], PAPER_WINDOW)
        rows.append((sample.id, len(pieces), taken.total_tokens, _dollars(taken, model)))
    return pd.DataFrame(rows, columns=["question_id", "calls", "tokens", "usd"])


def real_scans_table(scans: pd.DataFrame) -> pd.DataFrame:
    """The result of `real_scans` as text, beside the figures that the paper prints."""
    counted = scans[["calls", "tokens", "usd"]].agg(["mean", "min", "max"])
    paper_says = {"calls": "~50", "tokens": "37,216", "usd": "~0.005"}
    rows = {}
    for name, digits in (("calls", 1), ("tokens", 0), ("usd", 4)):
        shown = {each: f"{counted.loc[each, name]:,.{digits}f}" for each in counted.index}
        rows[f"{name} of one full scan"] = {"the paper": paper_says[name], **shown}
    return as_text(rows, f"over {len(scans)} histories")


def by_length(sessions: Sequence[int] = LENGTHS, model: str = PAPER_MODEL) -> pd.DataFrame:
    """The cost of a query by the length of the history, whose sessions are as long as the paper's.

    Args:
        sessions: Lengths of histories.
        model: The model whose price is used; see `bill`.

    Returns:
        One row per length and method: sessions, method, calls, tokens, usd.

    Example:
        >>> table = by_length([50, 100])
        >>> table.loc[table["method"] == "rlm-parallel", "calls"].tolist()
        [53, 103]
    """
    rows = []
    for count, method in product(sessions, ("truncation", FULL_SCAN)):
        taken = usage(method, _history(count), [], PAPER_WINDOW)
        rows.append((count, method, taken.calls, taken.total_tokens, _dollars(taken, model)))
    return pd.DataFrame(rows, columns=["sessions", "method", "calls", "tokens", "usd"])


def by_length_table(lengths: pd.DataFrame) -> pd.DataFrame:
    """The scans of `by_length` as text. If the cost were constant, the last column would say 1.0."""
    scans = lengths[lengths["method"] == FULL_SCAN].set_index("sessions")
    first = scans.index[0]
    return pd.DataFrame(
        {
            "calls": scans["calls"].map("{:,}".format),
            "tokens": scans["tokens"].map("{:,}".format),
            "dollars": scans["usd"].map("{:.4f}".format),
            f"sessions, times {first}": (scans.index / first).map("{:.1f}".format),
            f"dollars, times those of {first}": (scans["usd"] / scans["usd"].iloc[0]).map("{:.1f}".format),
        }
    )


def results(
    lengths: pd.DataFrame, answers: pd.DataFrame | None = None, scans: pd.DataFrame | None = None
) -> list[Result]:
    """The figures of this module; they have ids of `paper.toml` only if the paper prints the same quantity.

    Args:
        lengths: What `by_length` returns.
        answers: What `logged_answers` returns, if the logs are available.
        scans: What `real_scans` returns, if the benchmark is available.

    Returns:
        The limit of iterations (our setting), the calls of a full scan of the real histories, the
        price of the paper's token count; and, under other ids, estimates and logged seconds.
    """
    limit = inspect.signature(MemoryRLM).parameters["max_iterations"].default
    counted = paper.register()["table5.rlm.tokens"].value
    found = [
        Result("section6.iterations.limit", float(limit), 1),
        Result("recomputed.section6.usd", _dollars(Usage(int(counted)), PAPER_MODEL), 100),
    ]
    for row in lengths[lengths["method"] == FULL_SCAN].to_dict("records"):
        name = f"estimated.history.{row['sessions']}"
        found += [Result(f"{name}.tokens", row["tokens"], 1), Result(f"{name}.usd", row["usd"], 1)]
    if answers is not None:
        seconds = of(answers, "adaptive")["seconds"]
        found += [
            Result(f"logged.parallel.seconds.{name}", float(seconds.agg(name)), len(seconds))
            for name in ("mean", "median")
        ]
    if scans is not None:
        ids = {"calls": "section7.calls", "tokens": "estimated.full-scan.tokens", "usd": "estimated.full-scan.usd"}
        found += [measured(name, scans[column]) for column, name in ids.items()]
    return found


def _history(sessions: int) -> list[int]:
    """Characters of each session of a history whose sessions are as long as the paper's."""
    return [HISTORY // SESSIONS] * sessions


def _dollars(taken: Usage, model: str) -> float:
    dollars = cost(taken, price(model))
    if dollars is None:
        raise ValueError(f"the price of {model} is unknown to genai-prices")
    return dollars
