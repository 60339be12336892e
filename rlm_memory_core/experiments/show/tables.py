"""The paper's tables with our column beside the paper's, and the results they stand on.

A table is made to be read: rounded text, no timings, so that a rerun prints the same.
The results are the same figures unrounded, under the ids of `paper.toml`.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ..data.niah import content_characters
from ..run.results import Result
from ..types import Sample
from .cells import METRICS, OVERALL, PAPER_METHOD, as_text, groups, measured, paper_row, printed, typed, with_interval


def niah_results(frame: pd.DataFrame, samples: Sequence[Sample], window: int) -> list[Result]:
    """Table 2: mean score by method and history length, the histories' sizes, and the settings behind them.

    Args:
        frame: The runner's rows.
        samples: What was asked.
        window: Characters that truncation kept.
    """
    return [Result("section4.2.window", window, 1), *_niah_sizes(samples), *_niah_scores(frame)]


def _niah_sizes(samples: Sequence[Sample]) -> list[Result]:
    """The conversations that were asked about: their pairs and characters by length, and how many of each length."""
    characters = _characters(samples)
    pairs = {_length(sample.kind): sum(len(part.turns) for part in sample.sessions) / 2 for sample in samples}
    return [
        Result("table2.caption.runs", min(map(len, characters.values())), len(samples)),
        *(Result(f"reproducibility.turns.{length}", pairs[length], len(characters[length])) for length in characters),
        *(
            Result(f"table2.characters.{length}", float(sizes.mean()), len(sizes))
            for length, sizes in characters.items()
        ),
    ]


def _niah_scores(frame: pd.DataFrame) -> list[Result]:
    return [
        measured(f"table2.{paper_row(method)}.{_length(kind)}", rows["em"])
        for method, answered in groups(frame, "method")
        for kind, rows in groups(answered, "question_type")
    ]


def niah_table(frame: pd.DataFrame, samples: Sequence[Sample]) -> pd.DataFrame:
    """Table 2 as a frame of text: one row a length, the paper's figure beside ours."""
    found = {result.id: result for result in _niah_scores(frame)}
    serialised = _characters(samples, serialised=True)
    rows = {}
    for length, sizes in _characters(samples).items():
        row = {
            "characters, paper": printed(f"table2.characters.{length}"),
            "characters": f"{sizes.mean():,.0f}",
            "serialised": f"{serialised[length].mean():,.0f}",
        }
        for method in dict.fromkeys(frame["method"]):
            row[f"{method}, paper"] = printed(f"table2.{paper_row(method)}.{length}")
            row[method] = with_interval(found[f"table2.{paper_row(method)}.{length}"])
        rows[length] = row
    return as_text(rows, "pairs")


def history_sizes(samples: Sequence[Sample]) -> pd.DataFrame:
    """How many questions of each type there are, and how large their histories are on average.

    Turns and characters count one marker a session, as the authors' log does.
    """
    rows = []
    for sample in samples:
        store = sample.store()
        sessions = list(store.sessions)
        rows.append(
            {
                "question type": sample.kind,
                "sessions": len(sessions),
                "turns": len(store) + len(sessions),
                "characters": store.characters() + sum(len(session.marker) for session in sessions),
            }
        )
    sizes = pd.DataFrame(rows)
    grouped = sizes.groupby("question type")
    table = grouped.mean().assign(questions=grouped.size())
    table.loc["overall"] = {**sizes.drop(columns="question type").mean(), "questions": len(sizes)}
    return table[["questions", "sessions", "turns", "characters"]].map(lambda value: f"{value:,.0f}")


def longmemeval_results(frame: pd.DataFrame) -> list[Result]:
    """Tables 5 and 6: every figure by method, overall and by question type."""
    return [*overall_results(frame, "table5"), *typed_results(frame, "table6")]


