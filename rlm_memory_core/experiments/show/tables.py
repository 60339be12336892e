"""The paper's tables with our column beside the paper's, and the results behind them.

A table holds rounded text and no timings, so a rerun prints the same. The results are the same figures unrounded,
under the ids of `paper.toml`. `tables_synthetic` and `tables_longmemeval` add what those benchmarks need.
"""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from ..data.niah import content_characters
from ..paper.registry import printed
from ..score.results import METRICS, OVERALL, PAPER_METHOD, as_text, groups, measured, paper_row, typed, with_interval
from ..types import Result, Sample


def niah_results(frame: pd.DataFrame, samples: Sequence[Sample], window: int) -> list[Result]:
    """Table 2: mean score by method and history length, the histories' sizes, and the settings behind them.

    Args:
        frame: The runner's rows.
        samples: The questions.
        window: Characters that truncation kept.
    """
    by_length = [(_length(kind), rows) for kind, rows in groups(sizes_by_sample(samples), "question_type")]
    return [
        Result("section4.2.window", window, 1),
        Result("table2.caption.runs", min(len(rows) for _, rows in by_length), len(samples)),
        *(Result(f"reproducibility.turns.{n}", float(rows["turns"].iloc[-1] / 2), len(rows)) for n, rows in by_length),
        *(Result(f"table2.characters.{n}", float(rows["characters"].mean()), len(rows)) for n, rows in by_length),
        *_niah_scores(frame),
    ]


def niah_sizes(samples: Sequence[Sample]) -> dict[str, float]:
    """Mean sizes of the histories in characters: "table2.characters.200", and "serialised.200" with turn prefixes."""
    sizes = sizes_by_sample(samples).groupby("question_type", sort=False)[["characters", "serialised"]].mean()
    named = sizes.rename(index=_length, columns={"characters": "table2.characters"})
    return {f"{name}.{length}": float(size) for name, column in named.items() for length, size in column.items()}


def niah_table(frame: pd.DataFrame, sizes: Mapping[str, float]) -> pd.DataFrame:
    """Table 2 as text: one row per length, the paper's figure beside ours.

    Args:
        frame: The runner's rows.
        sizes: What `niah_sizes` returns, or results by id; a size that is missing stays empty or is left out.
    """
    found = {result.id: result for result in _niah_scores(frame)}
    rows = {}
    for length in map(_length, dict.fromkeys(frame["question_type"])):
        characters, serialised = sizes.get(f"table2.characters.{length}"), sizes.get(f"serialised.{length}")
        row = {
            "characters, paper": printed(f"table2.characters.{length}"),
            "characters": "" if characters is None else f"{characters:,.0f}",
        }
        if serialised is not None:
            row["serialised"] = f"{serialised:,.0f}"
        rows[length] = row | _paired(found, frame, f"table2.{{}}.{length}")
    return as_text(rows, "pairs").fillna("")


def history_sizes(samples: Sequence[Sample]) -> pd.DataFrame:
    """How many questions of each type there are, and the mean sizes of their histories.

    Turns and characters include one marker per session, as in the authors' log.
    """
    sizes = pd.DataFrame([{"question type": sample.kind, **session_counts(sample)} for sample in samples])
    grouped = sizes.groupby("question type")
    table = grouped.mean().assign(questions=grouped.size())
    table.loc["overall"] = {**sizes.drop(columns="question type").mean(), "questions": len(sizes)}
    return table[["questions", "sessions", "turns", "characters"]].map(lambda value: f"{value:,.0f}")


def session_counts(sample: Sample) -> dict[str, int]:
    """Sessions, turns and characters of a history; turns and characters include one marker per session."""
    sessions = sample.numbered()
    return {
        "sessions": len(sessions),
        "turns": sum(len(session.turns) + 1 for session in sessions),
        "characters": content_characters(sample) + sum(len(session.marker) for session in sessions),
    }


def longmemeval_results(frame: pd.DataFrame) -> list[Result]:
    """Tables 5 and 6: every figure by method, overall and by question type."""
    return [*overall_results(frame, "table5"), *typed_results(frame, "table6")]


