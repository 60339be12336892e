import asyncio
import pickle
import random

import pytest
from asking import refused
from paper import PaperRLM

from rlm_memory_core import Budget, BudgetExceeded, ModelError, Usage
from rlm_memory_core.models import background
from rlm_memory_core.models.budget import ModelCall
from rlm_memory_core.models.types import CHAT_PATH, Request, paid_before

HI = [{"role": "user", "content": "hi"}]
CALL = Usage(10, 2, 1)


def spend(budget, usage=CALL, usd=0.5):
    """One call: held, charged, released."""

    async def call():
        await budget.reserve(lambda: (usage, usd))
        budget.charge(usage, usd)
        budget.release(usage, usd)

    asyncio.run(call())


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        (Budget(usd=0.5), r"0\.5 usd is spent \(0\.5\)"),
        (Budget(usd=0.9), r"0\.9 usd is spent \(0\.5, and the next call takes about 0\.5\)"),
        (Budget(tokens=12), r"12 tokens is spent \(12\)"),
        (Budget(calls=1), r"1 calls is spent \(1\)"),
    ],
)
def test_a_budget_allows_calls_until_its_limit_and_says_which_one_it_was(budget, reason):
    spend(budget)
    with pytest.raises(BudgetExceeded, match=reason):
        spend(budget)
    assert budget.spent == CALL


def test_a_budget_just_large_enough_allows_another_call():
    budget = Budget(usd=1.0, tokens=24, calls=2, seconds=60)
    spend(budget)
    spend(budget)
    assert budget.spent.calls == 2


def test_an_ended_budget_lets_nothing_more_through_however_cheap():
    budget = Budget(usd=1.0)
    with pytest.raises(BudgetExceeded):
        spend(budget, usd=1.5)
    with pytest.raises(BudgetExceeded):
        spend(budget, usd=0.01)
    assert budget.ended.startswith("the budget of 1 usd is spent")


def test_seconds_count_from_the_first_call(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("rlm_memory_core.models.budget.time.monotonic", lambda: now[0])
    budget = Budget(seconds=5)
    now[0] += 60
    spend(budget)
    now[0] += 4
    spend(budget)
    now[0] += 1
    with pytest.raises(BudgetExceeded, match="5 seconds"):
        spend(budget)


def test_a_budget_without_limits_never_ends():
    budget = Budget()
    spend(budget, Usage(10**9, 10**9, 10**6), 10**6)
    spend(budget)


def test_calls_without_a_known_price_are_charged_in_tokens():
    budget = Budget(tokens=100)
    budget.charge(CALL, None)
    assert (budget.spent, budget.spent_usd) == (CALL, None)


@pytest.mark.parametrize("limit", ["usd", "tokens", "calls", "seconds"])
def test_a_budget_of_zero_allows_nothing(limit):
    with pytest.raises(BudgetExceeded):
        spend(Budget(**{limit: 0}))


def test_what_can_be_done_without_is_held_only_where_spent_and_held_leave_room_for_it():
    budget = Budget(usd=1.0)
    spend(budget, usd=0.4)
    assert budget.try_reserve(CALL, 0.4)
    assert not budget.try_reserve(CALL, 0.4)  # 0.4 is spent, and 0.4 is held
    budget.release(CALL, 0.4)
    assert budget.try_reserve(CALL, 0.4)
    assert budget.ended == ""


def test_what_can_be_done_without_never_takes_the_room_that_a_call_waits_for():
    async def scenario():
        budget = Budget(calls=3)
        assert budget.try_reserve(CALL, 0.0)
        waiting = asyncio.create_task(budget.reserve(lambda: (CALL + CALL + CALL, 0.0)))
        await asyncio.sleep(0.01)
        return budget.try_reserve(CALL, 0.0), waiting.cancel()

    assert asyncio.run(scenario()) == (False, True)


def test_a_claim_holds_as_much_again_for_each_further_request_and_gives_all_of_it_back():
    async def scenario():
        budget = Budget(calls=2)
        with ModelCall(Request(CHAT_PATH, {}), budget) as call:
            await call.reserve()
            outcomes = call.reserve_again(), call.reserve_again()
        return outcomes, budget.try_reserve(CALL, 0.0), budget.try_reserve(CALL, 0.0)

    assert asyncio.run(scenario()) == ((True, False), True, True)


def test_what_is_free_needs_no_dollars():
    spend(Budget(usd=0), usd=0.0)


def test_a_call_waits_for_those_in_flight_and_goes_on_when_they_took_less():
    async def scenario():
        budget = Budget(usd=1.0)
        await budget.reserve(lambda: (CALL, 0.8))
        second = asyncio.create_task(budget.reserve(lambda: (CALL, 0.6)))
        await asyncio.sleep(0.01)
        waited = not second.done()
        budget.charge(CALL, 0.3)  # less than was held
        budget.release(CALL, 0.8)
        await asyncio.wait_for(second, 60)
        return waited

    assert asyncio.run(scenario())


def test_a_call_that_waits_is_refused_when_those_in_flight_took_all():
    async def scenario():
        budget = Budget(usd=1.0)
        await budget.reserve(lambda: (CALL, 0.8))
        waiting = [asyncio.create_task(budget.reserve(lambda: (CALL, 0.6))) for _ in range(3)]
        await asyncio.sleep(0.01)
        budget.charge(CALL, 0.9)
        budget.release(CALL, 0.8)
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 60)

    assert [type(outcome) for outcome in asyncio.run(scenario())] == [BudgetExceeded] * 3


