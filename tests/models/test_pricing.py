import genai_prices
import pytest
from asking import ask

from rlm_memory_core import Budget, BudgetExceeded, Usage, connect
from rlm_memory_core.models.pricing import cost, price


def test_gpt_4o_mini_costs_what_genai_prices_says():
    usage = genai_prices.Usage(input_tokens=123_456, output_tokens=7_890)
    expected = float(genai_prices.calc_price(usage, "gpt-4o-mini", provider_id="openai").total_price)
    assert cost(Usage(123_456, 7_890, 3), price("gpt-4o-mini")) == pytest.approx(expected)
    assert expected > 0


def test_a_price_for_each_request_is_part_of_the_rates():
    rates = price("sonar", "https://api.perplexity.ai")
    assert rates is None or rates[0] > 5e-6  # a request costs more than its tokens


def test_an_unknown_model_has_no_price_rather_than_a_price_of_zero():
    assert price("a model nobody has heard of") is None
    assert (cost(Usage(10, 10, 1), None), cost(Usage(calls=1), None)) == (None, 0.0)


def test_an_unknown_server_has_no_price():
    assert price("my-own-model", "https://models.example.org/v1") is None


@pytest.mark.parametrize("host", ["localhost:11434", "127.0.0.1:8000", "127.0.1.1", "[::1]:8080"])
@pytest.mark.parametrize("model", ["my-own-model", "llama3.2", "SmolLM2-135M-Instruct", "qwen2.5:7b"])
def test_a_model_of_this_machine_asks_for_no_dollars(host, model):
    llm = connect(model, f"http://{host}/v1")
    assert (llm.rates, llm.is_local) == ((0.0, 0.0), True)


@pytest.mark.parametrize("host", ["127.evil.example", "127.0.0.1.nip.io", "localhost.example", "1.127.0.0", "[::2]:80"])
def test_a_server_that_only_looks_like_this_machine_is_not_free(host):
    assert connect("my-own-model", f"http://{host}/v1").rates is None


@pytest.mark.parametrize("host", ["localhost:4000", "127.0.0.1:8000", "[::1]:8080"])
@pytest.mark.parametrize(
    ("model", "maker"),
    [
        ("gpt-4o", "openai"),
        ("openai/gpt-4o", "openai"),
        ("text-embedding-3-small", "openai"),
        ("claude-3-5-sonnet-20241022", "anthropic"),
        ("anthropic/claude-3-5-sonnet-20241022", "anthropic"),
        ("gemini-2.0-flash", "google"),
    ],
)
def test_a_proxy_on_this_machine_asks_for_the_models_price(host, model, maker):
    usage = genai_prices.Usage(input_tokens=1_000, output_tokens=100)
    expected = float(genai_prices.calc_price(usage, model.rpartition("/")[2], provider_id=maker).total_price)
    llm = connect(model, f"http://{host}/v1")
    assert cost(Usage(1_000, 100, 1), llm.rates) == pytest.approx(expected)
    assert expected > 0
    assert not llm.is_local
    assert connect(model, f"http://{host}/v1", rates=(0.0, 0.0)).is_local
    assert connect(model, f"http://{host}/v1", rates=(1.0, 2.0)).rates == (1.0, 2.0)


def test_a_budget_in_dollars_ends_what_a_proxy_passes_on(fault_server):
    llm, budget = connect("gpt-4o", fault_server(lambda messages: "yes").url, recorded="off"), Budget(usd=0.003)

    def ask_on():
        while True:
            ask(llm, budget)

    with pytest.raises(BudgetExceeded, match="the budget of"):
        ask_on()
    assert 0 < budget.spent_usd <= 0.003


def test_usages_add_up():
    total = Usage(10, 2, 1) + Usage(5, 1, 1)
    assert total == Usage(15, 3, 2)
    assert total.total_tokens == 18
    assert total - Usage(5, 1, 1) == Usage(10, 2, 1)
