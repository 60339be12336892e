import asyncio
import json
import math
import re

import httpx2
import pandas as pd
import pytest
from fault_server import answering
from in_flight import InFlight

from rlm_memory_core import Budget, connect
from rlm_memory_core.cli import main as cli
from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.paper import scorecard
from rlm_memory_core.experiments.run import results
from rlm_memory_core.experiments.score import judge
from rlm_memory_core.experiments.score.intervals import wilson
from rlm_memory_core.experiments.score.judge import RUBRICS, judge_messages, rubric
from rlm_memory_core.experiments.types import ChatSession, ChatTurn, Sample

GENERAL, ABSTENTION = RUBRICS["general"], RUBRICS["abstention"]


def sample(number, kind="multi-session", *, abstain=False):
    name = f"q{number}_abs" if abstain else f"q{number}"
    sessions = [ChatSession(None, [ChatTurn("user", "It rained in secret.")])]
    return Sample(name, kind, f"What is {number}?", f"gold {number}", sessions, abstain=abstain)


def row(sample, answer="an answer", method="rag", em=0.0, error=""):
    kept = {"question_id": sample.id, "question_type": sample.kind, "method": method}
    return {**kept, "em": em, "answer": answer, "error": error}


def run(llm, *rows, samples, **options):
    return judge.run(pd.DataFrame(rows), samples, llm, **options)


def found(verdicts):
    return {result.id: result for result in judge.results(verdicts)}


# One answer


@pytest.mark.parametrize("reply", ["yes", "Yes.", " YES\n", "**Yes**", '"yes"'])
def test_a_yes_is_one_word_whatever_it_is_dressed_in(reply):
    assert judge.verdict(reply) is True


@pytest.mark.parametrize(
    "reply", ["", "maybe", "yes or no", "Yes, but", "not", "yesterday", "eyes", "no no", "the answer is yes"]
)
def test_anything_more_than_one_word_is_neither(reply):
    assert judge.verdict(reply) is None
    assert judge.verdict("No!") is False


def test_the_judge_sees_question_gold_and_answer_and_no_history(scripted):
    one = sample(1)
    verdicts = run(scripted(["yes"]), row(one, "said so"), samples=[one])
    assert verdicts.loc[0, ["judged", "reason"]].tolist() == [1.0, ""]
    system, user = scripted.conversation
    assert system["content"].startswith("You grade an assistant's answer")
    for text in ("What is 1?", "gold 1", "said so", GENERAL):
        assert text in user["content"]
    assert "secret" not in user["content"]


@pytest.mark.parametrize("row_", [{"answer": ""}, {"answer": " \n"}, {"error": "the server is away"}])
def test_an_empty_or_failed_answer_is_wrong_without_a_call(scripted, row_):
    one = sample(1)
    verdicts = run(scripted([]), row(one) | row_, samples=[one])
    assert verdicts.loc[0, ["judged", "reason"]].tolist() == [0.0, judge.NO_ANSWER]
    assert scripted.requests == []


def test_a_judge_that_says_neither_is_asked_once_more_in_the_same_conversation(scripted):
    one = sample(1)
    verdicts = run(scripted(["It is right.", "yes"]), row(one), samples=[one])
    assert verdicts.loc[0, "judged"] == 1.0
    assert [message["content"] for message in scripted.conversation[2:]] == [
        "It is right.",
        "Your reply must be one word alone: yes or no.",
    ]


def test_what_is_still_without_a_verdict_is_unjudged_with_its_reason_and_never_wrong(scripted, capsys):
    one, two = sample(1), sample(2)

    def answer(messages):
        return "yes" if "gold 1" in messages[1]["content"] else "perhaps"

    verdicts = run(scripted(answer), row(one), row(two), samples=[one, two])
    assert verdicts["judged"].tolist()[0] == 1.0
    assert math.isnan(verdicts.loc[1, "judged"])
    assert verdicts.loc[1, "reason"] == judge.NEITHER
    assert len(scripted.requests) == 3
    results = found(verdicts)
    assert (results["judged.rag.overall"].value, results["judged.rag.overall"].n) == (1.0, 1)
    assert (results["judged.rag.unjudged"].value, results["judged.rag.unjudged"].n) == (1, 2)
    assert capsys.readouterr().out.strip() == (
        "2 answers, judged by: scripted; unjudged: 1 because the judge said neither yes nor no, twice"
    )


