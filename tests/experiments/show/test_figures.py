import numpy as np
import pandas as pd
import pytest

from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.show import drawing, figures

MODEL = "offline reader (no LLM)"


def frame(kinds, methods):
    """Four questions of each kind for each method."""
    rows = [
        {
            "question_id": f"{kind}-{i}",
            "question_type": kind,
            "method": method,
            "model": MODEL,
            "em": i % 2,
            "f1": i / 4,
        }
        for method in methods
        for kind in kinds
        for i in range(4)
    ]
    return pd.DataFrame(rows).astype({"em": float})


SYNTHETIC = frame(["temporal-reasoning", "abstention"], ["truncation", "rlm-sequential", "rag"])
NIAH = frame(["20 pairs", "200 pairs"], ["truncation", "full-context", "rlm-sequential"])
LONGMEMEVAL = frame(["multi-session", "knowledge-update"], ["truncation", "rlm-sequential", "rlm-parallel"])
ALL = [(figures.niah, NIAH), (figures.synthetic, SYNTHETIC), (figures.longmemeval, LONGMEMEVAL)]


def marks(figure, name):
    (axes,) = figure.axes
    return next(artist for artist in axes.collections if artist.get_gid() == name)


def diamonds(figure):
    """Where the paper's marks stand, from the top."""
    offsets = np.asarray(marks(figure, "paper").get_offsets())
    return [float(round(x, 6)) for x, _ in offsets[offsets[:, 1].argsort()]]


def words(figure):
    return [text.get_text() for text in (*figure.texts, *figure.axes[0].texts)]


@pytest.mark.parametrize(
    ("draw", "rows", "ids"),
    [
        (
            figures.niah,
            NIAH,
            [f"table2.{method}.{n}" for n in (20, 200) for method in ("truncation", "full-context", "rlm")],
        ),
        (
            figures.synthetic,
            SYNTHETIC,
            [
                f"table4.{method}.f1.{kind}"
                for kind in ("temporal-reasoning", "abstention", "overall")
                for method in ("truncation", "rlm")
            ],
        ),
        (
            figures.longmemeval,
            LONGMEMEVAL,
            [
                f"table6.{method}.em.{kind}"
                for kind in ("knowledge-update", "multi-session", "overall")
                for method in ("truncation", "rlm")
            ],
        ),
    ],
    ids=["niah", "synthetic", "longmemeval"],
)
def test_the_papers_values_are_marked_where_it_has_any(draw, rows, ids):
    assert diamonds(draw(rows)) == [paper.value(name) for name in ids]


@pytest.mark.parametrize(("draw", "rows"), ALL)
def test_bars_are_our_values_with_their_intervals(draw, rows):
    figure = draw(rows)
    expected = 0.375 if draw is figures.synthetic else 0.5
    (axes,) = figure.axes
    assert {round(bar.get_width(), 6) for bar in axes.patches} == {expected}
    spans = [path.vertices[:, 0] for path in marks(figure, "interval").get_paths()]
    assert len(spans) == len(axes.patches)
    assert all(low < expected < high for low, high in spans)


@pytest.mark.parametrize(("draw", "rows"), ALL)
def test_who_answered_is_said(draw, rows):
    said = " ".join(words(draw(rows)))
    assert "offline reader (no LLM)" in said
    assert "gpt-4o-mini" in said


def test_bars_are_labelled_where_they_stand():
    figure = figures.longmemeval(LONGMEMEVAL)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["truncation", "rlm-sequential", "rlm-parallel"] * 3
    assert figure.axes[0].get_legend() is None
    assert {"knowledge-update", "multi-session", "overall", "0.500", "0.625"} <= set(words(figure))


def test_colours_are_okabe_and_itos():
    okabe_ito = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    assert set(figures.COLOURS.values()) <= okabe_ito
    assert len(set(figures.COLOURS.values())) == len(figures.COLOURS)


@pytest.mark.parametrize(("draw", "rows"), ALL)
def test_a_rerun_writes_the_same_bytes(draw, rows, tmp_path):
    for run in ("one", "two"):
        drawing.save(draw(rows), tmp_path / run, "name")
    for ending in ("svg", "png"):
        one, two = ((tmp_path / run / "figures" / f"name.{ending}").read_bytes() for run in ("one", "two"))
        assert one == two
    assert one.startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "one/figures/name.svg").read_bytes()


@pytest.mark.parametrize(("draw", "rows"), ALL)
def test_nothing_is_cut_off(draw, rows):
    figure = draw(rows)
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(drawn.x0, drawn.y0) >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawing.save(figures.niah(NIAH), "", "name")
    assert not list(tmp_path.iterdir())


def test_show_displays_a_picture_and_returns_nothing(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    assert drawing.show(figures.niah(NIAH)) is None
    assert shown[0].data.startswith(b"\x89PNG")


def test_one_method_that_the_paper_does_not_have_is_drawn_without_marks():
    assert diamonds(figures.synthetic(frame(["abstention"], ["rag"]))) == []
    assert diamonds(figures.niah(frame(["20 pairs"], ["a method of tomorrow"]))) == []
