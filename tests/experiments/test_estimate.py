import pytest

from rlm_memory_core import background, connect
from rlm_memory_core.experiments.estimate import estimate, judging
from rlm_memory_core.experiments.judge_prompts import judge_messages
from rlm_memory_core.experiments.methods import make
from rlm_memory_core.experiments.types import ChatSession, ChatTurn, Sample

SAMPLE = Sample(
    "q",
    "kind",
    "What is my parrot called?",
    "Kiwi",
    [ChatSession(f"2023/01/{day:02}", [ChatTurn("user", "A long day at work. " * 300)]) for day in range(1, 20)],
)


@pytest.mark.parametrize("method", ["truncation", "full-context", "rag", "rlm-sequential", "rlm-parallel"])
def test_the_estimate_is_near_what_is_then_counted(method):
    expected = estimate([method], [SAMPLE], 32_000, None).usage
    counted = background.run(make([method], connect("offline"), 32_000)[0](SAMPLE))
    assert expected.calls == pytest.approx(counted.calls, abs=1)
    assert expected.prompt_tokens == pytest.approx(counted.prompt_tokens, rel=0.25)


def test_methods_and_samples_add_up():
    one = estimate(["truncation"], [SAMPLE], 32_000, (1e-6, 2e-6))
    four = estimate(["truncation", "truncation"], [SAMPLE, SAMPLE], 32_000, (1e-6, 2e-6))
    assert four.usage.total_tokens == 4 * one.usage.total_tokens
    assert four.usd == pytest.approx(4 * one.usd)
    assert "$" in str(one)


def test_an_unknown_price_is_said_and_never_zero():
    unknown = estimate(["truncation"], [SAMPLE], 32_000, None)
    assert unknown.usd is None
    assert "price not known" in str(unknown)


def test_judging_is_one_short_call_an_answer():
    expected = judging(4, 100, (1e-6, 2e-6))
    assert expected.usage.calls == 400
    assert expected.usd == pytest.approx(400 * (300e-6 + 2e-6))
    long = "The parrot of the user is called Kiwi. " * 5
    for kind in ("temporal-reasoning", "single-session-preference"):
        messages = judge_messages(SAMPLE.question, long, long, kind=kind, abstain=False)
        assert 150 < sum(len(message["content"]) for message in messages) / 4 < 300  # an upper estimate


def test_estimates_add_up_and_an_unknown_price_stays_unknown():
    known, unknown = judging(1, 1, (1e-6, 2e-6)), judging(1, 1, None)
    assert (known + known).usd == pytest.approx(2 * known.usd)
    assert (known + unknown).usd is None
    assert (known + unknown).usage.calls == 2
