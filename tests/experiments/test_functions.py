"""Any other memory system is a method by a plain function; the examples are two of them."""

import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import httpx2
import pytest

from rlm_memory_core import Budget, connect
from rlm_memory_core.experiments.data.assets import project_root
from rlm_memory_core.experiments.methods import make
from rlm_memory_core.experiments.run import runner
from rlm_memory_core.experiments.types import ChatSession, ChatTurn, Sample
from rlm_memory_core.models import background

EXAMPLES = project_root() / "examples"
SESSIONS = [
    ChatSession(
        "2023/05/20 (Sat) 02:21", [ChatTurn("user", "My parrot is called Kiwi."), ChatTurn("assistant", "Ah.")]
    ),
    ChatSession("2023/06/01 (Thu) 10:00", [ChatTurn("user", "I bought a red bicycle."), ChatTurn("assistant", "Oh.")]),
]
SAMPLE = Sample("q", "pets", "What is my parrot called?", "Kiwi", SESSIONS, "2023/06/11 (Sun) 09:00")


def predict(function, llm=None, budget=None, sample=SAMPLE):
    (method,) = make([function], llm or connect("offline"), 16_000, budget)
    return background.run(method(sample))


def test_a_function_of_history_and_question_is_one_more_row():
    def first_line(history, question):
        assert question == SAMPLE.question
        assert [session.date for session in history] == ["2023/05/20 (Sat) 02:21", "2023/06/01 (Thu) 10:00"]
        return history[0].turns[0].content

    llm = connect("offline")
    frame = runner.run(make(["truncation", first_line], llm, 16_000), [SAMPLE, SAMPLE], model=llm.label, progress=False)
    rows = frame[frame["method"] == "first_line"]
    assert list(rows["em"]) == [1.0, 1.0]
    assert rows["calls"].sum() == rows["cost_usd"].sum() == 0
    assert list(frame["method"]) == ["truncation"] * 2 + ["first_line"] * 2


def test_what_it_asks_the_runs_model_is_counted(scripted):
    llm = scripted(lambda messages: "Kiwi", rates=(1e-6, 1e-6))

    def twice(history, question, ask):
        ask("Some notes.")
        return ask("My parrot is called Kiwi.")

    prediction = predict(twice, llm)
    assert (prediction.text, prediction.calls, prediction.error) == ("Kiwi", 2, "")
    assert prediction.prompt_tokens > 0
    assert prediction.cost_usd > 0
    assert "My parrot is called Kiwi." in scripted.conversation[1]["content"]
    assert "2023/06/11" in scripted.conversation[1]["content"]


def test_the_date_of_the_question_and_names_of_ones_own():
    def dated(sessions, asked, date=None):
        return f"{len(sessions)} {asked} {date}"

    assert predict(dated).text == "2 What is my parrot called? 2023/06/11 (Sun) 09:00"
    assert predict(lambda h, q: q).text == SAMPLE.question


def test_an_object_that_can_be_called_has_the_name_of_its_class():
    class Remembers:
        def __call__(self, history, question):
            return "Kiwi"

    (method,) = make([Remembers()], connect("offline"), 1)
    assert method.name == "Remembers"
    assert background.run(method(SAMPLE)).text == "Kiwi"


def test_a_slow_function_holds_up_no_other():
    both = threading.Barrier(2, timeout=20)

    def waits(history, question):
        both.wait()
        return "done"

    frame = runner.run(make([waits], connect("offline"), 1), [SAMPLE, SAMPLE], model="m", concurrency=2, progress=False)
    assert list(frame["answer"]) == ["done", "done"]


def boom(history, question):
    return {}["Mochi"]


def nothing(history, question):
    return None


def a_list(history, question):
    return ["Kiwi"]


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (boom, "KeyError: 'Mochi' (test_functions.py, line "),
        (nothing, "nothing returned NoneType, not a text"),
        (a_list, "a_list returned list, not a text"),
        (lambda history: "", "TypeError: "),
    ],
)
def test_one_that_fails_costs_its_own_row_and_says_why_and_where(function, error):
    frame = runner.run(make([function, "truncation"], connect("offline"), 9_999), [SAMPLE], model="m", progress=False)
    assert frame["error"][0].startswith(error)
    assert "\n" not in frame["error"][0]
    assert list(frame["em"]) == [0.0, 1.0]


