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
from rlm_memory_core.models.call_store import CallStore
from rlm_memory_core.models.recorded_calls import only_sender

KEY, OTHER = "a" * 64, "b" * 64

ENTER = """
import asyncio, sys
from rlm_memory_core import Budget
from rlm_memory_core.models.recorded_calls import only_sender
async def enter():
    print("ready", flush=True)
    async with only_sender(sys.argv[1], sys.argv[2], 60, Budget()):
        print("in", flush=True)
asyncio.run(enter())
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.sqlite"


def start(script, *arguments):
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_another_process_waits_although_this_one_closes_a_store_and_leaves_other_keys(path):
    async def hold():
        lock, store = f"{path}.lock", CallStore(path)
        async with only_sender(lock, KEY, 60, Budget()):
            async with only_sender(lock, OTHER, 60, Budget()):
                store.close()
            process = start(ENTER, lock, KEY)
            assert select.select([process.stdout], [], [], 0.3)[0] == []
        assert process.communicate(timeout=30)[0] == "in\n"

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


def test_who_waits_may_be_cancelled_and_a_failure_lets_the_next_in(tmp_path):
    async def enter(fails=False):
        async with only_sender(str(tmp_path / "lock"), KEY, 60, Budget()):
            if fails:
                raise ValueError("the request failed")

    async def run():
        async with only_sender(str(tmp_path / "lock"), KEY, 60, Budget()):
            waiting = asyncio.create_task(enter())
            await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.wait([waiting])
        with pytest.raises(ValueError, match="the request failed"):
            await enter(fails=True)
        await asyncio.wait_for(enter(), 10)

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
