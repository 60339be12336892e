import httpx2
import pytest
from asking import ask, refused

from rlm_memory_core import Budget, BudgetExceeded, ModelError, Usage
from rlm_memory_core.models.budget import ModelCall
from rlm_memory_core.models.types import CHAT_PATH, Request


@pytest.mark.parametrize("body", [b"{not json", b"", b"<html>Log in</html>", b"[1, 2]"])
def test_an_answer_that_is_no_json_is_asked_for_once_more_and_was_paid_for(scripted, body):
    reply = ask(scripted([httpx2.Response(200, content=body), "yes"]))
    assert (reply.text, reply.usage) == ("yes", Usage(4, 6, 2))  # as much as the answer that came whole


def test_an_answer_that_is_no_json_and_a_failure_after_it_are_two_calls(scripted):
    budget = Budget()
    with pytest.raises(ModelError, match="400") as caught:
        ask(scripted([httpx2.Response(200, content=b"{not json"), refused(400)]), budget)
    usage = caught.value.usage
    assert usage == budget.spent == Usage(usage.prompt_tokens, 250, 2)  # the unreadable answer by an estimate
    assert usage.prompt_tokens > 10
    assert usage.estimated


NEGATIVE = {"prompt_tokens": -50, "completion_tokens": -5}
ODD = [None, {}, [], "many", {"prompt_tokens": 0, "completion_tokens": 0}, NEGATIVE, {"prompt_tokens": None}]


@pytest.mark.parametrize("usage", ODD)
def test_a_reply_whose_tokens_the_server_does_not_count_is_estimated_and_says_so(scripted, as_completion, usage):
    response = httpx2.Response(200, json=as_completion("A blue whale", usage=usage))
    model, budget = scripted([response], rates=(1.0, 1.0)), Budget(usd=1e9)
    reply = ask(model, budget)
    assert (reply.usage.completion_tokens, reply.usage.calls, reply.usage.estimated) == (3, 1, True)
    assert reply.usage.prompt_tokens > 10
    assert reply.cost_usd == reply.usage.total_tokens
    assert (budget.spent, budget.spent_usd, budget.spent.estimated) == (reply.usage, reply.cost_usd, True)


def test_a_reply_whose_tokens_are_counted_is_not_estimated(scripted):
    assert not ask(scripted(["yes"])).usage.estimated


@pytest.mark.parametrize("broken", [refused(500), httpx2.ConnectError("gone")])
def test_a_call_that_fails_counts_against_a_limit_on_calls(scripted, broken):
    model, budget = scripted([broken], rates=(1.0, 1.0)), Budget(calls=1)
    with pytest.raises(ModelError):
        ask(model, budget)
    assert (budget.spent, budget.spent_usd) == (Usage(calls=1), 0.0)
    with pytest.raises(BudgetExceeded):
        ask(model, budget)


@pytest.mark.parametrize("body", [b"{", b"<html>Log in</html>", b'{"choices": 1}', b'{"object": "list"}', b"[]"])
def test_an_unreadable_answer_is_charged_at_an_estimate_and_says_so(scripted, body):
    model, budget = scripted([httpx2.Response(200, content=body)] * 2, rates=(1.0, 1.0)), Budget(calls=1)
    with pytest.raises(ModelError, match="no chat completion") as caught:
        ask(model, budget)
    usage = caught.value.usage
    assert (usage, caught.value.cost_usd) == (budget.spent, budget.spent_usd)
    assert (usage.calls, usage.estimated, budget.spent_usd) == (1, True, usage.total_tokens)
    assert usage.prompt_tokens > 10
    with pytest.raises(BudgetExceeded):
        ask(model, budget)


def test_an_answer_with_nothing_to_use_is_paid_for(scripted, as_completion):
    model, budget = scripted([httpx2.Response(200, json=as_completion("yes", choices=[]))], rates=(1.0, 1.0)), Budget()
    with pytest.raises(ModelError, match="empty") as caught:
        ask(model, budget)
    assert caught.value.usage == budget.spent
    assert (caught.value.usage.completion_tokens, caught.value.usage.estimated) == (3, True)  # no prompt was counted
    assert caught.value.cost_usd == budget.spent_usd == budget.spent.total_tokens


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


def test_a_call_and_its_copy_that_answer_at_once_are_both_paid_for():
    call = ModelCall(Request(CHAT_PATH, {"messages": []}))
    for second in (1.0, 2.0):  # the copy is the second
        call.went_out(second)
        call.answered += 1
    assert call.taken(Usage(9, 250, 1)) == Usage(18, 500, 2)
