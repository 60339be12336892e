"""One sender for each recorded request: among the stores of a process, and other processes."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import time

import pytest
from asking import HI, ask

from rlm_memory_core import Budget, BudgetExceeded, connect
from rlm_memory_core.models import background
from rlm_memory_core.models.budget import ModelCall
from rlm_memory_core.models.call_store import CallStore
from rlm_memory_core.models.normalise import read_completion
from rlm_memory_core.models.recorded_calls import RecordedCalls
from rlm_memory_core.models.types import CHAT_PATH, ConnectionFailed, Request, Response

CUT = '{"choices": [{"message": {"content": "Half"}, "finish_reason": "length"}]}'  # is not stored

ENTER = """
import asyncio, sys
from pathlib import Path
from rlm_memory_core.models.budget import ModelCall
from rlm_memory_core.models.call_store import CallStore
from rlm_memory_core.models.normalise import read_completion
from rlm_memory_core.models.recorded_calls import RecordedCalls
from rlm_memory_core.models.types import CHAT_PATH, Request, Response
CUT = '{"choices": [{"message": {"content": "Half"}, "finish_reason": "length"}]}'
async def send():
    print("in", flush=True)
    return Response(CUT)
calls = RecordedCalls(CallStore(Path(sys.argv[1])), "auto", "http://m.test")
print("ready", flush=True)
asyncio.run(calls.get_or_send(ModelCall(Request(CHAT_PATH, {})), send, read_completion))
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.sqlite"


def start(script, *arguments):
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


async def send(calls, sending, number=0):
    return await calls.get_or_send(
        ModelCall(Request(CHAT_PATH, {"n": number} if number else {})), sending, read_completion
    )


async def nothing_to_keep():
    return Response(CUT)


def test_another_process_waits_although_this_one_closes_a_store_and_leaves_other_keys(path):
    async def hold():
        calls, other = (RecordedCalls(CallStore(path), "auto", "http://m.test") for _ in range(2))

        async def sending():
            await send(other, nothing_to_keep, number=1)
            other.store.close()
            processes.append(start(ENTER, path))
            assert select.select([processes[0].stdout], [], [], 0.3)[0] == []
            return Response(CUT)

        processes = []
        await send(calls, sending)
        calls.store.close()
        assert processes[0].communicate(timeout=30)[0] == "in\n"

    asyncio.run(hold())


def test_two_models_of_one_file_send_the_same_request_once(fault_server, path):
    async def ask_both():
        return await asyncio.gather(*(llm.complete(HI) for llm in (first, second)))

    server = fault_server(lambda messages: "yes", delay=lambda key, attempt: 0.2)
    first, second = (connect("m", server.url, "k", calls_path=path) for _ in range(2))
    replies = background.run(ask_both())
    assert sorted(reply.recorded for reply in replies) == [False, True]
    assert len(server.attempts) == 1
    first.close()
    second.close()


def test_who_waits_may_be_cancelled_and_a_failure_lets_the_next_in(path):
    async def run():
        calls, held = RecordedCalls(CallStore(path), "auto", "http://m.test"), asyncio.Event()

        async def fail():
            await held.wait()
            raise ConnectionFailed("dropped")

        sending, waiting = (asyncio.create_task(send(calls, each)) for each in (fail, nothing_to_keep))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait([waiting])
        held.set()
        with pytest.raises(ConnectionFailed):
            await sending
        await asyncio.wait_for(send(calls, nothing_to_keep), 10)
        calls.store.close()

    asyncio.run(run())


ASK = """
import sys
from pathlib import Path
from rlm_memory_core import Budget, BudgetExceeded, connect
from rlm_memory_core.models import background
llm = connect("m", sys.argv[1], "k", calls_path=Path(sys.argv[2]))
print("ready", flush=True)
background.run(llm.complete([{"role": "user", "content": "hi"}]))
"""


@pytest.mark.parametrize("end", [signal.SIGSTOP, signal.SIGKILL])
def test_a_process_that_is_stopped_or_killed_holds_nobody_up_for_longer_than_the_timeout(fault_server, path, end):
    server = fault_server(lambda messages: "yes", delay=lambda key, attempt: 30.0 if attempt == 1 else 0.0)
    process = start(ASK, server.url, path)
    while not server.attempts:
        time.sleep(0.01)
    os.kill(process.pid, end)
    llm = connect("m", server.url, "k", calls_path=path, timeout=1.0 if end == signal.SIGSTOP else 60.0)
    assert ask(llm).text == "yes"
    assert ask(llm).recorded
    assert len(server.attempts) == 2
    llm.close()
    process.kill()
    process.communicate()


def test_a_budget_of_seconds_ends_the_wait_for_another_process(fault_server, path):
    server = fault_server(lambda messages: "yes", delay=lambda key, attempt: 30.0)
    process = start(ASK, server.url, path)
    while not server.attempts:
        time.sleep(0.01)
    with connect("m", server.url, "k", calls_path=path) as llm, pytest.raises(BudgetExceeded, match="seconds"):
        ask(llm, Budget(seconds=0.2))
    assert len(server.attempts) == 1
    process.kill()
    process.communicate()
