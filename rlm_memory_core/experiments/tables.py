"""The paper's tables with our column beside the paper's, and the results they stand on.

A table is made to be read: rounded text, no timings, so that a rerun prints the same.
The results are the same figures unrounded, under the ids of `paper.toml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from . import paper
from .intervals import mean_interval, wilson
from .niah import content_characters
from .results import Result
from .types import Sample

PAPER_METHOD = {"truncation": "truncation", "full-context": "full-context", "rlm-sequential": "rlm"}
"""Our name of a method -> the paper's row. Its RLM asked one sub-agent after another."""

_NO_BREAK = "\u00a0"  # an interval stays on one line
_METRICS = ("em", "f1", "em_strict", "f1_squad")


def niah_results(frame: pd.DataFrame, samples: Sequence[Sample]) -> list[Result]:
    """Table 2: mean score by method and history length, and the history's content characters."""
    results = []
    for length, sizes in _characters(samples).items():
        results.append(Result(f"table2.characters.{length}", float(sizes.mean()), len(sizes)))
    for method, answered in _groups(frame, "method"):
        for kind, rows in _groups(answered, "question_type"):
            results.append(_share(f"table2.{_row(method)}.{_length(kind)}", rows["em"]))
    return results


def niah_table(frame: pd.DataFrame, samples: Sequence[Sample]) -> pd.DataFrame:
    """Table 2 as a frame of text: one row a length, the paper's figure beside ours."""
    found = {result.id: result for result in niah_results(frame, samples)}
    serialised = _characters(samples, serialised=True)
    rows = {}
    for length, sizes in _characters(samples).items():
        row = {
            "characters, paper": _paper(f"table2.characters.{length}"),
            "characters": f"{sizes.mean():,.0f}",
            "serialised": f"{serialised[length].mean():,.0f}",
        }
        for method in dict.fromkeys(frame["method"]):
            row[f"{method}, paper"] = _paper(f"table2.{_row(method)}.{length}")
            row[method] = _interval(found[f"table2.{_row(method)}.{length}"])
        rows[length] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pairs")


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
    results = []
    for method, rows in _groups(frame, "method"):
        row = _row(method)
        results += [_mean(f"table5.{row}.{metric}", rows[metric], share=metric == "em") for metric in _METRICS]
        results.append(_mean(f"table5.{row}.tokens", rows["prompt_tokens"] + rows["completion_tokens"]))
        results += [_mean(f"table5.{row}.{name}", rows[name]) for name in ("seconds", "calls", "answer_words")]
        for kind, typed in [*_groups(rows, "question_type"), ("overall", rows)]:
            results.append(_mean(f"table6.{row}.em.{kind}", typed["em"], share=True))
            results.append(_mean(f"table6.{row}.f1.{kind}", typed["f1"]))
    first = frame[frame["method"] == frame["method"].iloc[0]]
    for kind, typed in [*_groups(first, "question_type"), ("overall", first)]:
        results.append(Result(f"table6.n.{kind}", len(typed), len(typed)))
    return results


def longmemeval_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Table 5 as a frame of text: one row a method, without latency, which no two runs share."""
    found = {result.id: result for result in longmemeval_results(frame)}
    rows = {}
    for method, answered in _groups(frame, "method"):
        row = _row(method)
        rows[method] = {
            "EM, paper": _paper(f"table5.{row}.em"),
            "EM (containment)": _interval(found[f"table5.{row}.em"]),
            "EM strict": f"{found[f'table5.{row}.em_strict'].value:.3f}",
            "F1, paper": _paper(f"table5.{row}.f1"),
            "F1 (sets)": f"{found[f'table5.{row}.f1'].value:.3f}",
            "F1 (SQuAD)": f"{found[f'table5.{row}.f1_squad'].value:.3f}",
            "tokens, paper": _paper(f"table5.{row}.tokens"),
            "tokens": f"{found[f'table5.{row}.tokens'].value:,.0f}",
            "calls": f"{found[f'table5.{row}.calls'].value:.1f}",
            "words": f"{found[f'table5.{row}.answer_words'].value:.1f}",
            "failed": f"{(answered['error'] != '').sum()}",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def longmemeval_by_type(frame: pd.DataFrame) -> pd.DataFrame:
    """Table 6 as a frame of text: EM by question type, the paper's figure beside ours."""
    found = {result.id: result for result in longmemeval_results(frame)}
    rows = {}
    for kind in [*sorted(set(frame["question_type"])), "overall"]:
        row = {"n": f"{found[f'table6.n.{kind}'].value:.0f}"}
        for method in dict.fromkeys(frame["method"]):
            if method in PAPER_METHOD:
                row[f"{method}, paper"] = _paper(f"table6.{_row(method)}.em.{kind}")
            row[method] = _interval(found[f"table6.{_row(method)}.em.{kind}"])
        rows[kind] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("question type")


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


def _groups(frame: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """The frame by a column of names, in the order in which they first appear."""
    for name, rows in frame.groupby(column, sort=False):
        yield str(name), rows


def _length(kind: str) -> int:
    """The number of pairs in a question type such as "200 pairs"."""
    return int(kind.split()[0])


def _row(method: str) -> str:
    return PAPER_METHOD.get(method, method)


def _mean(name: str, values: pd.Series[float], share: bool = False) -> Result:
    return (
        _share(name, values) if share else Result(name, float(values.mean()), len(values), *mean_interval(list(values)))
    )


def _share(name: str, values: pd.Series[float]) -> Result:
    return Result(name, float(values.mean()), len(values), *wilson(float(values.sum()), len(values)))


def _paper(name: str) -> str:
    number = paper.register().get(name)
    return "" if number is None else f"{number.value:,.{number.digits}f}"


def _interval(result: Result) -> str:
    return f"{result.value:.3f} [{result.low:.2f}, {result.high:.2f}]".replace(" ", _NO_BREAK)
