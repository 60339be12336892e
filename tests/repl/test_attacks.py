"""Programs that attack: each is stopped with a clear message or is harmless, and the next query is unharmed."""

import asyncio
import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from paper import PaperRLM

from rlm_memory_core import Limits, MemoryStore, connect
from rlm_memory_core.models import background

FOLDER = Path(__file__).parent / "attacks"
LIMITS = Limits(memory_mb=64, query_subcalls=20, host_calls=2000, output_characters=2000)
SHORT = replace(LIMITS, run_seconds=0.4)  # for programs that time may stop: all others have time, on a busy machine too
CANARY = "sk-canary-0123456789"
MOST_GROWTH = 150 * 2**20  # of the host's memory, over the whole suite


@dataclass(frozen=True)
class Attack:
    name: str
    fate: str
    words: str
    code: str


def read_attacks():
    for path in sorted(FOLDER.glob("*.txt")):
        for part in path.read_text(encoding="utf-8").split("#===")[1:]:
            title, _, code = part.partition("\n")
            name, _, end = title.partition("|")
            fate, _, words = end.partition(":")
            yield Attack(f"{path.stem}: {name.strip()}", fate.strip(), words.strip(), code)


ATTACKS = list(read_attacks())
held = set()


def resident():
    """Bytes of memory that the host process holds, or 0 where that cannot be told."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


async def tasks():
    return len([task for task in asyncio.all_tasks() if not task.done()])


@pytest.fixture(scope="module")
def known():
    """A question whose answer is known, asked of the offline reader."""
    with MemoryStore() as store:
        store.start_session("2023/05/20 (Sat) 02:21")
        store.add("user", "My cat is called Mochi.")
        engine = PaperRLM(connect("offline", recorded="off"))
        yield lambda: engine.query(store, "What is my cat called?").text


POOLED = min(32, os.cpu_count() + 4) + 4  # threads that the pools of the event loop and of searches may still start


@pytest.fixture(scope="module")
def at_first(known):
    known()
    return resident(), background.run(tasks()), threading.active_count()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a file in it, and a key in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    Path("canary.txt").write_text("untouched")
    return tmp_path


def test_the_suite_is_large():
    assert len(ATTACKS) >= 60
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert {attack.fate for attack in ATTACKS} == {"stopped", "harmless"}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_stopped_or_harmless(attack, diary, root_and_subagents, scripted, place, known, at_first):
    llm = root_and_subagents([f"```repl\nkept = 1\n```\n```repl\n{attack.code}\n```", "FINAL(the honest answer)"])
    limits = SHORT if attack.fate == "stopped" and attack.words in ("", "limit", "time limit") else LIMITS
    answer = PaperRLM(llm, limits=limits).query(diary, "Who?", question_date="2024/03/10 (Sun) 12:00")
    shown = answer.trace.steps[0].output
    if attack.fate == "stopped":
        assert "Error" in shown or "limit" in shown.lower() or attack.words in shown.split()
        assert attack.words.lower() in shown.lower()
        assert answer.text == "the honest answer"
    else:
        assert "Error" not in shown
        assert attack.words in shown
        assert answer.text == "the honest answer" or "FINAL" in attack.code
    assert len(answer.text) <= 100_100
    assert len(shown) < 10_000
    assert len(scripted.requests) <= LIMITS.query_subcalls + 2
    assert CANARY not in f"{scripted.requests}{answer}"
    assert sorted(path.name for path in place.iterdir() if path.name != "cache") == ["canary.txt"]
    assert Path("canary.txt").read_text() == "untouched"
    assert os.environ["OPENAI_API_KEY"] == CANARY
    assert diary.turns[0].content == "My cat is called Mochi."
    assert known() == "My cat is called Mochi."
    _, tasks_before, threads_before = at_first
    assert background.run(tasks()) <= tasks_before
    assert threading.active_count() <= threads_before + POOLED
    held.add(attack.name)


def test_the_host_has_not_grown_and_the_figure_is_told(at_first, known, capsys, request):
    own = [item for item in request.session.items if item.module is request.module and hasattr(item, "callspec")]
    asked = {item.callspec.params["attack"].name for item in own}
    memory_before, *_ = at_first
    assert known() == "My cat is called Mochi."
    assert resident() - memory_before < MOST_GROWTH
    with capsys.disabled():
        print(f"\nattacks: {len(held)} of {len(asked)} programs stopped or harmless, and the next query unharmed")
