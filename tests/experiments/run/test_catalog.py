import pytest

from rlm_memory_core import connect
from rlm_memory_core.experiments import methods
from rlm_memory_core.experiments.data.assets import DataBroken, DataUnavailable
from rlm_memory_core.experiments.run import catalog
from rlm_memory_core.experiments.types import Sample

PARAMETERS = {
    "questions": 6, "locomo_conversations": 1, "locomo_questions": 5, "m_sessions": 30, "lengths": [20, 40],
    "scan_up_to": 20, "n_per_type": 1, "seed": 42, "embedding_model": "", "local_embedder": "", "data_dir": "",
}  # fmt: skip
AWAY = DataUnavailable("away")
ARMS = [arm.name for arm in methods.beyond(connect("offline"))]


@pytest.fixture
def runs(monkeypatch):
    """What notebook 07 asks, given what loading the files of LongMemEval and LoCoMo gives."""
    (book,) = catalog.select(["07"])

    def runs(longmemeval=AWAY, locomo=AWAY, **parameters):
        def loading(result):
            def load(*_):
                if isinstance(result, Exception):
                    raise result
                return result

            return load

        monkeypatch.setattr("rlm_memory_core.experiments.data.longmemeval.questions", loading(longmemeval))
        monkeypatch.setattr("rlm_memory_core.experiments.data.locomo.load", loading(locomo))
        return list(book.asks(PARAMETERS | parameters))

    return runs


def test_07_asks_every_arm_every_benchmark_and_three_of_them_the_curve(runs):
    preference = Sample("p", "single-session-preference", "?", "rubric", ())
    other = Sample("o", "multi-session", "?", "4", ())
    asked = runs([preference, other], [other])
    assert [run.methods for run in asked] == [ARMS] * 3 + [list(methods.READINGS), [methods.RANKED, methods.SEARCHED]]
    assert [len(run.samples) for run in asked] == [2, 1, 5, 5, 5]
    assert [run.judged for run in asked] == [1, 0, 0, 0, 0]


def test_07_runs_without_data_but_not_with_broken_data(runs):
    assert [len(run.samples) for run in runs()] == [0, 0, 5, 5, 5]
    with pytest.raises(DataBroken, match="half a file"):
        runs(locomo=DataBroken("half a file"))


def test_07_asks_the_arm_with_embeddings_where_there_is_a_model(runs):
    assert runs(embedding_model="text-embedding-3-small")[0].methods[:-1] == ARMS
    assert runs(local_embedder="/models/mine")[0].methods[-1].endswith("-embeddings")


def test_every_notebook_is_listed_and_there():
    folder = catalog.NOTEBOOKS[0].path.parent
    listed = [catalog.QUICKSTART, *(book.name for book in catalog.NOTEBOOKS)]
    assert sorted(path.stem for path in folder.glob("*.ipynb")) == listed


def test_what_no_notebook_is_called_is_said():
    with pytest.raises(ValueError, match="no notebook is called 77; there are 01_niah"):
        catalog.select(["77"])
    assert [book.name for book in catalog.select(["07", "99"])] == ["07_beyond", "99_scorecard"]
