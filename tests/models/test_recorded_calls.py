import sqlite3
from contextlib import suppress

import httpx2
import pytest
from asking import HI, ask, refused

from rlm_memory_core import Budget, ModelError, Usage
from rlm_memory_core.models import background, recorded_calls
from rlm_memory_core.models.call_store import CallStore, RecordingError
from rlm_memory_core.models.recorded_calls import call_key
from rlm_memory_core.models.types import Request


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.sqlite"


def test_a_recorded_call_is_replayed_without_asking(scripted, path):
    first = ask(scripted(["yes"], recorded="auto", calls_path=path, host="a.test"))
    again = ask(scripted([], recorded="auto", calls_path=path, host="a.test"))
    assert (first.recorded, again.recorded) == (False, True)
    assert (again.text, again.usage, again.cost_usd, again.seconds) == (
        first.text, first.usage, first.cost_usd, first.seconds,
    )  # fmt: skip
    assert len(scripted.requests) == 1


def test_replay_of_a_call_that_is_not_recorded_is_an_error_and_asks_nobody(scripted, path):
    llm = scripted(["yes"], recorded="replay", calls_path=path)
    with pytest.raises(ModelError, match="not recorded"):
        ask(llm)
    assert scripted.requests == []


def test_replay_needs_no_key(scripted, path):
    ask(scripted(["yes"], recorded="auto", calls_path=path, host="a.test"))
    assert ask(scripted([], recorded="replay", calls_path=path, host="a.test", api_key=None)).text == "yes"


def test_refresh_asks_again_and_replaces(scripted, path):
    ask(scripted(["old"], recorded="auto", calls_path=path, host="a.test"))
    assert ask(scripted(["new"], recorded="refresh", calls_path=path, host="a.test")).text == "new"
    assert ask(scripted([], recorded="replay", calls_path=path, host="a.test")).text == "new"


def test_off_neither_reads_nor_writes(scripted, path):
    ask(scripted(["yes"], recorded="off", calls_path=path))
    assert not path.exists()


def test_another_question_model_or_server_is_another_call(scripted, path):
    ask(scripted(["one"], recorded="auto", calls_path=path, host="a.test"))
    assert ask(scripted(["two"], recorded="auto", calls_path=path, host="b.test")).text == "two"
    assert ask(scripted(["three"], "other", recorded="auto", calls_path=path, host="a.test")).text == "three"
    other = [{"role": "user", "content": "hi "}]
    assert ask(scripted(["four"], recorded="auto", calls_path=path, host="a.test"), messages=other).text == "four"


def test_a_replay_knows_a_model_that_takes_no_temperature(scripted, path):
    rejection = httpx2.Response(400, json={"error": {"message": "temperature is not supported with this model"}})
    replies = [rejection, "yes"]
    assert ask(scripted(replies, recorded="auto", calls_path=path, host="a.test")).text == "yes"
    assert ask(scripted([], recorded="replay", calls_path=path, host="a.test")).text == "yes"


def test_the_key_is_the_same_whatever_the_order_of_fields():
    one = {"model": "m", "messages": HI, "n": {"a": 1, "b": 2}}
    two = {"n": {"b": 2, "a": 1}, "messages": HI, "model": "m"}
    assert key("u", one) == key("u", two)


def test_the_key_tells_salt_address_and_body_apart():
    keys = {
        key("u", {"a": 1}), key("v", {"a": 1}), key("u", {"a": 2}), key("u", {"a": "1"}), key("u", {"a": 1}, "s"),
        key("u", {"b": 1}), key("u", {"a": ["x", "y"]}), key("u", {"a": ["y", "x"]}),
    }  # fmt: skip
    assert len(keys) == 8


def key(url, body, salt=""):
    return call_key(url, Request("", body), salt)


def choice(text="yes", **changes):
    return {"finish_reason": "stop", "message": {"content": text}} | changes


@pytest.mark.parametrize(
    "answer",
    [
        {"choices": [choice(finish_reason="length")]},
        {"choices": [choice(finish_reason="content_filter")]},
        {"choices": [choice(message={"content": "no", "refusal": "I can't help with that."})]},
        {"choices": [choice(message={"content": None, "refusal": "I can't help with that."})]},
        {"choices": [choice("")]},
        {"choices": []},
        {"error": {"message": "overloaded"}},
        {"object": "list", "data": []},
        {},
    ],
)
def test_what_did_not_end_as_it_should_is_not_kept(scripted, answer, path):
    llm = scripted(lambda messages: httpx2.Response(200, json=answer), recorded="auto", calls_path=path)
    for _ in range(2):
        with suppress(ModelError):
            ask(llm)
    assert len(scripted.requests) == 2
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM calls").fetchone() == (0,)
    db.close()


@pytest.mark.parametrize(
    "answer", ["no JSON", [], {"choices": "x"}, {"choices": [None]}, {"choices": [{"message": 5}]}]
)
def test_garbage_is_never_kept(scripted, answer, path):
    llm = scripted(lambda messages: httpx2.Response(200, json=answer), recorded="auto", calls_path=path)
    with pytest.raises(ModelError):
        ask(llm)
    llm.close()
    store = CallStore(path)
    assert len(store) == 0
    store.close()


@pytest.mark.parametrize("status", [400, 429, 500])
def test_errors_are_not_kept(scripted, status, path):
    llm = scripted([refused(status, **{"retry-after": "999"}), "yes"], recorded="auto", calls_path=path)
    with pytest.raises(ModelError, match=str(status)):
        ask(llm)
    assert ask(llm).text == "yes"


def test_answers_that_cannot_be_stored_are_given_after_one_warning(scripted, path, monkeypatch):
    def full(*_):
        raise RecordingError("the disk is full")

    llm = scripted(["yes", "yes"], recorded="auto", calls_path=path)
    monkeypatch.setattr(CallStore, "put", full)
    recorded_calls.warn_once.cache_clear()
    with pytest.warns(RuntimeWarning, match="the disk is full: answers are not recorded"):
        assert ask(llm).text == "yes"
    assert ask(llm).text == "yes"  # and no second warning, which would be an error here
    assert len(scripted.requests) == 2


def test_an_answer_that_is_handed_on_is_in_the_file_for_every_other_reader(scripted, path):
    llm = scripted(lambda messages: "yes", recorded="auto", calls_path=path)
    other = CallStore(path)
    for number in range(20):
        ask(llm, messages=[{"role": "user", "content": str(number)}])
        assert len(other) == number + 1
    other.close()


def test_a_spent_budget_still_replays(scripted, path):
    llm = scripted(["yes"], recorded="auto", calls_path=path, rates=(1.0, 1.0))
    ask(llm)
    for budget in (Budget(calls=0), Budget(usd=0), Budget(tokens=0), Budget(seconds=0)):
        assert background.run(llm.complete(HI, budget)).text == "yes"
        assert budget.ended == ""


def test_a_call_that_was_never_sent_counts_as_none(scripted, path):
    model, budget = scripted(["yes"], recorded="replay", calls_path=path), Budget()
    with pytest.raises(ModelError, match="not recorded") as caught:
        background.run(model.complete(HI, budget))
    assert caught.value.usage == budget.spent == Usage()
