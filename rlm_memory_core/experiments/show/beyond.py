"""Beyond the paper: what each further idea brings, measured on the same questions.

The arms are those of `methods.beyond`: the paper's full scan, ranked reading of the best 5, 10 and 20 sessions, and
ranked reading of 10 with findings in the order of time, with structured findings, and with embeddings. This module
chooses the questions and makes the tables; it draws nothing (`figures_beyond`), and what was asked of histories of
many lengths is in `history_lengths`.

The evidence of a question is *read* where all sessions that hold it were read by sub-agents, in whatever wave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from rlm_memory_core.models.llm import LLM, OFFLINE_LABEL
from rlm_memory_core.models.pricing import price
from rlm_memory_core.search.semantic import LocalEmbedder
from rlm_memory_core.search.vectors import Embedder

from ..data.assets import LOCOMO, LONGMEMEVAL, on_disk, sha256_of
from ..methods import FULL_SCAN, check_embedder
from ..run import runner
from ..score.intervals import wilson
from ..score.results import Asked, as_text, groups, measured, with_interval
from ..score.scoring import score_by_gold
from ..types import Method, Result, Sample
from .costs import PAPER_MODEL
from .tables import typed_table

EMBEDDINGS = "-embeddings"  # how the names of the arms with an embedder end
NOT_RUN = "not run: no embedding model"
TYPES = ("knowledge-update", "temporal-reasoning")
"""Question types that newer facts and dates decide; LoCoMo has none of these names."""

_NO_BREAK = "\u00a0"


def embedder(llm: LLM, embedding_model: str = "", local_embedder: str = "") -> Embedder | None:
    """What the last arm ranks with.

    Args:
        llm: The model; its server embeds.
        embedding_model: Of that server, or "".
        local_embedder: A `sentence-transformers` model or a folder that holds one, or "".

    Returns:
        None where neither is named: that arm is then not run.

    Raises:
        ValueError: Both are named, the offline reader is to embed, or `sentence-transformers` is not installed.

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
        raise ValueError("local_embedder needs sentence-transformers: pip install 'rlm-memory[semantic]'")
    return LocalEmbedder(local_embedder, name=Path(local_embedder).name)


def ask(arms: Sequence[Method], llm: LLM, load: Callable[..., Sequence[Sample]], *args: object) -> Asked:
    """Load a benchmark and have every arm answer it.

    Args:
        arms: Such as `methods.beyond` gives.
        llm: Their model, for its label.
        load: Loads the samples, from the further arguments.

    Raises:
        DataUnavailable: From `load`.
    """
    samples = load(*args)
    return Asked(samples, runner.run(arms, samples, model=llm.label, score_with=score_by_gold))


def ablation(asked: Asked) -> pd.DataFrame:
    """One row of text an arm: what it got right, what it read, and what it took.

    Dollars are those of the run; where the offline reader answered, for nothing, the same tokens at the price of the
    paper's model. An arm with embeddings that was not run has a row that says so.

    Args:
        asked: One benchmark, answered by the full scan among others.
    """
    frame = asked.frame
    scan = _tokens(frame[frame["method"] == FULL_SCAN]).mean()
    rows = {}
    for method, answered in groups(frame, "method"):
        tokens = _tokens(answered).mean()
        row = {
            "n": f"{len(answered)}",
            "EM (containment)": with_interval(measured(method, answered["em"])),
            "F1 (sets)": f"{answered['f1'].mean():.3f}",
            "all evidence read": _share(answered["evidence_read"]),
            "sessions read": f"{answered['sessions_read'].mean():.1f}",
            "tokens": f"{tokens:,.0f}",
            "of the full scan's": f"{tokens / scan:.0%}",
            dollars_are(answered): _dollars_cell(answered),
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
        asked: By benchmark, which is the second part of the ids; None where it was not at hand.
    """
    return [one for name, each in asked.items() if each for one in _results(each.frame, f"beyond.{name}")]


def together(asked: Mapping[str, Asked | None]) -> pd.DataFrame:
    """The rows of all benchmarks that were at hand as one frame, for `results.write`."""
    return pd.concat([each.frame for each in asked.values() if each], ignore_index=True)


def checksums(data_dir: str = "") -> str | None:
    """The checksums of the data files that are at hand, for provenance; None where none is."""
    found = [
        f"{sha256_of(path)} ({asset.name})"
        for asset in (LONGMEMEVAL["s"], LOCOMO, LONGMEMEVAL["m"])
        if (path := on_disk(asset, data_dir))
    ]
    return ", ".join(found) or None


def dollars_are(rows: pd.DataFrame) -> str:
    """What the column of dollars holds.

    >>> dollars_are(pd.DataFrame({"model": ["gpt-4o"]}))
    'dollars'
    """
    return f"dollars, at the price of {PAPER_MODEL}" if set(rows["model"]) == {OFFLINE_LABEL} else "dollars"


def dollars(rows: pd.DataFrame) -> pd.Series[float] | None:
    """Dollars of each question as `dollars_are` names them; None where the model has no known price."""
    if set(rows["model"]) != {OFFLINE_LABEL}:
        return None if rows["cost_usd"].isna().any() else rows["cost_usd"].astype(float)
    rates = price(PAPER_MODEL)
    return None if rates is None else rows["prompt_tokens"] * rates[0] + rows["completion_tokens"] * rates[1]


def _results(frame: pd.DataFrame, name: str) -> Iterator[Result]:
    scan = _tokens(frame[frame["method"] == FULL_SCAN]).mean()
    for method, rows in groups(frame, "method"):
        arm = f"{name}.{method}"
        yield measured(f"{arm}.em", rows["em"])
        yield measured(f"{arm}.f1", rows["f1"])
        known = rows["evidence_read"].dropna()
        if len(known):
            yield Result(f"{arm}.evidence_read", float(known.mean()), len(known), *wilson(known.sum(), len(known)))
        yield measured(f"{arm}.sessions_read", rows["sessions_read"].astype(float))
        yield measured(f"{arm}.tokens", _tokens(rows))
        yield Result(f"{arm}.tokens_share", float(_tokens(rows).mean() / scan), len(rows))
        if (paid := dollars(rows)) is not None:
            yield measured(f"{arm}.usd", paid)
        for kind, of_kind in groups(rows.sort_values("question_type", kind="stable"), "question_type"):
            yield measured(f"{arm}.em.{kind}", of_kind["em"])


def _tokens(rows: pd.DataFrame) -> pd.Series[float]:
    return (rows["prompt_tokens"] + rows["completion_tokens"]).astype(float)


def _share(values: pd.Series[float]) -> str:
    known = values.dropna()
    if not len(known):
        return ""
    low, high = wilson(known.sum(), len(known))
    return f"{known.mean():.3f} [{low:.2f}, {high:.2f}]".replace(" ", _NO_BREAK)


def _dollars_cell(rows: pd.DataFrame) -> str:
    paid = dollars(rows)
    return "not known" if paid is None else f"{paid.mean():.4f}"
