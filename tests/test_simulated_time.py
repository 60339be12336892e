"""The clock of simulated time."""

import asyncio

import pytest
from simulated_time import run_simulated

DUE = 0.1234567894  # between two ticks of a clock that counts in billionths of a second


def test_sums_of_waits_stay_whole():
    async def wait():
        for seconds in (0.1, 0.2, 3600):
            await asyncio.sleep(seconds)
        return asyncio.get_running_loop().time()

    assert run_simulated(wait()) == 3600.3


def test_a_moment_between_two_ticks_of_the_clock_comes():
    async def wait():
        loop = asyncio.get_running_loop()
        for _ in range(5):
            if loop.time() >= DUE:
                return loop.time()
            await asyncio.sleep(DUE - loop.time())
        return None

    assert run_simulated(wait()) == pytest.approx(DUE, abs=1e-9)
