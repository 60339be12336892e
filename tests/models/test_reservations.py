"""Budgets against servers whose replies are long, late or wrongly counted."""

import asyncio
import math

import httpx2
import pytest
from asking import HI, ask

from rlm_memory_core import Budget, BudgetExceeded, ModelError, connect
from rlm_memory_core.models import background

RATES = (0.15e-6, 0.6e-6)


def long_replies(as_completion, requests, length, obeys=True):
    """A server whose replies are as long as they may be, up to a length in tokens."""

    async def answer(messages):
        await asyncio.sleep(0.001)
        tokens = min(length, requests[-1]["max_tokens"]) if obeys else length
        return httpx2.Response(200, json=as_completion("x", usage={"prompt_tokens": 10, "completion_tokens": tokens}))

    return answer


def spend(llm, budget, calls=60):
    async def scenario():
        messages = [[{"role": "user", "content": f"hi {number}"}] for number in range(calls)]
        return await asyncio.gather(*(llm.complete(each, budget) for each in messages), return_exceptions=True)

    return background.run(scenario())


@pytest.mark.parametrize("limit", [{"usd": 0.02}, {"tokens": 200_000}, {"tokens": 3_000}])
@pytest.mark.parametrize("obeys", [True, False])
def test_long_replies_pass_no_budget_by_more_than_one_reservation(scripted, as_completion, limit, obeys):
    llm = scripted(long_replies(as_completion, scripted.requests, 16_000, obeys), rates=RATES)
    budget = Budget(**limit)
    outcomes = [ask(llm, budget), *spend(llm, budget)]
    assert any(isinstance(outcome, BudgetExceeded) for outcome in outcomes)
    over = 0 if obeys else 16_100
    assert budget.spent.total_tokens <= limit.get("tokens", math.inf) + over
    assert budget.spent_usd <= limit.get("usd", math.inf) + over * RATES[1]
    assert budget.spent.total_tokens > 0.8 * limit.get("tokens", 0)


def test_what_is_left_of_a_budget_is_what_a_reply_may_take(scripted):
    llm, budget = scripted(["yes", "yes"], rates=RATES), Budget(tokens=2_000)
    ask(llm, budget)
    assert 1_900 < scripted.requests[0]["max_tokens"] < 2_000
    ask(llm)
    assert scripted.requests[1]["max_tokens"] == 8_192


@pytest.mark.parametrize(
    ("model", "options", "sent"),
    [
        ("gpt-4o-mini", {}, 8_192),
        ("o3-mini", {}, 32_768),
        ("deepseek-ai/DeepSeek-R1", {}, 32_768),
        ("Qwen/Qwen3-8B", {}, 32_768),
        ("gpt-4o-mini", {"max_tokens": 500}, 500),
        ("gpt-4o-mini", {"max_tokens": 0}, None),
    ],
)
def test_max_tokens_are_the_users_or_fit_the_kind_of_model(scripted, model, options, sent):
    ask(scripted(["yes"], model, **options))
    assert scripted.requests[0].get("max_tokens") == sent


@pytest.mark.parametrize("calls", [1, 2])
def test_each_attempt_after_a_timeout_is_a_call(scripted, monkeypatch, calls):
    monkeypatch.setattr("rlm_memory_core.models.pipeline.MAX_RETRIES", 4)
    monkeypatch.setattr("rlm_memory_core.models.pipeline.sleep", lambda seconds: asyncio.sleep(0))
    llm, budget = scripted(lambda messages: httpx2.ReadTimeout("late"), rates=RATES), Budget(calls=calls)
    with pytest.raises(ModelError, match="did not answer"):
        ask(llm, budget)
    assert (len(scripted.requests), budget.spent.calls) == (calls, calls)


@pytest.mark.parametrize("name", ["usd", "tokens", "calls", "seconds"])
@pytest.mark.parametrize("limit", [-1, math.nan, "5"])
def test_a_limit_that_is_no_number_is_refused(name, limit):
    with pytest.raises(ValueError, match=f"{name} of a Budget"):
        Budget(**{name: limit})


@pytest.mark.parametrize(
    "options",
    [{"temperature": math.nan}, {"timeout": -1.0}, {"timeout": math.nan}, {"max_tokens": -5},
     {"rates": (math.nan, 0.0)}, {"rates": (-1.0, 0.0)}, {"rates": (math.inf, 0.0)}],
)  # fmt: skip
def test_numbers_that_are_none_are_refused_where_they_enter(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        connect("m", **options)


def test_the_second_who_asks_the_same_may_repeat_it_after_the_first_has_left(scripted):
    go_on = asyncio.Event()

    async def answer(messages):
        if len(scripted.requests) == 1:
            await go_on.wait()
            return httpx2.Response(200, text="no json")
        return "yes"

    llm = scripted(answer, recorded="auto")

    async def scenario():
        first = asyncio.create_task(llm.complete(HI))
        while not scripted.requests:
            await asyncio.sleep(0.001)
        second = asyncio.create_task(llm.complete(HI))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        go_on.set()
        return await second

    assert background.run(scenario()).text == "yes"


def test_a_model_can_be_closed_and_asked_again(scripted):
    with scripted(lambda messages: "yes", recorded="auto") as llm:
        assert ask(llm).text == "yes"
    assert ask(llm).recorded
    llm.close()
    llm.close()
