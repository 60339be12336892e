import os

import pandas as pd
import pytest

from rlm_memory_core import connect
from rlm_memory_core.experiments import methods
from rlm_memory_core.experiments.data import assets, long_histories, longmemeval
from rlm_memory_core.experiments.data.assets import DataUnavailable
from rlm_memory_core.experiments.run import runner
from rlm_memory_core.experiments.run.runner import COLUMNS
from rlm_memory_core.experiments.score.results import Asked
from rlm_memory_core.experiments.score.scoring import score_by_gold
from rlm_memory_core.experiments.show import beyond
from rlm_memory_core.experiments.types import ChatSession, ChatTurn, Prediction, Sample
from rlm_memory_core.models.llm import OFFLINE_LABEL
from rlm_memory_core.query.prompts import UNKNOWN

SESSIONS = tuple(
    ChatSession(None, [ChatTurn("user", said)]) for said in ("My cat is Mochi.", "It rains.", "It is hot.")
)


def sample(name="q1", kind="knowledge-update", evidence=(0,), **changes):
    fields = {"id": name, "kind": kind, "question": "What is my cat called?", "answer": "Mochi", "sessions": SESSIONS}
    return Sample(**fields | changes, evidence=evidence)


class Reads:
    """A method that reads some sessions and always gives one answer."""

    def __init__(self, name, read, tokens, text="Mochi", **more):
        self.name = name
        self._prediction = Prediction(text, prompt_tokens=tokens, sessions_read=read, **more)

    async def __call__(self, sample):
        return self._prediction


def asked(*arms, samples=None, model="m"):
    samples = samples or [sample(), sample("q2", "multi-session", (0, 2))]
    return Asked(samples, runner.run(arms, samples, model=model, progress=False))


SCAN = Reads("rlm-parallel", (0, 1, 2), 1000, cost_usd=0.5)
RANKED = Reads("rlm-ranked-1", (0,), 250, cost_usd=0.1)


def test_evidence_is_read_where_all_of_its_sessions_were():
    frame = asked(SCAN, RANKED, Reads("truncation", None, 5)).frame
    assert frame["sessions_read"].tolist()[:4] == [3, 3, 1, 1]
    assert frame["evidence_read"].tolist()[:4] == [1.0, 1.0, 1.0, 0.0]
    assert frame["evidence_read"].isna().tolist()[4:] == [True, True]


def test_where_there_is_no_evidence_none_is_read():
    frame = asked(SCAN, samples=[sample(abstain=True), sample("q2", evidence=())]).frame
    assert frame["evidence_read"].isna().all()


def test_the_ablation_sets_each_arm_beside_the_full_scan():
    table = beyond.ablation(asked(SCAN, RANKED))
    row = table.loc["rlm-ranked-1"]
    assert row["of the full scan's"] == "25%"
    assert row["all evidence read"].startswith("0.500")
    assert row["sessions read"] == "1.0"
    assert row["tokens"] == "250"
    assert row["dollars"] == "0.1000"
    assert row["EM, knowledge-update"] == "1.000 (n=1)"
    assert "EM, temporal-reasoning" not in row  # no such question was asked


def test_an_arm_without_sub_agents_shows_calls_and_no_sessions():
    searched = Reads("rlm-search", None, 200, calls=2)
    both = asked(SCAN, searched)
    row = beyond.ablation(both).loc["rlm-search"]
    assert (row["calls"], row["tokens"], row["sessions read"], row["all evidence read"]) == ("2.0", "200", "", "")
    found = {result.id: result for result in beyond.results({"longmemeval": both})}
    assert found["beyond.longmemeval.rlm-search.calls"].value == 2
    assert "beyond.longmemeval.rlm-search.seconds" in found
    assert "beyond.longmemeval.rlm-search.sessions_read" not in found


def test_an_arm_that_was_not_run_says_so_and_has_no_figure():
    table = beyond.ablation(asked(SCAN))
    assert table.loc["+ embeddings"].tolist() == [beyond.NOT_RUN, *[""] * (table.shape[1] - 1)]
    ran = beyond.ablation(asked(SCAN, Reads("rlm-ranked-10-embeddings", (0,), 1)))
    assert "+ embeddings" not in ran.index


def test_dollars_of_the_offline_reader_are_said_to_be_another_models():
    table = beyond.ablation(asked(SCAN, model=OFFLINE_LABEL))
    assert table.loc["rlm-parallel", "dollars, at the price of gpt-4o-mini"] == "0.0001"  # 1,000 prompt tokens
    unknown = beyond.ablation(asked(Reads("rlm-parallel", (0,), 1, cost_usd=None)))
    assert unknown.loc["rlm-parallel", "dollars"] == "not known"


def test_failures_are_counted():
    table = beyond.ablation(asked(Reads("rlm-parallel", (0,), 1, error="no budget left")))
    assert table.loc["rlm-parallel", "failed"] == "2"


