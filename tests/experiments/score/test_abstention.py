import pandas as pd
import pytest

from rlm_memory_core.experiments.score import abstention
from rlm_memory_core.experiments.score.results import Asked
from rlm_memory_core.experiments.types import Sample

METHOD = "rlm-ranked-10"


def sample(name, kind="multi-session", abstain=False):
    return Sample(name, kind, "What?", "A rubric", sessions=(), abstain=abstain)


SAMPLES = [sample("a_abs", abstain=True), sample("b_abs", abstain=True), sample("c"), sample("d"), sample("e")]
PREFERENCES = [sample("p1", abstention.PREFERENCE), sample("p2", abstention.PREFERENCE)]


def rows(samples, abstained, answers=()):
    return [
        {"question_id": one.id, "question_type": one.kind, "method": METHOD, "model": "m", "em": 0.0, "error": "",
         "abstained": float(said), "answer": answer}
        for one, said, answer in zip(samples, abstained, answers or ["Yes."] * len(samples), strict=True)
    ]  # fmt: skip


@pytest.fixture
def asked():
    everything = [*SAMPLES, *PREFERENCES]
    return Asked(everything, pd.DataFrame(rows(everything, [1, 0, 1, 0, 0, 0, 0])))


def test_right_and_false_abstentions_are_apart(asked):
    found = {result.id: result for result in abstention.results({"longmemeval": asked, "locomo": None}, None)}
    right = found[f"beyond.longmemeval.{METHOD}.abstained"]
    false = found[f"beyond.longmemeval.{METHOD}.abstained_falsely"]
    assert (right.value, right.n) == (0.5, 2)
    assert (false.value, false.n) == (0.2, 5)
    assert set(found) == {right.id, false.id}


def test_without_a_judge_preferences_are_not_judged(asked, capsys):
    verdicts = abstention.judge_preferences(asked, None)
    assert verdicts is None
    assert "No judge was asked" in capsys.readouterr().out
    row = abstention.table({"longmemeval": asked}, verdicts).loc[f"longmemeval: {METHOD}"]
    assert row["preference, judged"] == "not judged (no LLM)"
    assert row["preferences"] == "2"
    assert row["rightly abstained"].startswith("0.500")


def test_a_judge_reads_the_preferences_alone(asked, scripted):
    judge = scripted(lambda messages: "yes" if "p" in messages[-1]["content"] else "no")
    verdicts = abstention.judge_preferences(asked, judge)
    assert verdicts["question_id"].tolist() == ["p1", "p2"]
    assert len(scripted.requests) == 2
    assert all("A rubric" in request["messages"][-1]["content"] for request in scripted.requests)
    row = abstention.table({"longmemeval": asked}, verdicts).loc[f"longmemeval: {METHOD}"]
    assert row["preference, judged"].startswith("1.000")
    found = {result.id: result.value for result in abstention.results({"longmemeval": asked}, verdicts)}
    assert found[f"beyond.longmemeval.{METHOD}.preference.judged"] == 1.0
    assert found[f"beyond.longmemeval.{METHOD}.preference.unjudged"] == 0.0


def test_what_a_judge_leaves_open_is_counted_and_never_wrong(asked, scripted):
    replies = iter(["yes", "perhaps", "perhaps"])
    verdicts = abstention.judge_preferences(asked, scripted(lambda messages: next(replies)))
    cell = abstention.table({"longmemeval": asked}, verdicts).loc[f"longmemeval: {METHOD}", "preference, judged"]
    assert cell.startswith("1.000")
    assert cell.endswith("(1 unjudged)")


def test_a_benchmark_without_preferences_or_answers_has_empty_cells(scripted):
    everything = SAMPLES[:2]
    asked = Asked(everything, pd.DataFrame(rows(everything, [1, 1])))
    assert abstention.judge_preferences(asked, scripted([])) is None
    assert abstention.judge_preferences(None, scripted([])) is None
    row = abstention.table({"locomo": asked, "longmemeval": None}, None).loc[f"locomo: {METHOD}"]
    assert row.tolist()[1:] == [row["rightly abstained"], "0", "", "", ""]
