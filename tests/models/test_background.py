import asyncio
import subprocess
import sys
import threading

import pytest

from rlm_memory_core.models import background


async def name_of_thread():
    return threading.current_thread().name


def test_run_gives_the_result():
    assert background.run(asyncio.sleep(0, "done")) == "done"


def test_run_raises_what_the_coroutine_raised():
    async def fail():
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        background.run(fail())


def test_all_threads_share_one_loop():
    names = []
    threads = [threading.Thread(target=lambda: names.append(background.run(name_of_thread()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == ["rlm-memory"] * 8


def test_run_works_where_a_loop_already_runs():
    async def cell():
        return background.run(name_of_thread())

    assert asyncio.run(cell()) == "rlm-memory"


def test_run_from_the_background_loop_itself_is_refused_instead_of_waiting_for_ever():
    async def nested():
        return background.run(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="await its async twin"):
        background.run(nested())


def test_arun_works_from_another_loop_and_from_the_background_loop():
    async def nested():
        return await background.arun(name_of_thread())

    assert asyncio.run(nested()) == "rlm-memory"
    assert background.run(nested()) == "rlm-memory"


class Endless:
    """Work that ends when it is cancelled, and says so."""

    def __init__(self):
        self.ended = threading.Event()

    async def work(self):
        try:
            await asyncio.sleep(60)
        finally:
            self.ended.set()


@pytest.fixture
def endless():
    return Endless()


def test_cancelling_arun_cancels_the_work(endless):
    async def give_up():
        await asyncio.wait_for(background.arun(endless.work()), timeout=0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert endless.ended.wait(5)


def test_interrupting_run_cancels_the_work(endless, monkeypatch):
    submit = asyncio.run_coroutine_threadsafe

    def interrupted(coroutine, loop):
        future = submit(coroutine, loop)
        threading.Event().wait(0.05)  # let it start

        def result():
            raise KeyboardInterrupt

        monkeypatch.setattr(future, "result", result)
        return future

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        background.run(endless.work())
    assert endless.ended.wait(5)


def test_resources_are_closed_at_exit_and_one_that_fails_does_not_stop_the_others():
    script = """
import asyncio
from rlm_memory_core.models import background
async def close(): print("closed")
async def fail(): raise RuntimeError
background.run(asyncio.sleep(0))
background.CLOSERS |= {close, fail}
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed\n", "")


def test_a_forked_process_says_what_to_do_instead_of_waiting_for_ever():
    script = """
import asyncio, multiprocessing
from rlm_memory_core.models import background
def child():
    try:
        background.run(asyncio.sleep(0))
    except RuntimeError as error:
        print(error, flush=True)
background.run(asyncio.sleep(0))
process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join(30)
print(process.exitcode)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    said, code = done.stdout.splitlines()
    assert "start it by spawn or forkserver" in said
    assert (code, done.stderr) == ("0", "")


def test_gathered_results_are_in_order():
    async def after(seconds):
        await asyncio.sleep(seconds)
        return seconds

    assert background.run(background.gather(map(after, [0.02, 0.0, 0.01]))) == [0.02, 0.0, 0.01]


def test_where_one_of_many_raises_the_others_are_stopped_and_over():
    ended = []

    async def wait():
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.append("stopped")

    async def fail():
        await asyncio.sleep(0.01)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        background.run(background.gather([wait(), fail(), wait()]))
    assert ended == ["stopped"] * 2
