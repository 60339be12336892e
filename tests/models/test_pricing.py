import genai_prices
import pytest

from rlm_memory_core import Usage
from rlm_memory_core.models.pricing import cost, price


def test_gpt_4o_mini_costs_what_genai_prices_says():
    usage = genai_prices.Usage(input_tokens=123_456, output_tokens=7_890)
    expected = float(genai_prices.calc_price(usage, "gpt-4o-mini", provider_id="openai").total_price)
    assert cost(Usage(123_456, 7_890, 3), price("gpt-4o-mini")) == pytest.approx(expected)
    assert expected > 0


def test_an_unknown_model_has_no_price_rather_than_a_price_of_zero():
    assert price("a model nobody has heard of") is None
    assert (cost(Usage(10, 10, 1), None), cost(Usage(calls=1), None)) == (None, 0.0)


def test_an_unknown_server_has_no_price():
    assert price("my-own-model", "http://localhost:11434/v1") is None


def test_usages_add_up():
    total = Usage(10, 2, 1) + Usage(5, 1, 1)
    assert total == Usage(15, 3, 2)
    assert total.total_tokens == 18
    assert total - Usage(5, 1, 1) == Usage(10, 2, 1)