def test_results_are_the_tables_figures_by_benchmark_and_arm():
    both = asked(SCAN, RANKED)
    found = {result.id: result for result in beyond.results({"longmemeval": both, "locomo": None})}
    assert found["beyond.longmemeval.rlm-ranked-1.tokens_share"].value == 0.25
    assert found["beyond.longmemeval.rlm-ranked-1.evidence_read"].value == 0.5
    assert found["beyond.longmemeval.rlm-parallel.usd"].value == 0.5
    assert found["beyond.longmemeval.rlm-parallel.em.multi-session"].n == 1
    assert len(beyond.together({"longmemeval": both, "locomo": None})) == 4


def test_by_type_has_every_type_and_all():
    table = beyond.by_type(asked(SCAN))
    assert list(table.index) == ["knowledge-update", "multi-session", "overall"]


def test_only_a_gold_answer_that_one_does_not_know_asks_for_an_abstention():
    never = sample(answer=UNKNOWN, abstain=True, evidence=())
    explained = sample(answer="You did not mention your cat.", abstain=True, evidence=())
    assert score_by_gold(never, "That was not mentioned.")["em"] == 1.0
    assert score_by_gold(explained, "That was not mentioned.")["em"] == 0.0  # the paper's rule


def test_the_embedder_is_none_unless_named(monkeypatch):
    offline = connect("offline")
    assert beyond.embedder(offline) is None
    assert beyond.embedder(connect("gpt-4o-mini", api_key="k"), "text-embedding-3-small").model.startswith("text")
    with pytest.raises(ValueError, match="the offline reader has no embeddings"):
        beyond.embedder(offline, "text-embedding-3-small")
    with pytest.raises(ValueError, match="not both"):
        beyond.embedder(offline, "one", "two")
    monkeypatch.setattr(beyond, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'rlm-memory\[torch\]'"):
        beyond.embedder(offline, local_embedder="/models/mine")


def test_the_names_of_arms_are_those_that_tables_look_for():
    offline = connect("offline")
    names = [arm.name for arm in methods.beyond(offline, offline.another("any"))]
    assert names[0] == methods.FULL_SCAN
    assert methods.RANKED in names
    assert names[-1].endswith(beyond.EMBEDDINGS)
    assert sum(name.endswith(beyond.EMBEDDINGS) for name in names) == 1


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """An empty project and no data anywhere."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RLM_MEMORY_DATA", raising=False)
    return tmp_path


def test_generated_histories_stand_in_for_longmemeval_m_and_say_so(nowhere):
    samples = long_histories.m_scale(60)
    assert long_histories.scale_name(samples) == "generated"
    assert long_histories.source(samples) == "Generated, not LongMemEval-M: 5 questions over 60 sessions."
    assert beyond.checksums() is None


def test_longmemeval_m_is_taken_where_it_is_at_hand(nowhere, monkeypatch):
    (nowhere / "data").mkdir()
    (nowhere / "data" / "longmemeval_m.json").write_text("[]")
    monkeypatch.setattr(
        "rlm_memory_core.experiments.data.longmemeval.load", lambda variant, size, **options: [sample()] * size
    )
    samples = long_histories.m_scale(60)
    assert long_histories.source(samples) == "LongMemEval-M: 6 questions over 3 sessions."
    assert "(LongMemEval-M)" in beyond.checksums()


@pytest.mark.skipif(not os.environ.get("RLM_MEMORY_DATA"), reason="RLM_MEMORY_DATA is not set")
def test_a_sample_of_the_papers_questions_has_all_that_have_no_answer(builds_once):
    try:
        assets.locate(assets.LONGMEMEVAL["s"], download=False)
    except DataUnavailable as error:
        pytest.skip(str(error))
    few = longmemeval.questions(6)
    assert sum(one.abstain for one in few) == 3
    assert 6 <= len(few) <= 9
    assert len({one.kind for one in few}) == 6


@pytest.mark.slow
def test_ranked_reading_answers_long_histories_at_a_part_of_the_full_scans_tokens():
    offline = connect("offline", recorded="off")
    arms = methods.beyond(offline)
    found = beyond.ask([arms[0], arms[2]], offline, long_histories.load, 60, 1)
    assert list(found.frame.columns) == [*COLUMNS, "answer"]
    tokens = found.frame.groupby("method")["prompt_tokens"].mean()
    assert tokens[methods.RANKED] < 0.5 * tokens[methods.FULL_SCAN]
    scanned = found.frame[found.frame["method"] == methods.FULL_SCAN]
    assert scanned["sessions_read"].tolist() == [60] * 5
    assert scanned["evidence_read"].dropna().tolist() == [1.0] * 4
    assert isinstance(beyond.ablation(found), pd.DataFrame)