def longmemeval_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Table 5 as text."""
    return overall_table(frame, "table5")


def longmemeval_by_type(frame: pd.DataFrame) -> pd.DataFrame:
    """Table 6 as text: EM by question type, the paper's figure beside ours."""
    return typed_table(frame, "table6", "em", sorted(set(frame["question_type"])))


def tokens(rows: pd.DataFrame) -> "pd.Series[float]":
    """Tokens of each question: its prompts and completions, sub-agents included."""
    return (rows["prompt_tokens"] + rows["completion_tokens"]).astype(float)


def overall_results(frame: pd.DataFrame, table: str) -> list[Result]:
    """Every figure of each method over all questions, under the ids of a table such as "table5"."""
    frame = frame.assign(tokens=tokens(frame))
    return [
        measured(f"{table}.{paper_row(method)}.{name}", rows[name])
        for method, rows in groups(frame, "method")
        for name in (*METRICS, "tokens", "seconds", "calls", "answer_words")
    ]


def overall_table(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """One row per method, the paper's figure beside ours; without seconds, which differ from run to run."""
    found = {result.id: result for result in overall_results(frame, table)}
    rows = {}
    for method, answered in groups(frame, "method"):
        start = f"{table}.{paper_row(method)}"
        row = {name: found[f"{start}.{name}"] for name in (*METRICS, "tokens", "calls", "answer_words")}
        rows[method] = {
            "EM, paper": printed(f"{start}.em"),
            "EM (containment)": with_interval(row["em"]),
            "EM strict": f"{row['em_strict'].value:.3f}",
            "F1, paper": printed(f"{start}.f1"),
            "F1 (sets)": f"{row['f1'].value:.3f}",
            "F1 (SQuAD)": f"{row['f1_squad'].value:.3f}",
            "tokens, paper": printed(f"{start}.tokens"),
            "tokens": f"{row['tokens'].value:,.0f}",
            "calls": f"{row['calls'].value:.1f}",
            "words": f"{row['answer_words'].value:.1f}",
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
    """One row per question type and one for all; by method the paper's figure beside ours."""
    found = {result.id: result for result in typed_results(frame, table)}
    sizes = {kind: rows["question_id"].nunique() for kind, rows in typed(frame)}
    rows = {
        kind: {"n": f"{sizes[kind]}"} | _paired(found, frame, f"{table}.{{}}.{metric}.{kind}", PAPER_METHOD)
        for kind in [*kinds, OVERALL]
    }
    return as_text(rows, "question type")


def latency_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Seconds a question: median, mean and longest. They differ from run to run."""
    seconds = frame.groupby("method", sort=False)["seconds"].agg(["median", "mean", "max"])
    return seconds.map(lambda value: f"{value:.2f}")


def _paired(
    found: Mapping[str, Result], frame: pd.DataFrame, template: str, in_paper: Mapping[str, str] | None = None
) -> dict[str, str]:
    """For each method two cells, the paper's figure and ours with its interval.

    Args:
        found: Our results by id.
        frame: The runner's rows.
        template: An id with a place for the method.
        in_paper: The methods that get a cell for the paper's figure; None for all.
    """
    cells = {}
    for method in dict.fromkeys(frame["method"]):
        name = template.format(paper_row(method))
        if in_paper is None or method in in_paper:
            cells[f"{method}, paper"] = printed(name)
        cells[method] = with_interval(found[name])
    return cells


def _niah_scores(frame: pd.DataFrame) -> Iterator[Result]:
    for method, answered in groups(frame, "method"):
        for kind, rows in groups(answered, "question_type"):
            yield measured(f"table2.{paper_row(method)}.{_length(kind)}", rows["em"])


def sizes_by_sample(samples: Sequence[Sample]) -> pd.DataFrame:
    """The size of each generated history: sessions, turns (messages), and characters as said and as serialised."""
    return pd.DataFrame(
        {
            "question_type": sample.kind,
            "sessions": len(sample.sessions),
            "turns": sum(len(session.turns) for session in sample.sessions),
            "characters": content_characters(sample),
            "serialised": len(sample.text()),
        }
        for sample in samples
    )


def _length(kind: str) -> int:
    """The number of pairs in a question type such as "200 pairs"."""
    return int(kind.split()[0])
