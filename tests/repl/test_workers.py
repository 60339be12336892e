"""Workers come back: however a session ends, all of them can be had again."""

import asyncio
import random

import pytest

from rlm_memory_core.models import background
from rlm_memory_core.repl.repl import NoSandbox, Repl
from rlm_memory_core.repl.worker import WORKERS


async def wait_for_ever():
    await asyncio.sleep(3600)


def all_are_there():
    """Take every worker at once."""

    async def hold(everyone):
        async with Repl({}, {}) as opened:
            assert (await opened.run("print(1)")).output == "1\n"
            await everyone.wait()

    async def hold_all():
        barrier = asyncio.Barrier(WORKERS)
        await asyncio.wait_for(asyncio.gather(*(hold(barrier) for _ in range(WORKERS))), 60)

    background.run(hold_all())
    return True


CODES = (
    "x = 1",
    "wait()",
    "while True: pass",
    "for n in range(10**6): m = n",
    "FINAL(1)",
    "1 / 0",
    "look()",
    "x = = 1",
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_after_cancellations_at_any_moment_all_workers_are_there(seed):
    rng = random.Random(seed)
    kept = []  # references to cancelled tasks must hold no worker

    async def query():
        async with Repl({"big": "x" * 100_000}, {"wait": wait_for_ever, "look": lambda: 1}) as opened:
            for _ in range(rng.randrange(3)):
                await opened.run(rng.choice(CODES))

    async def rounds():
        for _ in range(12):
            tasks = [asyncio.create_task(query()) for _ in range(WORKERS + 8)]
            for task in rng.sample(tasks, len(tasks)):
                await asyncio.sleep(rng.choice((0, 0, 0.0001, 0.002)))
                task.cancel()
                if rng.random() < 0.3:  # cancelled again while it closes
                    await asyncio.sleep(rng.choice((0, 0.0005)))
                    task.cancel()
            await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 120)
            kept.extend(tasks)

    background.run(rounds())
    assert all_are_there()
    assert len(kept) == 12 * (WORKERS + 8)


def test_a_session_that_cannot_start_frees_its_place(monkeypatch):
    async def none(limits, today):
        raise OSError("no more processes")

    async def session():
        async with Repl({}, {}) as opened:
            await opened.run("1")

    with monkeypatch.context() as patched:
        patched.setattr("rlm_memory_core.repl.worker.checkout", none)
        for _ in range(WORKERS + 1):
            with pytest.raises(NoSandbox):
                background.run(session())
    assert all_are_there()


def test_a_query_that_waits_for_a_worker_can_be_cancelled():
    async def sessions():
        opened = [Repl({}, {}) for _ in range(WORKERS)]
        for each in opened:
            await each.__aenter__()
            await each.run("1")
        late = Repl({}, {})
        await late.__aenter__()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(late.run("1"), 0.1)
        ending = asyncio.create_task(late.__aexit__(None, None, None))
        await asyncio.sleep(0)
        for each in opened:
            await each.__aexit__(None, None, None)
        await asyncio.wait_for(ending, 60)

    background.run(sessions())
    assert all_are_there()
