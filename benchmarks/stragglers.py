"""Stragglers: fan-outs in which some calls take ten times longer, with hedging and without, in simulated time.

Hedging and pacing are the package's own code; the server only waits for a drawn latency, and nothing is sent.
All figures are simulated and labelled so.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import pandas as pd
from simulated_time import run_simulated

from rlm_memory_core.experiments.show.simulated import draw, uniform
from rlm_memory_core.models.budget import ModelCall
from rlm_memory_core.models.hedging import Siblings
from rlm_memory_core.models.pacing import Pacing
from rlm_memory_core.models.types import Request, Response

_TIMES_LONGER = 10


@dataclass(frozen=True)
class Scenario:
    """How long the calls of one fan-out take.

    Args:
        calls: How many there are.
        seed: Another seed draws other latencies.
        median, sigma: Parameters of the lognormal distribution; seconds.
        stragglers: The share of the calls that take ten times longer: exactly that share of them, and a second
            copy with that probability.

    Example:
        >>> latencies = Scenario(50, sigma=0.0, stragglers=0.02).latencies
        >>> sorted(latencies)[-2:]
        [1.0, 10.0]
    """

    calls: int
    seed: int = 0
    median: float = 1.0
    sigma: float = 0.5
    stragglers: float = 0.0

    def latency(self, number: int, copy: int = 0) -> float:
        """Seconds of one call, by its number from 0; each further copy draws anew."""
        key = f"{self.seed} {number} {copy}"
        straggles = _uniform(key) < self.stragglers if copy else number in self._late
        return draw(key, self.median, self.sigma) * (_TIMES_LONGER if straggles else 1)

    @property
    def latencies(self) -> list[float]:
        """Seconds of each call, if each is sent once."""
        return [self.latency(number) for number in range(self.calls)]

    @cached_property
    def _late(self) -> frozenset[int]:
        """The numbers of the calls that take longer."""
        ordered = sorted(range(self.calls), key=lambda number: _uniform(f"{self.seed} {number}"))
        return frozenset(ordered[: round(self.stragglers * self.calls)])


def hedged_fan_outs(
    calls: Sequence[int] = (50, 500),
    stragglers: Sequence[float] = (0.0, 0.02),
    seeds: int = 20,
    hedge: float = 0.05,
    concurrency: int | None = None,
) -> pd.DataFrame:
    """Fan out with hedging in simulated time, once for each seed.

    Args:
        calls: Numbers of calls.
        stragglers: Shares of calls that take ten times longer.
        seeds: How many seeds; they are 0, 1, 2, ...
        hedge: The share of extra calls.
        concurrency: Calls in flight at once; None for all.

    Returns:
        One row per number, share and seed: calls, stragglers, seed, slowest (seconds of the slowest call if each is
        sent once; without hedging, calls that are all sent at once take as long), seconds (with hedging), copies,
        ratio (seconds over slowest).

    Example:
        >>> hedged_fan_outs([50], [0.02], seeds=1)["copies"].tolist()
        [3]
    """
    rows = []
    for count, share, seed in product(calls, stragglers, range(seeds)):
        scenario = Scenario(count, seed, stragglers=share)
        seconds, copies = run_simulated(_fan_out(scenario, hedge, concurrency or count))
        rows.append((count, share, seed, max(scenario.latencies), seconds, copies))
    table = pd.DataFrame(rows, columns=["calls", "stragglers", "seed", "slowest", "seconds", "copies"])
    return table.assign(ratio=table["seconds"] / table["slowest"])


def hedged_table(fan_outs: pd.DataFrame) -> pd.DataFrame:
    """The result of `hedged_fan_outs` as text: medians over the seeds, with the lowest and highest value."""

    def spread(values: pd.Series[float], form: str) -> str:
        low, middle, high = (format(values.quantile(q), form) for q in (0.0, 0.5, 1.0))
        return f"{middle} ({low} to {high})"

    shown = {
        (f"{calls}", f"{share:.0%}"): {
            "slowest call, s": spread(group["slowest"], ".2f"),
            "hedged, s": spread(group["seconds"], ".2f"),
            "hedged / slowest call": spread(group["ratio"], ".2f"),
            "extra calls": spread(group["copies"] / group["calls"], ".1%"),
        }
        for (calls, share), group in fan_outs.groupby(["calls", "stragglers"])
    }
    named = ["sub-agent calls", "ten times longer (simulated)"]
    return pd.DataFrame.from_dict(shown, orient="index").rename_axis(named)


async def _fan_out(scenario: Scenario, hedge: float, concurrency: int) -> tuple[float, int]:
    """Seconds of simulated time, and copies."""
    slots = asyncio.Semaphore(concurrency)
    siblings = Siblings(hedge, slots)
    pacing = Pacing(_Server(scenario), max_retries=0)

    async def call(number: int) -> None:
        async with slots:
            await siblings.send(pacing, ModelCall(Request("", {"number": number})))

    await asyncio.gather(*map(call, range(scenario.calls)))
    return asyncio.get_running_loop().time(), siblings.copies


@dataclass
class _Server:
    """Answers after the drawn latency."""

    scenario: Scenario
    sent: Counter[int] = field(default_factory=Counter)

    async def send(self, request: Request) -> Response:
        number = request.body["number"]
        self.sent[number] += 1
        await asyncio.sleep(self.scenario.latency(number, self.sent[number] - 1))
        return Response("{}")

    async def stream(self, request: Request) -> AsyncGenerator[str, None]:
        yield (await self.send(request)).text


def _uniform(key: str) -> float:
    """A number between 0 and 1, independent of the latency that the same key draws."""
    return uniform(f"straggler {key}")
