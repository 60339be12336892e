"""The cost of a query by the length of the history: the paper's full scan, ranked and search reading, all measured.

Asks the same questions over generated histories (`long_histories`) of 50 to 5,000 sessions. Nothing is extrapolated:
the full scan runs up to a given length and has no figure beyond it.
"""

from collections.abc import Callable, Sequence

import pandas as pd

from rlm_memory_core.models.llm import LLM

from ..data import long_histories
from ..methods import FULL_SCAN
from ..run import runner
from ..score.results import as_text, groups, mean_of, measured, share
from ..score.scoring import score_by_gold
from ..types import Method, Result
from .tables import tokens

LENGTHS = (50, 200, 500, 1_000, 2_000, 5_000)
"""Sessions of the histories; LongMemEval-S has about 48, LongMemEval-M about 500."""


def run(
    methods: Sequence[Method],
    llm: LLM,
    lengths: Sequence[int] = LENGTHS,
    scan_up_to: int = 500,
    n_per_type: int = 1,
    seed: int = 42,
    progress: bool = True,
) -> pd.DataFrame:
    """Has every method answer the same questions over histories of every length.

    Args:
        methods: The full scan, by the name `beyond.FULL_SCAN`, and others.
        llm: The model, for its label.
        lengths: Sessions of the histories.
        scan_up_to: Sessions of the longest history that the full scan reads.
        n_per_type: Questions of each type; see `long_histories.load`.
        seed: Of the histories.
        progress: Whether to show a bar on the terminal.

    Returns:
        The runner's rows, with the column `sessions` (of the history).

    Raises:
        ValueError: No length is given, or a history of one is too short for the facts.
    """
    if not lengths:
        raise ValueError("no length of a history is given")
    frames = []
    for length in lengths:
        samples = long_histories.load(length, n_per_type, seed)
        reading = [method for method in methods if method.name != FULL_SCAN or length <= scan_up_to]
        frame = runner.run(reading, samples, model=llm.label, score_with=score_by_gold, progress=progress)
        frames.append(frame.assign(sessions=length))
    return pd.concat(frames, ignore_index=True)


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """Tokens and sessions read per query by length and method, and the share whose evidence was read, as text.

    Args:
        frame: What `run` returns.
    """
    answered = {(key[0], key[1]): rows for key, rows in frame.groupby(["sessions", "method"])}
    cells = as_text(
        {
            f"{length:,}": {
                name.format(method): make(answered[length, method]) if (length, method) in answered else "not run"
                for method in dict.fromkeys(frame["method"])
                for name, make in _CELLS.items()
            }
            for length in sorted(frame["sessions"].unique())
        },
        "sessions in the history",
    )
    return cells.loc[:, (cells != "").any()]


def growth(frame: pd.DataFrame) -> pd.DataFrame:
    """The growth of each method's mean tokens from the shortest history that it read to the longest.

    Args:
        frame: What `run` returns.
    """
    rows = {}
    for method, answered in groups(frame, "method"):
        means = mean_tokens(answered)
        first, last = means.index[0], means.index[-1]
        rows[method] = {
            "sessions": f"{first:,} to {last:,}",
            "history grows": f"{last / first:,.0f} times",
            "tokens": f"{means[first]:,.0f} to {means[last]:,.0f}",
            "tokens grow by": f"{means[last] / means[first] - 1:+.1%}",
        }
    return as_text(rows, "method")


def results(frame: pd.DataFrame) -> list[Result]:
    """The curve under ids such as "beyond.lengths.rlm-ranked-10.tokens.5000", and growth as a share.

    Args:
        frame: What `run` returns.
    """
    found = []
    for method, answered in groups(frame, "method"):
        name = f"beyond.lengths.{method}"
        for length, rows in groups(answered, "sessions"):
            found.append(measured(f"{name}.tokens.{length}", tokens(rows)))
            found.append(Result(f"{name}.failed.{length}", float((rows["error"] != "").sum()), len(rows)))
            if len(read := rows["sessions_read"].dropna()):
                found.append(measured(f"{name}.sessions_read.{length}", read.astype(float)))
            known = rows["evidence_read"].dropna().astype(float)
            if len(known):
                found.append(share(f"{name}.evidence_read.{length}", float(known.sum()), len(known)))
        means = mean_tokens(answered)
        found.append(Result(f"{name}.growth", float(means.iloc[-1] / means.iloc[0] - 1), len(answered)))
    return found


def mean_tokens(rows: pd.DataFrame) -> "pd.Series[float]":
    """Mean tokens by length, the shortest first."""
    return tokens(rows).groupby(rows["sessions"]).mean()


def _read_of(known: "pd.Series[float]") -> str:
    return f"{int(known.sum())} of {len(known)}" if len(known) else ""


_CELLS: dict[str, Callable[[pd.DataFrame], str]] = {
    "{}: tokens": lambda rows: f"{tokens(rows).mean():,.0f}",
    "{}: calls": lambda rows: mean_of(rows["calls"]),
    "{}: sessions read": lambda rows: mean_of(rows["sessions_read"]),
    "{}: all evidence read": lambda rows: _read_of(rows["evidence_read"].dropna()),
    "{}: failed": lambda rows: f"{(rows['error'] != '').sum()}",
}
