import json
from pathlib import Path

from rlm_memory_core.experiments.paper import published_tables, recompute
from rlm_memory_core.experiments.paper import registry as paper

COMMITTED = Path(__file__).parents[3] / "outputs" / "offline" / "results"


def committed(name):
    """The rows of a committed results document, by id."""
    rows = json.loads((COMMITTED / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    return {row["id"]: (row["value"], row["n"], row["low"], row["high"]) for row in rows}


def by_id(results):
    return {result.id: (result.value, result.n, result.low, result.high) for result in results}


def test_recomputed_numbers_equal_the_committed_ones_to_the_digit(logs):
    assert by_id(recompute.results(logs)) == committed("06_paper_audit")


def test_cited_numbers_equal_the_committed_ones_to_the_digit():
    assert by_id(published_tables.results()) == committed("04_published_systems")


def test_every_number_that_the_register_finds_in_the_files_is_recomputed(logs):
    found = recompute.by_id(recompute.results(logs))
    assert {each.id for each in paper.register().values() if each.recomputes} <= found.keys()
