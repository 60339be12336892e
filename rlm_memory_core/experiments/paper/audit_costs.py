"""Audits what the authors' runs cost, in tokens, characters and seconds: claims 1, 2, 3, 6, 7 and 8."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pandas as pd

from ..score.results import as_text
from .checks import Check, of, one_scan, sheet

SESSIONS = 47.8
"""Mean sessions of a history over the paper's 100 questions, from the LongMemEval-S file. The logs do not print it."""

_GAP = 2  # a new group starts where the next larger count is more than twice as large
_SIMPLE = (35, 50)  # seconds of a simple query; paper Section 6


def token_groups(answers: pd.DataFrame, method: str = "rlm") -> pd.DataFrame:
    """Claim 1, "37,216 tokens a query": the groups that the counted tokens form.

    Shows that the mean describes no query: it lies in a gap, and the group with most of the tokens scores 0.
    """
    rows = of(answers, method).sort_values("tokens")
    starts = [0, *(int(after > _GAP * before) for before, after in pairwise(rows["tokens"]))]
    shown = {}
    for _, part in rows.groupby(pd.Series(starts, rows.index).cumsum()):
        shown[f"{part['tokens'].min():,.0f} to {part['tokens'].max():,.0f}"] = {
            "questions": f"{len(part)}",
            "share of all tokens": f"{part['tokens'].sum() / rows['tokens'].sum():.0%}",
            "EM": f"{part['em'].mean():.3f}",
            "median seconds": f"{part['seconds'].median():.1f}",
        }
    return as_text(shown, "tokens counted")


def scan_tokens(answers: pd.DataFrame, dollars: float = 0.15e-6) -> pd.DataFrame:
    """Claim 1, "37,216 tokens and $0.005 a query": what it takes to read a whole history once.

    Estimated from characters, and measured on the adaptive run. Shows that the logged counts leave out
    sub-agents: most counts are a small part of the history.

    Args:
        answers: The logs' answers.
        dollars: Per prompt token; the default is gpt-4o-mini's price. Nearly all tokens are prompts.
    """
    counted, scan = of(answers, "rlm")["tokens"], one_scan(answers)
    characters = of(answers, "rlm")["characters"].mean()
    price = scan.mean() * dollars
    return sheet(
        Check("tokens a question, mean", "37,216", f"{counted.mean():,.0f}", round(counted.mean()) == 37_216),
        Check("tokens a question, median", "", f"{counted.median():,.0f}"),
        Check("a full scan, at 4 to 4.5 characters a token", "", f"{characters / 4.5:,.0f} to {characters / 4:,.0f}"),
        Check("a full scan, counted by the adaptive run", "", f"{scan.mean():,.0f} (mean of {len(scan)})"),
        Check("characters a token, by that count", "", f"{characters / scan.mean():.2f}"),
        Check("questions counted below half a scan", "", f"{(counted < scan.mean() / 2).sum()} of {len(counted)}"),
        Check("dollars to read the counted tokens", "0.005", f"{counted.mean() * dollars:.4f}"),
        Check("dollars to read the history once", "0.005", f"{price:.4f}", price < 0.0055),
    )


def seconds(answers: pd.DataFrame) -> pd.DataFrame:
    """Claim 2, "~4 s": seconds a question in each run; median, mean and longest, as logged.

    Shows that no run on the real histories comes near 4 seconds, and that a few slow questions make the means.
    """
    grouped = answers.groupby("method", sort=False)["seconds"].agg(["median", "mean", "max"])
    return grouped.map(lambda value: f"{value:,.1f}")


def logged_claims(answers: pd.DataFrame) -> pd.DataFrame:
    """Section 6's and the README's seconds beside what the authors' own logs hold."""
    sequential, parallel = of(answers, "rlm")["seconds"], of(answers, "adaptive")["seconds"]
    simple = of(answers, "rlm").loc[lambda rows: rows["question_type"].str.startswith("single-session"), "seconds"]
    inside, scans = int(simple.between(*_SIMPLE).sum()), parallel[one_scan(answers).index]
    mean, typical, scan = parallel.mean(), parallel.median(), scans.median()
    one_by_one = "seconds a query, one call after another, mean"
    return sheet(
        Check(one_by_one, "221", f"{sequential.mean():.1f}", round(sequential.mean()) == 221),
        Check("seconds of a simple query", "35 to 50", f"{inside} of {len(simple)} single-session questions",
              inside > 0.9 * len(simple)),
        Check("seconds a query in parallel, mean", "4", f"{mean:.1f}", mean < 4.5),
        Check("seconds a query in parallel, median", "4", f"{typical:.1f}", typical < 4.5),
        Check("seconds of one full scan in parallel, median", "5 to 10", f"{scan:.1f} (of {len(scans)})", scan < 10.5),
    )  # fmt: skip


