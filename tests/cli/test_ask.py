import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rlm_memory_core import MemoryStore, __main__
from rlm_memory_core.cli import main as cli
from rlm_memory_core.cli import parsers
from rlm_memory_core.query import paper_way
from rlm_memory_core.query.prompts import SUBAGENT_SYSTEM

CAT = {"role": "user", "content": "My cat is called Mochi.", "date": "2023/05/20"}
MOVE = {"role": "user", "content": "I moved to Lisbon.", "date": "2023/07/04"}
PAPER = ("--reading", "paper")
QUESTION = "What is my cat called?"


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text(f"{json.dumps(CAT)}\n{json.dumps(MOVE)}\n")
    return str(path)


@pytest.fixture
def ask(capsys):
    """Runs `ask`; `waiting` keeps the lines that it prints while it waits, as it does on a machine under load."""

    def ask(*arguments, waiting=False):
        try:
            code = cli.main(("ask", *arguments))
        except SystemExit as error:  # the parser's
            code = error.code
        out, err = capsys.readouterr()
        return code, out, err if waiting else re.sub("^waiting for .*\n", "", err, flags=re.MULTILINE)

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
    asked = (history, QUESTION, "--model", "m", "--base-url", model, *PAPER)
    code, out, err = ask(*asked)
    assert (code, err) == (0, "")
    answer, evidence, taken = out.strip().split("\n\n")
    assert answer == "Mochi"
    assert evidence.splitlines() == ["session 1 | 2023/05/20 | turn 1", '  "called Mochi": the cat\'s name']
    coverage, cost = taken.splitlines()
    assert coverage == "asked 2 sub-agents: 1 found something, 1 found nothing"
    assert re.fullmatch(r"m: 4 calls, [\d,]+ tokens, \$0 \[.*\]", cost)
    again = json.loads(ask(*asked, "--json")[1])
    assert (again["calls"], again["replayed_calls"]) == (4, 4)


def test_json_is_one_object_with_the_keys_that_help_names(ask, history, model):
    code, out, _ = ask(
        history, QUESTION, "--model", "m", "--base-url", model, "--json", "--question-date", "2023/08/01",
        *PAPER,
    )  # fmt: skip
    answer = json.loads(out)
    assert code == 0
    assert out.count("\n") == 1
    assert all(key in parsers.ASK_ENDS for key in answer)
    assert (answer["question"], answer["question_date"], answer["model"]) == (QUESTION, "2023/08/01", "m")
    assert (answer["answer"], answer["error"], answer["cost_usd"], answer["calls"]) == ("Mochi", "", 0.0, 4)
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
    assert out.startswith('My cat is called Mochi.\n\nsession 1 | turn 1\n  "My cat is called Mochi."\n\n')
    assert "offline reader (no LLM): 2 calls" in out
    assert "$0 " in out
    assert path.read_bytes() == before


def test_standard_input(ask, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps([CAT]).encode())))
    assert ask("-", QUESTION)[1].startswith("My cat is called Mochi.")


def test_the_first_sessions_may_be_enough(ask, history):
    answer = json.loads(ask(history, QUESTION, "--first", "1", "--json")[1])
    assert (answer["answer"], answer["coverage"]["asked"]) == ("My cat is called Mochi.", 1)


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
        (["{history}", " "], "give a question, or --chat without one"),
        (["{history}", "Who?", "--model", "gpt-4o-mini"], "no API key for gpt-4o-mini"),
        (["{history}", "Who?", "--model", ""], "model must not be empty"),
        (["{history}", "Who?", "--model", "m", "--base-url", "http://[", "--json"], "is no address"),
        (
            ["{history}", "Who?", "--model", "m", "--base-url", "http://192.0.2.1:9/v1", "--budget", "1"],
            "--budget needs a price, and that of m is not known; give --prices",
        ),
        (["{history}", "Who?", "--prices", "1", "2", "--model", ""], "model must not be empty"),
        (["{history}", "Who?", "--question-date", "junk"], "--question-date 'junk' cannot be read as a date"),
        (["{history}", "Who?", "--question-date", "yesterday"], "'yesterday' cannot be read as a date"),
        (["{history}", "Who?", "--question-date", "2023/13/45"], "'2023/13/45' cannot be read as a date"),
        (["{history}", "Who?", "--question-date", "le 11 juin"], "'le 11 juin' cannot be read as a date"),
        (["{history}", "Who?", "--question-date", ""], "'' cannot be read as a date"),
        (["http://x/y", "Who?"], "there is no file http://x/y; give a file on this machine, not a folder or a web"),
        (["{history}", "Who?", "--model", "m", "--base-url", "localhost:11434"], "is no address such as http://"),
        (["{history}", "Who?", "--model", "m", "--base-url", "http://x:99999"], "is no address such as http://"),
        (
            ["{history}", "Who?", "--first", "0"],
            "argument --first: '0' is not a whole number from 1 up",
        ),
        (["{folder}", "Who?"], "give a file on this machine, not a folder"),
        (["{text}", "Who?"], "cannot be read as a history: line 1 is not JSON"),
        (["{empty}", "Who?"], "cannot be read as a history: it has no message"),
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


