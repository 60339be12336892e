"""What the authors' runs cost, in tokens, characters and seconds, held against the paper's claims.

Pure functions over `paper_logs`: claims 1, 2, 3, 6, 7 and 8 of the audit. Their answers
are `audit_answers`. Where a figure needs an assumption, it is an argument.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pandas as pd

from .audit_tables import Check, sheet

SESSIONS = 47.8
"""Sessions in a history: the mean over the paper's 100 in the LongMemEval-S file. The logs do not print it."""

_GAP = 2  # where the sorted counts more than double, another group starts
_ONE_SCAN = 0.1  # a count this near the adaptive run's median read the history once


def of(answers: pd.DataFrame, method: str) -> pd.DataFrame:
    """One method's rows, by question."""
    return answers[answers["method"] == method].set_index("question_id")


def token_groups(answers: pd.DataFrame, method: str = "rlm") -> pd.DataFrame:
    """Claim 1, "37,216 tokens a query": the groups that the counted tokens fall into.

    A group ends where the next larger count is more than twice as large. Supports that the
    mean describes no query: it lies in a gap, and the group that holds most tokens scores nothing.
    """
    rows = of(answers, method).sort_values("tokens")
    counts = list(rows["tokens"])
    group = pd.Series([0, *(int(after > _GAP * before) for before, after in pairwise(counts))], rows.index).cumsum()
    shown = {}
    for _, part in rows.groupby(group):
        shown[f"{part['tokens'].min():,.0f} to {part['tokens'].max():,.0f}"] = {
            "questions": f"{len(part)}",
            "share of all tokens": f"{part['tokens'].sum() / rows['tokens'].sum():.0%}",
            "EM": f"{part['em'].mean():.3f}",
            "median seconds": f"{part['seconds'].median():.1f}",
        }
    return pd.DataFrame.from_dict(shown, orient="index").rename_axis("tokens counted")


def one_scan(answers: pd.DataFrame) -> pd.Series[float]:
    """Tokens of the adaptive run's questions that read the history once: within 10% of that run's median.

    That run counts its parallel sub-agents, so these counts measure what a full scan takes.
    """
    tokens = of(answers, "adaptive")["tokens"]
    return tokens[(tokens / tokens.median() - 1).abs() <= _ONE_SCAN]


def scan_tokens(answers: pd.DataFrame, dollars: float = 0.15e-6) -> pd.DataFrame:
    """Claim 1, "37,216 tokens and $0.005 a query": what reading a whole history once takes.

    Estimated from characters and measured on the adaptive run. Supports that the logged counts
    leave sub-agents out: most of them are a small part of the history that was to be read.

    Args:
        answers: The logs' answers.
        dollars: For a prompt token; the default is gpt-4o-mini's. By far the most tokens are prompts.
    """
    counted, scans = of(answers, "rlm")["tokens"], one_scan(answers)
    characters = of(answers, "rlm")["characters"].mean()
    return sheet(
        [
            Check("tokens a question, mean", "37,216", f"{counted.mean():,.0f}", round(counted.mean()) == 37_216),
            Check("tokens a question, median", "", f"{counted.median():,.0f}"),
            Check(
                "a full scan, at 4 to 4.5 characters a token", "", f"{characters / 4.5:,.0f} to {characters / 4:,.0f}"
            ),
            Check("a full scan, counted by the adaptive run", "", f"{scans.mean():,.0f} (mean of {len(scans)})"),
            Check("characters a token, by that count", "", f"{characters / scans.mean():.2f}"),
            Check("questions counted below half a scan", "", f"{(counted < scans.mean() / 2).sum()} of {len(counted)}"),
            Check("dollars to read the counted tokens", "0.005", f"{counted.mean() * dollars:.4f}"),
            Check(
                "dollars to read the history once",
                "0.005",
                f"{scans.mean() * dollars:.4f}",
                scans.mean() * dollars < 0.0055,
            ),
        ]
    )


def seconds(answers: pd.DataFrame) -> pd.DataFrame:
    """Claim 2, "~4 s": seconds a question in each run; mean, median and longest, as logged.

    Supports that no run on the real histories is near 4 seconds, and that the means are of their tails.
    """
    grouped = answers.groupby("method", sort=False)["seconds"].agg(["median", "mean", "max"])
    return grouped.map(lambda value: f"{value:,.1f}")


