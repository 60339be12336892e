import asyncio
from collections import Counter

import httpx2
import pytest

from rlm_memory_core import Budget, MemoryRLM, Usage, connect
from rlm_memory_core.experiments.methods import METHODS, beyond, make
from rlm_memory_core.experiments.show.simulated import SimulatedLatency
from rlm_memory_core.experiments.types import ChatSession, ChatTurn, Sample
from rlm_memory_core.models import background
from rlm_memory_core.models.normalise import Embeddings
from rlm_memory_core.models.types import Response
from rlm_memory_core.offline import OfflineReader
from rlm_memory_core.query.reading import Reading

SERVER = ("m", "http://127.0.0.1:1/v1")  # where the offline reader answers, when its calls shall be recorded


@pytest.fixture
def far_back():
    """A fact in the first of thirty sessions, and much talk after it."""
    fact = ChatSession(
        "2023/01/01 (Sun) 10:00", [ChatTurn("user", "My parrot is called Kiwi."), ChatTurn("assistant", "Nice.")]
    )
    talk = [
        ChatSession(
            f"2023/02/{day:02} (Wed) 10:00",
            [ChatTurn("user", "The bus was late again. " * 10), ChatTurn("assistant", "Oh.")],
        )
        for day in range(1, 29)
    ]
    return Sample("q", "kind", "What is my parrot called?", "Kiwi", [fact, *talk], "2023/03/01 (Wed) 10:00")


def answer(name, sample, window=2_000, budget=None):
    (method,) = make([name], connect("offline"), window, budget)
    return background.run(method(sample))


def test_truncation_sees_only_the_end(far_back):
    assert "Kiwi" not in answer("truncation", far_back).text
    assert "Kiwi" in answer("truncation", far_back, window=1_000_000).text


@pytest.mark.parametrize("name", ["full-context", "rlm-sequential", "rlm-parallel", "rlm-search"])
def test_the_others_see_everything(name, far_back):
    assert "Kiwi" in answer(name, far_back).text


def test_every_call_is_counted(far_back):
    assert answer("truncation", far_back).calls == 1
    for name in ("rlm-sequential", "rlm-parallel"):
        prediction = answer(name, far_back)
        assert prediction.calls == 29 + 2  # one a session, two replies of the root model
        assert prediction.coverage == 1.0
        assert prediction.prompt_tokens > len(far_back.store().to_string()) / 4  # all of it was read


def test_a_query_that_the_root_model_ends_keeps_what_was_found_and_paid_for(far_back, root_and_subagents):
    llm = root_and_subagents(
        ["```repl\nllm_query_parallel(sessions)\n```", "", "", ""], lambda prompt: "found", rates=(1, 1)
    )
    (method,) = make(["rlm-parallel"], llm, 1, hedge=0)  # no second copy of a call, however late
    prediction = background.run(method(far_back))
    assert (prediction.text, prediction.calls, prediction.coverage) == ("", 29 + 4, 1.0)
    assert prediction.cost_usd == prediction.prompt_tokens + prediction.completion_tokens
    assert "empty" in prediction.error
    assert prediction.seconds > 0


def test_subagents_that_failed_are_counted_with_their_reason(far_back, root_and_subagents):
    root = ["```repl\nllm_query_parallel(sessions)\n```\nFINAL(Kiwi)"]
    refusing = root_and_subagents(
        root, lambda prompt: httpx2.Response(400, json={"error": {"message": "no"}}) if "Kiwi" in prompt else "found"
    )
    (method,) = make(["rlm-parallel"], refusing, 1)
    prediction = background.run(method(far_back))
    assert (prediction.text, prediction.error) == ("Kiwi", "")
    assert (prediction.subagents, prediction.failed_subagents, prediction.coverage) == (29, 1, 28 / 29)
    assert prediction.failures.startswith("1x ")
    assert "400" in prediction.failures


def test_second_copies_are_counted_and_the_hedge_is_the_engines(far_back, root_and_subagents):
    asked = Counter()

    async def late(prompt):
        asked[prompt] += 1
        await asyncio.sleep(60 if "Kiwi" in prompt and asked[prompt] == 1 else 0.01)
        return "found"

    program = ["```repl\nllm_query_parallel(sessions)\n```\nFINAL(Kiwi)"]
    (method,) = make(["rlm-parallel"], root_and_subagents(program, late), 1, hedge=0.1)
    assert method.engine.hedge == 0.1
    prediction = background.run(method(far_back))
    assert (prediction.subagents, prediction.calls) == (29, 1 + 29 + prediction.copies)
    assert 1 <= prediction.copies <= 3  # a tenth; on a busy machine others are late too
    assert max(asked.values()) == 2


