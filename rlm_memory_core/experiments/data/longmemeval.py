"""LongMemEval (oracle, S and M) as Samples: chooses and orders the questions, and makes one sample at a time.

`longmemeval_file` reads the file; `score` scores answers, with a judge too.
"""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ..types import ChatSession, ChatTurn, Sample
from .assets import LONGMEMEVAL, DataBroken, locate, sha256_of
from .draws import balanced
from .longmemeval_file import open_rows

if TYPE_CHECKING:
    from datasets import Dataset

TYPES = (
    "knowledge-update", "multi-session", "single-session-assistant", "single-session-preference",
    "single-session-user", "temporal-reasoning",
)  # fmt: skip


class Samples(Sequence[Sample]):
    """Samples over a file on disk; each is made on access.

    Args:
        path: The JSON file.
        dataset: All rows of that file.
        rows: The chosen rows, in order.
    """

    def __init__(self, path: Path, dataset: "Dataset", rows: Sequence[int]) -> None:
        self.path = path
        self._dataset = dataset
        self._rows = rows

    @property
    def sha256(self) -> str:
        """The checksum of the JSON file in hex, for provenance."""
        return sha256_of(self.path)

    @property
    def population(self) -> int:
        """The number of questions in the file, chosen or not."""
        return len(self._dataset)

    def __len__(self) -> int:
        """The number of samples."""
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> "Samples": ...
    def __getitem__(self, index: int | slice) -> "Sample | Samples":
        """One sample, or a slice of them."""
        if isinstance(index, slice):
            return Samples(self.path, self._dataset, self._rows[index])
        return _to_sample(self._dataset[self._rows[index]])


def load(
    variant: str = "s", sample: str | int = "paper", seed: int = 42, data_dir: str | Path | None = None
) -> Samples:
    """Loads questions of one LongMemEval file. Shows a bar while it downloads and builds, on a terminal.

    Args:
        variant: "oracle" (evidence sessions only), "s" (about 48 sessions) or "m" (about 500).
        sample: "paper" for the paper's 100 questions in its order, "all" for the file as it is, or a
            number (as a text too) for that many, drawn balanced over the types.
        seed: The seed of the draw. The draw does not depend on the file's order, and a smaller draw is the beginning
            of a larger one.
        data_dir: A folder to search first; see `assets.locate`.

    Raises:
        ValueError: The variant or the sample does not exist.
        DataUnavailable: The file cannot be found or fetched.
        DataBroken: It cannot be read, or lacks some of the paper's questions.

    Example:
        >>> load("s", 12, data_dir="data")[0].kind  # doctest: +SKIP
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
    path = locate(LONGMEMEVAL[variant], data_dir).resolve()
    dataset = open_rows(path)
    labels = dataset.select_columns(["id", "kind"])[:]
    rows = {question: row for row, question in enumerate(labels["id"])}
    if len(rows) < len(labels["id"]):
        doubled = next(question for question in labels["id"] if labels["id"].count(question) > 1)
        raise DataBroken(f"{path} holds more than one question {doubled!r}; give each an id of its own")
    chosen = paper_ids() if sample == "paper" else list(rows)
    if missing := sum(question not in rows for question in chosen):
        raise DataBroken(
            f"{path} lacks {missing} of the paper's {len(chosen)} questions; "
            "use the official file, or choose sample='all' for what this one holds"
        )
    if isinstance(sample, int):
        chosen = balanced(list(zip(labels["id"], labels["kind"], strict=True)), sample, seed)
    return Samples(path, dataset, [rows[question] for question in chosen])


def questions(n: int = 30, seed: int = 42, data_dir: str = "") -> list[Sample]:
    """Loads some of the paper's 100 LongMemEval-S questions, and all of them that have no answer in their history.

    Args:
        n: Size of the draw, balanced over the types; 100 takes all.
        seed: The seed of the draw.
        data_dir: A folder to search first; see `assets.locate`.

    Raises:
        ValueError: There are fewer questions than `n`.
        DataUnavailable: The file cannot be found or fetched.
    """
    everything = list(load("s", "paper", data_dir=data_dir))
    drawn = balanced([(sample.id, sample.kind) for sample in everything], n, seed)
    return [sample for sample in everything if sample.abstain or sample.id in drawn]


def paper_ids() -> list[str]:
    """Returns the ids of the paper's 100 questions, in its order (as the authors' logs list them)."""
    return files(__package__).joinpath("paper_sample.txt").read_text(encoding="utf-8").split()


def _to_sample(row: dict[str, Any]) -> Sample:
    sessions = tuple(
        ChatSession(session["date"], [ChatTurn(turn["role"], turn["content"]) for turn in session["turns"]])
        for session in row["sessions"]
    )
    labels = {"abstain": "_abs" in row["id"], "evidence": tuple(row["evidence"])}
    return Sample(**{**row, **labels, "sessions": sessions})
