"""What is charged for requests that were sent and have no answer: the estimate that is held for them."""

import asyncio

import httpx2
import pytest
from asking import HI, ask, refused

from rlm_memory_core import Budget, ModelError, Usage
from rlm_memory_core.models import background
from rlm_memory_core.models.streaming import Listener
from rlm_memory_core.models.types import paid_before

SIZE = {"prompt_tokens": 25, "completion_tokens": 250}
"""What is expected of `HI` and its reply: a quarter of the request's bytes, and 250 tokens."""


async def never(messages):
    await asyncio.sleep(60)


async def told_by(asking):
    """What a call that is cancelled says that it took."""
    try:
        await asking
    except asyncio.CancelledError as error:
        return paid_before(error)


def stopped_in_mid_call(llm, budget, requests, *, callers=1, **options):
    """Ask, and give up when the first request has reached the server; what each call took."""

    async def scenario():
        asking = [asyncio.create_task(told_by(llm.complete(HI, budget, **options))) for _ in range(callers)]
        while not requests:
            await asyncio.sleep(0.001)
        for task in asking:
            task.cancel()
            await asyncio.sleep(0.01)
        return await asyncio.gather(*asking)

    return background.run(scenario())


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("recorded", ["off", "auto"])
def test_a_call_that_is_stopped_is_charged_what_was_held_for_it(scripted, streamed, recorded):
    llm, budget = scripted(never, rates=(1.0, 1.0), recorded=recorded), Budget(usd=1_000)
    options = {"listener": Listener(lambda piece: None)} if streamed else {}
    told = stopped_in_mid_call(llm, budget, scripted.requests, **options)
    assert budget.spent == Usage(**SIZE, calls=1)
    assert told == [(budget.spent, budget.spent_usd)] == [(budget.spent, 275.0)]


def test_a_call_that_is_stopped_before_it_was_sent_is_charged_nothing(scripted):
    llm, full = scripted(never, rates=(1.0, 1.0), concurrency=1), Budget()

    async def scenario():
        first = asyncio.create_task(llm.complete(HI))
        while not scripted.requests:
            await asyncio.sleep(0.001)
        waiting = asyncio.create_task(told_by(llm.complete(HI, full)))
        await asyncio.sleep(0.01)
        waiting.cancel()
        first.cancel()
        await asyncio.wait([first, waiting])
        return waiting.result()

    assert (background.run(scenario()), full.spent) == ((Usage(), 0.0), Usage())


def test_a_call_that_is_stopped_before_its_next_try_is_charged_as_a_failure(scripted, monkeypatch):
    monkeypatch.setattr("rlm_memory_core.models.pipeline.MAX_RETRIES", 1)
    llm, budget = scripted(lambda messages: refused(500), rates=(1.0, 1.0)), Budget()
    stopped_in_mid_call(llm, budget, scripted.requests)
    assert (budget.spent, budget.spent_usd) == (Usage(calls=1), 0.0)


def test_calls_that_wait_for_the_same_request_each_pay_for_their_own_when_all_leave(scripted):
    llm, budget = scripted(never, rates=(1.0, 1.0), recorded="auto"), Budget()
    told = stopped_in_mid_call(llm, budget, scripted.requests, callers=3)
    assert [usage.calls for usage, _ in told] == [1, 1, 1]  # the next sends it when the one before has left
    assert (len(scripted.requests), budget.spent) == (3, Usage(**SIZE, calls=1) * 3)


def test_calls_that_share_a_failure_pay_for_it_once(scripted):
    async def answer(messages):
        await asyncio.sleep(0.01)
        return refused(400)

    async def scenario():
        return await asyncio.gather(*(llm.complete(HI, budget) for _ in range(3)), return_exceptions=True)

    llm, budget = scripted(answer, rates=(1.0, 1.0), recorded="auto"), Budget()
    errors = background.run(scenario())
    assert [error.usage.calls for error in errors] == [1, 0, 0]
    assert (len(scripted.requests), budget.spent) == (1, Usage(calls=1))


def test_tries_that_time_out_are_charged_what_was_held_for_each(scripted, monkeypatch):
    monkeypatch.setattr("rlm_memory_core.models.pipeline.MAX_RETRIES", 1)
    monkeypatch.setattr("rlm_memory_core.models.pipeline.sleep", lambda seconds: asyncio.sleep(0))
    slow = httpx2.ReadTimeout("slow")
    llm, budget = scripted([slow, "yes", slow, slow], rates=(1.0, 1.0)), Budget()
    assert ask(llm, budget).usage == Usage(2 + 25, 3 + 250, 2) == budget.spent
    with pytest.raises(ModelError) as failed:
        ask(llm, budget)
    assert failed.value.usage == Usage(2 * 25, 2 * 250, 2)
    assert failed.value.cost_usd == 550.0
    assert budget.spent.calls == len(scripted.requests) == 4
