import pandas as pd

from rlm_memory_core.experiments.methods import FULL_SCAN, RANKED
from rlm_memory_core.experiments.score.results import Asked
from rlm_memory_core.experiments.show import figures_beyond


def frame():
    rows = [
        (FULL_SCAN, 1.0, 1.0, 900),
        (FULL_SCAN, 0.0, None, 1_100),
        (RANKED, 1.0, 0.0, 250),
        (RANKED, 1.0, None, 250),
    ]
    columns = ["method", "em", "evidence_read", "prompt_tokens"]
    return pd.DataFrame(rows, columns=columns).assign(completion_tokens=0, model="m", question_id=["a", "b"] * 2)


def test_each_panel_has_a_bar_an_arm_with_its_figure():
    figure = figures_beyond.ablation(frame())
    drawn = {axes.get_title(loc="left"): [round(bar.get_width(), 3) for bar in axes.patches] for axes in figure.axes}
    assert drawn == {
        "EM (containment)": [0.5, 1.0],
        "all evidence read": [1.0, 0.0],
        "tokens, of the full scan's": [1.0, 0.25],
    }
    assert [text.get_text() for text in figure.axes[2].texts] == ["1.00", "0.25"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [FULL_SCAN, RANKED]
    assert "2 questions, m" in figure.get_suptitle()


def test_the_first_arm_stands_at_the_top():
    axes = figures_beyond.ablation(frame()).axes[0]
    assert axes.yaxis_inverted()


def test_without_the_benchmark_nothing_is_shown_or_saved(tmp_path):
    figures_beyond.show_ablation(None, tmp_path, "07_ablation")
    assert not list(tmp_path.iterdir())


def test_a_figure_is_saved_the_same_twice(tmp_path):
    for folder in ("one", "two"):
        figures_beyond.show_ablation(Asked([], frame()), tmp_path / folder, "07_ablation")
    one, two = ((tmp_path / folder / "figures" / "07_ablation.svg").read_bytes() for folder in ("one", "two"))
    assert one == two
