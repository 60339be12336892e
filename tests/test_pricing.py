import time

import genai_prices
import pytest

from rlm_memory_core import Budget, BudgetExceeded, Usage
from rlm_memory_core.pricing import cost, price


def test_gpt_4o_mini_costs_what_genai_prices_says():
    usage = genai_prices.Usage(input_tokens=123_456, output_tokens=7_890)
    expected = float(genai_prices.calc_price(usage, "gpt-4o-mini", provider_id="openai").total_price)
    assert cost(Usage(123_456, 7_890, 3), price("gpt-4o-mini")) == pytest.approx(expected)
    assert expected > 0


def test_an_unknown_model_has_no_price_rather_than_a_price_of_zero():
    assert price("a model nobody has heard of") is None
    assert cost(Usage(10, 10, 1), None) is None


def test_an_unknown_server_has_no_price():
    assert price("my-own-model", "http://localhost:11434/v1") is None


def test_usages_add_up():
    total = Usage(10, 2, 1) + Usage(5, 1, 1)
    assert total == Usage(15, 3, 2)
    assert total.total_tokens == 18


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        (Budget(usd=0.5), r"0\.5 usd is spent"),
        (Budget(tokens=12), "12 tokens is spent"),
        (Budget(calls=1), "1 calls is spent"),
    ],
)
def test_a_budget_allows_calls_until_its_limit_and_says_which_one_it_was(budget, reason):
    budget.check()
    budget.charge(Usage(10, 2, 1), 0.5)
    with pytest.raises(BudgetExceeded, match=reason):
        budget.check()


def test_a_budget_just_short_of_its_limits_allows_another_call():
    budget = Budget(usd=0.51, tokens=13, calls=2, seconds=60)
    budget.charge(Usage(10, 2, 1), 0.5)
    budget.check()


def test_seconds_count_from_the_first_check():
    budget = Budget(seconds=0.05)
    time.sleep(0.06)
    budget.check()
    time.sleep(0.06)
    with pytest.raises(BudgetExceeded, match="seconds"):
        budget.check()


def test_a_budget_without_limits_never_ends():
    budget = Budget()
    budget.charge(Usage(10**9, 10**9, 10**6), 10**6)
    budget.check()


def test_calls_without_a_known_price_are_charged_in_tokens():
    budget = Budget(tokens=20)
    budget.charge(Usage(10, 2, 1), None)
    assert (budget.spent, budget.spent_usd) == (Usage(10, 2, 1), None)
    budget.check()


def test_a_budget_in_dollars_ends_where_the_dollars_spent_are_not_known():
    budget = Budget(usd=1)
    budget.check()
    budget.charge(Usage(10, 2, 1), None)
    with pytest.raises(BudgetExceeded, match="cannot be held"):
        budget.check()


@pytest.mark.parametrize("limit", ["usd", "tokens", "calls"])
def test_a_budget_of_zero_allows_nothing(limit):
    with pytest.raises(BudgetExceeded):
        Budget(**{limit: 0}).check()
