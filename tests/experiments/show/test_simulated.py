import asyncio
import json
import time
from statistics import fmean, median, stdev

import pytest

from rlm_memory_core import connect
from rlm_memory_core.experiments.show.simulated import SimulatedLatency, draw
from rlm_memory_core.models import background
from rlm_memory_core.models.types import CHAT_PATH, Request
from rlm_memory_core.offline import OfflineReader

ASKED = [{"role": "user", "content": "Who?"}]


def body(text):
    return {"model": "offline", "messages": [{"role": "user", "content": text}]}


def ask(backend, *texts):
    """Send requests to a backend, all at once."""

    async def send():
        return await asyncio.gather(*(backend.send(Request(CHAT_PATH, body(text))) for text in texts))

    return background.run(send())


def test_latencies_are_lognormal():
    import math

    logs = [math.log(draw(str(number), median=2.0, sigma=0.5)) for number in range(4_000)]
    assert fmean(logs) == pytest.approx(math.log(2), abs=0.03)  # three standard errors
    assert stdev(logs) == pytest.approx(0.5, abs=0.02)
    assert median(logs) == pytest.approx(math.log(2), abs=0.03)


def test_the_wait_depends_on_the_request_and_the_seed_alone():
    there, back, reseeded = (SimulatedLatency(OfflineReader(), 0.001, seed=seed) for seed in (1, 1, 2))
    ask(there, "a", "b")
    ask(back, "b")
    ask(back, "a")
    ask(reseeded, "a", "b")
    assert sorted(there.drawn) == sorted(back.drawn) != sorted(reseeded.drawn)


def test_the_order_of_a_bodys_fields_does_not_matter():
    backend = SimulatedLatency(OfflineReader(), 0.001)
    for each in (body("a"), dict(reversed(body("a").items()))):
        background.run(backend.send(Request(CHAT_PATH, each)))
    assert backend.drawn[0] == backend.drawn[1]


def test_a_stream_waits_as_long_and_gives_the_same_answer():
    async def streamed():
        return [json.loads(event) async for event in backend.stream(Request(CHAT_PATH, body("a")))]

    backend = SimulatedLatency(OfflineReader(), 0.001)
    answer = ask(backend, "a")[0].body["choices"][0]["message"]["content"]
    chunks = background.run(streamed())
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == answer
    assert backend.drawn[0] == backend.drawn[1]


def test_it_really_waits_and_scales():
    backend = SimulatedLatency(OfflineReader(), median=1.0, sigma=0.0, time_scale=0.1)
    ask(backend, "warm")
    started = time.perf_counter()
    ask(backend, *map(str, range(100)))
    assert 0.1 <= time.perf_counter() - started < 9  # at once: one after another they take 10 seconds
    assert backend.drawn == [1.0] * 101  # unscaled


@pytest.mark.parametrize("wrong", [{"median": 0}, {"sigma": -1}, {"time_scale": 0}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="must be positive"):
        SimulatedLatency(OfflineReader(), **wrong)


class Wrapping:
    """Puts simulated latency around a backend, and keeps what it `made`."""

    def __init__(self):
        self.made = []

    def __call__(self, inner):
        self.made.append(SimulatedLatency(inner, median=0.001))
        return self.made[-1]


def test_connect_puts_it_before_the_reader():
    wrap = Wrapping()
    llm = connect("offline", recorded="off", wrap=wrap)
    assert not wrap.made  # nothing is built before it is asked
    with_latency = background.run(llm.complete(ASKED))
    assert len(wrap.made) == 1
    assert len(wrap.made[0].drawn) == 1
    assert with_latency.text == background.run(connect("offline", recorded="off").complete(ASKED)).text


def test_a_recorded_call_does_not_wait_again():
    wrap = Wrapping()
    llm = connect("m", "http://127.0.0.1:1/v1", wrap=lambda _: wrap(OfflineReader()))  # "offline" is not recorded
    background.run(llm.complete(ASKED))
    assert background.run(llm.complete(ASKED)).recorded
    assert len(wrap.made[0].drawn) == 1
