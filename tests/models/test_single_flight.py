"""Identical requests on their way at the same time: sent once, paid for once, whoever is cancelled or fails."""

import asyncio

import httpx2
import pytest
from rlm_memory_core.models.headers import RECORDED_HEADER, SECONDS_HEADER
from rlm_memory_core.models.recording import RecordingTransport

from rlm_memory_core import Budget, BudgetExceeded
from rlm_memory_core.models import background
from rlm_memory_core.models.call_store import CallStore

HI = [{"role": "user", "content": "hi"}]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.sqlite"


def choice(text="yes", **changes):
    return {"finish_reason": "stop", "message": {"content": text}} | changes


class Gate:
    """A server that answers once it is let to, and counts; `give` makes the next answer out of the body."""

    def __init__(self, give):
        self.sent = 0
        self.cancelled = 0
        self.open = asyncio.Event()
        self._give = give

    async def handle_async_request(self, request):
        self.sent += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        given = self._give()
        if isinstance(given, Exception):
            raise given
        return given

    async def aclose(self):
        pass


def posted(transport, number=0):
    request = httpx2.Request("POST", "http://m.test/v1/chat/completions", json={"messages": HI, "n": number})
    return asyncio.create_task(transport.handle_async_request(request))


def in_flight(give, path, scenario, mode="auto"):
    """Run `scenario(gate, transport)` and see that nothing is left behind."""

    async def run():
        gate = Gate(give)
        transport = RecordingTransport(gate, CallStore(path), mode)
        result = await asyncio.wait_for(scenario(gate, transport), 10)
        await transport.aclose()
        assert transport._flights == {}
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return asyncio.run(run())


def whole():
    return httpx2.Response(200, json={"choices": [choice("yes")]})


@pytest.mark.parametrize("mode", ["auto", "refresh"])
def test_identical_requests_in_flight_are_sent_once_and_paid_for_once(path, mode):
    async def scenario(gate, transport):
        tasks = [posted(transport, number % 3) for number in range(30)]
        await asyncio.sleep(0)
        gate.open.set()
        responses = await asyncio.gather(*tasks)
        return gate.sent, [response.json()["choices"][0]["message"]["content"] for response in responses], responses

    sent, texts, responses = in_flight(whole, path, scenario, mode)
    assert (sent, texts) == (3, ["yes"] * 30)
    assert sum(RECORDED_HEADER not in response.headers for response in responses) == 3
    assert len({response.headers[SECONDS_HEADER] for response in responses[::3]}) == 1


def test_when_the_first_is_cancelled_the_others_still_have_its_answer_and_one_pays(path):
    async def scenario(gate, transport):
        first, *others = [posted(transport) for _ in range(3)]
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        gate.open.set()
        responses = await asyncio.gather(*others)
        return gate.sent, gate.cancelled, [RECORDED_HEADER in response.headers for response in responses]

    assert in_flight(whole, path, scenario) == (1, 0, [False, True])


def test_when_all_are_cancelled_so_is_the_call_and_the_next_is_sent_anew(path):
    async def scenario(gate, transport):
        tasks = [posted(transport) for _ in range(3)]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        again = posted(transport)
        await asyncio.gather(*tasks, return_exceptions=True)
        gate.open.set()
        return (await again).status_code, gate.sent, gate.cancelled

    assert in_flight(whole, path, scenario) in [(200, 1, 0), (200, 2, 1)]


@pytest.mark.parametrize(
    "failed",
    [
        httpx2.Response(429, headers={"retry-after": "7"}, json={}),
        httpx2.Response(200, json={"choices": [choice("cut of", finish_reason="length")]}),
        httpx2.ReadError("dropped"),
    ],
    ids=["429", "cut off", "dropped"],
)
def test_a_failure_stays_one_for_all_who_wait_and_is_asked_anew_by_the_next(path, failed):
    async def scenario(gate, transport):
        tasks = [posted(transport) for _ in range(4)]
        await asyncio.sleep(0.01)
        gate.open.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        later = await asyncio.gather(posted(transport), return_exceptions=True)
        return gate.sent, [*outcomes, *later], len(transport.calls)

    sent, outcomes, kept = in_flight(lambda: failed, path, scenario)
    assert (sent, kept) == (2, 0)
    if isinstance(failed, Exception):
        assert outcomes == [failed] * 5
    else:
        assert [outcome.text for outcome in outcomes] == [failed.text] * 5
        assert [RECORDED_HEADER in outcome.headers for outcome in outcomes] == [False, True, True, True, False]


def test_duplicates_among_sub_agents_cost_the_budget_one_call(scripted, path):
    async def ask_all():
        return await asyncio.gather(*(llm.complete(HI, budget) for _ in range(20)))

    llm, budget = scripted(["yes"], recorded="auto", calls_path=path), Budget(calls=1)
    replies = background.run(ask_all())
    assert [reply.text for reply in replies] == ["yes"] * 20
    assert [reply.recorded for reply in replies].count(False) == budget.spent.calls == len(scripted.requests) == 1


def test_a_budget_that_holds_back_the_first_holds_back_no_one_else(scripted, path):
    async def ask_both():
        spent, free = Budget(calls=0), None
        return await asyncio.gather(llm.complete(HI, spent), llm.complete(HI, free), return_exceptions=True)

    llm = scripted(["yes"], recorded="auto", calls_path=path)
    refused, answered = background.run(ask_both())
    assert isinstance(refused, BudgetExceeded)
    assert answered.text == "yes"
