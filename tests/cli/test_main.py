import contextlib
import csv
import io
import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import NamedTuple

import pytest
from fault_server import answering

from rlm_memory_core.cli import main as cli
from rlm_memory_core.experiments.data import niah
from rlm_memory_core.experiments.run import reproduce
from rlm_memory_core.query.prompts import SUBAGENT_SYSTEM

QUICK = ["--only", "01", "-p", "turns", "[20]", "-p", "runs", "1"]


@pytest.fixture
def run(capsys, tmp_path):
    def run(*arguments):
        if arguments[0] != "serve":
            arguments = (*arguments, "--outputs", str(tmp_path / "outputs"))
        try:
            code = cli.main(arguments)
        except SystemExit as error:  # the parser's
            code = error.code
        return code, *capsys.readouterr()

    return run


LIMITS = ["--hedge", "0.1", "--requests-per-minute", "600000", "--tokens-per-minute", "1000000000"]


class Run(NamedTuple):
    """One run of notebook 01 that several tests look at."""

    outputs: Path
    code: int
    printed: str

    def seconds_left_out(self):
        lines = (self.outputs / "offline/results/01_niah.questions.csv").read_text().splitlines()
        column = lines[0].split(",").index("seconds")
        return [[cell for i, cell in enumerate(line.split(",")) if i != column] for line in lines]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        patch.setenv("RLM_MEMORY_CACHE", str(folder / "cache"))
        code = cli.main(["reproduce", *QUICK, *LIMITS, "--outputs", str(folder / "outputs")])
    return Run(folder / "outputs", code, printed.getvalue())


@pytest.mark.slow
class TestReproduce:
    def test_writes_notebook_results_and_questions_and_ends_with_the_table(self, first):
        assert first.code == 0
        assert re.search(r"^01_niah: Needle in a haystack: Table 2: done in \d+ s", first.printed, re.MULTILINE)
        assert re.search(r"^Table 2 +21 ", first.printed, re.MULTILINE)
        assert "offline reader (no LLM)" in first.printed
        folder = first.outputs / "offline"
        document = json.loads((folder / "results" / "01_niah.json").read_text())
        assert document["provenance"]["model"] == "offline reader (no LLM)"
        ids = {row["id"] for row in document["rows"]}
        assert {"table2.rlm.20", "table2.truncation.20", "table2.characters.20"} <= ids
        assert (folder / "results" / "01_niah.questions.csv").read_text().count("\n") == 1 + 3
        executed = (folder / "01_niah.ipynb").read_text()
        assert '"papermill"' not in executed.replace('"papermill-error', "")
        cells = json.loads(executed)["cells"]
        assert all(cell.get("execution_count") for cell in cells if cell["cell_type"] == "code")

    def test_hands_hedge_and_limits_to_the_notebook(self, first):
        cells = json.loads((first.outputs / "offline/01_niah.ipynb").read_text())["cells"]
        (given,) = [
            "".join(cell["source"]) for cell in cells if "injected-parameters" in cell["metadata"].get("tags", [])
        ]
        for wanted in ('"hedge": 0.1', '"requests_per_minute": 600000', '"tokens_per_minute": 1000000000'):
            assert wanted in given

    def test_report_prints_the_last_run_again(self, first, capsys):
        cli.main(["report", "--only", "01", "--outputs", str(first.outputs)])
        assert capsys.readouterr().out.strip() in first.printed

    def test_missing_data_is_said_and_the_rest_runs_as_before(self, first, run, tmp_path, monkeypatch):
        def away(*_, **__):
            raise reproduce.DataUnavailable("LongMemEval is nowhere; put it into data/")

        monkeypatch.setattr("rlm_memory_core.experiments.data.longmemeval.locate", away)
        skipped = "03_longmemeval_s: skipped: LongMemEval is nowhere; put it into data/"
        assert [line for line in run("estimate")[1].splitlines() if "skipped" in line] == [skipped]
        code, printed, _ = run("reproduce", "--only", "03", "--only", "99", *QUICK)
        assert code == 0
        assert skipped in printed.splitlines()
        assert "01_niah: Needle" in printed
        assert "99_scorecard" in printed
        again = Run(tmp_path / "outputs", code, printed)
        assert again.seconds_left_out() == first.seconds_left_out()  # only seconds and dates differ
        told = [line for line in run("report")[1].splitlines() if "Not of this run" in line]
        assert [re.sub(r"[\d-]{10}", "DATE", line) for line in told] == [
            "* Not of this run: published figure of DATE in notebook 02, 03, 04, 05, 06, 07"
        ]


def test_a_report_without_a_run_is_refused(run, refused):
    assert "there are no results" in refused(run("report"))


@pytest.mark.parametrize("text", ["many", "", "nan", "-1"])
@pytest.mark.parametrize("option", ["--requests-per-minute", "--tokens-per-minute", "--budget"])
def test_what_is_no_number_is_said(run, refused, option, text):
    assert f"argument {option}: '{text}' is not a" in refused(run("reproduce", f"{option}={text}"))


