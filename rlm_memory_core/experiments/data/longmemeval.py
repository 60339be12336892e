"""LongMemEval (oracle, S and M) as Samples: which questions, in what order, made one at a time.

How a file of any size is read lives in `longmemeval_file`, how answers are scored
in `scoring`. The official LLM judge is not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from .assets import LONGMEMEVAL, DataBroken, locate, sha256_of
from .draws import balanced
from .longmemeval_file import open_rows
from ..types import ChatSession, ChatTurn, Sample

if TYPE_CHECKING:
    from datasets import Dataset

TYPES = (
    "knowledge-update",
    "multi-session",
    "single-session-assistant",
    "single-session-preference",
    "single-session-user",
    "temporal-reasoning",
)


class Samples(Sequence[Sample]):
    """Samples over a file on disk; each is made when it is asked for.

    Args:
        path: The JSON file they come from.
        dataset: All rows of that file.
        rows: Which of them, in what order.
    """

    def __init__(self, path: Path, dataset: Dataset, rows: Sequence[int]) -> None:
        """Samples `rows` of `dataset`."""
        self.path = path
        self._dataset = dataset
        self._rows = rows

    @property
    def sha256(self) -> str:
        """The checksum of the JSON file in hex, for provenance."""
        return sha256_of(self.path)

    @property
    def population(self) -> int:
        """How many questions the file holds, chosen or not."""
        return len(self._dataset)

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Samples: ...
    def __getitem__(self, index: int | slice) -> Sample | Samples:
        """One sample, or a part of them."""
        if isinstance(index, slice):
            return Samples(self.path, self._dataset, self._rows[index])
        return _to_sample(self._dataset[self._rows[index]])

    def __repr__(self) -> str:
        """The file's name and how many samples."""
        return f"Samples({self.path.name!r}, {len(self)} of {len(self._dataset)})"


def load(
    variant: str = "s",
    sample: str | int | None = "paper",
    n: int | None = None,
    seed: int = 42,
    types: Sequence[str] | None = None,
    data_dir: str | Path | None = None,
    progress: bool = False,
) -> Samples:
    """The questions of one LongMemEval file.

    Args:
        variant: "oracle" (evidence sessions only), "s" (about 48 sessions) or "m" (about 500).
        sample: "paper" for the paper's 100 questions in its order, "all" or None for
            the file as it is, or a number for that many, drawn balanced over the types.
        n: Draws so many, balanced, from what `sample` selects.
        seed: Of the draw. It is independent of the file's order, and a smaller draw
            is the beginning of a larger one.
        types: Keeps these question types only.
        data_dir: Where to look for the file first; see `assets.locate`.
        progress: Shows a bar while downloading and while building.

    Raises:
        ValueError: An argument names something that there is not.
        DataUnavailable: The file cannot be found or fetched.
        DataBroken: It cannot be read, or lacks some of the paper's questions.

    Example:
        >>> load("s", n=12, data_dir="data")[0].kind  # doctest: +SKIP
        'knowledge-update'

    Source:
        Wu et al., "LongMemEval", ICLR 2025; paper, Section 5.4.
    """
    if variant not in LONGMEMEVAL:
        raise ValueError(f"variant must be one of {', '.join(LONGMEMEVAL)}, not {variant!r}")
    if isinstance(sample, str) and sample.isdecimal():
        sample = int(sample)
    if isinstance(sample, str) and sample not in ("paper", "all"):
        raise ValueError(f"sample must be 'paper', 'all' or a number, not {sample!r}")
    if unknown := set(types or ()) - set(TYPES):
        raise ValueError(f"no question type {', '.join(sorted(unknown))}; there are {', '.join(TYPES)}")
    path = locate(LONGMEMEVAL[variant], data_dir, progress=progress).resolve()
    dataset = open_rows(path, progress)
    labels = dataset.select_columns(["id", "kind"])[:]
    rows = {question: row for row, question in enumerate(labels["id"])}
    if len(rows) < len(labels["id"]):
        doubled = next(question for question in labels["id"] if labels["id"].count(question) > 1)
        raise DataBroken(f"{path} holds more than one question {doubled!r}; give each an id of its own")
    kinds: dict[str, str] = dict(zip(labels["id"], labels["kind"], strict=True))
    chosen = _paper_ids(path, rows) if sample == "paper" else list(rows)
    chosen = [question for question in chosen if types is None or kinds[question] in types]
    for size in (sample if isinstance(sample, int) else None, n):
        if size is not None:
            chosen = balanced([(question, kinds[question]) for question in chosen], size, seed)
    return Samples(path, dataset, [rows[question] for question in chosen])


def paper_ids() -> list[str]:
    """The ids of the paper's 100 questions, in its order (as the authors' logs list them)."""
    return files(__package__).joinpath("paper_sample.txt").read_text(encoding="utf-8").split()


def _paper_ids(path: Path, rows: dict[str, int]) -> list[str]:
    wanted = paper_ids()
    missing = sum(question not in rows for question in wanted)
    if missing:
        raise DataBroken(
            f"{path} lacks {missing} of the paper's {len(wanted)} questions; "
            "use the official file, or choose sample='all' for what this one holds"
        )
    return wanted


def _to_sample(row: dict[str, Any]) -> Sample:
    return Sample(
        id=row["id"],
        kind=row["kind"],
        question=row["question"],
        answer=row["answer"],
        sessions=tuple(
            ChatSession(session["date"], [ChatTurn(turn["role"], turn["content"]) for turn in session["turns"]])
            for session in row["sessions"]
        ),
        question_date=row["question_date"],
        abstain="_abs" in row["id"],
        evidence=tuple(row["evidence"]),
    )
