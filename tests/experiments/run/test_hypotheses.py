import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from rlm_memory_core.experiments.run.results import write_hypotheses

ROOT = Path(__file__).parents[3]


def frame(*rows):
    """Rows of (method, question, answer, error)."""
    return pd.DataFrame(rows, columns=["method", "question_id", "answer", "error"])


RUN = frame(
    ("rag", "q1", "Mochi", ""),
    ("rag", "q2_abs", 'She said: "naïve\u2028✓"\nand left.', ""),
    ("rlm-parallel", "q1", "half an answer", "the budget is spent"),
    ("rlm-parallel", "q2_abs", "", "the server is away"),
)


def test_one_file_a_method_and_one_line_a_question_in_the_official_format(tmp_path):
    write_hypotheses(tmp_path, RUN)
    folder = tmp_path / "hypotheses"
    assert sorted(path.name for path in folder.iterdir()) == ["rag.jsonl", "rlm-parallel.jsonl"]
    lines = (folder / "rag.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"question_id": "q1", "hypothesis": "Mochi"},
        {"question_id": "q2_abs", "hypothesis": 'She said: "naïve\u2028✓"\nand left.'},
    ]


def test_a_failed_question_keeps_its_line_with_an_empty_hypothesis(tmp_path):
    write_hypotheses(tmp_path, RUN)
    lines = (tmp_path / "hypotheses" / "rlm-parallel.jsonl").read_text().splitlines()
    assert [json.loads(line)["hypothesis"] for line in lines] == ["", ""]


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_hypotheses("", RUN)
    assert not list(tmp_path.iterdir())


def test_a_question_that_was_answered_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="rag answered q1 twice"):
        write_hypotheses(tmp_path, frame(("rag", "q1", "a", ""), ("rag", "q1", "b", "")))


def test_git_ignores_them_in_every_profile_and_no_other_output_of_the_offline_one():
    def ignored(path):
        return subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0

    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    assert ignored("outputs/offline/hypotheses/rag.jsonl")
    assert ignored("outputs/gpt-4o-mini/hypotheses/rag.jsonl")
    assert not ignored("outputs/offline/results/03_longmemeval_s.json")
