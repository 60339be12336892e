import asyncio
import base64
import json
import struct
from dataclasses import replace

import httpx2
import pytest

from rlm_memory_core import Budget, BudgetExceeded, ModelError, Usage
from rlm_memory_core.models import background, normalise


def embed(model, texts, budget=None):
    return background.run(model.embed(texts, budget))


def row(index, numbers):
    return {"object": "embedding", "index": index, "embedding": numbers}


def reply(*rows, tokens=7):
    body = {"object": "list", "data": list(rows), "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    return httpx2.Response(200, json=body)


def lengths(texts):
    """A server that embeds a text as its length."""
    return reply(*(row(i, [float(len(text)), 1.0]) for i, text in enumerate(texts)))


def test_vectors_come_with_their_usage_and_cost(scripted):
    found = embed(scripted(lengths, rates=(0.5, 9.0)), ["one", "three"])
    assert found.vectors == [[3.0, 1.0], [5.0, 1.0]]
    assert (found.usage, found.cost_usd) == (Usage(7, 0, 1), 3.5)


def test_what_is_sent(scripted):
    embed(scripted(lengths, "embedder"), ["one", ""])
    assert scripted.requests == [{"model": "embedder", "input": ["one", " "], "encoding_format": "base64"}]


def test_base64_is_read_as_little_endian_floats(scripted):
    packed = base64.b64encode(struct.pack("<3f", 0.5, -1.0, 2.0)).decode()
    assert embed(scripted([reply(row(0, packed))]), ["one"]).vectors == [[0.5, -1.0, 2.0]]


def test_vectors_are_put_in_the_order_of_their_texts(scripted):
    assert embed(scripted([reply(row(1, [2.0]), row(0, [1.0]))]), ["a", "b"]).vectors == [[1.0], [2.0]]


def test_many_texts_go_in_several_requests_within_limits(scripted):
    texts = ["x" * (number % 9 * 1000) for number in range(600)]
    found = embed(scripted(lengths), texts)
    assert [vector[0] for vector in found.vectors] == [max(1, len(text)) for text in texts]
    sent = [request["input"] for request in scripted.requests]
    assert len(sent) == found.usage.calls > 2
    assert all(len(batch) <= 256 and sum(map(len, batch)) <= 200_000 for batch in sent)


def test_a_text_longer_than_a_batch_goes_alone():
    assert list(normalise.batches(["a", "b" * 300_000, "c"])) == [["a"], ["b" * 300_000], ["c"]]


def test_nothing_to_embed_asks_nothing(scripted):
    found = embed(scripted(lengths), [])
    assert (found.vectors, found.usage) == ([], Usage())
    assert scripted.requests == []


@pytest.mark.parametrize(
    "broken",
    [
        httpx2.Response(200, html="<html>"),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={"data": None}),
        httpx2.Response(200, json={"data": [{"embedding": [1.0]}]}),
        reply(),
        reply(row(0, [1.0])),
        reply(row(0, [1.0]), row(0, [1.0])),
        reply(row(0, [1.0]), row(2, [1.0])),
        reply(row(0, [1.0]), row(1, [1.0, 2.0])),
        reply(row(0, []), row(1, [])),
        reply(row(0, "not base64!"), row(1, "")),
        reply(row(0, base64.b64encode(b"12345").decode()), row(1, [1.0])),
    ],
)
def test_what_is_no_list_of_embeddings_is_one_line(scripted, broken):
    with pytest.raises(ModelError, match="no usable answer: it sent no") as caught:
        embed(scripted(lambda texts: broken), ["one", "two"])
    assert "\n" not in str(caught.value)


def test_recorded_embeddings_cost_the_budget_nothing(scripted):
    model, budget = scripted(lengths, recorded="auto", rates=(1.0, 1.0)), Budget()
    first, second = (embed(model, ["one"], budget) for _ in range(2))
    assert replace(first, replayed_seconds=0) == replace(second, replayed_seconds=0)
    assert first.replayed_seconds == 0 < second.replayed_seconds
    assert len(scripted.requests) == 1
    assert (budget.spent, budget.spent_usd) == (Usage(7, 0, 1), 7.0)


def test_a_spent_budget_sends_nothing(scripted):
    with pytest.raises(BudgetExceeded):
        embed(scripted(lengths), ["one"], Budget(calls=0))
    assert scripted.requests == []


def test_another_model_of_the_same_server(scripted):
    model = scripted(lengths, "answerer", recorded="auto")
    other = model.another("text-embedding-3-small")
    assert (other.model, other.base_url, other.recorded) == ("text-embedding-3-small", model.base_url, "auto")
    assert embed(other, ["one"]).vectors == [[3.0, 1.0]]


def test_another_model_keeps_the_limits_that_the_first_was_given(scripted):
    limits = {"concurrency": 3, "requests_per_minute": 60, "tokens_per_minute": 1_000}
    assert scripted(lengths, **limits).another("embedder").pace == limits


def test_a_batch_that_fails_stops_the_others_and_what_was_paid_for_is_told(scripted):
    async def answer(texts):
        if texts[0] == "answered":
            return reply(*(row(at, [1.0]) for at in range(len(texts))), tokens=5)
        in_flight.append(texts[0])
        try:
            await asyncio.sleep(0.05 if texts[0] == "fails" else 60)
        finally:
            in_flight.remove(texts[0])
        return httpx2.Response(400, json={"error": {"message": "no such model"}})

    in_flight = []
    model, budget = scripted(answer, rates=(1.0, 0.0)), Budget()
    texts = [first for name in ("answered", "fails", "late") for first in [name] * normalise._BATCH_TEXTS]
    with pytest.raises(ModelError, match="no such model") as caught:
        embed(model, texts, budget)
    late = scripted.requests[[body["input"][0] for body in scripted.requests].index("late")]  # the server bills it
    tokens = 5 - -len(json.dumps(late, separators=(",", ":"))) // 4
    assert budget.spent == caught.value.usage == Usage(tokens, 0, 3)
    assert caught.value.cost_usd == tokens
    assert in_flight == []


@pytest.mark.parametrize("by", ["a cancellation", "a timeout", "wait_for"])
def test_embeddings_that_are_cancelled_tell_what_was_paid_for(scripted, by):
    async def answer(texts):
        if texts[0] == "late":
            is_asked.set()
            await asyncio.sleep(60)
        return reply(*(row(at, [1.0]) for at in range(len(texts))), tokens=5)

    async def ask():
        embedding = model.embed(["answered"] * normalise._BATCH_TEXTS + ["late"], budget)
        if by == "wait_for":
            await asyncio.wait_for(embedding, 0.5)
        async with asyncio.timeout(None) as limit:
            task = asyncio.create_task(embedding)
            await is_asked.wait()
            if by == "a timeout":
                limit.reschedule(0)
            else:
                task.cancel()
            await task

    async def what_stopped():
        with pytest.raises((TimeoutError, asyncio.CancelledError)) as caught:
            await ask()
        return caught.value.__cause__ if isinstance(caught.value, TimeoutError) else caught.value

    is_asked = asyncio.Event()
    model, budget = scripted(answer, rates=(1.0, 0.0)), Budget()
    stopped = background.run(what_stopped())
    assert isinstance(stopped, asyncio.CancelledError)
    assert stopped.usage == budget.spent
    assert stopped.usage.total_tokens > 0 or by == "wait_for"  # which may run out before a request is sent
    assert stopped.cost_usd == budget.spent_usd