def speedup(answers: pd.DataFrame) -> pd.DataFrame:
    """Claim 2, "54x, with no accuracy loss": sequential against parallel, on the same 100 questions.

    The two runs also differ in their prompts (the adaptive one chooses a prompt by question type), so this is
    what the logs can say and not a pure comparison. Shows 1.6x where the paper has 54x.
    """
    sequential, parallel = of(answers, "rlm"), of(answers, "adaptive")
    ratio = sequential["seconds"] / parallel["seconds"]
    mean, typical = sequential["seconds"].mean(), parallel["seconds"].median()
    fastest = parallel.loc[one_scan(answers).index, "seconds"].min()
    before, after = sequential["em"].mean(), parallel["em"].mean()
    return sheet(
        Check("sequential mean over 4 seconds", "54x", f"{mean:.0f} / 4 = {mean / 4:.0f}x"),
        Check("parallel seconds that 54x needs", "~4", f"{mean / 54:.1f}", round(mean / 54) == 4),
        Check("parallel seconds on the same questions, median", "~4", f"{typical:.1f}", typical < 5),
        Check("fastest parallel question that read every session", "~4", f"{fastest:.1f}"),
        Check("speed-up, median over pairs", "54x", f"{ratio.median():.1f}x", ratio.median() > 50),
        Check("questions answered faster in parallel", "100", f"{(ratio > 1).sum()}", bool((ratio > 1).all())),
        Check("EM, sequential and parallel", "no loss", f"{before:.2f} and {after:.2f}", after >= before),
    )


def waves(sessions: int = 50, threads: Sequence[int] = (1, 4, 10, 20, 50)) -> pd.DataFrame:
    """Claim 2, "wall time is the slowest call": rounds of calls that a pool of threads needs for all sessions.

    Plain arithmetic, ceil(sessions / threads). Shows three rounds with the repository's default of 20 threads.
    """
    rounds = {f"{count}": {"waves": f"{math.ceil(sessions / count)}"} for count in threads}
    return as_text(rounds, f"threads, for {sessions} sessions")


def history_lengths(answers: pd.DataFrame) -> pd.DataFrame:
    """Claim 3, "constant cost as history grows": how much the lengths of the histories vary.

    Shows that the claim was never tested: the longest history is hardly longer than the shortest.
    """
    lengths = of(answers, "rlm")[["characters", "turns"]].agg(["min", "mean", "max"]).T
    ratios = (lengths["max"] / lengths["min"]).map("{:.2f}".format)
    return lengths.map(lambda value: f"{value:,.0f}").assign(**{"longest / shortest": ratios})


def context_window(answers: pd.DataFrame, window: int = 128_000) -> pd.DataFrame:
    """Claim 6, "far beyond any model's context window": a history in tokens beside gpt-4o-mini's window.

    The counted scans include a prompt for every session, so they are an upper bound.
    """
    scan, characters = one_scan(answers).mean(), of(answers, "rlm")["characters"]
    longest = scan * characters.max() / characters.mean()
    return sheet(
        Check("a history in tokens, mean", f"beyond {window:,}", f"{scan:,.0f}", scan > window),
        Check("the longest history, at the same rate", f"beyond {window:,}", f"{longest:,.0f}", longest > window),
    )


def session_size(answers: pd.DataFrame, sessions: float = SESSIONS) -> pd.DataFrame:
    """Claim 7, "sub-agents read ~10K tokens" or "~18K characters": the size of a mean session.

    Args:
        answers: The logs' answers.
        sessions: Mean sessions of a history.
    """
    characters = of(answers, "rlm")["characters"].mean() / sessions
    tokens = one_scan(answers).mean() / sessions
    return sheet(
        Check("characters of a session, mean", "up to 18,000", f"{characters:,.0f}"),
        Check("tokens of a session, mean", "10,000", f"{tokens:,.0f}", 0.5 < tokens / 10_000 < 2),
    )


def niah_sizes(results: dict[str, Any], window: int = 16_000) -> pd.DataFrame:
    """Claim 8, "at 200 turns history exceeds the 16K window": the printed size, and the size that was cut.

    The printed size counts what was said; the methods see a prefix before each of 2 N messages.
    Shows that the printed 14,398 characters would fit, and that the serialised history does not.
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
    return as_text(rows, "turns")


def prefix_characters(pairs: int) -> int:
    """Characters that serialising adds to N pairs: `[Turn n][role]: ` before each message, a line end between them.

    Counts turns from 0, as the authors' store does.

    >>> prefix_characters(1)  # "[Turn 0][user]: ", a line end, "[Turn 1][assistant]: "
    38
    """
    roles = ("user", "assistant")
    return sum(len(f"[Turn {turn}][{roles[turn % 2]}]: \n") for turn in range(2 * pairs)) - 1