def speedup(answers: pd.DataFrame) -> pd.DataFrame:
    """Claim 2, "54x, with no accuracy loss": sequential against parallel, on the same 100 questions.

    The runs differ in their prompts as well (the adaptive one routes by question type), so
    this is what the logs can say, not a pure comparison. Supports 1.6x where the paper has 54x.
    """
    sequential, parallel = of(answers, "rlm"), of(answers, "adaptive")
    ratio = sequential["seconds"] / parallel["seconds"]
    mean = sequential["seconds"].mean()
    exact = (sequential["em"].mean(), parallel["em"].mean())
    return sheet(
        [
            Check("sequential mean over 4 seconds", "54x", f"{mean:.0f} / 4 = {mean / 4:.0f}x"),
            Check("parallel seconds that 54x needs", "~4", f"{mean / 54:.1f}", round(mean / 54) == 4),
            Check("parallel seconds on the same questions, median", "~4", f"{parallel['seconds'].median():.1f}",
                  parallel["seconds"].median() < 5),
            Check("fastest parallel question that read every session", "~4",
                  f"{parallel.loc[one_scan(answers).index, 'seconds'].min():.1f}"),
            Check("speed-up, median over pairs", "54x", f"{ratio.median():.1f}x", ratio.median() > 50),
            Check("questions answered faster in parallel", "100", f"{(ratio > 1).sum()}", bool((ratio > 1).all())),
            Check("EM, sequential and parallel", "no loss", f"{exact[0]:.2f} and {exact[1]:.2f}", exact[1] >= exact[0]),
        ]
    )  # fmt: skip


def waves(sessions: int = 50, threads: Sequence[int] = (1, 4, 10, 20, 50)) -> pd.DataFrame:
    """Claim 2, "wall time is the slowest call": rounds of calls that a pool of threads needs for all sessions.

    Plain arithmetic, ceil(sessions / threads). Supports three rounds at the repository's default of 20.
    """
    rounds = {f"{count}": {"waves": f"{math.ceil(sessions / count)}"} for count in threads}
    return pd.DataFrame.from_dict(rounds, orient="index").rename_axis(f"threads, for {sessions} sessions")


def history_lengths(answers: pd.DataFrame) -> pd.DataFrame:
    """Claim 3, "constant cost as history grows": how much the histories' lengths ever varied.

    Supports that the claim was never tested: the longest history is hardly longer than the shortest.
    """
    lengths = of(answers, "rlm")[["characters", "turns"]]
    shown = lengths.agg(["min", "mean", "max"]).T
    table = shown.map(lambda value: f"{value:,.0f}")
    table["longest / shortest"] = [f"{ratio:.2f}" for ratio in shown["max"] / shown["min"]]
    return table


def context_window(answers: pd.DataFrame, window: int = 128_000) -> pd.DataFrame:
    """Claim 6, "far beyond any model's context window": a history in tokens, beside gpt-4o-mini's window.

    The counted scans include a prompt for every session, so that they are an upper bound.
    """
    scans = one_scan(answers).mean()
    longest = scans * of(answers, "rlm")["characters"].max() / of(answers, "rlm")["characters"].mean()
    return sheet(
        [
            Check("a history in tokens, mean", f"beyond {window:,}", f"{scans:,.0f}", scans > window),
            Check("the longest history, at the same rate", f"beyond {window:,}", f"{longest:,.0f}", longest > window),
        ]
    )


def session_size(answers: pd.DataFrame, sessions: float = SESSIONS) -> pd.DataFrame:
    """Claim 7, "sub-agents read ~10K tokens" or "~18K characters": the size of a mean session.

    Args:
        answers: The logs' answers.
        sessions: Sessions in a history; see `SESSIONS`.
    """
    characters = of(answers, "rlm")["characters"].mean() / sessions
    tokens = one_scan(answers).mean() / sessions
    return sheet(
        [
            Check("characters of a session, mean", "up to 18,000", f"{characters:,.0f}"),
            Check("tokens of a session, mean", "10,000", f"{tokens:,.0f}", 0.5 < tokens / 10_000 < 2),
        ]
    )


def niah_sizes(results: dict[str, Any], window: int = 16_000) -> pd.DataFrame:
    """Claim 8, "at 200 turns history exceeds the 16K window": the printed size, and what was really cut.

    The size is of what was said; the methods see a prefix before each of 2 N messages.
    Supports that the printed 14,398 characters would fit, and the serialised history does not.
    """
    rows = {}
    for row in results["niah_results.json"]:
        pairs, said = row["num_turns"], row["history_chars"]
        whole = said + prefix_characters(pairs)
        rows[f"{pairs}"] = {
            "messages": f"{2 * pairs}",
            "characters, as printed": f"{said:,}",
            "serialised": f"{whole:,}",
            "fits as printed": "yes" if said <= window else "no",
            "fits serialised": "yes" if whole <= window else "no",
            "truncation": f"{row['truncation_accuracy']:.3f}",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("turns")


def prefix_characters(pairs: int) -> int:
    """Characters that serialising adds to N pairs: `[Turn n][role]: ` before each message, a line end between them.

    Counting from 0, as the authors' store does.

    >>> prefix_characters(1)  # "[Turn 0][user]: ", a line end, "[Turn 1][assistant]: "
    38
    """
    roles = ("user", "assistant")
    return sum(len(f"[Turn {turn}][{roles[turn % 2]}]: \n") for turn in range(2 * pairs)) - 1