def test_long_evidence_is_clipped_and_comes_after_what_the_answer_repeats(ask, tmp_path):
    path = tmp_path / "h.jsonl"
    said = [{"role": "user", "content": f"My cat number {n} is a cat {'x' * 300}."} for n in range(30)]
    said.append({"role": "user", "content": "My cat is called Mochi."})
    path.write_text("\n".join(json.dumps({**each, "session": n}) for n, each in enumerate(said)))
    _, out, _ = ask(str(path), QUESTION, *PAPER)
    assert out.startswith(
        'My cat is called Mochi.\n\nsession 31 | turn 31\n  "My cat is called Mochi."\n\nAlso found:\n'
    )
    whole = len(json.loads(ask(str(path), QUESTION, *PAPER, "--json")[1])["evidence"])
    assert whole > 11
    assert f"... and {whole - 11} more with --json" in out


def test_ctrl_c_while_the_command_line_is_loaded_is_one_line(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "rlm_memory_core.cli.main")
    monkeypatch.setattr("importlib._bootstrap_external.SourceFileLoader.exec_module", interrupted)
    assert __main__.main() == 130
    assert capsys.readouterr() == ("", "rlm-memory: stopped\n")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def slow(seconds):
    def answer(messages):
        time.sleep(seconds)
        return "FINAL(Mochi)"

    return answer


class TestWaiting:
    def test_a_terminal_shows_from_the_start_for_whom_it_waits_and_since_when_and_is_left_clean(
        self, ask, history, model, monkeypatch
    ):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        assert ask(history, QUESTION, "--model", "m", "--base-url", model, "--timeout", "30")[0] == 0
        shown = terminal.getvalue()
        line = rf"waiting for m at {re.escape(model)} since \d\d:\d\d:\d\d \(\d+ s\); gives up after 30 s of silence\r"
        assert re.match(line, shown)
        assert shown.endswith("\x1b[K")
        assert "\n" not in shown

    def test_elsewhere_a_line_is_printed_after_a_second(self, ask, history, fault_server):
        url = fault_server(slow(1.5)).url
        code, out, err = ask(history, QUESTION, "--model", "m", "--base-url", url, waiting=True)
        assert (code, out.splitlines()[0]) == (0, "Mochi")
        assert err.startswith(f"waiting for m at {url} since ")

    def test_a_server_that_stays_silent_is_given_up_after_one_attempt(self, ask, history, fault_server):
        attempts = []
        url = fault_server(slow(3), plan=lambda key, attempt: attempts.append(attempt) or "").url
        code, out, err = ask(history, QUESTION, "--model", "m", "--base-url", url, "--timeout", "1")
        assert (code, out) == (2, "")
        assert err == f"rlm-memory: {url} did not answer within 1 s\n"
        assert len(attempts) == 1

    @pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon"])
    def test_a_timeout_that_is_none_is_one_line(self, ask, history, seconds):
        line = f"argument --timeout: '{seconds}' is not a number of seconds above 0 (see rlm-memory ask --help)"
        assert ask(history, QUESTION, f"--timeout={seconds}") == (2, "", f"rlm-memory: {line}\n")