def test_a_judge_that_fails_leaves_answers_unjudged(scripted):
    one = sample(1)
    verdicts = run(scripted([httpx2.Response(500, text="broken")]), row(one), samples=[one])
    assert math.isnan(verdicts.loc[0, "judged"])
    assert "500" in verdicts.loc[0, "reason"]
    assert {result.id for result in judge.results(verdicts)} == {"judged.rag.unjudged"}


def test_judging_is_charged_to_the_budget_and_stops_with_it(scripted, monkeypatch):
    monkeypatch.setattr(judge, "_CONCURRENCY", 1)
    samples = [sample(number) for number in range(4)]
    budget = Budget(calls=2)
    llm = scripted(lambda messages: "yes", rates=(1.0, 1.0))
    verdicts = run(llm, *map(row, samples), samples=samples, budget=budget)
    assert verdicts["judged"].notna().sum() == budget.spent.calls == 2
    assert "the budget of 2 calls is spent" in verdicts.loc[3, "reason"]
    assert budget.spent_usd > 0


def test_calls_are_recorded_and_the_second_request_is_another_one(scripted):
    one = sample(1)
    llm = scripted(["well", "no"], recorded="auto")
    for _ in range(2):
        assert run(llm, row(one), samples=[one]).loc[0, "judged"] == 0.0
    assert len(scripted.requests) == 2


def test_what_two_methods_answered_alike_is_asked_once(scripted):
    one = sample(1)
    verdicts = run(scripted(["yes"], recorded="auto"), row(one), row(one, method="truncation"), samples=[one])
    assert verdicts["judged"].tolist() == [1.0, 1.0]
    assert len(scripted.requests) == 1


def test_all_answers_are_judged_at_once_but_no_more_than_allowed(scripted, monkeypatch):
    monkeypatch.setattr(judge, "_CONCURRENCY", 3)
    in_flight = InFlight()

    async def slow(messages):
        with in_flight:
            await asyncio.sleep(0.01)
        return "no"

    samples = [sample(number) for number in range(9)]
    run(scripted(slow), *map(row, samples), samples=samples)
    assert in_flight.most == 3


def test_what_cannot_be_judged_is_refused(scripted):
    llm = scripted([])
    with pytest.raises(ValueError, match="cannot judge q1: it is not among the samples"):
        run(llm, row(sample(1)), samples=[sample(2)])


# Rubrics


def test_every_type_has_its_rubric_and_abstention_goes_before_them():
    by_type = {kind: rubric(kind, False) for kind in ("temporal-reasoning", "knowledge-update", "multi-session")}
    assert by_type["multi-session"] == GENERAL == rubric("single-session-user", False) == rubric("a new type", False)
    assert "off by one" in by_type["temporal-reasoning"]
    assert "older states may stand beside" in by_type["knowledge-update"]
    assert "rubric" in rubric("single-session-preference", False)
    assert len(set(by_type.values())) == 3
    for kind in by_type:
        assert rubric(kind, True) == ABSTENTION


def test_braces_in_an_answer_are_kept():
    messages = judge_messages("{q}", "{}", "{0} {x", kind="multi-session", abstain=False)
    assert "{0} {x" in messages[1]["content"]


# All answers


def test_figures_by_type_overall_task_averaged_and_of_the_abstention_questions(scripted):
    kinds = ["multi-session"] * 3 + ["temporal-reasoning"]
    samples = [sample(number, kind) for number, kind in enumerate(kinds)] + [sample(9, "multi-session", abstain=True)]
    right = {"gold 0", "gold 3", "gold 9"}
    llm = scripted(lambda messages: "yes" if any(gold in messages[1]["content"] for gold in right) else "no")
    verdicts = run(llm, *(row(one, method="rlm-sequential", em=1.0) for one in samples), samples=samples)
    results = found(verdicts)
    assert {name: (one.value, one.n) for name, one in results.items()} == {
        "judged.rlm.multi-session": (0.5, 4),
        "judged.rlm.temporal-reasoning": (1.0, 1),
        "judged.rlm.overall": (0.6, 5),
        "judged.rlm.task-averaged": (0.75, 5),
        "judged.rlm.abstention": (1.0, 1),
        "judged.rlm.unjudged": (0, 5),
    }
    overall = results["judged.rlm.overall"]
    assert (overall.low, overall.high) == wilson(3, 5)
    assert results["judged.rlm.task-averaged"].low is None
    shown = judge.table(verdicts)
    assert shown.index.tolist() == [
        "multi-session", "temporal-reasoning", "overall", "task-averaged", "abstention", "unjudged",
    ]  # fmt: skip
    assert shown["n"].tolist() == ["4", "1", "5", "5", "1", "5"]
    assert shown.loc["overall"].str.replace("\u00a0", " ").tolist() == ["5", "1.000", "0.600 [0.23, 0.88]"]
    assert shown["rlm-sequential, judged"].tolist()[-3:-1][0] == "0.750"


