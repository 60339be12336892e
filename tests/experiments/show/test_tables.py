import pandas as pd
import pytest

from rlm_memory_core.experiments.data import niah
from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.run.runner import COLUMNS
from rlm_memory_core.experiments.show import tables


def frame(*rows):
    """Rows of (method, question type, em)."""
    return pd.DataFrame(
        [
            dict.fromkeys(COLUMNS, 0.0)
            | {"question_id": f"q{i}", "method": method, "question_type": kind, "em": em, "error": ""}
            for i, (method, kind, em) in enumerate(rows)
        ]
    )


def test_niah_table_puts_the_papers_figure_beside_ours():
    samples = niah.load([20], runs=2)
    table = tables.niah_table(
        frame(("truncation", "20 pairs", 1.0), ("truncation", "20 pairs", 0.0)), tables.niah_sizes(samples)
    )
    assert table.loc[20, "truncation, paper"] == "1.000"
    assert table.loc[20, "truncation"].replace("\u00a0", " ") == "0.500 [0.09, 0.91]"  # Wilson, by hand
    assert table.loc[20, "characters, paper"] == "1,545"


def test_niah_results_tell_the_settings_as_well():
    samples = niah.load([20, 50], runs=2)
    results = tables.niah_results(frame(("truncation", "20 pairs", 1.0)), samples, window=16_000)
    found = {result.id: result.value for result in results}
    assert found["reproducibility.turns.20"] == 20
    assert found["reproducibility.turns.50"] == 50
    assert found["table2.caption.runs"] == 2
    assert found["section4.2.window"] == 16_000
    assert set(found) <= set(paper.register())


def test_longmemeval_results_carry_the_papers_ids():
    rows = [("rlm-sequential", "multi-session", em) for em in (1.0, 0.0, 0.0, 1.0)]
    found = {
        result.id: result for result in tables.longmemeval_results(frame(*rows, ("truncation", "multi-session", 0.0)))
    }
    assert found["table5.rlm.em"].value == 0.5
    assert found["table5.rlm.em"].n == 4
    assert found["table6.rlm.em.multi-session"].value == 0.5
    assert found["table5.truncation.em"].value == 0
    of_the_paper = {name for name in found if name in paper.register()}
    assert {"table5.rlm.em", "table5.rlm.f1", "table5.rlm.tokens", "table5.truncation.em"} <= of_the_paper


def test_the_parallel_arm_is_not_set_beside_the_papers_sequential_one():
    table = tables.longmemeval_table(
        frame(("rlm-sequential", "multi-session", 1.0), ("rlm-parallel", "multi-session", 1.0))
    )
    assert table["EM, paper"].to_dict() == {"rlm-sequential": "0.460", "rlm-parallel": ""}


def test_tables_that_are_compared_hold_no_seconds():
    shown = tables.longmemeval_table(frame(("truncation", "multi-session", 1.0)))
    assert not [column for column in shown.columns if "second" in column or "latency" in column]


def test_the_register_lists_the_tables_as_printed():
    register = paper.register()
    assert register["table5.rlm.em"].value == 0.46
    assert register["table2.truncation.200"].value == 0.2
    assert register["table6.rlm.f1.knowledge-update"].value == 0.394
    for number in register.values():
        assert round(number.value, number.digits) == number.value


@pytest.mark.parametrize("method", ["rlm", "truncation"])
def test_the_overall_row_of_table_6_is_the_mean_of_its_rows(method):
    register = paper.register()
    kinds = [
        name.removeprefix("table6.n.") for name in register if name.startswith("table6.n.") and "overall" not in name
    ]
    total = sum(register[f"table6.n.{kind}"].value * register[f"table6.{method}.em.{kind}"].value for kind in kinds)
    assert total / 100 == pytest.approx(register[f"table6.{method}.em.overall"].value, abs=0.0005)