def test_estimate_asks_nothing_and_names_dollars(run):
    code, printed, _ = run("estimate", "--model", "gpt-4o-mini", "--only", "01")
    assert code == 0
    assert "calls" in printed
    assert "$" in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "widnow", "3"], "no notebook has a parameter widnow; there are concurrency"),
        (["-p", "runs", "many"], "'many' does not fit parameter runs of 01_niah; write it as in -p runs 5"),
        (["-p", "runs", "0"], "runs must be at least 1"),
        (["-p", "methods", "['guess']"], "no such method: guess"),
        (["-p", "methods", "rag"], """as in -p methods '["truncation", "full-context", "rlm-sequential"]'"""),
        (["-p", "methods", "[3]"], "[3] does not fit parameter methods of 01_niah"),
        (["-p", "model", "gpt-4o-mini"], "model cannot be set with -p"),
        (["-p", "hedge", "0.1"], "hedge cannot be set with -p"),
        (["-p", "turns", "[20"], "'[20' does not fit parameter turns of 01_niah; write it as in -p turns '[20, 50"),
        (["-p", "turns"], "argument -p: expected 2 arguments (see rlm-memory reproduce --help)"),
        (["-p", "turns", "[20,", "50]"], "unrecognized arguments: 50]"),
        (["--hedge", "5"], "--hedge is a share of the calls, between 0 and 1, not 5"),
        (["--hedge", "nan"], "--hedge is a share of the calls, between 0 and 1, not nan"),
        (["--hedge", "many"], "argument --hedge: invalid float value: 'many'"),
        (["--model", "x", "--requests-per-minute", "0"], "argument --requests-per-minute: '0' is not a whole number"),
        (["--base-url", "http://[::1", "--model", "x"], "--base-url 'http://[::1' is no address"),
        (["--sample", "some"], "the sample must be paper, all or a number of questions, not 'some'"),
        (["--only", "77"], "no notebook is called 77; there are 01_niah"),
        (["--model", ""], "--model must not be empty"),
        (
            ["--model", "unheard-of", "--base-url", "http://x/v1", "--budget", "1"],
            "the price of unheard-of is not known",
        ),
        (["--model", "gpt-4o-mini", "--yes"], "no API key for gpt-4o-mini: set OPENAI_API_KEY"),
        (["--model", "x", "--base-url", "http://127.0.0.1:9/v1"], "cannot reach http://127.0.0.1:9/v1"),
        (["--model", "gpt-4o-mini"], "or name a local server with --base-url, or use --model offline"),
        (["-p", "data_dir", "3"], "3 does not fit parameter data_dir; write it as in -p data_dir"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, refused, monkeypatch, arguments, said):
    monkeypatch.setattr("rlm_memory_core.models.pipeline.MAX_RETRIES", 0)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    only = [] if "--only" in arguments else ["--only", "01"]
    assert said in refused(run("reproduce", *only, *arguments))


