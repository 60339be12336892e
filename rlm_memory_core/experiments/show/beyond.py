"""Beyond the paper: what each further idea brings, measured on the same questions.

The arms are those of `methods.beyond`: the paper's full scan, ranked reading of the best 5, 10 and 20 sessions, and
ranked reading of 10 with findings in the order of time, with structured findings, and with embeddings. This module
chooses the questions and makes the tables; it draws nothing (`figures_beyond`), and what was asked of histories of
many lengths is in `history_lengths`.

The evidence of a question is *read* where all sessions that hold it were read by sub-agents, in whatever wave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from rlm_memory_core.models.llm import LLM, OFFLINE_LABEL
from rlm_memory_core.models.pricing import price
from rlm_memory_core.query.prompts import UNKNOWN
from rlm_memory_core.search.semantic import LocalEmbedder
from rlm_memory_core.search.vectors import Embedder

from ..data import long_histories, longmemeval
from ..data.assets import LOCOMO, LONGMEMEVAL, Asset, DataBroken, DataUnavailable, locate, sha256_of
from ..methods import check_embedder
from ..run import runner
from ..run.kept_vectors import KeptVectors
from ..run.results import Result
from ..score.intervals import wilson
from ..score.scoring import score, score_synthetic
from ..types import Method, Sample
from .cells import as_text, groups, measured, with_interval
from .costs import PAPER_MODEL
from .tables import typed_table

FULL_SCAN = "rlm-parallel"
RANKED = "rlm-ranked-10"
EMBEDDINGS = "-embeddings"  # how the names of the arms with an embedder end
NOT_RUN = "not run: no embedding model"
TYPES = ("knowledge-update", "temporal-reasoning")
"""Question types that newer facts and dates decide; LoCoMo has none of these names."""

_NO_BREAK = "\u00a0"


@dataclass(frozen=True)
class Asked:
    """One benchmark, answered by every arm.

    Args:
        samples: What was asked.
        frame: The runner's rows.
    """

    samples: Sequence[Sample]
    frame: pd.DataFrame


def embedder(llm: LLM, embedding_model: str = "", local_embedder: str = "") -> Embedder | None:
    """What the last arm ranks with.

    Args:
        llm: The model; its server embeds.
        embedding_model: Of that server, or "".
        local_embedder: A `sentence-transformers` model or a folder that holds one, or "". Its vectors are kept in the
            cache folder.

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
    return KeptVectors(LocalEmbedder(local_embedder, name=Path(local_embedder).name))


def questions(n: int = 30, seed: int = 42, data_dir: str = "") -> list[Sample]:
    """Some of the paper's 100 LongMemEval-S questions, and all of them that have no answer in their history.

    Args:
        n: How many are drawn, balanced over the types; 100 takes all.
        seed: Of the draw.
        data_dir: Where the file lies; "" looks as `assets.locate` does.

    Raises:
        ValueError: There are not so many.
        DataUnavailable: The file cannot be found or fetched.
    """
    everything = longmemeval.load("s", "paper", data_dir=data_dir or None)
    drawn = {sample.id for sample in longmemeval.load("s", "paper", n=n, seed=seed, data_dir=data_dir or None)}
    return [sample for sample in everything if sample.abstain or sample.id in drawn]


def m_scale(sessions: int = 500, n_per_type: int = 1, seed: int = 42, data_dir: str = "") -> list[Sample]:
    """Questions over histories as long as LongMemEval-M's: of the real file where it is at hand, else generated.

    The file, 2.7 GB, is never downloaded for this; `source` says which it is.

    Args:
        sessions: Of the generated history; the real ones have about 500.
        n_per_type: Questions of each type.
        seed: Of the draw, or of the history.
        data_dir: Where the file may lie; "" looks as `assets.locate` does.
    """
    if _at_hand(LONGMEMEVAL["m"], data_dir) is None:
        return long_histories.load(sessions, n_per_type, seed)
    size = n_per_type * len(longmemeval.TYPES)
    return list(longmemeval.load("m", "all", n=size, seed=seed, data_dir=data_dir or None))


def scale_name(samples: Sequence[Sample]) -> str:
    """Which of the two `m_scale` gave: "longmemeval-m" or "generated"."""
    return "generated" if samples[0].id.startswith(long_histories.PREFIX) else "longmemeval-m"


def source(samples: Sequence[Sample]) -> str:
    """The same as one line, with how many questions and sessions there are."""
    name = {"generated": "Generated, not LongMemEval-M", "longmemeval-m": "LongMemEval-M"}[scale_name(samples)]
    lengths = sorted({len(sample.sessions) for sample in samples})
    spread = f"{lengths[0]}" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
    return f"{name}: {len(samples)} questions over {spread} sessions."


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
    return Asked(samples, runner.run(arms, samples, model=llm.label, score_with=score_as_told))


def score_as_told(sample: Sample, text: str) -> Mapping[str, float]:
    """`score`, but where the gold answer is that one does not know, an answer that says so is right.

    LongMemEval's `_abs` have an explanation for a gold answer: their EM is the paper's, and `abstention` scores them.
    """
    return score_synthetic(sample, text) if sample.answer == UNKNOWN else score(sample, text)


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
        if (path := _at_hand(asset, data_dir))
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


def _at_hand(asset: Asset, data_dir: str) -> Path | None:
    try:
        return locate(asset, data_dir or None, download=False)
    except DataBroken:
        raise
    except DataUnavailable:
        return None


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