def test_a_failed_call_is_counted_and_said_as_everywhere(scripted):
    def asks(history, question, ask):
        return ask("notes")

    refused = httpx2.Response(400, json={"error": {"message": "no such thing"}})
    prediction = predict(asks, scripted([refused]))
    assert "answered 400" in prediction.error
    assert "(test_functions" not in prediction.error
    assert prediction.calls == 1
    assert "budget" in predict(asks, scripted(lambda messages: "Kiwi"), Budget(calls=0)).error


def test_a_place_is_a_file_and_a_function(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "WORD = 'Kiwi'\n\n\ndef helper():\n    return WORD\n\n\ndef mine(history, question):\n    return helper()\n"
    )
    assert predict(f"{file}:mine").text == "Kiwi"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "mine.py:answer", "there is no function 'answer' in "),
        ("answer = 3", "mine.py:answer", "there is no function 'answer' in "),
        ("def answer(:", "mine.py:answer", "SyntaxError: "),
        ("import no_such_module", "mine.py:answer", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("", "other.py:answer", "FileNotFoundError: "),
        ("", "mine.py:", "there is no function ''"),
        ("", ":answer", "Error: "),
    ],
)
def test_a_place_without_a_function_is_said_before_the_run(tmp_path, text, place, words):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ValueError, match=words) as raised:
        make([str(tmp_path / place)], connect("offline"), 1)
    assert "\n" not in str(raised.value)
    assert place in str(raised.value)


def test_a_wrong_name_says_which_there_are():
    with pytest.raises(ValueError, match=r"no such method: mem0; there are truncation, .* functions of your own"):
        make(["rag", "mem0"], connect("offline"), 1)


def test_two_rows_of_one_name_are_refused():
    with pytest.raises(ValueError, match="more than one method is called boom"):
        make([boom, "rag", boom], connect("offline"), 1)


def test_the_full_text_example_finds_the_turn():
    prediction = predict("examples/full_text.py:full_text")
    assert "Kiwi" in prediction.text
    assert prediction.calls == 1


@pytest.mark.parametrize("question", ['What "is" my parrot (called)?', "NOT parrot* AND OR", "", "?!", "我的鹦鹉"])
def test_the_full_text_example_takes_any_question(question):
    odd = Sample("q", "pets", question, "", SESSIONS)
    assert predict("examples/full_text.py:full_text", sample=odd).error == ""


class FakeMemory:
    """Keeps what it is told as Mem0 does, and returns a user's newest first. One at a time may use a folder."""

    folders: ClassVar[list] = []

    def __init__(self, config):
        self.folder = config["vector_store"]["config"]["path"]
        assert self.folder not in FakeMemory.folders
        FakeMemory.folders.append(self.folder)
        self.kept, self.is_open = [], True

    @classmethod
    def from_config(cls, config):
        return cls(config)

    def add(self, messages, *, user_id, metadata):
        self.kept += [
            {"memory": each["content"], "user_id": user_id, "metadata": metadata}
            for each in messages
            if each["role"] == "user"
        ]

    def search(self, query, *, filters, top_k):
        mine = [fact for fact in self.kept if fact["user_id"] == filters["user_id"]]
        return {"results": mine[::-1][:top_k]}

    def close(self):
        assert Path(self.folder).parent.is_dir()


def test_the_mem0_example_keeps_questions_apart_also_at_once(monkeypatch):
    fake = ModuleType("mem0")
    fake.Memory = FakeMemory
    monkeypatch.setitem(sys.modules, "mem0", fake)
    monkeypatch.setenv("MEM0_TELEMETRY", "True")
    methods = make(["examples/mem0_memory.py:mem0"], connect("offline"), 16_000)
    frame = runner.run(methods, [SAMPLE] * 4, model="m", concurrency=4, progress=False)
    assert list(frame["error"]) == [""] * 4
    assert list(frame["em"]) == [1.0] * 4
    assert len(set(FakeMemory.folders)) == 4
    assert not any(Path(folder).parent.exists() for folder in FakeMemory.folders)


def test_the_mem0_example_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "mem0", None)
    assert "mem0" in predict("examples/mem0_memory.py:mem0").error


def test_the_mem0_example_fits_the_installed_package():
    mem0 = pytest.importorskip("mem0", reason="mem0ai is not installed")
    from inspect import signature

    assert {"user_id", "metadata"} <= signature(mem0.Memory.add).parameters.keys()
    assert {"filters", "top_k"} <= signature(mem0.Memory.search).parameters.keys()
    assert callable(mem0.Memory.from_config)
    assert callable(mem0.Memory.close)


def test_every_example_names_a_function_in_its_command():
    for path in EXAMPLES.glob("*.py"):
        assert f"examples/{path.name}:" in path.read_text(), Path(path).name
