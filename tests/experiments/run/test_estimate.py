import heapq
from statistics import mean

import httpx2
import pytest
from questions import TALKS

from rlm_memory_core import connect
from rlm_memory_core.experiments.data import synthetic
from rlm_memory_core.experiments.methods import make
from rlm_memory_core.experiments.run.estimate import NOTHING, estimate, judging, seconds, usage
from rlm_memory_core.experiments.score.judge import judge_messages
from rlm_memory_core.experiments.show.simulated import draw
from rlm_memory_core.models import background


@pytest.mark.parametrize("method", ["truncation", "full-context", "rag", "rlm-sequential", "rlm-parallel"])
def test_the_estimate_is_near_what_is_then_counted(method):
    expected = estimate([method], [TALKS], 32_000, connect("offline")).usage
    counted = background.run(make([method], connect("offline"), 32_000)[0](TALKS))
    assert expected.calls == pytest.approx(counted.calls, abs=1)
    assert expected.prompt_tokens == pytest.approx(counted.prompt_tokens, rel=0.25)


def test_the_search_reading_costs_the_same_at_every_length():
    short, long = (usage("rlm-search", [10_000] * sessions, [], 1) for sessions in (50, 5_000))
    assert short == long
    assert short.calls == 2
    assert 2_500 < short.total_tokens < 4_000
    assert usage("rlm-search", [40], [], 1).total_tokens < short.total_tokens
    assert seconds("rlm-search", 0) == 2 * seconds("truncation", 0)


def test_the_estimate_of_a_search_is_near_what_is_counted():
    samples = synthetic.load(2)
    expected = estimate(["rlm-search"], samples, 32_000, connect("offline")).usage
    (method,) = make(["rlm-search"], connect("offline"), 32_000)
    counted = [background.run(method(sample)) for sample in samples]
    assert expected.calls == pytest.approx(sum(each.calls for each in counted), rel=0.5)
    assert expected.prompt_tokens == pytest.approx(sum(each.prompt_tokens for each in counted), rel=1.0)


def test_embeddings_are_part_of_it(scripted):
    def answer(sent):
        if isinstance(sent[0], dict):
            return "Kiwi"
        rows = [{"index": place, "embedding": [1.0, float(place)]} for place in range(len(sent))]
        usage = {"prompt_tokens": sum(map(len, sent)) // 4}
        return httpx2.Response(200, json={"object": "list", "data": rows, "usage": usage})

    llm = scripted(answer)
    (method,) = make(["rag"], llm, 32_000, embedding_model="embedder")
    counted = background.run(method(TALKS))
    without = estimate(["rag"], [TALKS], 32_000, llm)
    expected = estimate(["rag"], [TALKS], 32_000, llm, connect("embedder", rates=(1e-6, 0.0)))
    assert (without.usage.calls, expected.usage.calls, counted.calls) == (1, 2, 2)
    read = sum(len(request["input"][place]) // 4 for request in scripted.requests[:1] for place in range(20))
    assert expected.usage.prompt_tokens - without.usage.prompt_tokens == pytest.approx(read, rel=0.01)
    priced = estimate(["rag"], [TALKS], 32_000, connect("m", rates=(0.0, 0.0)), connect("e", rates=(1e-6, 0.0)))
    assert priced.usd == pytest.approx(read / 1e6, rel=0.01)
    assert estimate(["rag"], [TALKS], 32_000, connect("m", rates=(0.0, 0.0)), connect("e")).usd is None


def test_methods_and_samples_add_up():
    llm = connect("m", rates=(1e-6, 2e-6))
    one = estimate(["truncation"], [TALKS], 32_000, llm)
    four = estimate(["truncation", "truncation"], [TALKS, TALKS], 32_000, llm)
    assert four.usage.total_tokens == 4 * one.usage.total_tokens
    assert four.usd == pytest.approx(4 * one.usd)
    assert four.seconds == pytest.approx(4 * one.seconds)
    assert sum([one] * 4, NOTHING) == four
    assert "$" in str(one)


def test_an_unknown_price_is_said_and_never_zero():
    unknown = estimate(["truncation"], [TALKS], 32_000, connect("unheard of"))
    assert unknown.usd is None
    assert "price not known" in str(unknown)


def test_minutes_are_assumed_and_say_so_and_the_offline_reader_waits_for_nobody():
    text = str(estimate(["rlm-sequential"] * 10, [TALKS], 32_000, connect("m")))
    assert "about 6 min at an assumed 3 s a root reply and 1 s a sub-agent's" in text  # 10 * (9 + 19 * 1.13) s
    assert "min" not in str(estimate(["rlm-sequential"], [TALKS], 32_000, connect("offline")))


def makespan(latencies, limit):
    """Seconds until all calls are done, with at most `limit` in flight."""
    ends = []
    for wait in latencies:
        free = heapq.heappop(ends) if len(ends) == limit else 0.0
        heapq.heappush(ends, free + wait)
    return max(ends)


@pytest.mark.parametrize("calls", [10, 50, 200, 1000])
def test_the_assumed_fan_out_takes_as_long_as_a_simulated_one(calls):
    simulated = [makespan([draw(f"{run} {call}") for call in range(calls)], 256) for run in range(40)]
    assert seconds("rlm-parallel", calls) - seconds("rlm-parallel", 0) * 3 == pytest.approx(mean(simulated), rel=0.15)


def test_judging_is_one_short_call_an_answer():
    expected = judging(4, 100, (1e-6, 2e-6))
    assert expected.usage.calls == 400
    assert expected.usd == pytest.approx(400 * (300e-6 + 2e-6))
    long = "The parrot of the user is called Kiwi. " * 5
    for kind in ("temporal-reasoning", "single-session-preference"):
        messages = judge_messages(TALKS.question, long, long, kind=kind, abstain=False)
        assert 150 < sum(len(message["content"]) for message in messages) / 4 < 300  # an upper estimate


def test_estimates_add_up_and_an_unknown_price_stays_unknown():
    known, unknown = judging(1, 1, (1e-6, 2e-6)), judging(1, 1, None)
    assert (known + known).usd == pytest.approx(2 * known.usd)
    assert (known + unknown).usd is None
    assert (known + unknown).usage.calls == 2


def test_limits_per_minute_make_it_longer():
    def minutes(**limits):
        llm = connect("m", "http://127.0.0.1:1/v1", **limits)
        expected = estimate(["rlm-parallel"], [TALKS], 32_000, llm)
        return expected.seconds / 60, expected.usage

    free, usage = minutes()
    assert minutes(requests_per_minute=2)[0] == usage.calls / 2 > free
    assert minutes(tokens_per_minute=1_000)[0] == usage.total_tokens / 1_000 > free
    assert minutes(requests_per_minute=1e6, tokens_per_minute=1e9)[0] == free


def test_ranked_reading_is_taken_to_read_two_waves_of_the_history():
    pieces = [4_000] * 100
    scan, ranked = (usage(method, pieces, [], 1) for method in ("rlm-parallel", "rlm-ranked-10"))
    assert (scan.calls, ranked.calls) == (103, 33)
    assert 0.28 < ranked.total_tokens / scan.total_tokens < 0.32
    assert usage("rlm-ranked-10", pieces[:20], [], 1) == usage("rlm-parallel", pieces[:20], [], 1)
    assert usage("rlm-ranked-10", [], [], 1).calls == 3
