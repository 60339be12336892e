"""The seconds of a budget end every wait of a query that is not for an answer: for a slot, a worker, a thread."""

import asyncio
import threading

import httpx2
import pytest
from paper import PaperRLM

from rlm_memory_core import Budget, MemoryRLM, Reading
from rlm_memory_core.models import background
from rlm_memory_core.models.budget import BudgetExceeded, ModelCall
from rlm_memory_core.models.hedging import Siblings
from rlm_memory_core.query import conversation, search_way
from rlm_memory_core.query.prompts import SUBAGENT_SYSTEM
from rlm_memory_core.query.subagents import SubAgents
from rlm_memory_core.repl import hostcalls, repl, worker
from rlm_memory_core.repl.repl import Repl
from rlm_memory_core.store.time_limit import in_search_thread

QUESTION = "What is my cat called?"
SPENT = r"the budget of 0\.\d+ seconds is spent"


async def never():
    await asyncio.Event().wait()


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("slots", [1, 2])
def test_calls_that_wait_for_a_slot_end_with_the_budget_and_those_in_flight_are_answered(scripted, slots):
    async def fan_out():
        over = asyncio.Event()

        async def answer(messages):
            await over.wait()
            return "found it"

        agents = SubAgents(scripted(answer), asyncio.Semaphore(slots), Budget(seconds=1))
        asking = asyncio.create_task(agents.ask_all([(f"prompt {n}", search_way.Piece(0, None, "")) for n in range(9)]))
        await until(lambda: len(agents.calls) == 9 - slots)
        over.set()
        return await asking

    calls = background.run(fan_out())
    assert [call.reply for call in calls] == ["found it"] * slots + [""] * (9 - slots)
    assert {call.error for call in calls[slots:]} == {"the budget of 1 seconds is spent"}
    assert all(call.usage.calls == 0 for call in calls[slots:])


def test_a_query_whose_calls_wait_for_a_slot_ends_with_what_it_found_and_says_why(diary, scripted):
    budget = Budget(seconds=2)
    root = ["```repl\nprint(llm_query_parallel(sessions, session_dates))\n```"]

    async def answer(messages):
        if messages[0]["content"] != SUBAGENT_SYSTEM:
            return root.pop()
        await until(lambda: budget.ended)  # it has the only slot until the time is over
        return '- [Turn 1] "My cat is called Mochi."'

    answer = PaperRLM(scripted(answer), concurrency=1, budget=budget).query(diary, QUESTION)
    assert answer.error == "the budget of 2 seconds is spent"
    assert (answer.coverage.found, answer.coverage.failures) == (1, 2)
    assert [found.quote for found in answer.evidence] == ["My cat is called Mochi."]
    assert answer.usage == budget.spent


def test_a_copy_of_a_late_call_does_not_wait_for_a_slot_for_ever(scripted):
    async def copy():
        siblings, llm = Siblings(1.0, asyncio.Semaphore(0)), scripted(["yes"])
        call = ModelCall(None, Budget(seconds=0.05))
        with pytest.raises(BudgetExceeded, match=SPENT):
            await siblings._copy(llm._pipeline.pacing, call)

    background.run(copy())


def test_a_slot_is_free_again_whoever_waited_for_it_in_vain():
    async def hold():
        slots, budget = asyncio.Semaphore(1), Budget(seconds=0.02)
        async with budget.slot(slots):
            for _ in range(3):
                with pytest.raises(BudgetExceeded, match=SPENT):
                    async with budget.slot(slots):
                        raise AssertionError("there is only one")
            waiting = asyncio.create_task(Budget().slot(slots).__aenter__())
            await asyncio.sleep(0)
            waiting.cancel()
        async with budget.slot(slots):  # it is free, so that nobody waits
            return slots.locked()

    assert background.run(hold())


@pytest.fixture
def one_worker(monkeypatch):
    monkeypatch.setattr(repl, "GRACE", 0.01)
    monkeypatch.setattr(worker, "WORKERS", 1)
    monkeypatch.setattr(worker, "_pool", None)  # the next session starts a pool of its own


