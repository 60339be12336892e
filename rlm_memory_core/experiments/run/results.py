"""Writes what a notebook leaves behind: `results/NN_name.json` with its numbers, and one CSV row per question.

Each number has the id of `paper.toml`, so that the scorecard can join the two. The CSV files hold ids and figures, no
text of a data set. Answers go to `hypotheses/<method>.jsonl` in LongMemEval's official format, for its evaluator; the
offline reader's answers quote the data set, so git ignores these files.
"""

import json
import math
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.assets import project_root
from ..types import Result as Result
from .runner import COLUMNS

STARTED = "started"
"""The file in a run's folder that says when the run began."""

_VERSIONS = ("rlm-memory", "openai", "pydantic-monty", "pandas", "datasets", "papermill")


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
    verdicts: pd.DataFrame | None = None,
) -> None:
    """Writes `results/<name>.json`, `results/<name>.questions.csv` and `results/<name>.judged.csv` below a folder.

    Args:
        folder: The output folder, such as "outputs/offline"; "" writes nothing.
        name: The notebook's name, such as "01_niah".
        results: The numbers.
        frame: The runner's rows; None if no question was asked, and then no CSV is written.
        model: The model's name in the rows.
        seed: The seed of the samples.
        data_sha256: The checksum of the data file, if there is one.
        spent_usd: Dollars the run paid, None if the price is unknown; replayed calls are free.
        judge: The model that judged the answers, or None.
        verdicts: The judge's verdicts; None removes those of an earlier run, which were on other answers.

    Raises:
        ValueError: Two results have the same id, or a value is not finite.
    """
    ids = [result.id for result in results]
    doubled = sorted({name for name in ids if ids.count(name) > 1})
    broken = [each.id for each in results if not math.isfinite(each.value + (each.low or 0) + (each.high or 0))]
    if doubled or broken:
        raise ValueError(f"results of {name} are wrong: doubled {doubled}, not finite {broken}")
    if not str(folder):
        return
    target = project_root() / folder / "results"
    target.mkdir(parents=True, exist_ok=True)
    document = {
        "provenance": {**provenance(model, seed, data_sha256), "spent_usd": spent_usd, "judge": judge},
        "rows": [asdict(result) for result in results],
    }
    write_text(target / f"{name}.json", json.dumps(document, indent=1, allow_nan=False) + "\n")
    if frame is not None:
        table = frame.to_csv(columns=list(COLUMNS), index=False, float_format="%.6g")
        write_text(target / f"{name}.questions.csv", table)
    judged = target / f"{name}.judged.csv"
    if verdicts is None:
        judged.unlink(missing_ok=True)
    else:
        write_text(judged, verdicts.to_csv(index=False, float_format="%.6g"))


def write_hypotheses(folder: str | Path, frame: pd.DataFrame) -> None:
    """Writes `hypotheses/<method>.jsonl` below a folder for each method of a run, one JSON line per question.

    A failed question has an empty hypothesis: the official evaluator divides by the lines it finds.

    Args:
        folder: The output folder; "" writes nothing.
        frame: The runner's rows, with ids as in the data file.

    Raises:
        ValueError: A method answered one question twice.
    """
    if not str(folder):
        return
    target = project_root() / folder / "hypotheses"
    target.mkdir(parents=True, exist_ok=True)
    for method, rows in frame.groupby("method", sort=False):
        if doubled := sorted(rows.loc[rows["question_id"].duplicated(), "question_id"]):
            raise ValueError(f"{method} answered {doubled[0]} twice")
        answers = zip(rows["question_id"], rows["answer"].where(rows["error"] == "", ""), strict=True)
        lines = [json.dumps({"question_id": question, "hypothesis": answer}) for question, answer in answers]
        write_text(target / f"{method}.jsonl", "\n".join([*lines, ""]))


def provenance(model: str, seed: int, data_sha256: str | None) -> dict[str, Any]:
    """Returns the origin of numbers: commit, versions, model, seed, data, date."""
    return {
        "commit": _commit(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _VERSIONS}},
        "model": model,
        "seed": seed,
        "data_sha256": data_sha256,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _commit() -> str | None:
    """The commit of the code, with "+changes" if files other than outputs differ from it; None outside a checkout."""
    git = partial(subprocess.run, cwd=project_root(), capture_output=True, text=True, check=True)
    try:
        commit = git(["git", "rev-parse", "--short=12", "HEAD"]).stdout.strip()
        changes = git(["git", "status", "--porcelain", "--", ".", ":!outputs"]).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+changes" if changes else "")


def write_text(path: Path, text: str) -> None:
    """Writes a file so that a reader sees the old one or the new one, never a half.

    Raises:
        OSError: It cannot be written.
    """
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
