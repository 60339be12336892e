import doctest
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import rlm_memory_core
from rlm_memory_core import Budget, MemoryChat, MemoryRLM, MemoryStore, Reading, connect
from rlm_memory_core.search.ranking import rank_sessions

FOLDER = Path(rlm_memory_core.__file__).parent
MODULES = sorted(path.relative_to(FOLDER.parent) for path in FOLDER.rglob("*.py"))


@pytest.fixture
def history(tmp_path):
    with MemoryStore(tmp_path / "history.db") as store:
        store.start_session(date="2023/05/20 (Sat) 02:21")
        store.add("user", "My cat is called Mochi.")
        store.add("assistant", "Got it.")
        yield store


def test_chat_as_promised():
    chat = MemoryChat(model="offline", threshold_chars=20_000)
    chat.add_turn("user", "I grew up in Nairobi.")
    answer = chat.query("What city did I grow up in?")
    assert "Nairobi" in answer.text
    assert len(chat.store) == 1
    chat.add_turn("user", "My cat is called Mochi.")
    reply = chat.send("And what is my cat called?")
    assert "Mochi" in reply.text
    assert [turn.role for turn in chat.store.turns] == ["user", "user", "user", "assistant"]


def test_chat_past_its_threshold_as_promised():
    chat = MemoryChat(model="offline", threshold_chars=0)
    chat.add_turn("user", "I grew up in Nairobi.")
    answer = chat.query("What city did I grow up in?")
    assert "Nairobi" in answer.text
    assert [found.turn for found in answer.evidence] == [1]
    assert answer.coverage.asked == 0  # it is found by a search, without sub-agents


def test_store_as_promised(history):
    assert [turn.index for turn in history.turns] == [1, 2]
    assert len(history.sessions) == 1
    assert history.to_string() == (
        "[--- Session 1 | 2023/05/20 (Sat) 02:21 ---]\n"
        "[Turn 1][user]: My cat is called Mochi.\n"
        "[Turn 2][assistant]: Got it."
    )
    assert [turn.content for turn in history.search_history("cat")] == ["My cat is called Mochi."]
    assert len(history.get_recent(5)) == len(history) == 2
    assert len(MemoryStore()) == 0


def test_engine_as_promised(history):
    llm = connect("offline", base_url=None, api_key=None, recorded="auto")
    engine = MemoryRLM(llm, sub_model=None, concurrency=256, max_iterations=8, budget=None)
    answer = engine.query(history, "What is my cat called?", question_date="2023/05/30 (Tue) 23:40")
    assert "Mochi" in answer.text
    assert [(evidence.session, evidence.date) for evidence in answer.evidence] == [(1, "2023/05/20 (Sat) 02:21")]
    assert answer.coverage.share is None  # no sub-agent was asked
    assert answer.usage.calls == len(answer.trace.steps) == 2
    assert answer.cost_usd == 0.0
    assert answer.trace.steps
    again = engine.query(history, "What is my cat called?", question_date="2023/05/30 (Tue) 23:40")
    assert again.text == answer.text
    assert again.cost_usd == 0.0  # it is free, so that nothing is recorded


def test_the_papers_way_as_promised(history):
    answer = MemoryRLM(connect("offline"), reading=Reading("paper")).query(history, "What is my cat called?")
    assert "Mochi" in answer.text
    assert answer.coverage.share == 1.0
    assert answer.usage.calls == answer.coverage.asked + len(answer.trace.steps)


def test_engine_takes_a_second_model_and_a_budget(history):
    engine = MemoryRLM(connect("offline"), sub_model=connect("offline"), budget=Budget(usd=1.0, calls=50))
    assert "Mochi" in engine.query(history, "What is my cat called?").text


def test_ranking_as_promised(history):
    history.start_session()
    history.add("user", "Something else.")
    assert rank_sessions(history, "What is my cat called?") == [0, 1]


def test_everything_in_all_exists_and_is_documented():
    for name in rlm_memory_core.__all__:
        assert getattr(rlm_memory_core, name).__doc__, name


def test_the_version_is_that_of_the_package():
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert rlm_memory_core.__version__ == project["version"]


def test_importing_the_core_loads_nothing_that_only_experiments_need():
    script = "import sys, rlm_memory_core; print([m for m in ('pandas', 'seaborn', 'datasets') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_offline_reader_and_the_views_are_there_also_for_who_imports_modules_by_their_place():
    script = """
from rlm_memory_core.models.llm import connect
from rlm_memory_core.query.engine import MemoryRLM
from rlm_memory_core.store.memory_store import MemoryStore
with MemoryStore() as store:
    store.add("user", "My cat is called Mochi.")
    answer = MemoryRLM(connect("offline", recorded="off")).query(store, "What is my cat called?")
print(answer, "rlm-view" in answer._repr_html_(), "<html" in answer.trace.to_html())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("My cat is called Mochi. True True\n", "")


def test_public_names_are_listed_before_they_are_loaded_and_a_wrong_one_is_said():
    assert set(rlm_memory_core.__all__) <= set(dir(rlm_memory_core))
    assert rlm_memory_core.store.__name__ == "rlm_memory_core.store"
    with pytest.raises(AttributeError, match="module 'rlm_memory_core' has no attribute 'MemoryChats'"):
        rlm_memory_core.MemoryChats  # noqa: B018


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_the_examples_in_the_docstrings_are_right(path):
    module = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    if path.name == "inspect_task.py":
        pytest.importorskip("inspect_ai", reason="the extra inspect is not installed")
    assert doctest.testmod(importlib.import_module(module)).failed == 0
