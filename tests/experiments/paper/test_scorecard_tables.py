import json

import pandas as pd
import pytest

from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.paper import scorecard_tables
from rlm_memory_core.experiments.paper.scorecard import of_run, read, scorecard


def document(path, *rows, model="gpt-4o-mini"):
    origin = {"model": model, "date": "2026-11-21T04:00:00+00:00", "commit": "abc"}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"provenance": origin, "rows": [{"n": 100, **row} for row in rows]}))


@pytest.fixture
def folder(tmp_path):
    document(tmp_path / "results" / "03_x.json", {"id": "table5.rlm.em", "value": 0.4, "low": 0.31, "high": 0.5})
    document(tmp_path / "results" / "06_x.json", {"id": "recomputed.table6.rlm.f1.knowledge-update", "value": 0.39349})
    return tmp_path


def test_every_number_is_listed_with_both_figures(folder):
    table = scorecard_tables.all_numbers(of_run(folder))
    assert len(table) == len(paper.register())
    assert table.loc["Table 5, RLM-MEMORY (ours), EM"].tolist() == [
        "0.460", "", "measured", "agrees", "0.400 [0.310, 0.500]", "", "gpt-4o-mini"
    ]  # fmt: skip


def test_what_differs_shows_more_digits_than_are_printed(folder):
    (row,) = scorecard_tables.differing(of_run(folder)).to_dict("records")
    assert (row["paper"], row["checked"]) == ("0.394", "0.39349")
    assert "rounded twice" in row["note"]


def test_faults_stand_together_with_their_whole_reason(folder):
    card = of_run(folder)
    table = scorecard_tables.faulty(card)
    assert table["times"].astype(int).sum() == (card["verdict"] == "does not hold as written").sum()
    assert set(table["why"]) <= {number.fault for number in paper.register().values()}
    assert table["why"].is_unique


def test_what_was_not_run_has_a_reason(folder):
    card = of_run(folder)
    table = scorecard_tables.unjudged(card)
    assert len(table) == (card["status"] == "not run").sum()
    assert (table["note"] != "").all()


def test_provenance_names_who_answered_and_when(folder):
    assert scorecard_tables.provenance(folder).loc["03_x"].tolist() == ["gpt-4o-mini", "2026-11-21", "abc", "1"]


def test_a_run_without_results_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"there are no results in .*; run rlm-memory reproduce first"):
        of_run(tmp_path)


def test_seconds_of_the_offline_reader_are_not_held_against_a_model(tmp_path):
    row = {"id": "table5.rlm.seconds", "value": 0.1, "low": 0.1, "high": 0.2}
    document(tmp_path / "results" / "03_x.json", row, model="offline reader (no LLM)")
    card = scorecard(paper.register(), read([tmp_path / "results" / "03_x.json"])).set_index("id")
    assert pd.isna(card.loc["table5.rlm.seconds", "ours"])
    assert card.loc["table5.rlm.seconds", "status"] == "not run"
