import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from rlm_memory_core.experiments.run import catalog

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ASKING = {catalog.QUICKSTART, *(book.name for book in catalog.NOTEBOOKS if book.asks)}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_conda_environment_installs_the_project_itself_with_all_extras():
    text = (ROOT / "environment.yml").read_text()
    dependencies = re.findall(r"^\s+- (.+)$", text.split("dependencies:")[1], re.MULTILINE)
    assert dependencies == [f"python{PROJECT['requires-python']}", "pip", "pip:", "-e .[all]"]


def test_all_is_the_union_of_the_extras_but_for_those_that_few_need():
    extras = PROJECT["optional-dependencies"]
    named = re.search(r"\[(.+)\]", extras["all"][0])
    few = {"benchmarks", "torch"}  # what is compared with, and what brings PyTorch
    assert set(named[1].split(",")) == set(extras) - {"all"} - few


def test_the_packages_that_the_project_promises_are_declared():
    extras = [package for extra in PROJECT["optional-dependencies"].values() for package in extra]
    declared = " ".join(PROJECT["dependencies"] + extras)
    for package in ("jupyterlab", "papermill", "openai", "nbval", "seaborn", "pandas", "datasets"):
        assert package in declared


def test_make_explains_its_targets():
    printed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in printed.splitlines()} == {
        "help", "setup", "reproduce", "test", "test-slow", "lab", "estimate", "report", "publish",
    }  # fmt: skip


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    def cells(self, path):
        return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]

    def test_was_run_from_top_to_bottom(self, path):
        counts = [cell["execution_count"] for cell in self.cells(path)]
        assert counts == list(range(1, len(counts) + 1))

    def test_shows_a_table_without_an_error(self, path):
        outputs = [output for cell in self.cells(path) for output in cell["outputs"]]
        assert any("text/html" in output.get("data", {}) for output in outputs)
        assert not [output for output in outputs if output["output_type"] == "error"]

    def test_holds_no_logic(self, path):
        for cell in self.cells(path):
            assert not re.search(r"^\s*(def|class|if|while|try)\b", "".join(cell["source"]), re.MULTILINE)

    def test_names_the_offline_reader_as_what_it_is(self, path):
        if path.stem not in ASKING:
            pytest.skip("asks no model")
        assert "offline reader (no LLM)" in path.read_text()

    def test_carries_no_trace_of_the_machine_it_ran_on(self, path):
        text = path.read_text()
        assert not re.search(r"/(work|home|root|tmp|Users)/", text)
        assert '"papermill"' not in text


OUTPUTS = ROOT / "outputs" / "offline"


@pytest.mark.parametrize(
    "path",
    sorted(p for p in OUTPUTS.rglob("*") if p.suffix in (".ipynb", ".json", ".csv", ".svg", ".html")),
    ids=lambda path: path.name,
)
def test_committed_outputs_carry_no_trace_of_the_machine_they_were_made_on(path):
    assert not re.search(r"/(work|home|root|tmp|Users)/", path.read_text(encoding="utf-8"))


def test_committed_results_are_of_the_papers_100_questions_and_hold_what_is_promised_of_the_reader():
    rows = json.loads((OUTPUTS / "results" / "03_longmemeval_s.json").read_text())["rows"]
    found = {row["id"]: row for row in rows}
    for method in ("rlm", "rlm-parallel"):
        assert found[f"table5.{method}.em"]["n"] == 100
        assert found[f"table5.{method}.em"]["value"] >= 0.28
        assert found[f"table5.{method}.answer_words"]["value"] <= 45
    assert found["table5.truncation.em"]["value"] <= 0.08
    needles = {
        row["id"]: row["value"] for row in json.loads((OUTPUTS / "results" / "01_niah.json").read_text())["rows"]
    }
    assert all(needles[f"table2.rlm.{length}"] >= 0.8 for length in (20, 50, 100, 200))
    assert needles["table2.truncation.200"] <= 0.4


def test_the_readme_has_no_holes():
    assert "@@" not in (ROOT / "README.md").read_text()
