import asyncio

import pytest
from in_flight import InFlight
from questions import sample

from rlm_memory_core.experiments.run import runner
from rlm_memory_core.experiments.types import Prediction
from rlm_memory_core.models.budget import BudgetExceeded
from rlm_memory_core.models.llm import ModelError


class Fixed:
    name = "fixed"

    def __init__(self, answer="It is blue."):
        self.answer = answer

    async def __call__(self, sample):
        if isinstance(self.answer, Exception):
            raise self.answer
        return Prediction(
            self.answer, prompt_tokens=7, completion_tokens=2, calls=5, seconds=0.5, coverage=0.75, subagents=4,
            failed_subagents=1, failures="1x the server is away", copies=2,
        )  # fmt: skip


def test_one_row_a_question_and_method_in_order():
    methods = [Fixed(), Fixed("no idea")]
    methods[1].name = "other"
    frame = runner.run(methods, [sample(1), sample(2)], model="m")
    assert list(zip(frame["method"], frame["question_id"], strict=True)) == [
        ("fixed", "q1"), ("fixed", "q2"), ("other", "q1"), ("other", "q2"),
    ]  # fmt: skip
    assert list(frame["em"]) == [1, 1, 0, 0]
    assert list(frame.columns) == [*runner.COLUMNS, "answer"]
    assert frame.loc[0, ["prompt_tokens", "completion_tokens", "calls", "coverage"]].to_list() == [7, 2, 5, 0.75]


def test_subagents_that_failed_are_in_the_row_of_a_question_that_was_answered():
    row = runner.run([Fixed()], [sample(1)], model="m").loc[0]
    assert row[["subagents", "failed_subagents", "failures", "error"]].to_list() == [4, 1, "1x the server is away", ""]
    assert row["copies"] == 2
    assert row["em"] == 1


@pytest.mark.parametrize("error", [ModelError("the server is away"), BudgetExceeded("the budget is spent")])
def test_a_question_that_failed_stays_in_with_its_reason_and_scores_nothing(error):
    frame = runner.run([Fixed(error)], [sample(1)], model="m")
    assert frame.loc[0, "error"] == str(error)
    assert frame.loc[0, ["em", "f1", "em_strict", "f1_squad", "abstained"]].to_list() == [0] * 5


def test_a_bug_in_a_method_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        runner.run([Fixed(ZeroDivisionError())], [sample(1)], model="m")


def test_concurrency_is_reached_and_not_passed():
    in_flight = InFlight()

    class Slow(Fixed):
        async def __call__(self, sample):
            with in_flight:
                await asyncio.sleep(0.01)
            return Prediction("blue")

    runner.run([Slow()], [sample(i) for i in range(9)], model="m", concurrency=3)
    assert in_flight.most == 3


def test_a_scoring_rule_of_ones_own():
    frame = runner.run([Fixed()], [sample(1)], model="m", score_with=lambda sample, text: {"em": 0.25})
    assert frame.loc[0, "em"] == 0.25


def test_nothing_to_run_is_said():
    with pytest.raises(ValueError, match="nothing to run"):
        runner.run([Fixed()], [], model="m")
    with pytest.raises(ValueError, match="concurrency"):
        runner.run([Fixed()], [sample(1)], model="m", concurrency=0)
