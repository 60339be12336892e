"""Inspect runs LongMemEval with its mock model, behind which the offline reader answers."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

pytest.importorskip("inspect_ai", reason="the extra inspect is not installed; `make test-inspect` runs these tests")

from inspect_ai import eval as inspect_eval
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.solver import solver

from rlm_memory_core.experiments.methods import METHODS
from rlm_memory_core.experiments.run.inspect_task import longmemeval_task, sample_of
from rlm_memory_core.offline import completion

pytestmark = pytest.mark.filterwarnings("ignore")  # Inspect's own, of streams and of deprecated arguments
TASK = "rlm_memory_core/longmemeval"
PETS = "cat dog parrot hamster pony goat rabbit tortoise canary ferret".split()
NAMES = "Mochi Rex Kiwi Biscuit Comet Hazel Clover Turbo Sunny Bandit".split()


@pytest.fixture
def folder(tmp_path):
    """A folder with a file of ten questions in the official format, over three sessions each."""

    def item(place, pet, name):
        said = [f"My {pet} is called {name}.", "I repaired the kitchen tap.", "The tram was late again."]
        return {
            "question_id": f"q{place}" + "_abs" * (place == 9),
            "question_type": ("single-session-user", "multi-session")[place % 2],
            "question": f"What is my {pet} called?",
            "answer": name,
            "question_date": "2023/05/30 (Tue) 23:40",
            "haystack_session_ids": [f"{place}-{number}" for number in range(3)],
            "haystack_dates": [f"2023/05/2{number} (Sat) 02:21" for number in range(3)],
            "haystack_sessions": [
                [{"role": "user", "content": text}, {"role": "assistant", "content": "I see."}] for text in said
            ],
            "answer_session_ids": [f"{place}-0"],
        }

    items = [item(place, *named) for place, named in enumerate(zip(PETS, NAMES, strict=True))]
    (tmp_path / "longmemeval_s_cleaned.json").write_text(json.dumps(items))
    return tmp_path


def mock(answer):
    """Inspect's mock model; `answer` gets the conversation as we send it, and returns a text."""

    def reply(messages, tools, choice, config):
        sent = [{"role": each.role, "content": each.text} for each in messages]
        output = ModelOutput.from_content("mockllm/model", answer(sent))
        output.usage = ModelUsage(input_tokens=10, output_tokens=5, total_tokens=15)  # else it downloads a tokenizer
        return output

    return get_model("mockllm/model", custom_outputs=reply, memoize=False)


def offline(sent):
    return completion({"model": "mock", "messages": sent})["choices"][0]["message"]["content"]


def run(folder, answer=offline, options=None, **arguments):
    """The log of a run."""
    given = {"sample": "all", "data_dir": str(folder), **arguments}
    options = {"log_dir": str(folder / "logs"), "display": "none", **(options or {})}
    (log,) = inspect_eval(TASK, task_args=given, model=mock(answer), **options)
    return log


def metrics(log, name):
    (found,) = [score for score in log.results.scores if score.name.endswith(name)]
    return {name: metric.value for name, metric in found.metrics.items()}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_ten_questions_through_the_mock_model(folder, method):
    log = run(folder, method=method)
    assert log.status == "success", log.error
    assert len(log.samples) == 10
    assert metrics(log, "em")["mean"] == 1.0
    assert {"single-session-user", "multi-session"} <= metrics(log, "em").keys()
    calls = Counter(event.event for sample in log.samples for event in sample.events)["model"]
    assert log.stats.model_usage["mockllm/model"].total_tokens == 15 * calls  # Inspect has seen every call
    assert calls >= 10


def test_a_log_holds_no_history(folder):
    for sample in run(folder, sample=4).samples:
        assert "tap" not in sample.model_dump_json(exclude={"events", "attachments"})


def test_a_judge_scores_too_and_one_that_says_neither_is_not_counted(folder):
    def judge(sent):
        assert "<reference>" in sent[1]["content"]
        return "no" if "Rex" in sent[1]["content"] else "Hm." if "Kiwi" in sent[1]["content"] else "Yes."

    log = run(folder, judge=True, options={"model_roles": {"grader": mock(judge)}})
    assert metrics(log, "judged")["mean"] == pytest.approx(8 / 9)
    told = {
        sample.id: next(score for name, score in sample.scores.items() if "judged" in name) for sample in log.samples
    }
    assert told["q1"].value == 0
    assert told["q2"].explanation == "Hm."


def test_an_error_of_the_model_is_the_samples_own(folder):
    def fail(sent):
        raise RuntimeError("the provider is on holiday")

    log = run(folder, fail)
    assert log.status == "error"
    assert "on holiday" in log.error.message
    log = run(folder, lambda sent: fail(sent) if "canary" in str(sent) else offline(sent), {"fail_on_error": False})
    assert log.status == "success"
    assert [sample.id for sample in log.samples if sample.error] == ["q8"]


def test_limits_of_inspect_end_a_sample(folder):
    log = run(folder, method="rlm-parallel", options={"token_limit": 20})
    assert {sample.limit.type for sample in log.samples} == {"token"}


def test_a_function_of_ones_own_is_a_method_here_too(folder):
    own = folder / "mine.py"
    own.write_text("def mine(history, question, ask):\n    return ask(history[0].turns[0].content)\n")
    assert metrics(run(folder, method=f"{own}:mine"), "em")["mean"] == 1.0


def test_a_solver_of_ones_own_finds_the_history(folder):
    @solver
    def first():
        async def solve(state, generate):
            state.output = ModelOutput.from_content("none", str(sample_of(state).store().turns[0]))
            return state

        return solve

    assert metrics(run(folder, options={"solver": first()}), "em")["mean"] == 1.0


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ({"data_dir": "nowhere"}, "nowhere"),
        ({"sample": 11}, "10"),
        ({"method": "rml"}, "no such method: rml"),
        ({"method": "mine.py:answer"}, "mine.py:answer: FileNotFoundError"),
        ({"variant": "xl"}, "variant"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(folder, argument, words):
    with pytest.raises(PrerequisiteError, match=words):
        longmemeval_task(**{"data_dir": str(folder), "sample": "all", **argument})


def test_the_command_says_what_is_wrong_without_a_traceback(folder):
    given = ["-T", f"data_dir={folder / 'nowhere'}", "--model", "mockllm/model", "--display", "plain"]
    command = [sys.executable, "-m", "inspect_ai", "eval", TASK, *given]
    done = subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, timeout=300)
    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "data_dir names" in told
    assert "which is not a folder" in told
    assert "Traceback" not in told
