"""What a query takes against the length of the history: the paper's full scan beside ranked reading, both measured.

Generated histories (`long_histories`) of 50 to 5,000 sessions with the same questions. Nothing is extrapolated: the
full scan is run up to a length that is given, and has no figure beyond it. A history is stored once and its index is
made before the first question, as for a user who asks for the second time; what storing and indexing took is counted
by themselves. Seconds are of this machine, and with the offline reader they hold no wait for a network.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

import pandas as pd

from rlm_memory_core.models.llm import LLM
from rlm_memory_core.search.ranking import rank_sessions
from rlm_memory_core.store.memory_store import MemoryStore

from ..data import long_histories
from ..methods import FULL_SCAN
from ..run import runner
from ..run.results import Result
from ..score.scoring import score_by_gold
from ..types import Method, Sample
from .cells import as_text, groups, measured

LENGTHS = (50, 200, 500, 1_000, 2_000, 5_000)
"""Sessions of the histories; LongMemEval-S has about 48, LongMemEval-M about 500."""


@dataclass(frozen=True)
class _Stored(Sample):
    """A question whose history is stored already."""

    kept: MemoryStore | None = None

    def store(self) -> MemoryStore:
        """The one store of all questions over this history."""
        return super().store() if self.kept is None else self.kept


def run(
    methods: Sequence[Method],
    llm: LLM,
    lengths: Sequence[int] = LENGTHS,
    scan_up_to: int = 500,
    n_per_type: int = 1,
    seed: int = 42,
    progress: bool = True,
) -> pd.DataFrame:
    """Have every method answer the same questions over histories of every length.

    Args:
        methods: The full scan, by the name `beyond.FULL_SCAN`, and others.
        llm: The model, for its label.
        lengths: Sessions of the histories.
        scan_up_to: The longest history that the full scan reads.
        n_per_type: Questions of each type; see `long_histories.load`.
        seed: Of the histories.
        progress: A bar on the terminal.

    Returns:
        The runner's rows, with the columns `sessions` (of the history), `store_seconds` and `index_seconds`.

    Raises:
        ValueError: No length is given, or one cannot hold the facts.
    """
    if not lengths:
        raise ValueError("no length of a history is given")
    frames = []
    for length in lengths:
        samples = long_histories.load(length, n_per_type, seed)
        started = time.perf_counter()
        store = samples[0].store()
        stored = time.perf_counter()
        rank_sessions(store, samples[0].question, samples[0].question_date)
        indexed = time.perf_counter()
        asked = [_Stored(**{each.name: getattr(one, each.name) for each in fields(one)}, kept=store) for one in samples]
        reading = [method for method in methods if method.name != FULL_SCAN or length <= scan_up_to]
        frame = runner.run(reading, asked, model=llm.label, score_with=score_by_gold, progress=progress)
        frames.append(frame.assign(sessions=length, store_seconds=stored - started, index_seconds=indexed - stored))
        store.close()
    return pd.concat(frames, ignore_index=True)


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """Tokens and sessions read a query by length and method, and the share whose evidence was read, as text.

    Args:
        frame: What `run` gave.
    """
    rows: dict[str, dict[str, str]] = {}
    for length, of_length in groups(frame, "sessions"):
        row: dict[str, str] = {}
        for method in dict.fromkeys(frame["method"]):
            answered = of_length[of_length["method"] == method]
            cells = _cells(answered) if len(answered) else ("not run", "not run", "not run", "")
            row |= dict(zip((f"{method}: {name}" for name in _NAMES), cells, strict=True))
        rows[f"{int(length):,}"] = row
    return as_text(rows, "sessions in the history")


def growth(frame: pd.DataFrame) -> pd.DataFrame:
    """By how much the mean tokens of each method grow from the shortest history that it read to the longest.

    Args:
        frame: What `run` gave.
    """
    rows = {}
    for method, answered in groups(frame, "method"):
        means = _mean_tokens(answered)
        first, last = means.index[0], means.index[-1]
        rows[method] = {
            "sessions": f"{first:,} to {last:,}",
            "history grows": f"{last / first:,.0f} times",
            "tokens": f"{means[first]:,.0f} to {means[last]:,.0f}",
            "tokens grow by": f"{means[last] / means[first] - 1:+.1%}",
        }
    return as_text(rows, "method")


def seconds(frame: pd.DataFrame) -> pd.DataFrame:
    """Seconds: of storing and indexing a history, and the median of a query by method. A rerun prints others.

    Args:
        frame: What `run` gave.
    """
    rows = {}
    for length, of_length in groups(frame, "sessions"):
        row = {name: f"{of_length[f'{name}_seconds'].iloc[0]:.2f}" for name in ("store", "index")}
        for method in dict.fromkeys(frame["method"]):
            answered = of_length[of_length["method"] == method]
            row[f"query, {method}"] = f"{answered['seconds'].median():.2f}" if len(answered) else "not run"
        rows[f"{int(length):,}"] = row
    return as_text(rows, "sessions in the history")


def results(frame: pd.DataFrame) -> list[Result]:
    """The curve under ids such as "beyond.lengths.rlm-ranked-10.tokens.5000", and growth as a share.

    Args:
        frame: What `run` gave.
    """
    found = []
    for method, answered in groups(frame, "method"):
        name = f"beyond.lengths.{method}"
        for length, rows in groups(answered, "sessions"):
            tokens = (rows["prompt_tokens"] + rows["completion_tokens"]).astype(float)
            found.append(measured(f"{name}.tokens.{length}", tokens))
            found.append(measured(f"{name}.sessions_read.{length}", rows["sessions_read"].astype(float)))
            found.append(Result(f"{name}.failed.{length}", float((rows["error"] != "").sum()), len(rows)))
            known = rows["evidence_read"].dropna().astype(float)
            if len(known):
                found.append(measured(f"{name}.evidence_read.{length}", known.rename("em")))
        means = _mean_tokens(answered)
        found.append(Result(f"{name}.growth", float(means.iloc[-1] / means.iloc[0] - 1), len(answered)))
    return found


_NAMES = ("tokens", "sessions read", "all evidence read", "failed")


def _cells(rows: pd.DataFrame) -> tuple[str, str, str, str]:
    tokens = (rows["prompt_tokens"] + rows["completion_tokens"]).mean()
    known = rows["evidence_read"].dropna()
    return (
        f"{tokens:,.0f}",
        f"{rows['sessions_read'].mean():.1f}",
        f"{int(known.sum())} of {len(known)}",
        f"{(rows['error'] != '').sum()}",
    )


def _mean_tokens(rows: pd.DataFrame) -> pd.Series[float]:
    """Mean tokens by length, the shortest first."""
    return (rows["prompt_tokens"] + rows["completion_tokens"]).groupby(rows["sessions"]).mean()