def test_a_session_that_waits_for_a_worker_ends_with_the_budget_or_when_it_is_cancelled(one_worker):
    async def wait():
        async with Repl({}, {}) as first:
            await first.run("1")
            with pytest.raises(BudgetExceeded, match=SPENT):
                async with Repl({}, {}, budget=Budget(seconds=0.05)) as second:
                    await second.run("1")

            async def third():
                async with Repl({}, {}) as opened:
                    await opened.run("1")

            waiting = asyncio.create_task(third())
            await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.wait([waiting])  # although the worker is still taken
            assert waiting.cancelled()
            assert (await first.run("print('still here')")).output == "still here\n"
        async with Repl({}, {}) as last:
            return (await last.run("print('free again')")).output

    assert background.run(asyncio.wait_for(wait(), 60)) == "free again\n"


def test_a_query_that_waits_for_a_worker_ends_with_its_reply_in_the_trace(diary, root_and_subagents, one_worker):
    llm, budget = root_and_subagents(["```repl\nprint(1)\n```"]), Budget(seconds=2)

    async def both():
        async with Repl({}, {}) as holder:
            await holder.run("1")
            return await PaperRLM(llm, budget=budget).aquery(diary, QUESTION)

    answer = background.run(both())
    assert answer.error == "the budget of 2 seconds is spent"
    assert answer.trace.steps[0].code == ("print(1)",)
    assert answer.usage == budget.spent


def test_a_function_that_waits_is_an_error_for_the_code_and_subagents_are_waited_for(monkeypatch):
    monkeypatch.setattr(hostcalls, "GRACE", 0.01)

    async def ask():
        await asyncio.sleep(0.1)
        return "late"

    async def session():
        async with Repl({}, {"look": never}, {"ask": ask}, budget=Budget(seconds=0.02)) as opened:
            return await opened.run("look()"), await opened.run("print(ask())")

    looked, asked = background.run(session())
    assert "the budget of 0.02 seconds is spent" in looked.error
    assert asked.output == "late\n"


def test_tools_still_work_for_a_last_reply_that_came_after_the_end(diary, scripted):
    budget = Budget(seconds=3600)

    def late(messages):
        budget._started -= 7200  # two hours pass
        return '```repl\ncite(1, "My cat is called Mochi")\nFINAL("Mochi")\n```'

    answer = MemoryRLM(scripted(late), budget=budget).query(diary, QUESTION)
    assert (answer.text, answer.error) == ("Mochi", "")
    assert [found.turn for found in answer.evidence] == [1]


def test_a_first_search_that_waits_ends_with_the_budget(diary, scripted, monkeypatch):
    monkeypatch.setattr(conversation, "GRACE", 0.01)
    monkeypatch.setattr(search_way, "opening", lambda tools: never())
    answer = MemoryRLM(scripted([]), budget=Budget(seconds=0.02)).query(diary, QUESTION)
    assert (answer.text, answer.error) == ("I don't know", "the budget of 0.02 seconds is spent")


def test_an_error_of_what_is_waited_for_is_not_taken_for_the_end_of_the_budget():
    async def slow():
        raise TimeoutError("the search took more than 10 s")

    for budget in (Budget(), Budget(seconds=60)):
        with pytest.raises(TimeoutError, match="the search took"):
            background.run(budget.wait_for(slow()))
        assert budget.ended == ""


def test_a_cancelled_search_frees_its_thread(store):
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    begun, ended = threading.Event(), threading.Event()

    def search():
        begun.set()
        try:
            store.query(endless)
        finally:
            ended.set()

    async def cancelled():
        searching = asyncio.create_task(in_search_thread(search, 3600)())
        await until(begun.is_set)
        searching.cancel()
        await asyncio.wait([searching])
        await until(ended.is_set)

    background.run(asyncio.wait_for(cancelled(), 60))


def test_an_embedding_that_the_budget_stops_is_counted_in_the_answer(diary, scripted):
    async def embeds(given):
        await never() if given == [QUESTION] else None
        data = [{"index": n, "embedding": [1.0, 0.0], "object": "embedding"} for n in range(len(given))]
        usage = {"prompt_tokens": 100, "total_tokens": 100}
        return httpx2.Response(200, json={"object": "list", "model": "e", "data": data, "usage": usage})

    budget = Budget(seconds=3)
    reading = Reading("search", embedder=scripted(embeds, rates=(1, 1)))
    answer = MemoryRLM(scripted([]), reading=reading, budget=budget).query(diary, QUESTION)
    assert (answer.error, answer.trace.steps) == ("the budget of 3 seconds is spent", ())
    assert answer.usage.calls == budget.spent.calls == 2
    assert answer.usage.prompt_tokens == budget.spent.prompt_tokens > 100
    assert answer.cost_usd == budget.spent_usd > 0
