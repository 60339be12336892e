import io
import json
import os
import subprocess
import sys

import pytest

from rlm_memory_core import MemoryStore, __main__
from rlm_memory_core.cli import ask as cli_ask
from rlm_memory_core.cli import main as cli
from rlm_memory_core.query.prompts.record import SUBAGENT_SYSTEM

CAT = {"role": "user", "content": "My cat is called Mochi.", "date": "2023/05/20"}
MOVE = {"role": "user", "content": "I moved to Lisbon.", "date": "2023/07/04"}
QUESTION = "What is my cat called?"


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text(f"{json.dumps(CAT)}\n{json.dumps(MOVE)}\n")
    return str(path)


@pytest.fixture
def ask(capsys):
    def ask(*arguments):
        code = cli.main(("ask", *arguments))
        return code, *capsys.readouterr()

    return ask


@pytest.fixture
def model(fault_server):
    """The address of a model that reads and answers: two calls of the root, one a session."""

    def answer(messages):
        if messages[0]["content"] == SUBAGENT_SYSTEM:
            return '- [Turn 1] "called Mochi": the cat\'s name' if "Mochi" in messages[1]["content"] else "NOT_FOUND"
        if len(messages) == 2:
            return "```repl\nprint(llm_query_parallel(sessions, session_dates, question))\n```"
        return "FINAL(Mochi)"

    return fault_server(answer).url


def test_the_answer_its_evidence_and_what_it_took(ask, history, model):
    asked = (history, QUESTION, "--model", "m", "--base-url", model, "--reading", "paper")
    code, out, err = ask(*asked)
    assert (code, err) == (0, "")
    answer, evidence, taken = out.strip().split("\n\n")
    assert answer == "Mochi"
    assert evidence.splitlines() == ["Evidence:", '  session 1, 2023/05/20, turn 1: "called Mochi" - the cat\'s name']
    assert taken.startswith("m: 4 calls, ")
    assert "cost not known" in taken
    assert taken.endswith("asked 2 sub-agents: 1 found something, 1 found nothing")
    again = ask(*asked)[1]
    assert "4 calls (4 replayed from the record)" in again


def test_json_is_one_object_with_the_keys_that_help_names(ask, history, model):
    code, out, _ = ask(
        history, QUESTION, "--model", "m", "--base-url", model, "--json", "--question-date", "2023/08/01",
        "--reading", "paper",
    )  # fmt: skip
    answer = json.loads(out)
    assert code == 0
    assert out.count("\n") == 1
    assert all(key in cli_ask.JSON_KEYS for key in answer)
    assert (answer["question"], answer["question_date"], answer["model"]) == (QUESTION, "2023/08/01", "m")
    assert (answer["answer"], answer["error"], answer["cost_usd"], answer["calls"]) == ("Mochi", "", None, 4)
    assert answer["evidence"] == [
        {"session": 1, "date": "2023/05/20", "turn": 1, "quote": "called Mochi", "text": "the cat's name"}
    ]
    assert answer["coverage"] == {"asked": 2, "found": 1, "not_found": 1, "failed": {}, "cut": 0, "copies": 0}


def test_a_store_is_asked_by_the_offline_reader_and_left_as_it_was(ask, tmp_path):
    path = tmp_path / "history.db"
    with MemoryStore(path) as store:
        store.add("user", "My cat is called Mochi.")
    before = path.read_bytes()
    code, out, _ = ask(str(path), QUESTION)
    assert code == 0
    assert out.startswith("My cat is called Mochi.\n\nEvidence:\n  session 1, turn 1: ")
    assert "offline reader (no LLM): " in out
    assert "$0.0000" in out
    assert path.read_bytes() == before


def test_standard_input(ask, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps([CAT]).encode())))
    assert ask("-", QUESTION)[1].startswith("My cat is called Mochi.")


def test_the_first_sessions_may_be_enough(ask, history):
    answer = json.loads(ask(history, QUESTION, "--first", "1", "--json")[1])
    assert (answer["answer"], answer["coverage"]["asked"]) == ("My cat is called Mochi.", 1)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_shown_on_a_terminal_alone(ask, history, monkeypatch):
    assert ask(history, QUESTION, "--reading", "paper")[2] == ""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert ask(history, QUESTION, "--reading", "paper")[0] == 0
    assert "2 of 2 sub-agents" in terminal.getvalue()
    assert "1 found something" in terminal.getvalue()


def test_the_trace_goes_to_standard_error(ask, history):
    _, out, err = ask(history, QUESTION, "--trace", "--json")
    assert "--- step 1:" in err
    assert json.loads(out)


def test_what_a_terminal_would_obey_is_not_printed(ask, tmp_path):
    path = tmp_path / "h.json"
    path.write_text(json.dumps([{"role": "user", "content": "My cat is called \x1b[31mMochi."}]))
    out = ask(str(path), QUESTION)[1]
    assert "Mochi" in out
    assert "\x1b" not in out


def test_a_terminal_that_lacks_characters(ask, tmp_path, monkeypatch):
    path = tmp_path / "h.json"
    path.write_text(json.dumps([{"role": "user", "content": "My cat is called Mochi \u4e16."}]))
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    assert ask(str(path), QUESTION)[0] == 0
    out.flush()
    assert out.buffer.getvalue().startswith(b"My cat is called Mochi ?.")


