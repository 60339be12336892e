import pandas as pd
import pytest

from rlm_memory_core.experiments.data import synthetic
from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.run.runner import COLUMNS
from rlm_memory_core.experiments.show import tables_synthetic


def frame(*rows):
    """Rows of (method, question id, question type, f1)."""
    return pd.DataFrame(
        [
            dict.fromkeys(COLUMNS, 0.0)
            | {"question_id": name, "method": method, "question_type": kind, "em": 1.0, "f1": f1, "error": ""}
            for method, name, kind, f1 in rows
        ]
    )


BOTH = frame(
    ("truncation", "a", "abstention", 1.0),
    ("truncation", "t1", "temporal-reasoning", 0.1),
    ("truncation", "t2", "temporal-reasoning", 0.3),
    ("rlm-sequential", "a", "abstention", 1.0),
    ("rlm-sequential", "t1", "temporal-reasoning", 0.9),
    ("rlm-sequential", "t2", "temporal-reasoning", 0.8),
)
SAMPLES = synthetic.load(2)


@pytest.fixture
def found():
    return {result.id: result for result in tables_synthetic.results(BOTH, SAMPLES)}


def test_table_1_puts_the_papers_count_beside_ours():
    table = tables_synthetic.table_1(SAMPLES)
    assert table.loc["multi-session-user", ["N, paper", "N", "sessions"]].tolist() == ["10", "2", "3"]
    assert table.loc["overall", ["N, paper", "N"]].tolist() == ["50", "10"]
    assert list(table.index) == [*synthetic.TYPES, "overall"]


def test_table_3_puts_the_papers_figures_beside_ours():
    table = tables_synthetic.table_3(BOTH)
    assert table.loc["truncation", ["EM, paper", "F1, paper", "F1 (sets)"]].tolist() == ["0.940", "0.460", "0.467"]
    assert table.loc["rlm-sequential", ["EM, paper", "tokens, paper"]].tolist() == ["0.900", "7,200"]


def test_table_4_ends_with_the_gain_question_by_question():
    table = tables_synthetic.table_4(BOTH)
    assert table.loc["temporal-reasoning", "rlm-sequential, paper"] == "0.918"
    assert table.loc["temporal-reasoning", "rlm-sequential"].startswith("0.850\u00a0")
    assert table.loc["temporal-reasoning", "gain, paper"] == "0.733"
    assert (
        table.loc["temporal-reasoning", "gain"].replace("\u00a0", " ") == "0.650 [0.50, 0.80]"
    )  # of two questions the interval is both
    assert table.loc["overall", "n"] == "3"


def test_without_both_methods_there_is_no_gain():
    only = BOTH[BOTH["method"] == "truncation"]
    assert "gain" not in tables_synthetic.table_4(only)
    assert not [result for result in tables_synthetic.results(only, SAMPLES) if "gain" in result.id]


def test_results_carry_the_papers_ids(found):
    assert found["table3.rlm.f1"].value == pytest.approx(0.9)
    assert found["table4.truncation.f1.temporal-reasoning"].value == pytest.approx(0.2)
    assert found["table4.gain.temporal-reasoning"].value == pytest.approx(0.65)
    assert found["section5.3.categories"].value == 1  # abstention gains nothing
    assert (found["table1.n.abstention"].value, found["table3.caption.samples"].value) == (2, 10)
    assert found["table1.sessions"].value == 3
    assert len(found) == len(tables_synthetic.results(BOTH, SAMPLES))


def test_the_scoring_rule_is_the_papers(found):
    assert found["section4.3.abstention.hit"].value == 1.0
    assert found["section4.3.abstention.miss"].value == 0.0
    assert found["section4.3.abstention.phrases"].value >= 30


def test_every_number_of_the_notebook_has_a_figure():
    whole = frame(
        *(
            (method, sample.id, sample.kind, 0.5)
            for method in ("truncation", "full-context", "rlm-sequential")
            for sample in SAMPLES
        )
    )
    found = {result.id for result in tables_synthetic.results(whole, SAMPLES)}
    wanted = {
        number.repeats or number.id
        for number in paper.register().values()
        if number.notebook == "02_synthetic_longmemeval"
    }
    assert wanted <= found


def test_tables_that_are_compared_hold_no_seconds():
    shown = tables_synthetic.table_3(BOTH)
    assert not [column for column in shown.columns if "second" in column or "latency" in column]