def test_the_task_average_is_left_out_where_a_type_has_no_verdict(scripted):
    samples = [sample(1), sample(2, "temporal-reasoning")]
    llm = scripted(lambda messages: "yes" if "gold 1" in messages[1]["content"] else "hm")
    verdicts = run(llm, *map(row, samples), samples=samples)
    assert "judged.rag.task-averaged" not in found(verdicts)
    assert judge.table(verdicts).loc["task-averaged", "rag, judged"] == ""


def test_verdicts_are_written_without_any_text(scripted, tmp_path):
    one = sample(1)
    verdicts = run(scripted(["yes"]), row(one, "private words"), samples=[one])
    results.write(tmp_path, "03", [], None, model="m", seed=1, verdicts=verdicts)
    path = tmp_path / "results" / "03.judged.csv"
    assert path.read_text().splitlines() == [",".join(judge.COLUMNS), "q1,multi-session,rag,scripted,False,0,1,"]
    results.write(tmp_path, "03", [], None, model="m", seed=1)  # these answers were not judged
    assert not path.exists()


# No judge


def test_without_a_judge_one_line_says_so_and_there_are_no_figures(capsys):
    assert run(None, row(sample(1)), samples=[sample(1)]) is None
    assert capsys.readouterr().out.count("\n") == 1
    assert judge.results(None) == []


def test_the_offline_reader_cannot_judge_but_its_answers_can_be_judged():
    offline = connect("offline")
    with pytest.raises(ValueError, match=r"the offline reader \(no LLM\) cannot judge answers"):
        judge.connect_judge("offline", offline)
    assert judge.connect_judge("gpt-4o", offline).label == "gpt-4o"


def test_the_judge_is_sought_on_the_models_server_unless_it_has_one_of_its_own():
    model = connect("m", "http://127.0.0.1:1/v1", rates=(1.0, 2.0))
    assert judge.connect_judge("m", model).rates == (1.0, 2.0)
    other = judge.connect_judge("j", model)
    assert (other.base_url, other.rates) == (model.base_url, (0.0, 0.0))  # on this machine
    assert judge.connect_judge("j", model, "http://127.0.0.1:2/v1", [3.0, 4.0]).rates == (3.0, 4.0)
    assert judge.connect_judge("j", model, "http://127.0.0.1:2/v1").base_url == "http://127.0.0.1:2/v1"
    with pytest.raises(ValueError, match="judge_rates are dollars per prompt and per completion token, not"):
        judge.connect_judge("j", model, rates=[1.0])


# A whole run: the driver, notebook 03, a model and a judge behind a server


@pytest.fixture
def data(tmp_path, longmemeval_item):
    folder = tmp_path / "data"
    folder.mkdir()
    kinds = {"q1": "multi-session", "q2_abs": "multi-session", "q3": "temporal-reasoning"}
    items = [longmemeval_item(name, kind) for name, kind in kinds.items()]
    (folder / "longmemeval_s.json").write_text(json.dumps(items))
    return folder