def test_sequential_and_parallel_answer_alike(far_back):
    assert answer("rlm-sequential", far_back).text == answer("rlm-parallel", far_back).text


def test_a_replay_takes_as_long_as_what_was_recorded(far_back, tmp_path):
    """Simulated latency, recorded and then replayed: the time in calls is the same, though nothing is waited for."""

    def ask(parallel):
        wrap = lambda _: SimulatedLatency(OfflineReader(), median=0.01)  # noqa: E731
        llm = connect(*SERVER, calls_path=tmp_path / f"{parallel}", wrap=wrap)
        engine = MemoryRLM(llm, parallel=parallel, reading=Reading("paper"))
        return engine.query(far_back.store(), far_back.question, far_back.question_date)

    for parallel in (True, False):
        live, replayed = ask(parallel), ask(parallel)
        steps = [
            (step.seconds, *([max(seconds)] if parallel else seconds))
            for step in live.trace.steps
            for seconds in [[call.seconds for call in step.calls] or [0.0]]
        ]
        assert live.trace.replayed_seconds == 0.0
        assert replayed.trace.replayed_seconds == pytest.approx(sum(map(sum, steps)))
        assert replayed.trace.replayed_seconds <= live.seconds  # whose rest is work of our own


@pytest.mark.parametrize(("name", "seconds"), [("truncation", 7.0), ("rlm-parallel", 21.0), ("rlm-sequential", 217.0)])
def test_the_seconds_of_a_prediction_are_not_those_of_the_replay(far_back, name, seconds):
    class SevenSeconds:
        async def send(self, request):
            return Response((await OfflineReader().send(request)).text, 7.0)

    (method,) = make([name], connect(*SERVER, wrap=lambda _: SevenSeconds()), 2_000)
    background.run(method(far_back))
    (method,) = make([name], connect(*SERVER, recorded="replay"), 2_000)
    assert background.run(method(far_back)).seconds >= seconds  # two replies of the root model, and one or 29 calls


def test_labels_never_reach_a_prompt(far_back, monkeypatch):
    seen = []
    llm = connect("offline")
    complete = llm.complete

    async def listen(messages, budget=None):
        seen.extend(message["content"] for message in messages)
        return await complete(messages, budget)

    monkeypatch.setattr(llm, "complete", listen)
    labelled = Sample("answer_7", "a-kind", far_back.question, "GOLD", far_back.sessions, evidence=(0,))
    for method in make(METHODS, llm, 2_000):
        background.run(method(labelled))
    assert seen
    assert not [text for text in seen if "GOLD" in text or "answer_7" in text or "a-kind" in text]


def test_a_spent_budget_ends_an_rlm_query_with_its_reason(far_back):
    assert "calls" in answer("rlm-parallel", far_back, budget=Budget(calls=1)).error


def test_an_unknown_method_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="no such method: guess; there are truncation"):
        make(["guess"], connect("offline"), 100)
    with pytest.raises(ValueError, match="window"):
        make(["truncation"], connect("offline"), 0)


class Constant:
    model = "constant"

    async def embed(self, texts, budget=None):
        return Embeddings([[1.0]] * len(texts), Usage(calls=1), 0.0)


def test_the_ablation_reads_less_and_says_what_it_read(far_back):
    methods = beyond(connect("offline"), Constant())
    names = [method.name for method in methods]
    assert names[1:] == [
        "rlm-ranked-5",
        "rlm-ranked-10",
        "rlm-ranked-20",
        "rlm-search",
        "rlm-ranked-10-embeddings",
    ]
    full, *ranked = (background.run(method(far_back)) for method in methods)
    assert full.sessions_read == tuple(range(29))
    searched = ranked.pop(3)
    assert (searched.sessions_read, searched.subagents) == (None, 0)  # its root model reads for itself
    assert "Kiwi" in searched.text
    assert searched.prompt_tokens < full.prompt_tokens
    assert [len(prediction.sessions_read) for prediction in ranked] == [5, 10, 20, 10]
    for prediction in ranked:
        assert "Kiwi" in prediction.text
        assert 0 in prediction.sessions_read
        assert prediction.prompt_tokens < full.prompt_tokens
