import genai_prices
import pytest
from asking import ask

from rlm_memory_core import Budget, Usage, connect
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
    assert price("my-own-model", "https://models.example.org/v1") is None


@pytest.mark.parametrize("host", ["localhost:11434", "127.0.0.1:8000", "127.0.1.1", "[::1]:8080"])
@pytest.mark.parametrize("model", ["my-own-model", "gpt-4o-mini"])
def test_a_server_on_this_machine_asks_for_no_dollars(host, model):
    assert price(model, f"http://{host}/v1") == (0.0, 0.0)
    assert connect(model, f"http://{host}/v1", rates=(1.0, 2.0)).rates == (1.0, 2.0)


def test_a_budget_in_dollars_holds_for_a_server_on_this_machine(fault_server):
    budget = Budget(usd=0.01)
    reply = ask(connect("m", fault_server(lambda messages: "yes").url, recorded="off"), budget)
    assert (reply.cost_usd, budget.spent_usd, budget.spent.calls) == (0.0, 0.0, 1)


def test_usages_add_up():
    total = Usage(10, 2, 1) + Usage(5, 1, 1)
    assert total == Usage(15, 3, 2)
    assert total.total_tokens == 18
    assert total - Usage(5, 1, 1) == Usage(10, 2, 1)