@pytest.mark.slow
def test_a_model_and_a_judge_fill_the_register_from_notebook_03(data, tmp_path, capsys):
    asked = []

    def answer(body):
        asked.append(body["model"])
        if body["model"] == "fake-judge":
            return "no" if ABSTENTION in body["messages"][-1]["content"] else "yes"
        return "FINAL(It is Mochi.)"

    with answering(answer) as url:
        code = cli.main([
            "reproduce", "--only", "03", "--model", "fake-model", "--judge", "fake-judge", "--base-url", url,
            "--sample", "all", "--prices", "1", "1", "-p", "judge_rates", "[1e-6, 1e-6]", "--budget", "1", "--yes",
            "-p", "data_dir", str(data), "--outputs", str(tmp_path / "outputs"),
        ])  # fmt: skip
    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    assert re.search(r"^Table 5 ", printed.out, re.MULTILINE)
    folder = tmp_path / "outputs" / "fake-model"
    path = folder / "results" / "03_longmemeval_s.json"
    document = json.loads(path.read_text())
    assert (document["provenance"]["model"], document["provenance"]["judge"]) == ("fake-model", "fake-judge")

    card = scorecard.scorecard(paper.register(), scorecard.read([path])).set_index("id")
    rows = card.loc[["table5.rlm.em", "table5.truncation.em", "table6.rlm.em.multi-session", "readme.table.rlm.em"]]
    assert rows["status"].tolist() == ["measured"] * 4
    assert rows["verdict"].tolist() == [
        "agrees",
        "differs",
        "differs",
        "agrees",
    ]  # 3 of 3 is [0.44, 1], 2 of 2 [0.34, 1]
    assert set(rows["model"]) == {"fake-model"}
    register = paper.register()
    assert all(paper.source(register[name], register).setting for name in card.index[card["verdict"] == "control"])
    assert card.loc["readme.table.truncation.tokens", "status"] == "measured"
    assert card.loc["table6.n.overall", "status"] == "not run"  # these are not the paper's questions

    found = {one["id"]: one for one in document["rows"]}
    for method in ("truncation", "rag", "rlm", "rlm-parallel"):
        assert found[f"judged.{method}.overall"]["value"] == pytest.approx(2 / 3)
        assert found[f"judged.{method}.multi-session"]["value"] == 0.5
        assert found[f"judged.{method}.task-averaged"]["value"] == 0.75
        assert found[f"judged.{method}.abstention"]["value"] == 0
        assert found[f"judged.{method}.unjudged"]["value"] == 0
    for method in ("truncation", "rag", "rlm-sequential", "rlm-parallel", "rlm-search"):
        lines = (folder / "hypotheses" / f"{method}.jsonl").read_text().splitlines()
        said = [json.loads(line) for line in lines]
        assert [one["question_id"] for one in said] == ["q1", "q2_abs", "q3"]
        assert all("Mochi" in one["hypothesis"] for one in said)
    assert len(pd.read_csv(folder / "results" / "03_longmemeval_s.judged.csv")) == 15
    assert (folder / "figures" / "03_longmemeval_s.png").is_file()
    executed = (folder / "03_longmemeval_s.ipynb").read_text()
    assert "15 answers, judged by: fake-judge" in executed
    assert "rlm-parallel, judged" in executed
    # replayed calls are free: all questions are alike, and the notebook paid for each request once
    assert document["provenance"]["spent_usd"] == pytest.approx(
        (len(asked) - 2) * 110 / 1e6
    )  # 2 to see that both answer
    assert "fake-judge" in asked


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--judge", "offline"], "the offline reader (no LLM) cannot judge answers"),
        (["-p", "embedding_model", "e"], "the offline reader has no embeddings"),
        (["--judge", "unheard-of", "--budget", "1"], "the price of the judge, unheard-of, is not known"),
        (["--judge", "gpt-4o"], "no API key for gpt-4o"),
        (
            ["--judge", "gpt-4o", "KEY"],
            "there is no input to confirm with",
        ),  # the judge costs, though the reader does not
        (["--judge", "gpt-4o", "--yes"], "no API key for gpt-4o"),
    ],
)
def test_the_driver_refuses_in_one_line_before_it_starts(data, tmp_path, capsys, monkeypatch, arguments, said):
    def nobody(_):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    if "KEY" in arguments:
        arguments = [word for word in arguments if word != "KEY"]
        monkeypatch.setenv("OPENAI_API_KEY", "sk-" + "x" * 20)
    common = ["--sample", "all", "-p", "data_dir", str(data), "--outputs", str(tmp_path / "outputs")]
    assert cli.main(["reproduce", "--only", "03", *arguments, *common]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "outputs").exists()


def test_the_estimate_holds_one_call_of_the_judge_an_answer(data, capsys):
    common = ["estimate", "--only", "03", "--model", "gpt-4o-mini", "--sample", "all", "-p", "data_dir", str(data)]

    def calls(*more):
        assert cli.main([*common, *more]) == 0
        printed = capsys.readouterr().out
        return int(printed.split(": ")[1].split()[0]), printed

    alone, _ = calls()
    judged, printed = calls("--judge", "gpt-4o")
    assert judged == alone + 5 * 3
    assert "$" in printed
    _, unpriced = calls("--judge", "unheard-of")
    assert "price not known" in unpriced
    assert "the price of the judge, unheard-of, is not known" in unpriced


def test_a_judge_on_the_same_server_keeps_to_its_limits():
    model = connect("m", "http://127.0.0.1:1/v1", requests_per_minute=60, tokens_per_minute=1_000)
    assert judge.connect_judge("j", model).pace == model.pace
    assert judge.connect_judge("j", model, "http://127.0.0.1:2/v1").pace != model.pace
