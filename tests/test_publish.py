"""`make publish` replaces what is published by one whole run, and refuses anything less."""

import json
import sys
from pathlib import Path

import pytest

from rlm_memory_core.experiments.run.catalog import NOTEBOOKS

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))
import publish  # noqa: E402

sys.path.remove(str(ROOT / "docs"))


def cell(source, number=None, *outputs, tags=()):
    return {"cell_type": "code", "source": [source], "outputs": list(outputs), "execution_count": number,
            "metadata": {"tags": list(tags)}}  # fmt: skip


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A run of every notebook, what was published before, and the notebooks."""
    monkeypatch.setattr(publish, "ROOT", tmp_path)
    run, published, notebooks = (tmp_path / name for name in ("run", "published", "notebooks"))
    for folder in (run / "results", run / "hypotheses", published, notebooks):
        folder.mkdir(parents=True)
    (run / "started").write_text("2026-11-28T10:00:00+00:00")
    (run / "hypotheses" / "rag.jsonl").write_text("a quote")
    (published / "old.txt").write_text("old")
    for book in NOTEBOOKS:
        shown = {"output_type": "execute_result", "execution_count": 3, "data": {"text/plain": ["7"]}, "metadata": {}}
        executed = [
            cell("runs = 5", 1, tags=["parameters"]),
            cell("runs = 2", 2, tags=["injected-parameters"]),
            cell("runs", 3, shown),
        ]
        (run / f"{book.name}.ipynb").write_text(json.dumps({"cells": executed}))
        (notebooks / f"{book.name}.ipynb").write_text(json.dumps({"cells": [executed[0], cell("runs")]}))
        if not book.judges:
            document = {"provenance": {"date": "2026-11-28T10:00:05+00:00"}, "rows": []}
            (run / "results" / f"{book.name}.json").write_text(json.dumps(document))
    return run, published, notebooks


def test_a_whole_run_replaces_what_was_published(folders):
    _, published, notebooks = folders
    publish.publish(*folders)
    found = {path.name for path in published.iterdir()}
    assert found == {"results", *(f"{book.name}.ipynb" for book in NOTEBOOKS)}  # no answers, nothing old
    cells = json.loads((notebooks / f"{NOTEBOOKS[0].name}.ipynb").read_text())["cells"]
    assert [each["execution_count"] for each in cells] == [1, 2]
    assert cells[1]["outputs"][0]["execution_count"] == 2
    publish.publish(*folders)  # as often as one likes


@pytest.mark.parametrize("fault", ["missing", "old", "changed"])
def test_less_than_a_whole_run_is_refused_and_nothing_changes(folders, fault):
    run, published, notebooks = folders
    results = run / "results" / f"{NOTEBOOKS[2].name}.json"
    if fault == "missing":
        results.unlink()
    elif fault == "old":
        results.write_text(json.dumps({"provenance": {"date": "2026-11-27T10:00:05+00:00"}, "rows": []}))
    else:
        (notebooks / f"{NOTEBOOKS[2].name}.ipynb").write_text(json.dumps({"cells": [cell("another")]}))
    with pytest.raises(SystemExit, match=f"nothing is published: {NOTEBOOKS[2].name}"):
        publish.publish(*folders)
    assert [path.name for path in published.iterdir()] == ["old.txt"]
