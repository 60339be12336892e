import json

import pandas as pd
import pytest

from rlm_memory_core.experiments.run import results
from rlm_memory_core.experiments.run.runner import COLUMNS
from rlm_memory_core.experiments.types import Result

FRAME = pd.DataFrame([dict.fromkeys(COLUMNS, 1) | {"question_id": "q1", "error": ""}]).assign(answer="private words")


def write(folder, *rows):
    results.write(folder, "01_test", rows, FRAME, model="m", seed=3, data_sha256="abc", spent_usd=0.5)
    return json.loads((folder / "results" / "01_test.json").read_text())


def test_rows_and_provenance(tmp_path):
    document = write(tmp_path, Result("a", 0.5, 10, 0.2, 0.8), Result("b", 3, 1))
    assert document["rows"] == [
        {"id": "a", "value": 0.5, "n": 10, "low": 0.2, "high": 0.8},
        {"id": "b", "value": 3, "n": 1, "low": None, "high": None},
    ]
    assert {"commit", "versions", "model", "seed", "data_sha256", "date"} <= set(document["provenance"])
    assert document["provenance"]["spent_usd"] == 0.5


def test_the_questions_file_holds_figures_and_no_answers(tmp_path):
    write(tmp_path, Result("a", 1, 1))
    text = (tmp_path / "results" / "01_test.questions.csv").read_text()
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert "private words" not in text


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results.write("", "01_test", [Result("a", 1, 1)], FRAME, model="m", seed=3)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [[Result("a", 1, 1), Result("a", 2, 1)], [Result("a", float("nan"), 1)]])
def test_doubled_and_meaningless_numbers_are_refused(tmp_path, rows):
    with pytest.raises(ValueError, match="results of 01_test are wrong"):
        write(tmp_path, *rows)