def test_a_cancelled_wait_holds_nothing():
    async def scenario():
        budget = Budget(calls=1)
        await budget.reserve(lambda: (CALL, 0.0))
        waiting = [asyncio.create_task(budget.reserve(lambda: (CALL, 0.0))) for _ in range(2)]
        await asyncio.sleep(0.01)
        waiting[0].cancel()
        budget.release(CALL, 0.0)  # that call came to nothing
        await asyncio.wait_for(waiting[1], 60)

    asyncio.run(scenario())


def test_at_random_the_limit_is_never_passed_and_nothing_hangs():
    async def call(budget, draw):
        estimate = draw.uniform(0.001, 0.02)
        await asyncio.sleep(draw.random() / 1000)
        await budget.reserve(lambda: (CALL, estimate))
        await asyncio.sleep(draw.random() / 1000)
        if draw.random() < 0.8:  # else it failed, and was not paid for
            budget.charge(CALL, estimate * draw.random())
        budget.release(CALL, estimate)

    async def scenario(seed):
        draw, budget = random.Random(seed), Budget(usd=1.0, calls=250)
        calls = [asyncio.create_task(call(budget, draw)) for _ in range(400)]
        for task in draw.sample(calls, 40):
            task.cancel()
        outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 30)
        return budget, outcomes

    for seed in range(5):
        budget, outcomes = asyncio.run(scenario(seed))
        assert budget.spent_usd <= 1.0
        assert budget.spent.calls <= 250
        assert any(isinstance(outcome, BudgetExceeded) for outcome in outcomes)


def test_calls_in_flight_together_cannot_pass_the_limit(scripted):
    """Three hundred at once, of which the budget pays for twenty: before, all were let go."""

    async def ask_all():
        return await asyncio.gather(*(llm.complete(HI, budget) for _ in range(300)), return_exceptions=True)

    async def slowly(messages):
        await asyncio.sleep(0.001)
        return "y" * 250

    llm, budget = scripted(slowly, rates=(0.0, 0.0001)), Budget(usd=0.51)
    outcomes = background.run(ask_all())
    assert len(scripted.requests) == budget.spent.calls == 20
    assert budget.spent_usd == pytest.approx(0.5)
    assert sum(isinstance(outcome, BudgetExceeded) for outcome in outcomes) == 280


def test_longer_replies_than_expected_overrun_by_what_was_in_flight_and_then_are_expected(scripted):
    async def ask_all():
        return await asyncio.gather(*(llm.complete(HI, budget) for _ in range(100)), return_exceptions=True)

    llm, budget = scripted(lambda messages: "y" * 10_000, rates=(0.0, 1e-5)), Budget(usd=1.0)
    background.run(llm.complete(HI, budget))
    background.run(ask_all())
    assert budget.spent_usd == pytest.approx(1.0)


def test_what_a_failed_call_held_is_given_back(scripted):
    llm, budget = scripted([ModelError("no"), "yes", "yes"], rates=(1.0, 1.0)), Budget(usd=300)
    with pytest.raises(ModelError):
        background.run(llm.complete(HI, budget))
    assert background.run(llm.complete(HI, budget)).text == "yes"


def test_a_budget_in_dollars_for_a_model_of_unknown_price_is_refused_before_anything_is_sent(scripted):
    with pytest.raises(ModelError, match="the price of scripted is not known") as caught:
        background.run(scripted(["yes"]).complete(HI, Budget(usd=1)))
    assert "rates" in str(caught.value)
    assert scripted.requests == []


