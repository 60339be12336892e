"""Finds and reads the authors' public logs and result files.

Looks on disk first; otherwise downloads them once from a fixed commit of the authors' repository and compares
their checksums. This package holds no copy. `paper_log_parser` parses a log; `recompute` and the audits use them.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.assets import DATA_VARIABLE, Asset, DataUnavailable, locate, one_line, sha256_of
from ..data.longmemeval import paper_ids
from ..run.runner import COLUMNS as RUNNER_COLUMNS
from .paper_log_parser import Settings, parse_log, parse_published, parse_settings

_EVAL = "https://raw.githubusercontent.com/sayedRaheel/rlm-memory/06d9037b38cafb6d67f334d08eb378c952565b30/eval"

_FILES = {
    "run_100_log.txt": (43_384, "0148051276677b29d7c41ba0956e146f4f3f42afee61371be89a2f1f31f69e7a"),
    "rag_100_log.txt": (40_168, "0bb4f76b88cfba2ee521e43d58f90ed93ab26d43a3dbd197a8a69f94a1346d5f"),
    "adaptive_100_log.txt": (47_223, "d027a1a18ad3cf9c6748777cfbe41829fbd5617abf42ecbbc34a618b4e922b15"),
    "real_longmemeval_100_results.json": (1_199, "8163cc62e06360154ac958a6ff55c6053cba950dda2742df11a62ea4c8607c90"),
    "rag_100_results.json": (785, "cde5383a3a590682701a84d32171d3d708c49427909b70a13e4eae09fd0348e6"),
    "adaptive_100_results.json": (1_407, "935f89be52cc80587654aeeb0b6acc6bb2a13882fa28c71497a418145b3eaab3"),
    "niah_results.json": (993, "82a05978aa7f141367a454fccffb01dc9c9a73e8ac6a74f5490f3f4f4b6da023"),
    "synthetic_longmemeval_results.json": (1_290, "7827b886fe08bc160afbec5b2fb6c5f2d2a6e4d75376d16263cd109e50de7407"),
}
LOGS: dict[str, Asset] = {
    name: Asset(f"the authors' {name}", (name,), f"{_EVAL}/{name}", sha256, size, "public; not redistributed here")
    for name, (size, sha256) in _FILES.items()
}

_METHODS = {
    "run_100_log.txt": {"RLM": "rlm", "Truncation": "truncation"},
    "rag_100_log.txt": {"RAG": "rag"},
    "adaptive_100_log.txt": {"RLM-v2": "adaptive", "Truncation": "truncation-again"},
}
"""Each log's labels -> our names. The adaptive run asked the truncation baseline once more."""

_SAME = ["question_id", "question_type", "turns", "characters", "question", "gold"]


@dataclass(frozen=True, slots=True)
class PaperLogs:
    """Everything that the authors published about their runs.

    Args:
        answers: `paper_log_parser.COLUMNS`: 100 rows for each of "rlm", "truncation", "rag",
            "adaptive" and "truncation-again", on the same questions in the same order.
        published: What the logs list of other systems; `log` names the file.
        results: The content of the result files, by file name.
        settings: The settings of the paper's run, from the head of its log.
        paths: Where each file was found, by name.
    """

    answers: pd.DataFrame
    published: pd.DataFrame
    results: dict[str, Any]
    settings: Settings
    paths: dict[str, Path]

    @property
    def sha256(self) -> str:
        """The checksum of the log behind Tables 5 and 6 in hex, for provenance."""
        return sha256_of(self.paths["run_100_log.txt"])


def find(name: str, logs_dir: str | Path = "", *, download: bool = True) -> Path:
    """The path of one file of `LOGS`.

    Looks in `logs_dir` if given, otherwise in `$RLM_MEMORY_DATA` and in `paper/logs` beside it. Then looks
    where `assets.locate` does: the project's `data/`, earlier downloads, the network.

    Args:
        name: The file's name.
        logs_dir: The folder to search first.
        download: Whether to download a missing file.

    Raises:
        DataUnavailable: A named folder does not exist, or the file cannot be found or downloaded.

    Example:
        >>> find("niah_results.json", "logs").name  # doctest: +SKIP
        'niah_results.json'
    """
    named = os.environ.get(DATA_VARIABLE)
    if not logs_dir and named:
        data = Path(named).expanduser()
        beside = data.parent / "paper" / "logs" / name
        if beside.is_file() and not (data / name).is_file():
            return beside
    return locate(LOGS[name], logs_dir or None, download=download)


def load(logs_dir: str | Path = "", *, download: bool = True) -> PaperLogs:
    """Reads all logs and result files, and checks that the logs have the same questions.

    Args:
        logs_dir: The folder to search first; see `find`.
        download: Whether to download missing files.

    Raises:
        DataUnavailable: A file is missing or does not parse, or a log does not hold the
            paper's 100 questions in the paper's order.

    Example:
        >>> len(load().answers)  # doctest: +SKIP
        500
    """
    paths = {name: find(name, logs_dir, download=download) for name in LOGS}
    texts = {name: _read(path) for name, path in paths.items()}
    logs = {name: _log(name, texts[name]) for name in _METHODS}
    _check_questions(logs)
    published = [parse_published(texts[name]).assign(log=name) for name in _METHODS]
    return PaperLogs(
        answers=pd.concat(logs.values(), ignore_index=True),
        published=pd.concat(published, ignore_index=True),
        results={name: _json(name, text) for name, text in texts.items() if name.endswith(".json")},
        settings=parse_settings(texts["run_100_log.txt"], "run_100_log.txt"),
        paths=paths,
    )


def inventory(logs: PaperLogs) -> pd.DataFrame:
    """A table of the files that were read: size, and whether each is identical to the published file."""
    intact = {name: "yes" if sha256_of(path) == LOGS[name].sha256 else "NO" for name, path in logs.paths.items()}
    sizes = {name: f"{path.stat().st_size:,}" for name, path in logs.paths.items()}
    return pd.DataFrame({"bytes": sizes, "as published": intact}).rename_axis("file")


def questions(logs: PaperLogs) -> pd.DataFrame:
    """The answers in the runner's columns, for `results.write`.

    Figures that the logs do not print stay empty: they count tokens, but do not split them.
    """
    rows = logs.answers.assign(model="gpt-4o-mini", error=logs.answers["crashed"].map({True: "crashed", False: ""}))
    return rows.reindex(columns=list(RUNNER_COLUMNS))


def _log(name: str, text: str) -> pd.DataFrame:
    frame = parse_log(text, name)
    if unknown := set(frame["method"]) ^ set(_METHODS[name]):
        raise DataUnavailable(
            f"{name} should hold {' and '.join(_METHODS[name])}; {', '.join(sorted(unknown))} differs"
        )
    frame["method"] = frame["method"].map(_METHODS[name])
    return frame


def _check_questions(logs: dict[str, pd.DataFrame]) -> None:
    expected = next(iter(logs.values())).drop_duplicates("question_id")[_SAME].reset_index(drop=True)
    if list(expected["question_id"]) != paper_ids():
        raise DataUnavailable("run_100_log.txt does not hold the paper's 100 questions in the paper's order")
    for name, frame in logs.items():
        for method, rows in frame.groupby("method"):
            if not rows[_SAME].reset_index(drop=True).equals(expected):
                raise DataUnavailable(f"{name}: the questions of {method} are not those of run_100_log.txt")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataUnavailable(f"{path} cannot be read: {one_line(error)}") from error


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataUnavailable(f"{name}, line {error.lineno}: not JSON ({error.msg})") from error
