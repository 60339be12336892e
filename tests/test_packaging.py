import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from pathlib import Path

import pytest
import yaml

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
    few = {"benchmarks", "torch", "inspect"}  # to compare with; brings PyTorch; wants older versions of other packages
    assert set(named[1].split(",")) == set(extras) - {"all"} - few


def test_the_packages_that_the_project_promises_are_declared():
    extras = [package for extra in PROJECT["optional-dependencies"].values() for package in extra]
    declared = " ".join(PROJECT["dependencies"] + extras)
    for package in ("jupyterlab", "papermill", "openai", "nbval", "seaborn", "pandas", "datasets"):
        assert package in declared


def test_ci_runs_on_the_versions_of_python_that_the_package_names():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    tested = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    named = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if "Python :: 3." in name]
    assert tested == named == ["3.11", "3.12", "3.13"]
    assert PROJECT["requires-python"] == f">={tested[0]}"


def test_pre_commit_runs_the_checks_of_make_test():
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    recipe = (ROOT / "Makefile").read_text().partition("\ncheck: ")[2].partition("\n\n")[0]
    checks = [line.removeprefix("@$(RUN) ") for line in re.findall(r"^\t(.+)", recipe, re.MULTILINE)]
    assert [hook["entry"] for hook in local["hooks"]] == [check for check in checks if "pytest" not in check]


@pytest.mark.slow
def test_the_wheel_and_the_sdist_work_in_a_fresh_environment(tmp_path):
    """The wheel is built from the sdist. Dependencies are those of the environment that runs the test."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command):
        done = subprocess.run([*map(str, command)], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path / "dist", ROOT)
    (sdist,), (wheel,) = (tmp_path / "dist").glob("*.tar.gz"), (tmp_path / "dist").glob("*.whl")
    with tarfile.open(sdist) as archive:
        files = {Path(name).name for name in archive.getnames()}
    assert {"README.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "conftest.py", "99_scorecard.ipynb"} <= files
    fresh = tmp_path / "fresh"
    run(sys.executable, "-m", "venv", fresh)
    run(fresh / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel)
    (site,) = fresh.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    where = "import rlm_memory_core as r; print(r.__file__, r.__version__)"
    file, version = run(fresh / "bin" / "python", "-c", where).split()
    assert (Path(file).parent.parent, version) == (site, PROJECT["version"])
    assert (site / "rlm_memory_core" / "py.typed").exists()
    (tmp_path / "h.json").write_text('[{"role": "user", "content": "My cat is called Mochi."}]')
    command = fresh / "bin" / "rlm-memory"
    assert run(command, "--version") == f"rlm-memory {version}\n"
    assert run(command, "ask", "h.json", "What is my cat called?").startswith("My cat is called Mochi.\n")
    shown = "import rlm_memory_core as r; print(r.MemoryChat().query('Who?')._repr_html_())"
    assert "offline reader" in run(fresh / "bin" / "python", "-c", shown)  # templates are in the wheel


def test_make_explains_its_targets():
    printed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in printed.splitlines()} == {
        "help", "setup", "reproduce", "test", "test-slow", "test-inspect", "lab", "estimate", "report", "publish",
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
