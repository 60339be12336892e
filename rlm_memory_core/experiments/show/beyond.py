"""Measures what each idea beyond the paper brings, on the same questions.

`methods.beyond` defines the arms: the paper's full scan, ranked reading of the best 5, 10 and 20 sessions, the search
reading, and ranked reading with embeddings. This module asks the questions and makes the tables. `figures_beyond` draws
them, and `history_lengths` measures the cost by the length of the history.

The evidence of a question counts as read if sub-agents read all sessions that hold it, in any wave. In the search
reading the root model looks at single turns, so nothing is said about sessions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from rlm_memory_core.models.llm import LLM, OFFLINE_LABEL
from rlm_memory_core.models.pricing import price
from rlm_memory_core.search.semantic import Embedder, LocalEmbedder

from ..data.assets import LOCOMO, LONGMEMEVAL, on_disk, sha256_of
from ..methods import FULL_SCAN, check_embedder
from ..run import runner
from ..score.results import Asked, as_text, groups, mean_of, measured, share, with_interval
from ..score.scoring import score_by_gold
from ..types import Method, Result, Sample
from .costs import PAPER_MODEL
from .tables import tokens, typed_table

EMBEDDINGS = "-embeddings"  # the end of the name of each arm with an embedder
NOT_RUN = "not run: no embedding model"
TYPES = ("knowledge-update", "temporal-reasoning")
"""Question types whose answers depend on newer facts and on dates. LoCoMo has no types of these names."""


def embedder(llm: LLM, embedding_model: str = "", local_embedder: str = "") -> Embedder | None:
    """The embedding model that the last arm ranks with.

    Args:
        llm: The model; its server computes the embeddings of `embedding_model`.
        embedding_model: An embedding model of that server, or "".
        local_embedder: A `sentence-transformers` model or a folder that holds one, or "".

    Returns:
        The embedder, or None if neither is named; that arm is then not run.

    Raises:
        ValueError: Both are named, the model is the offline reader, or `sentence-transformers` is not installed.

    >>> from rlm_memory_core import connect
    >>> embedder(connect("offline")) is None
    True
    """
    if embedding_model and local_embedder:
        raise ValueError("name embedding_model or local_embedder, not both")
    check_embedder(embedding_model, llm)
    if embedding_model:
        return llm.another(embedding_model)
    if not local_embedder:
        return None
    if find_spec("sentence_transformers") is None:
        raise ValueError("local_embedder needs sentence-transformers: pip install 'rlm-memory[torch]'")
    return LocalEmbedder(local_embedder, name=Path(local_embedder).name)


def ask(arms: Sequence[Method], llm: LLM, load: Callable[..., Sequence[Sample]], *args: object) -> Asked:
    """Loads a benchmark and has every arm answer it.

    Args:
        arms: Methods, such as those of `methods.beyond`.
        llm: The model of the arms; its label goes into the rows.
        load: Returns the samples when called with `args`.
        args: The arguments of `load`.

    Raises:
        DataUnavailable: `load` does not find its data.
    """
    samples = load(*args)
    return Asked(samples, runner.run(arms, samples, model=llm.label, score_with=score_by_gold))


def ablation(asked: Asked) -> pd.DataFrame:
    """One row of text per arm: its scores, what it read, and its cost.

    Dollars are those of the run. The offline reader costs nothing, so its tokens are shown at the price of the
    paper's model. If no arm with embeddings ran, a row says so.

    Args:
        asked: One benchmark, answered by the full scan and by other arms.
    """
    frame = asked.frame
    scan = tokens(frame[frame["method"] == FULL_SCAN]).mean()
    rows = {}
    for method, answered in groups(frame, "method"):
        known, mean, paid = answered["evidence_read"].dropna(), tokens(answered).mean(), dollars(answered)
        row = {
            "n": f"{len(answered)}",
            "EM (containment)": with_interval(measured(method, answered["em"])),
            "F1 (sets)": f"{answered['f1'].mean():.3f}",
            "all evidence read": with_interval(share("", float(known.sum()), len(known))) if len(known) else "",
            "sessions read": mean_of(answered["sessions_read"]),
            "calls": mean_of(answered["calls"]),
            "tokens": f"{mean:,.0f}",
            "of the full scan's": f"{mean / scan:.0%}",
            dollars_are(answered): "not known" if paid is None else f"{paid.mean():.4f}",
        }
        for kind in TYPES:
            of_kind = answered[answered["question_type"] == kind]
            if len(of_kind):
                row[f"EM, {kind}"] = f"{of_kind['em'].mean():.3f} (n={len(of_kind)})"
        row["failed"] = f"{(answered['error'] != '').sum()}"
        rows[method] = row
    table = as_text(rows, "method")
    if not any(method.endswith(EMBEDDINGS) for method in rows):
        table.loc[f"+ {EMBEDDINGS[1:]}"] = [NOT_RUN, *[""] * (table.shape[1] - 1)]
    return table


def by_type(asked: Asked) -> pd.DataFrame:
    """EM by question type and arm, and over all, as text."""
    return typed_table(asked.frame, "beyond", "em", sorted(set(asked.frame["question_type"])))


def results(asked: Mapping[str, Asked | None]) -> list[Result]:
    """The figures of `ablation` under ids such as "beyond.longmemeval.rlm-ranked-10.tokens".

    Args:
        asked: Each benchmark by its name, which is the second part of the ids; None if its data was not available.
    """
    return [one for name, each in asked.items() if each for one in _results(each.frame, f"beyond.{name}")]


def together(asked: Mapping[str, Asked | None]) -> pd.DataFrame:
    """The rows of all available benchmarks as one frame, for `results.write`."""
    return pd.concat([each.frame for each in asked.values() if each], ignore_index=True)


def checksums(data_dir: str = "") -> str | None:
    """The checksums of the data files on disk, for provenance; None if there are none."""
    found = [
        f"{sha256_of(path)} ({asset.name})"
        for asset in (LONGMEMEVAL["s"], LOCOMO, LONGMEMEVAL["m"])
        if (path := on_disk(asset, data_dir))
    ]
    return ", ".join(found) or None


def dollars_are(rows: pd.DataFrame) -> str:
    """The heading of the column of dollars.

    >>> dollars_are(pd.DataFrame({"model": ["gpt-4o"]}))
    'dollars'
    """
    return f"dollars, at the price of {PAPER_MODEL}" if set(rows["model"]) == {OFFLINE_LABEL} else "dollars"


def dollars(rows: pd.DataFrame) -> "pd.Series[float] | None":
    """Dollars of each question, as `dollars_are` describes them; None if the price of the model is unknown."""
    if set(rows["model"]) != {OFFLINE_LABEL}:
        return None if rows["cost_usd"].isna().any() else rows["cost_usd"].astype(float)
    rates = price(PAPER_MODEL)
    return None if rates is None else rows["prompt_tokens"] * rates[0] + rows["completion_tokens"] * rates[1]


def _results(frame: pd.DataFrame, name: str) -> Iterator[Result]:
    scan = tokens(frame[frame["method"] == FULL_SCAN]).mean()
    for method, rows in groups(frame, "method"):
        arm = f"{name}.{method}"
        yield measured(f"{arm}.em", rows["em"])
        yield measured(f"{arm}.f1", rows["f1"])
        known = rows["evidence_read"].dropna()
        if len(known):
            yield share(f"{arm}.evidence_read", float(known.sum()), len(known))
        if len(read := rows["sessions_read"].dropna()):
            yield measured(f"{arm}.sessions_read", read.astype(float))
        yield measured(f"{arm}.calls", rows["calls"].astype(float))
        yield measured(f"{arm}.seconds", rows["seconds"])
        yield measured(f"{arm}.tokens", tokens(rows))
        yield Result(f"{arm}.tokens_share", float(tokens(rows).mean() / scan), len(rows))
        if (paid := dollars(rows)) is not None:
            yield measured(f"{arm}.usd", paid)
        for kind, of_kind in groups(rows.sort_values("question_type", kind="stable"), "question_type"):
            yield measured(f"{arm}.em.{kind}", of_kind["em"])