def test_a_spent_budget_is_said_and_ends_with_1(ask, history, model, monkeypatch):
    monkeypatch.setattr("rlm_memory_core.models.llm.price", lambda model, base_url: (1.0, 1.0))
    code, out, err = ask(history, QUESTION, "--model", "m", "--base-url", model, "--budget", "0", "--json")
    assert code == 1
    assert err.startswith("rlm-memory: the query ended early: the budget of 0 usd is spent")
    assert "budget of 0 usd" in json.loads(out)["error"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["none.json", "Who?"], "there is no file none.json"),
        (["{history}", " "], "the question is empty"),
        (["{history}", "Who?", "--model", "gpt-4o-mini"], "no API key for gpt-4o-mini"),
        (["{history}", "Who?", "--model", ""], "model must not be empty"),
        (["{history}", "Who?", "--model", "m", "--base-url", "http://[", "--json"], "is no address"),
        (
            ["{history}", "Who?", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--budget", "1"],
            "--budget needs a price, and that of m is not known; give --prices",
        ),
        (["{history}", "Who?", "--prices", "1", "2", "--model", ""], "model must not be empty"),
        (["{history}", "Who?", "--question-date", "junk"], "--question-date 'junk' cannot be read as a date"),
        (["{history}", "Who?", "--question-date", "yesterday"], "'yesterday' cannot be read as a date"),
        (["{history}", "Who?", "--question-date", "2023/13/45"], "'2023/13/45' cannot be read as a date"),
        (["{history}", "Who?", "--question-date", "le 11 juin"], "'le 11 juin' cannot be read as a date"),
        (["{history}", "Who?", "--question-date", ""], "'' cannot be read as a date"),
        (["http://x/y", "Who?"], "there is no file http://x/y; download it first"),
        (["{history}", "Who?", "--model", "m", "--base-url", "localhost:11434"], "is no address such as http://"),
        (["{history}", "Who?", "--model", "m", "--base-url", "http://x:99999"], "is no address (Port out of range"),
        (["{history}", "Who?", "--first", "0"], "first must be at least 1 session"),
        (["{folder}", "Who?"], "is a folder; name the history's file in it"),
        (["{text}", "Who?"], "cannot be read as a history: line 1 is not JSON"),
        (["{empty}", "Who?"], "cannot be read as a history: it is empty"),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_what_cannot_be_asked_is_one_line_and_2(ask, tmp_path, history, arguments, line):
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").write_text("")
    places = {"history": history, "folder": tmp_path, "text": tmp_path / "text", "empty": tmp_path / "empty"}
    code, out, err = ask(*(argument.format(**places) if "{" in argument else argument for argument in arguments))
    assert (code, out) == (2, "")
    assert err.startswith("rlm-memory: ")
    assert err.count("\n") == 1
    assert line in err


def test_a_model_that_fails_is_one_line_and_2(ask, history, fault_server):
    url = fault_server(lambda messages: "x", plan=lambda key, attempt: "400").url
    code, out, err = ask(history, "Who?", "--model", "m", "--base-url", url)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "answered 400" in err


def test_prices_let_a_budget_in_dollars_be_held(ask, history, model):
    asked = [history, QUESTION, "--model", "m", "--base-url", model, "--json", "--prices", "1e6", "2e6"]
    answer = json.loads(ask(*asked, "--budget", "1e9")[1])
    assert answer["cost_usd"] == answer["prompt_tokens"] + 2 * answer["completion_tokens"] > 0
    code, _, err = ask(*asked, "--budget", "0.0001", "--first", "1")
    assert (code, "the budget of 0.0001 usd is spent" in err) == (1, True)


@pytest.mark.slow
def test_a_reader_that_has_enough_is_no_error(history, tmp_path):
    """As `| head` does: the pipe is closed before anything is written, or at the end of the program."""
    for arguments in (["ask", history, QUESTION, "--json"], ["--help"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [sys.executable, "-m", "rlm_memory_core", *arguments], stdout=writing, stderr=subprocess.PIPE, timeout=60
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (0, b"")


def test_ten_pieces_of_evidence_are_shown_and_long_ones_clipped_and_first_what_the_answer_repeats(ask, tmp_path):
    path = tmp_path / "h.jsonl"
    said = [{"role": "user", "content": f"My cat number {n} is a cat {'x' * 300}."} for n in range(30)]
    said.append({"role": "user", "content": "My cat is called Mochi."})
    path.write_text("\n".join(json.dumps({**each, "session": n}) for n, each in enumerate(said)))
    _, out, _ = ask(str(path), QUESTION, "--reading", "paper")
    assert out.startswith("My cat is called Mochi.\n")
    evidence = out.split("\n\n")[1].splitlines()
    whole = len(json.loads(ask(str(path), QUESTION, "--json", "--reading", "paper")[1])["evidence"])
    assert evidence[1].startswith('  session 31, turn 31: "My cat is called Mochi."')
    assert whole > 11
    assert len(evidence) == 1 + 10 + 1
    assert evidence[-1] == f"  … and {whole - 10} more (--json has all)"
    assert max(map(len, evidence)) < 500


def test_a_large_file_is_announced_on_a_terminal_alone(ask, history, monkeypatch):
    monkeypatch.setattr(cli_ask, "_LARGE", 10)
    assert ask(history, QUESTION)[2] == ""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    ask(history, QUESTION)
    assert terminal.getvalue().startswith(f"rlm-memory: reading {history} (0 MB) ...\n")


def test_ctrl_c_while_the_command_line_is_loaded_is_one_line(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "rlm_memory_core.cli.main")
    monkeypatch.setattr("importlib._bootstrap_external.SourceFileLoader.exec_module", interrupted)
    assert __main__.main() == 130
    assert capsys.readouterr() == ("", "rlm-memory: stopped\n")
