import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from rlm_memory_core.experiments.run import hypotheses

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
    hypotheses.write(tmp_path, RUN)
    folder = tmp_path / "hypotheses"
    assert sorted(path.name for path in folder.iterdir()) == ["rag.jsonl", "rlm-parallel.jsonl"]
    lines = (folder / "rag.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"question_id": "q1", "hypothesis": "Mochi"},
        {"question_id": "q2_abs", "hypothesis": 'She said: "naïve\u2028✓"\nand left.'},
    ]


def test_a_failed_question_keeps_its_line_with_an_empty_hypothesis(tmp_path):
    hypotheses.write(tmp_path, RUN)
    assert hypotheses.read(tmp_path / "hypotheses" / "rlm-parallel.jsonl") == {"q1": "", "q2_abs": ""}


def test_what_is_written_is_read_back_in_order(tmp_path):
    hypotheses.write(tmp_path, RUN)
    found = hypotheses.read(tmp_path / "hypotheses" / "rag.jsonl")
    assert list(found.items()) == [("q1", "Mochi"), ("q2_abs", 'She said: "naïve\u2028✓"\nand left.')]


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hypotheses.write("", RUN)
    assert not list(tmp_path.iterdir())


def test_a_question_that_was_answered_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="rag answered q1 twice"):
        hypotheses.write(tmp_path, frame(("rag", "q1", "a", ""), ("rag", "q1", "b", "")))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "is no hypothesis: it needs"),
        ("[]", "is no hypothesis: it needs"),
        ('{"question_id": "q2"}', "is no hypothesis: it needs"),
        ('{"question_id": "q2", "hypothesis": 3}', "is no hypothesis: question_id and hypothesis are texts"),
        ('{"question_id": "q1", "hypothesis": "b"}', "answers q1 again"),
    ],
)
def test_a_file_that_is_none_names_its_line(tmp_path, line, said):
    path = tmp_path / "x.jsonl"
    path.write_text('{"question_id": "q1", "hypothesis": "a"}\n' + line + "\n")
    with pytest.raises(ValueError, match=f"x.jsonl, line 2 {said}"):
        hypotheses.read(path)


def test_git_ignores_them_in_every_profile_and_no_other_output_of_the_offline_one():
    def ignored(path):
        return subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0

    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    assert ignored("outputs/offline/hypotheses/rag.jsonl")
    assert ignored("outputs/gpt-4o-mini/hypotheses/rag.jsonl")
    assert not ignored("outputs/offline/results/03_longmemeval_s.json")
