"""Answers in LongMemEval's own format, one JSON line a question, so that its official evaluator can judge them.

Every question of a run stands in the file, a failed one with an empty hypothesis: the
evaluator divides by the lines it finds. The offline reader's answers quote the data
set, so that these files are kept out of git.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from ..data.assets import project_root
from .results import write_text

FOLDER = "hypotheses"


def write(folder: str | Path, frame: pd.DataFrame) -> None:
    """Write `hypotheses/<method>.jsonl` below a folder, for each method of a run.

    Args:
        folder: Where outputs go, such as "outputs/offline"; "" writes nothing.
        frame: The runner's rows, with ids as the data file has them.

    Raises:
        ValueError: A method answered one question twice.
    """
    if not str(folder):
        return
    target = project_root() / folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for method, rows in frame.groupby("method", sort=False):
        if doubled := sorted(rows.loc[rows["question_id"].duplicated(), "question_id"]):
            raise ValueError(f"{method} answered {doubled[0]} twice")
        said = rows["answer"].where(rows["error"] == "", "")
        write_text(target / f"{method}.jsonl", "".join(map(_line, rows["question_id"], said)))


def read(path: str | Path) -> dict[str, str]:
    """The hypotheses of a file by question id, in its order.

    Raises:
        ValueError: A line is not a hypothesis, or a question stands there twice.
        OSError: The file cannot be read.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            question, said = row["question_id"], row["hypothesis"]
        except (ValueError, LookupError, TypeError) as error:
            raise ValueError(f"{path}, line {number} is no hypothesis: it needs question_id and hypothesis") from error
        if not isinstance(question, str) or not isinstance(said, str):
            raise ValueError(f"{path}, line {number} is no hypothesis: question_id and hypothesis are texts")
        if question in found:
            raise ValueError(f"{path}, line {number} answers {question} again")
        found[question] = said
    return found


def _line(question: str, said: str) -> str:
    return json.dumps({"question_id": question, "hypothesis": said}) + "\n"
