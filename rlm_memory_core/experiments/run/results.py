"""What a notebook leaves behind: `results/NN_name.json`, and one CSV row a question.

A number is a `Result` that names the id it has in `paper.toml`, so that a scorecard
can join the two. The CSV holds ids and figures only: no text of a data set.
"""

from __future__ import annotations

import json
import math
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.assets import project_root
from .runner import COLUMNS

_VERSIONS = ("rlm-memory", "openai", "pydantic-monty", "pandas", "datasets", "papermill")


@dataclass(frozen=True, slots=True)
class Result:
    """One measured number.

    Args:
        id: Its name, as in `paper.toml`, such as "table5.rlm.em".
        value: The number.
        n: Over how many questions or runs.
        low, high: Its 95% interval, where it has one.
    """

    id: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None


def write(
    folder: str | Path,
    name: str,
    results: Sequence[Result],
    frame: pd.DataFrame | None,
    *,
    model: str,
    seed: int,
    data_sha256: str | None = None,
    spent_usd: float | None = 0.0,
    judge: str | None = None,
) -> None:
    """Write `results/<name>.json` and `results/<name>.questions.csv` below a folder.

    Args:
        folder: Where outputs go, such as "outputs/offline"; "" writes nothing (a notebook that is only being read).
        name: The notebook's, such as "01_niah".
        results: The numbers.
        frame: The runner's rows; None where no question was asked, and so no CSV is written.
        model: How the rows name the model.
        seed: What the samples were drawn with.
        data_sha256: The checksum of the data file, where there is one.
        spent_usd: What the run paid for, None where the price is not known; replayed calls are free.
        judge: The model that judged the answers; None where none was asked.

    Raises:
        ValueError: Two results share an id, or a value is not finite.
    """
    ids = [result.id for result in results]
    doubled = sorted({name for name in ids if ids.count(name) > 1})
    broken = [
        result.id
        for result in results
        if not all(math.isfinite(number) for number in (result.value, result.low or 0.0, result.high or 0.0))
    ]
    if doubled or broken:
        raise ValueError(f"results of {name} are wrong: doubled {doubled}, not finite {broken}")
    if not str(folder):
        return
    target = Path(folder)
    target = (target if target.is_absolute() else project_root() / target) / "results"
    target.mkdir(parents=True, exist_ok=True)
    document = {
        "provenance": {**provenance(model, seed, data_sha256), "spent_usd": spent_usd, "judge": judge},
        "rows": [asdict(result) for result in results],
    }
    write_text(target / f"{name}.json", json.dumps(document, indent=1, allow_nan=False) + "\n")
    if frame is not None:
        table = frame.to_csv(columns=list(COLUMNS), index=False, float_format="%.6g")
        write_text(target / f"{name}.questions.csv", table)


def provenance(model: str, seed: int, data_sha256: str | None) -> dict[str, Any]:
    """Where numbers come from: commit, versions, model, seed, data, date."""
    return {
        "commit": _commit(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _VERSIONS}},
        "model": model,
        "seed": seed,
        "data_sha256": data_sha256,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _commit() -> str | None:
    """The commit of the code, with "+changes" where files but the outputs differ from it; None outside a checkout."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    changes = _git("status", "--porcelain", "--", ".", ":!outputs")
    return commit and commit + ("+changes" if changes else "")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=project_root(), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never a half.

    Raises:
        OSError: It cannot be written.
    """
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
