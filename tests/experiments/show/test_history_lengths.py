import pandas as pd
import pytest

from rlm_memory_core import connect
from rlm_memory_core.experiments import methods
from rlm_memory_core.experiments.data import long_histories
from rlm_memory_core.experiments.methods import FULL_SCAN, RANKED, SEARCHED
from rlm_memory_core.experiments.show import figures_beyond, history_lengths

TOKENS = {(FULL_SCAN, 50): 100, (FULL_SCAN, 500): 1_000, (RANKED, 50): 40, (RANKED, 500): 41, (RANKED, 5_000): 42}


@pytest.fixture
def curve():
    rows = [
        {"method": method, "sessions": length, "prompt_tokens": tokens, "completion_tokens": 0, "sessions_read": 10.0,
         "calls": 2, "evidence_read": read, "seconds": 0.5, "error": "", "model": "m"}
        for (method, length), tokens in TOKENS.items()
        for read in (1.0, None)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_what_was_not_run_has_no_figure(curve):
    table = history_lengths.table(curve)
    assert list(table.index) == ["50", "500", "5,000"]
    assert table.loc["5,000", f"{FULL_SCAN}: tokens"] == "not run"
    assert table.loc["5,000", f"{RANKED}: tokens"] == "42"
    assert table.loc["50", f"{RANKED}: all evidence read"] == "1 of 1"


def test_growth_is_between_the_lengths_that_each_method_read(curve):
    table = history_lengths.growth(curve)
    assert table.loc[FULL_SCAN].tolist() == ["50 to 500", "10 times", "100 to 1,000", "+900.0%"]
    assert table.loc[RANKED].tolist() == ["50 to 5,000", "100 times", "40 to 42", "+5.0%"]


def test_a_method_without_sub_agents_has_tokens_and_calls_and_no_sessions(curve):
    searched = curve[curve["method"] == RANKED].assign(method=SEARCHED, sessions_read=None, evidence_read=None)
    frame = pd.concat([curve, searched])
    table = history_lengths.table(frame)
    assert table.loc["50", f"{SEARCHED}: calls"] == "2.0"
    assert f"{SEARCHED}: sessions read" not in table
    assert f"{SEARCHED}: all evidence read" not in table
    ids = {result.id for result in history_lengths.results(frame)}
    assert f"beyond.lengths.{SEARCHED}.tokens.5000" in ids
    assert not [each for each in ids if each.startswith(f"beyond.lengths.{SEARCHED}.sessions_read")]


def test_results_name_method_figure_and_length(curve):
    found = {result.id: result.value for result in history_lengths.results(curve)}
    assert found[f"beyond.lengths.{RANKED}.tokens.5000"] == 42
    assert f"beyond.lengths.{FULL_SCAN}.tokens.5000" not in found
    assert found[f"beyond.lengths.{RANKED}.growth"] == pytest.approx(0.05)
    assert found[f"beyond.lengths.{RANKED}.evidence_read.50"] == 1.0


def test_the_figure_draws_each_line_as_far_as_it_was_measured(curve):
    axes = figures_beyond.lengths(curve).axes[0]
    lines = [list(zip(*line.get_data(), strict=True)) for line in axes.lines]
    assert lines == [[(50, 100), (500, 1_000)], [(50, 40), (500, 41), (5_000, 42)]]
    names = [text.get_text() for text in axes.texts]
    assert names == ["full scan (measured to here): 1,000", "ranked-10: 42"]


def test_the_same_questions_are_asked_at_every_length_and_the_scan_stops_where_told():
    offline = connect("offline", recorded="off")
    arms = methods.beyond(offline)
    frame = history_lengths.run([arms[0], arms[2]], offline, [20, 40], scan_up_to=20, progress=False)
    assert frame.groupby("method")["sessions"].unique().map(list).to_dict() == {FULL_SCAN: [20], RANKED: [20, 40]}
    assert set(frame["question_type"]) == set(long_histories.TYPES)
    assert (frame["error"] == "").all()
    assert frame.loc[frame["method"] == FULL_SCAN, "sessions_read"].tolist() == [20] * 5


def test_no_length_is_refused():
    with pytest.raises(ValueError, match="no length"):
        history_lengths.run([], connect("offline"), [])
