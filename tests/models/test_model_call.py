import httpx2
import pytest
from asking import ask, refused

from rlm_memory_core import Budget, BudgetExceeded, ModelError, Usage


@pytest.mark.parametrize("body", [b"{not json", b"", b"<html>Log in</html>", b"[1, 2]"])
def test_an_answer_that_is_no_json_is_asked_for_once_more_and_was_paid_for(scripted, body):
    reply = ask(scripted([httpx2.Response(200, content=body), "yes"]))
    assert (reply.text, reply.usage) == ("yes", Usage(4, 6, 2))  # as much as the answer that came whole


def test_a_reply_without_usage_counts_as_a_call_of_no_tokens(scripted, as_completion):
    replies = [httpx2.Response(200, json=as_completion("yes", usage=usage)) for usage in (None, {})]
    model = scripted(replies)
    assert [ask(model).usage for _ in range(2)] == [Usage(0, 0, 1)] * 2


def test_a_reply_without_usage_has_no_known_cost(scripted, as_completion):
    reply = httpx2.Response(200, json=as_completion("yes", usage=None))
    assert ask(scripted([reply], rates=(1.0, 1.0))).cost_usd is None


@pytest.mark.parametrize("broken", [refused(500), httpx2.ConnectError("gone"), httpx2.Response(200, content=b"{")])
def test_a_call_that_fails_counts_against_a_limit_on_calls(scripted, broken):
    model, budget = scripted([broken] * 2, rates=(1.0, 1.0)), Budget(calls=1)  # what is no JSON is asked for twice
    with pytest.raises(ModelError):
        ask(model, budget)
    assert (budget.spent, budget.spent_usd) == (Usage(calls=1), 0.0)
    with pytest.raises(BudgetExceeded):
        ask(model, budget)


def test_an_answer_with_nothing_to_use_is_paid_for(scripted, as_completion):
    model, budget = scripted([httpx2.Response(200, json=as_completion("yes", choices=[]))], rates=(1.0, 1.0)), Budget()
    with pytest.raises(ModelError, match="no choices") as caught:
        ask(model, budget)
    assert (caught.value.usage, caught.value.cost_usd) == (Usage(0, 3, 1), 3.0)
    assert (budget.spent, budget.spent_usd) == (Usage(0, 3, 1), 3.0)


def test_a_model_without_a_known_price_has_no_cost(scripted):
    assert ask(scripted(["yes"])).cost_usd is None


def test_recorded_replies_say_their_cost_but_cost_the_budget_nothing(scripted):
    model, budget = scripted(["yes"], recorded="auto", rates=(1.0, 1.0)), Budget(calls=5)
    replies = [ask(model, budget) for _ in range(3)]
    assert [reply.cost_usd for reply in replies] == [5.0] * 3
    assert (budget.spent, budget.spent_usd) == (Usage(2, 3, 1), 5.0)


def test_a_spent_budget_sends_nothing(scripted):
    with pytest.raises(BudgetExceeded):
        ask(scripted(["yes"]), Budget(calls=0))
    assert scripted.requests == []
