import json
import os
from pathlib import Path

import pandas as pd
import pytest

from rlm_memory_core.experiments.data import longmemeval
from rlm_memory_core.experiments.data.assets import LONGMEMEVAL, Asset, sha256_of
from rlm_memory_core.experiments.data.longmemeval import paper_ids
from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.paper.scorecard import read, scorecard
from rlm_memory_core.experiments.run.runner import COLUMNS
from rlm_memory_core.experiments.show import tables_longmemeval

METHODS = ("truncation", "rag", "full-context", "rlm-sequential", "rlm-parallel")
HISTORIES = Path(os.environ.get("RLM_MEMORY_DATA", "")) / "longmemeval_s_paper100.json"


@pytest.fixture
def load(tmp_path, longmemeval_item):
    """The questions of these names, each over a session that answers it and one of 106 characters that does not."""

    def item(name):
        asked = longmemeval_item(name)
        asked["haystack_session_ids"].append("s2")
        asked["haystack_dates"].append("2023/05/21 (Sun) 02:21")
        asked["haystack_sessions"].append(
            [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "x" * 100}]
        )
        return asked

    def load(ids, sample="all"):
        path = tmp_path / "longmemeval_s.json"
        path.write_text(json.dumps([item(name) for name in ids]))
        return longmemeval.load("s", sample, data_dir=tmp_path)

    return load


def frame(methods=METHODS):
    return pd.DataFrame(
        dict.fromkeys(COLUMNS, 0.0)
        | {"question_id": name, "method": method, "question_type": "multi-session", "error": ""}
        | {"prompt_tokens": 7_900, "completion_tokens": 100, "seconds": 4.0}
        for method in methods
        for name in ("a", "b")
    )


def found(results):
    return {one.id: one for one in results}


def test_the_papers_questions_give_their_sizes(load):
    sizes = found(tables_longmemeval.facts(load(paper_ids())))
    assert sizes["table6.n.overall"].value == sizes["table6.n.multi-session"].value == 100
    assert sizes["section5.4.types"].value == 1
    assert sizes["section5.4.history.sessions"].value == 2
    assert sizes["section5.4.history.turns"].value == 3 + 2  # with a marker a session
    markers = len("[--- Session 1 | 2023/05/20 (Sat) 02:21 ---]") * 2
    assert sizes["abstract.history.characters"].value == len("My cat is called Mochi.Hello.") + 100 + markers
    pieces = [
        len("[Turn 1][user]: My cat is called Mochi."),
        len("[Turn 2][user]: Hello.\n[Turn 3][assistant]: ") + 100,
    ]
    assert sizes["section5.5.chunk.characters"].value == max(pieces)
    assert sizes["readme.chunk.tokens"].value == sum(pieces) / 2 / 4
    assert set(sizes) <= set(paper.register())


def test_other_questions_tell_nothing_of_the_papers(load, capsys):
    assert tables_longmemeval.facts(load(["a", "b"])) == ()
    assert tables_longmemeval.facts_table(load(["a", "b"])) is None
    assert "not the paper's 100 questions" in capsys.readouterr().out


def test_the_size_of_the_file_is_given_for_the_official_file_alone(load, monkeypatch):
    samples = load(["a", "b", "c"], sample="2")
    own = LONGMEMEVAL["s"]
    official = Asset(own.name, own.filenames, own.url, sha256_of(samples.path))
    monkeypatch.setitem(LONGMEMEVAL, "s", official)
    sizes = found(tables_longmemeval.facts(samples))
    assert sizes["section7.population"].value == 3
    assert sizes["readme.data.megabytes"].value == samples.path.stat().st_size / 2**20


def test_the_tables_of_figures_hold_the_paper_beside_the_data(load):
    shown = tables_longmemeval.facts_table(load(paper_ids()))
    assert shown.loc["Section 5.4: mean sessions of a history"].tolist() == ["sessions", "~50", "2"]
    assert "characters" in set(shown["unit"])


def test_what_only_the_readme_prints_has_its_id_too(load):
    results = found(tables_longmemeval.results(frame(), load(["a", "b"]), "s", 32_000))
    assert results["readme.table.truncation.tokens"].value == results["readme.table.full-context.tokens"].value == 8_000
    assert results["readme.table.rlm.seconds"].value == 4.0
    assert results["table5.caption.window"].value == 32_000
    assert "table5.rag.em" in results
    without = found(tables_longmemeval.results(frame(["rag"]), load(["a", "b"]), "s", 32_000))
    assert not [name for name in without if name.startswith("readme") or "window" in name]


def test_another_variant_never_fills_the_papers_numbers(load):
    results = found(tables_longmemeval.results(frame(), load(paper_ids()), "oracle", 32_000))
    assert "oracle.table5.rlm.em" in results
    assert not set(results) & set(paper.register())


@pytest.mark.skipif(not HISTORIES.is_file(), reason="longmemeval_s_paper100.json is not in $RLM_MEMORY_DATA")
def test_the_real_data_is_what_the_paper_says_but_for_what_a_sub_agent_reads(tmp_path, builds_once):
    samples = longmemeval.load("s", "paper", data_dir=HISTORIES.parent)
    sizes = found(tables_longmemeval.facts(samples))
    assert round(sizes["abstract.history.characters"].value) == 491_611
    assert sizes["section5.4.history.turns"].value == pytest.approx(540.3, abs=0.05)
    assert sizes["section5.5.chunk.characters"].value > 18_500
    path = tmp_path / "03_longmemeval_s.json"
    rows = [{"id": one.id, "value": one.value, "n": one.n} for one in sizes.values()]
    path.write_text(json.dumps({"provenance": {"model": "offline reader (no LLM)"}, "rows": rows}))
    card = scorecard(paper.register(), read([path])).set_index("id")
    verdicts = card.loc[list(sizes), "ours_verdict"]
    assert set(verdicts[verdicts != "agrees"].index) == {
        "section5.4.history.turns", "section5.5.chunk.characters", "readme.chunk.tokens",
    }  # fmt: skip