def test_a_query_over_its_budget_ends_with_what_it_has_and_says_so(diary, root_and_subagents):
    code = "```python\nfor s in sessions:\n    print(llm_query(s))\n```"
    llm = root_and_subagents([code, "FINAL(all)"], lambda prompt: "found it")
    engine = PaperRLM(llm, budget=Budget(calls=3), parallel=False)
    answer = engine.query(diary, "Who?")
    assert answer.error.startswith("the budget of 3 calls is spent")
    assert [evidence.text for evidence in answer.evidence] == ["found it"] * 2
    assert answer.coverage.failed.keys() == {answer.error}


def test_a_budget_that_is_sent_to_another_machine_knows_how_long_it_has_run(monkeypatch):
    clock = [1_000.0]
    monkeypatch.setattr("rlm_memory_core.models.budget.time.monotonic", lambda: clock[0])
    budget = Budget(usd=1.0, seconds=60)
    spend(budget, usd=0.25)
    clock[0] += 50
    sent = pickle.dumps(budget)
    clock[0] = 3.0  # another machine's clock
    received = pickle.loads(sent)
    assert (received.spent, received.spent_usd) == (CALL, 0.25)
    spend(received, usd=0.25)
    clock[0] += 11
    with pytest.raises(BudgetExceeded, match="seconds"):
        spend(received, usd=0.25)
    assert pickle.loads(pickle.dumps(received)).ended == received.ended
    assert pickle.loads(pickle.dumps(Budget())) == Budget()


def test_what_calls_in_flight_hold_stays_where_they_are():
    async def scenario():
        budget = Budget(calls=1)
        await budget.reserve(lambda: (CALL, 0.0))
        waiting = asyncio.create_task(budget.reserve(lambda: (CALL, 0.0)))  # its lock is bound to this loop now
        await asyncio.sleep(0.01)
        waiting.cancel()
        return pickle.dumps(budget)

    received = pickle.loads(asyncio.run(scenario()))
    spend(received)
    assert received.spent == CALL


BUSY = {"retry-after": "60"}


@pytest.mark.parametrize("recorded", ["off", "auto"])
def test_the_end_of_its_time_ends_a_call_that_waits_for_a_busy_server(scripted, recorded):
    llm = scripted([refused(429, **BUSY), "yes"], recorded=recorded)
    budget = Budget(seconds=0.1)
    with pytest.raises(BudgetExceeded, match=r"0\.1 seconds is spent") as caught:
        background.run(llm.complete(HI, budget))
    assert (len(scripted.requests), budget.spent) == (1, Usage(calls=1))
    assert paid_before(caught.value) == (Usage(calls=1), 0.0)
    assert "seconds" in budget.ended


def test_the_end_of_its_time_ends_a_call_that_waits_before_it_is_tried_again(scripted, monkeypatch):
    monkeypatch.setattr("rlm_memory_core.models.pipeline.MAX_RETRIES", 4)
    llm = scripted([refused(500, **BUSY), "yes"])
    with pytest.raises(BudgetExceeded, match="seconds"):
        background.run(llm.complete(HI, Budget(seconds=0.1)))
    assert len(scripted.requests) == 1


def test_the_end_of_its_time_ends_a_call_that_waits_for_its_turn_or_for_another_call(scripted):
    async def never(messages):
        await asyncio.sleep(60)

    async def ask(llm, text):
        first = asyncio.create_task(llm.complete(HI))
        while not scripted.requests:
            await asyncio.sleep(0.001)
        with pytest.raises(BudgetExceeded, match="seconds"):
            await llm.complete([{"role": "user", "content": text}], Budget(seconds=0.1))
        first.cancel()
        return await asyncio.wait([first])

    background.run(ask(scripted(never, concurrency=1), "another"))
    scripted.requests.clear()
    background.run(ask(scripted(never, recorded="auto"), "hi"))
    assert len(scripted.requests) == 1


def test_the_end_of_its_time_does_not_stop_a_request_that_is_out(scripted):
    async def slowly(messages):
        await asyncio.sleep(1.5)
        return "yes"

    llm, budget = scripted(slowly, recorded="auto"), Budget(seconds=1)
    assert background.run(llm.complete(HI, budget)).text == "yes"
    assert background.run(llm.complete(HI, budget)).recorded  # what is replayed is never refused
    with pytest.raises(BudgetExceeded, match="seconds"):
        background.run(llm.complete([{"role": "user", "content": "more"}], budget))
