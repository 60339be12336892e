"""Budgets against servers whose replies are long, late or wrongly counted."""

import asyncio
import gzip
import json
import math
import random
from contextlib import suppress

import httpx2
import pytest
from asking import HI, ask, refused

from rlm_memory_core import Budget, BudgetExceeded, ModelError, Usage, connect
from rlm_memory_core.models import background
from rlm_memory_core.models.openai_backend import retry_after
from rlm_memory_core.models.streaming import Listener

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


ODD_USAGE = [
    {"prompt_tokens": "-12", "completion_tokens": "1e9"}, {"prompt_tokens": -1e308, "completion_tokens": 1e308},
    {"prompt_tokens": 10**400, "completion_tokens": 5}, {"prompt_tokens": [5], "completion_tokens": {"x": 1}},
    {"prompt_tokens": 0.4, "completion_tokens": 0.2}, {"prompt_tokens": "9" * 5_000}, 7, "NaN", [[]],
]  # fmt: skip


@pytest.mark.parametrize("usage", ODD_USAGE, ids=lambda usage: str(usage)[:30])
@pytest.mark.parametrize("streams", [False, True])
def test_odd_usage_is_estimated_and_never_subtracted(scripted, as_completion, usage, streams):
    body = as_completion("A blue whale", usage=usage)
    if streams:
        body["choices"][0]["delta"] = body["choices"][0].pop("message")
    text = json.dumps(body)
    answer = httpx2.Response(200, text=f"data: {text}\n\ndata: [DONE]\n\n" if streams else text)
    listener, budget = Listener(lambda piece: None) if streams else None, Budget(usd=1)
    reply = background.run(scripted([answer], rates=RATES).complete(HI, budget, listener))
    assert reply.usage.estimated
    assert 0 < reply.usage.prompt_tokens < 100
    assert 0 < reply.usage.completion_tokens < 100
    assert budget.spent_usd == reply.cost_usd > 0


@pytest.mark.parametrize("raw", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_usage_that_is_no_finite_number_is_estimated(scripted, as_completion, raw):
    usage = {"prompt_tokens": "X", "completion_tokens": "X"}
    answer = httpx2.Response(200, text=json.dumps(as_completion("yes", usage=usage)).replace('"X"', raw))
    budget = Budget(tokens=1_000)
    assert ask(scripted([answer]), budget).usage.estimated
    assert 0 < budget.spent.total_tokens < 1_000


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
@pytest.mark.parametrize("recorded", ["off", "auto"])
@pytest.mark.parametrize("late", [httpx2.WriteTimeout("x"), httpx2.PoolTimeout("x"), TimeoutError("x")], ids=repr)
def test_each_timeout_of_any_kind_is_a_call(scripted, monkeypatch, limit, recorded, late):
    monkeypatch.setattr("rlm_memory_core.models.pipeline.MAX_RETRIES", 4)
    monkeypatch.setattr("rlm_memory_core.models.pipeline.sleep", lambda seconds: asyncio.sleep(0))
    llm, budget = scripted(lambda messages: late, recorded=recorded), Budget(calls=limit)
    with pytest.raises(ModelError):
        ask(llm, budget)
    assert len(scripted.requests) == budget.spent.calls == limit


def test_no_mix_of_faults_passes_a_limit_on_calls_or_keeps_a_reservation(scripted, monkeypatch):
    monkeypatch.setattr("rlm_memory_core.models.pipeline.MAX_RETRIES", 4)
    monkeypatch.setattr("rlm_memory_core.models.pipeline.sleep", lambda seconds: asyncio.sleep(0))
    draw = random.Random(7)
    faults = (
        lambda: "yes", lambda: refused(500), lambda: httpx2.ReadTimeout("x"), lambda: httpx2.ReadError("gone"),
        lambda: httpx2.Response(200, text="<x>"), lambda: refused(429, **{"retry-after-ms": "1"}),
    )  # fmt: skip
    llm = scripted(lambda messages: draw.choice(faults)(), rates=RATES)
    for number in range(100):
        budget = Budget(calls=draw.choice((1, 2, 3, 4)))
        for turn in range(3):
            with suppress(ModelError, BudgetExceeded):
                ask(llm, budget, [{"role": "user", "content": f"{number} {turn}"}])
        assert 0 < budget.spent.calls <= budget.calls
        assert (budget._held, budget._held_usd) == (Usage(), 0.0)


@pytest.mark.parametrize("name", ["temperature", "timeout", "max_tokens", "concurrency", "requests_per_minute"])
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1, "3", [1]])
def test_a_setting_that_is_no_number_is_told_by_its_name(name, wrong):
    with pytest.raises(ValueError, match=f"{name} must be a number"):
        connect("m", **{name: wrong})


def test_a_server_that_wants_one_token_less_each_time_is_not_obeyed_for_ever(scripted):
    def less(messages):
        limit = scripted.requests[-1]["max_tokens"] - 1
        return httpx2.Response(400, json={"error": {"message": f"max_tokens must be at most {limit}"}})

    with pytest.raises(ModelError, match="max_tokens"):
        ask(scripted(less))
    assert len(scripted.requests) < 20


def test_an_answer_of_any_length_is_read_up_to_a_limit(scripted, monkeypatch):
    monkeypatch.setattr("rlm_memory_core.models.openai_backend._MOST_BYTES", 1_000)
    packed = gzip.compress(b" " * 2_000)
    llm = scripted(lambda messages: httpx2.Response(200, content=packed, headers={"content-encoding": "gzip"}))
    with pytest.raises(ModelError, match="more than 1,000 bytes"):
        ask(llm)


@pytest.mark.parametrize("zone", ["+99999999999999999999", "+9999", "-0000", "X"])
def test_a_date_to_wait_for_in_any_zone_is_read_or_passed_over(zone):
    assert retry_after({"retry-after": f"Wed, 21 Oct 2015 07:28:00 {zone}"}) in (None, 0.0)