def test_recorded_off_asks_again_and_replay_asks_nobody(ask, history, fault_server):
    server = fault_server(lambda messages: "FINAL(Mochi)")
    asked = [history, QUESTION, "--model", "m", "--base-url", server.url, "--json"]
    assert json.loads(ask(*asked, "--recorded", "off")[1])["replayed_calls"] == 0
    assert ask(*asked, "--recorded", "replay")[2].endswith("calls.sqlite, and --recorded replay asks no model\n")
    assert ask(*asked)[0] == 0
    assert json.loads(ask(*asked, "--recorded", "off")[1])["replayed_calls"] == 0
    assert json.loads(ask(*asked, "--recorded", "replay")[1])["replayed_calls"] == 1


class TestOfflineReader:
    @pytest.mark.parametrize("question", [QUESTION, "Which car do I drive?"])
    def test_it_says_what_it_is_and_which_option_asks_a_model(self, ask, history, question):
        out = ask(history, question)[1]
        assert "offline reader (no LLM): " in out
        assert out.endswith(
            "only quotes passages with words of the question; to ask a model, give --model gpt-4o-mini\n"
        )

    def test_a_model_is_not_told_so(self, ask, history, model):
        assert "quotes passages" not in ask(history, QUESTION, "--model", "m", "--base-url", model)[1]


class TestChat:
    @pytest.fixture
    def chat(self, ask, monkeypatch):
        def chat(history, *said, options=()):
            monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in said)))
            return ask(str(history), "--chat", *options)

        return chat

    def test_a_new_store_remembers_the_chat_for_the_next_one(self, chat, tmp_path):
        path = tmp_path / "new.db"
        code, out, err = chat(path, "My cat is called Mochi.", "", "What is my cat called?")
        assert code == 0
        assert out.splitlines()[-1] == "My cat is called Mochi."
        assert (
            err
            == f"rlm-memory: offline reader (no LLM) answers; 0 turns so far, stored in {path}; Ctrl-D ends the chat\n"
        )
        code, out, err = chat(path, "What is my cat called?")
        assert out == "My cat is called Mochi.\n"
        assert "4 turns so far" in err
        with MemoryStore(path) as store:
            assert [turn.role for turn in store.turns] == ["user", "assistant"] * 3

    def test_an_export_is_only_read(self, chat, history):
        before = Path(history).read_bytes()
        code, out, err = chat(history, QUESTION)
        assert (code, out) == (0, "My cat is called Mochi.\n")
        assert "2 turns so far, forgotten at the end" in err
        assert Path(history).read_bytes() == before

    def test_a_model_that_fails_is_one_line_and_the_chat_goes_on(self, chat, tmp_path, fault_server):
        server = fault_server(lambda messages: "Hello.", plan=lambda key, attempt: "400")
        options = ("--model", "m", "--base-url", server.url)
        code, out, err = chat(tmp_path / "new.db", "Hi", "Hi again", options=options)
        assert (code, out) == (1, "")
        assert err.count("answered 400") == 2

    @pytest.mark.parametrize(
        ("history", "line"),
        [
            ("-", "a chat reads its messages from standard input; give the history as a file"),
            ("none.json", "there is no file none.json"),
            ("nowhere/new.db", "cannot open nowhere/new.db"),
        ],
    )
    def test_what_cannot_be_chatted_with_is_one_line(self, chat, refused, history, line):
        assert line in refused(chat(history, "Hi"))

    def test_a_question_or_a_chat(self, ask, refused, history):
        for arguments in ((), (QUESTION, "--chat")):
            assert "give a question, or --chat without one" in refused(ask(history, *arguments))


@pytest.mark.parametrize("asked", [(QUESTION,), ("--chat",)])
def test_a_history_too_large_for_the_papers_reading_is_refused_in_one_line(ask, tmp_path, monkeypatch, asked):
    monkeypatch.setattr(paper_way, "MOST_CHARACTERS", 7)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{QUESTION}\n"))
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps(CAT | {"content": "My cat is called Mochi. " * 1_000}))
    code, out, err = ask(str(path), *asked, *PAPER)
    assert (code, out) == (1 if "--chat" in asked else 2, "")
    ways = ('Reading("paper")', 'Reading("search")') if "--chat" in asked else ("--reading paper", "--reading search")
    told = err.splitlines()[-1]
    assert told.startswith(f"rlm-memory: {ways[0]} takes at most 7 characters")
    assert told.endswith(f"this history is too large; use {ways[1]}")