def test_nothing_is_spent_without_a_yes(run, refused, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setenv("OPENAI_API_KEY", "sk-" + "x" * 20)
    assert "there is no input to confirm with" in refused(run("reproduce", "--only", "01", "--model", "gpt-4o-mini"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[{", "is broken"),
        ("{}", "is not a JSON array"),
        ("[{}]", "'question_id' is missing"),
        ("[]", "holds no items"),
    ],
)
def test_a_broken_data_file_is_one_line(run, refused, tmp_path, content, said):
    (tmp_path / "longmemeval_s.json").write_text(content)
    line = refused(run("reproduce", "--only", "03", "-p", "data_dir", str(tmp_path)))
    assert said in line
    assert str(tmp_path) in line


def test_a_file_with_only_some_of_the_questions_is_said(run, refused, tmp_path, longmemeval_item):
    (tmp_path / "longmemeval_s.json").write_text(json.dumps([longmemeval_item("q1")]))
    arguments = ("reproduce", "--only", "03", "-p", "data_dir", str(tmp_path))  # test_judge runs all of such a file
    assert "lacks 100 of the paper's 100 questions" in refused(run(*arguments))
    assert "cannot draw 2 of 1" in refused(run(*arguments, "--sample", "2"))


@pytest.mark.slow
def test_a_failing_notebook_is_one_line_with_its_place(run, refused, monkeypatch):
    good = niah.load([20], runs=1)
    monkeypatch.setattr(niah, "load", lambda *_: good)  # the check passes here, the kernel sees the real one
    assert "01_niah failed in cell" in refused(run("reproduce", "--only", "01", "-p", "turns", "[2]"))


def test_a_cache_that_is_damaged_is_said_before_anything_runs(run, refused, monkeypatch, tmp_path):
    (tmp_path / "calls.sqlite").write_text("something else")
    monkeypatch.setenv("RLM_MEMORY_CACHE", str(tmp_path))
    server = ["--model", "m", "--base-url", "http://127.0.0.1:9/v1"]
    assert "recorded calls" in refused(run("reproduce", *QUICK, *server))


def test_damaged_results_are_said(run, refused, tmp_path):
    results = tmp_path / "outputs" / "offline" / "results"
    results.mkdir(parents=True)
    (results / "01_niah.json").write_text("{")
    assert "01_niah.json is not a results document" in refused(run("report"))


@pytest.mark.slow
def test_questions_without_an_answer_are_counted_and_paid_for_and_change_the_exit_code(run, tmp_path):
    left = ["ready"]
    with answering(lambda body: left.pop() if left else "") as url:
        code, printed, _ = run("reproduce", *QUICK, "--model", "m", "--base-url", url, "--prices", "1", "1", "--yes")
    assert code == 1
    assert "01_niah: 3 of 3 had no answer (" in printed.splitlines()[-1]
    document = json.loads((tmp_path / "outputs/m/results/01_niah.json").read_text())
    assert document["provenance"]["spent_usd"] == pytest.approx(
        5 * 110 / 1e6
    )  # an empty root reply is asked for three times
    assert all(row["value"] == 0 for row in document["rows"] if row["id"].startswith("table2.rlm"))


@pytest.mark.slow
def test_subagents_that_failed_are_counted_at_the_end_and_a_server_of_this_machine_is_free(run, fault_server):
    def answer(messages):
        if messages[0]["content"] == SUBAGENT_SYSTEM or len(messages) > 2:
            return "FINAL(nothing)"
        return "```repl\nllm_query_parallel(sessions)\n```"

    with_subagents = ("-p", "methods", "['rlm-parallel']")
    server = fault_server(answer)
    server.plan = lambda key, attempt: "400" if server.bodies[key]["messages"][0]["content"] == SUBAGENT_SYSTEM else ""
    code, printed, _ = run("reproduce", *QUICK, *with_subagents, "--model", "m", "--base-url", server.url)
    assert code == 0
    assert "Spent: $0.00" in printed
    assert re.search(r"01_niah: (\d+) sub-agents of \1 failed \(1x .* answered 400 for m", printed.splitlines()[-1])


@pytest.mark.slow
def test_a_budget_of_ten_cents_stops_a_run_of_a_dollar_and_keeps_what_it_has(run, tmp_path):
    arguments = ["--only", "01", "-p", "turns", "[20, 50]", "-p", "runs", "10", "--prices", "15", "15", "--yes"]
    with answering(lambda body: "FINAL(Nairobi)", lambda body: len(json.dumps(body)) // 4) as url:
        code, printed, _ = run("reproduce", *arguments, "--model", "m", "--base-url", url, "--budget", "0.10")
    assert code == 1
    assert float(re.search(r"about \$([\d.]+)", printed)[1]) > 1  # what it would cost
    results = tmp_path / "outputs/m/results"
    spent = json.loads((results / "01_niah.json").read_text())["provenance"]["spent_usd"]
    with (results / "01_niah.questions.csv").open() as file:
        rows = list(csv.DictReader(file))
    answered = [row for row in rows if not row["error"]]
    unanswered = [row for row in rows if row["error"]]
    assert len(rows) == 3 * 20
    assert 0.05 < spent <= 0.10
    paid = [row for row in answered if row["method"] != "full-context"]  # this one asks what truncation asked: replayed
    assert spent == pytest.approx(sum(float(row["cost_usd"]) for row in paid))  # so what was paid for is kept
    assert len({row["method"] for row in answered}) == 3  # every method answers a question before the next is read
    assert {row["error"].split(" (")[0] for row in unanswered} == {"the budget of 0.1 usd is spent"}
    assert f"{len(unanswered)} of 60 had no answer (the budget of 0.1 usd is spent" in printed


def test_serve_answers_other_clients_until_it_is_stopped():
    process = subprocess.Popen(
        [sys.executable, "-m", "rlm_memory_core", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline()
        assert "offline reader (no LLM)" in line
        url = next(word for word in line.split() if word.startswith("http"))
        body = {"model": "offline", "messages": [{"role": "user", "content": "My cat is Mochi. Who is my cat?"}]}
        request = urllib.request.Request(
            f"{url}/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            assert "Mochi" in json.load(response)["choices"][0]["message"]["content"]
    finally:
        process.terminate()
        process.wait(timeout=60)
        process.stdout.close()


def test_serve_says_when_the_port_is_taken(run, refused):
    with subprocess.Popen(
        [sys.executable, "-m", "rlm_memory_core", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        port = process.stdout.readline().split("/v1")[0].rsplit(":", 1)[1]
        try:
            assert port in refused(run("serve", "--port", port))
        finally:
            process.terminate()


@pytest.mark.parametrize("port", ["99999", "-1", "many"])
def test_a_port_that_is_none_is_said(capsys, port):
    with pytest.raises(SystemExit):
        cli.main(["serve", f"--port={port}"])
    assert f"{port!r} is not a port" in capsys.readouterr().err.splitlines()[-1]
