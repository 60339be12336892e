import json

import pandas as pd
import pytest

from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.paper import scorecard_tables
from rlm_memory_core.experiments.paper.scorecard import evidence_of, of_run, read, scorecard


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


def test_the_end_of_a_run_fits_a_screen_and_has_a_line_for_every_table(folder):
    lines = scorecard_tables.summary(of_run(folder))
    assert len(lines) <= 34
    assert max(map(len, lines)) <= 100
    tables = [line.split()[1] for line in lines if line.startswith("Table ")]
    assert tables[:7] == list("1234567")
    total = next(line for line in lines if line.startswith("all ")).split()
    assert int(total[1]) == len(paper.register()) == sum(map(int, total[2:7]))


def test_every_fault_begins_with_a_few_words():
    for number in paper.register().values():
        words, colon, reason = number.fault.partition(": ")
        assert not number.fault or (colon and len(words) <= 24 and reason), number.id


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A project whose outputs were published on a day before this run, which asked nothing of notebook 03."""
    monkeypatch.setattr("rlm_memory_core.experiments.paper.scorecard.project_root", lambda: tmp_path)
    old = {"id": "table5.rlm.em", "value": 0.29, "low": 0.21, "high": 0.39}
    (tmp_path / "outputs" / "offline").mkdir(parents=True)
    document(tmp_path / "outputs" / "offline" / "results" / "03_x.json", old, model="offline reader (no LLM)")
    run = tmp_path / "outputs" / "runs" / "offline"
    run.mkdir(parents=True)
    document(run / "results" / "01_x.json", {"id": "table2.rlm.20", "value": 1.0})
    return run


def test_a_published_figure_is_never_shown_as_measured_now(published):
    card = of_run(published)
    table = scorecard_tables.all_numbers(card)
    assert table.loc["Table 5, RLM-MEMORY (ours), EM", "by"] == (
        "offline reader (no LLM), published figure of 2026-11-21"
    )
    assert scorecard_tables.older(evidence_of(published)) == ["published figure of 2026-11-21 in notebook 03"]
    (line,) = [line for line in scorecard_tables.summary(card) if line.startswith("Table 5 ")]
    assert int(line.split()[-1]) >= 1


def test_a_figure_from_before_the_run_began_is_an_earlier_one(published):
    (published / "started").write_text("2026-11-22T00:00:00+00:00")
    assert "earlier figure of 2026-11-21 in notebook 01" in scorecard_tables.older(evidence_of(published))
