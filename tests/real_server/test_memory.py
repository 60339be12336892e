"""Memory over the real server: a chat, a query, the command line, and a notebook. Only what must hold is checked."""

import json
import re

import pytest
from llama import HELLO, MODEL

from rlm_memory_core import Budget, MemoryChat, MemoryRLM, Reading, connect
from rlm_memory_core.cli import main as cli
from rlm_memory_core.experiments.data.assets import project_root
from rlm_memory_core.models import background

pytestmark = pytest.mark.slow

QUESTION = "What is my cat called?"


def test_a_chat_stores_what_is_asked_and_answered(llm, diary):
    with MemoryChat(llm(), store=diary) as chat:
        answer = chat.send(QUESTION)
        assert answer.text
        assert answer.usage.calls == 1
        stream = chat.stream("Where do I live?")
        assert "".join(stream).strip() == stream.answer.text
        whole = [not each.error for each in (answer, stream.answer)]  # half an answer is not stored
        assert len(chat.store) == 6 + 2 + sum(whole)
        stats = chat.stats()
        assert (stats["calls"], stats["failed"]) == (2, whole.count(False))


def test_a_long_history_is_answered_by_the_engine_until_the_budget_ends_it(llm, diary):
    with MemoryChat(llm(), threshold_chars=0, store=diary, budget=Budget(calls=2)) as chat:
        answer = chat.query(QUESTION)
    assert answer.text or answer.error
    assert 1 <= len(answer.trace.steps) <= answer.usage.calls <= 2
    assert "Traceback" not in str(answer.trace)


def test_subagents_read_at_once_and_none_fails(llm, diary):
    answer = MemoryRLM(connect("offline", recorded="off"), sub_model=llm(), hedge=0, reading=Reading("paper")).query(
        diary, QUESTION
    )
    assert answer.coverage.asked == 3
    assert answer.coverage.failures == 0
    assert answer.usage.prompt_tokens > 300
    assert all(found.quote in "".join(turn.content for turn in diary.turns) for found in answer.evidence)


def test_the_command_answers_from_a_file(real_server, diary, tmp_path, capsys):
    history = tmp_path / "messages.json"
    history.write_text(json.dumps([{"role": turn.role, "content": turn.content} for turn in diary.turns]))
    asked = ("ask", str(history), QUESTION, "--json", "--model", MODEL, "--base-url", real_server.url)
    code = cli.main(asked)
    printed, said = capsys.readouterr()
    assert code in (0, 1)  # answered, or ended early
    assert "Traceback" not in said
    answer = json.loads(printed)
    assert answer["calls"] > 0
    assert (code == 1) == bool(answer["error"])


def test_a_needle_is_looked_for_in_a_notebook_of_a_profile_of_its_own(real_server, tmp_path, capsys):
    code = cli.main([
        "reproduce", "--only", "01", "--model", MODEL, "--base-url", real_server.url, "--outputs", str(tmp_path),
        "-p", "turns", "[3]", "-p", "runs", "1", "-p", "methods", '["truncation"]',
    ])  # fmt: skip
    printed, said = capsys.readouterr()
    assert code == 0, printed + said
    assert f"Answered by: {MODEL}" in printed
    results = json.loads((tmp_path / MODEL / "results" / "01_niah.json").read_text())
    assert results["provenance"]["model"] == MODEL
    figures = {row["id"]: row["value"] for row in results["rows"] if row["id"].startswith("table2.")}
    with capsys.disabled():
        print(f"\n{MODEL}, 3 pairs, 1 run: {figures}")
    assert figures
    assert all(0 <= value <= 1 for name, value in figures.items() if "characters" not in name)
    assert "offline reader" not in (tmp_path / MODEL / "results" / "01_niah.questions.csv").read_text()
    assert (tmp_path / MODEL / "report.html").is_file()


def test_the_page_shows_how_to_start_this_server_and_ask_it(real_server):
    page = (project_root() / "docs" / "models-and-servers.md").read_text(encoding="utf-8")
    section = page.split("\n## A small real model")[1].split("\n## ")[0]
    assert "\npython tests/llama.py\n" in section
    code = re.search(r"```python\n(.+?)```", section, re.DOTALL)[1]
    names = {"connect": connect, "ask": lambda llm: background.run(llm.complete(HELLO)).text}
    assert eval(code.replace("http://127.0.0.1:8080/v1", real_server.url), names)
