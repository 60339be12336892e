"""Identical requests on their way at the same time: sent once, paid for once, whoever is cancelled or fails."""

import asyncio
import json
import subprocess
import sys
import time

import pytest

from rlm_memory_core import Budget, BudgetExceeded, ModelError
from rlm_memory_core.models import background, recorded_calls
from rlm_memory_core.models.budget import ModelCall
from rlm_memory_core.models.call_store import CallStore
from rlm_memory_core.models.normalise import read_completion
from rlm_memory_core.models.pacing import Pacing
from rlm_memory_core.models.pipeline import Pipeline
from rlm_memory_core.models.recorded_calls import RecordedCalls
from rlm_memory_core.models.types import CHAT_PATH, ConnectionFailed, Refused, Request, Response

HI = [{"role": "user", "content": "hi"}]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.sqlite"


class Gate:
    """A backend that answers once it is let to, and counts; `give` makes the next answer, or error."""

    def __init__(self, give):
        self.sent = 0
        self.cancelled = 0
        self.open = asyncio.Event()
        self._give = give

    async def send(self, request):
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


def asked(pipeline, number=0):
    request = Request(CHAT_PATH, {"model": "m", "messages": HI, "n": number})
    return asyncio.create_task(pipeline.ask(ModelCall(request), read_completion))


def in_flight(give, path, scenario, mode="auto"):
    """Run `scenario(gate, pipeline)` and see that nothing is left behind."""

    async def run():
        gate = Gate(give)
        pipeline = Pipeline(Pacing(gate, 0), RecordedCalls(CallStore(path), mode, "http://m.test"))
        result = await asyncio.wait_for(scenario(gate, pipeline), 60)
        await pipeline.close()
        assert recorded_calls._in_flight == {}
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return asyncio.run(run())


def whole(finish_reason="stop"):
    choice = {"finish_reason": finish_reason, "message": {"content": "yes"}}
    return Response(json.dumps({"choices": [choice]}))


@pytest.mark.parametrize("mode", ["auto", "refresh"])
def test_identical_requests_in_flight_are_sent_once_and_paid_for_once(path, mode):
    async def scenario(gate, pipeline):
        tasks = [asked(pipeline, number % 3) for number in range(30)]
        await asyncio.sleep(0)
        gate.open.set()
        return gate, await asyncio.gather(*tasks)

    gate, answers = in_flight(whole, path, scenario, mode)
    assert (gate.sent, [answer.text for answer in answers]) == (3, ["yes"] * 30)
    assert sum(not answer.recorded for answer in answers) == 3
    assert len({answer.seconds for answer in answers[::3]}) == 1


def test_when_the_first_is_cancelled_the_next_sends_and_pays(path):
    async def scenario(gate, pipeline):
        first, *others = [asked(pipeline) for _ in range(3)]
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        gate.open.set()
        answers = await asyncio.gather(*others)
        return gate.sent, gate.cancelled, [answer.recorded for answer in answers]

    assert in_flight(whole, path, scenario) == (2, 1, [False, True])


def test_when_all_are_cancelled_so_is_the_call_and_the_next_is_sent_anew(path):
    async def scenario(gate, pipeline):
        tasks = [asked(pipeline) for _ in range(3)]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        again = asked(pipeline)
        await asyncio.gather(*tasks, return_exceptions=True)
        gate.open.set()
        return (await again).text, gate.sent, gate.cancelled

    assert in_flight(whole, path, scenario) in [("yes", 1, 0), ("yes", 2, 1)]


@pytest.mark.parametrize(
    "failed", [Refused(429, "slow down", 999.0), ConnectionFailed("dropped")], ids=["429", "dropped"]
)
def test_a_failure_stays_one_for_all_who_wait_and_is_asked_anew_by_the_next(path, failed):
    async def scenario(gate, pipeline):
        tasks = [asked(pipeline) for _ in range(4)]
        await asyncio.sleep(0.01)
        gate.open.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        later = await asyncio.gather(asked(pipeline), return_exceptions=True)
        return gate.sent, [*outcomes, *later], len(pipeline.calls.store)

    sent, outcomes, kept = in_flight(lambda: failed, path, scenario)
    assert (sent, kept) == (2, 0)
    assert all(isinstance(outcome, ModelError) for outcome in outcomes)
    assert [outcome.usage.calls for outcome in outcomes] == [1, 0, 0, 0, 1]


def test_a_cut_off_answer_is_one_for_all_who_wait_and_is_asked_for_anew_by_the_next(path):
    async def scenario(gate, pipeline):
        tasks = [asked(pipeline) for _ in range(4)]
        await asyncio.sleep(0.01)
        gate.open.set()
        answers = [*await asyncio.gather(*tasks), await asked(pipeline)]
        return gate.sent, [answer.recorded for answer in answers], len(pipeline.calls.store)

    assert in_flight(lambda: whole("length"), path, scenario) == (2, [False, True, True, True, False], 0)


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


ASK = """
import asyncio, os, sys
from pathlib import Path
from rlm_memory_core import connect
from rlm_memory_core.models import background
llm = connect("m", sys.argv[1], "k", calls_path=Path(sys.argv[2]))
async def ask():
    asked = [llm.complete([{"role": "user", "content": f"number {number}"}]) for number in range(20)]
    return await asyncio.gather(*asked)
print("ready", flush=True)
sys.stdin.readline()
replies = background.run(ask())
print(sum(not reply.recorded for reply in replies), sum(reply.text == "yes" for reply in replies), flush=True)
"""


def start(server, path):
    command = [sys.executable, "-c", ASK, server.url, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_what_one_process_has_sent_the_others_wait_for_and_nobody_pays_twice(fault_server, path):
    server = fault_server(lambda messages: "yes", delay=lambda key, attempt: 0.5)
    processes = [start(server, path) for _ in range(3)]
    told = [process.communicate("go\n")[0].split() for process in processes]
    assert [text for _, text in told] == ["20"] * 3
    assert sum(int(paid) for paid, _ in told) == len(server.attempts) == 20


@pytest.mark.slow
def test_what_a_killed_process_has_sent_is_sent_by_the_one_that_waits(fault_server, path):
    server = fault_server(lambda messages: "yes", delay=lambda key, attempt: 1.0 if attempt == 1 else 0.0)
    first, second = (start(server, path) for _ in range(2))
    first.stdin.write("go\n")
    first.stdin.flush()
    while len(server.attempts) < 20:
        time.sleep(0.01)
    first.kill()
    assert second.communicate("go\n")[0].split() == ["20", "20"]
    first.communicate()
    assert max(server.received.values()) == 2