def longmemeval_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Table 5 as a frame of text."""
    return overall_table(frame, "table5")


def longmemeval_by_type(frame: pd.DataFrame) -> pd.DataFrame:
    """Table 6 as a frame of text: EM by question type, the paper's figure beside ours."""
    return typed_table(frame, "table6", "em", sorted(set(frame["question_type"])))


def overall_results(frame: pd.DataFrame, table: str) -> list[Result]:
    """Every figure of each method over all questions, under the ids of a table such as "table5"."""
    results = []
    for method, rows in groups(frame, "method"):
        row = paper_row(method)
        results += [measured(f"{table}.{row}.{metric}", rows[metric]) for metric in METRICS]
        results.append(measured(f"{table}.{row}.tokens", rows["prompt_tokens"] + rows["completion_tokens"]))
        results += [measured(f"{table}.{row}.{name}", rows[name]) for name in ("seconds", "calls", "answer_words")]
    return results


def overall_table(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """One row of text a method, the paper's figure beside ours, without latency, which no two runs share."""
    found = {result.id: result for result in overall_results(frame, table)}
    rows = {}
    for method, answered in groups(frame, "method"):
        row = f"{table}.{paper_row(method)}"
        rows[method] = {
            "EM, paper": printed(f"{row}.em"),
            "EM (containment)": with_interval(found[f"{row}.em"]),
            "EM strict": f"{found[f'{row}.em_strict'].value:.3f}",
            "F1, paper": printed(f"{row}.f1"),
            "F1 (sets)": f"{found[f'{row}.f1'].value:.3f}",
            "F1 (SQuAD)": f"{found[f'{row}.f1_squad'].value:.3f}",
            "tokens, paper": printed(f"{row}.tokens"),
            "tokens": f"{found[f'{row}.tokens'].value:,.0f}",
            "calls": f"{found[f'{row}.calls'].value:.1f}",
            "words": f"{found[f'{row}.answer_words'].value:.1f}",
            "failed": f"{(answered['error'] != '').sum()}",
        }
    return as_text(rows, "method")


def typed_results(frame: pd.DataFrame, table: str) -> list[Result]:
    """EM and F1 of each method by question type and overall, under the ids of a table such as "table6"."""
    return [
        measured(f"{table}.{paper_row(method)}.{metric}.{kind}", rows[metric])
        for method, answered in groups(frame, "method")
        for kind, rows in typed(answered)
        for metric in ("em", "f1")
    ]


def typed_table(frame: pd.DataFrame, table: str, metric: str, kinds: Sequence[str]) -> pd.DataFrame:
    """One row of text a question type, then one over all; by method the paper's figure beside ours."""
    found = {result.id: result for result in typed_results(frame, table)}
    rows = {}
    for kind in [*kinds, OVERALL]:
        row = {}
        for method in dict.fromkeys(frame["method"]):
            name = f"{table}.{paper_row(method)}.{metric}.{kind}"
            row["n"] = f"{found[name].n}"
            if method in PAPER_METHOD:
                row[f"{method}, paper"] = printed(name)
            row[method] = with_interval(found[name])
        rows[kind] = row
    return as_text(rows, "question type")


def latency_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Seconds a question: median, mean and longest. A rerun prints other figures."""
    seconds = frame.groupby("method", sort=False)["seconds"].agg(["median", "mean", "max"])
    return seconds.map(lambda value: f"{value:.2f}")


def _characters(samples: Sequence[Sample], serialised: bool = False) -> dict[int, pd.Series[int]]:
    """Characters of each run's history, by number of pairs."""
    sizes: dict[int, list[int]] = {}
    for sample in samples:
        size = len(sample.store().to_string()) if serialised else content_characters(sample)
        sizes.setdefault(_length(sample.kind), []).append(size)
    return {length: pd.Series(values) for length, values in sizes.items()}


def _length(kind: str) -> int:
    """The number of pairs in a question type such as "200 pairs"."""
    return int(kind.split()[0])
