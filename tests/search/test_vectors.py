import asyncio
import math

import httpx2
import pytest

from rlm_memory_core import MemoryStore, ModelError
from rlm_memory_core.models.budget import Budget
from rlm_memory_core.models.normalise import Embeddings
from rlm_memory_core.models.pricing import Usage
from rlm_memory_core.search.ranking import arank_sessions, rank_sessions
from rlm_memory_core.search.semantic import MAX_CHARACTERS, Metered, similar_turns

TOPICS = (("cat", "kitten", "pet"), ("bicycle", "bike", "ride"), ("Lisbon", "move", "city"))


class Topical:
    """A vector a text: how often it speaks of each topic. Keeps the texts it was asked for."""

    def __init__(self, model="topical", scale=1.0):
        self.model = model
        self.asked = []
        self._scale = scale

    async def embed(self, texts, budget=None):
        self.asked += texts
        vectors = [[self._scale * sum(text.count(word) for word in words) for words in TOPICS] for text in texts]
        return Embeddings(vectors, Usage(prompt_tokens=len(texts), calls=1), 0.5)


def alike(store, question, embedder):
    found = asyncio.run(similar_turns(store, question, embedder))
    return {session: cosine for _, session, cosine in reversed(found)}


def test_a_session_is_as_like_as_its_best_turn(diary):
    diary.add("user", "A kitten on a bike.")
    found = alike(diary, "Any pet?", Topical())
    assert found == pytest.approx({1: 1.0, 2: 0.0, 3: math.sqrt(0.5)}, abs=1e-6)


def test_the_length_of_a_vector_does_not_count(diary):
    assert alike(diary, "pet", Topical(scale=7.0)) == pytest.approx(alike(diary, "pet", Topical("other")))


def test_meaning_finds_what_no_word_does(diary):
    question = "Which kitten do I own?"
    assert rank_sessions(diary, question)[0] == 2  # no word in common: the newest first
    assert rank_sessions(diary, question, embedder=Topical()) == [0, 2, 1]


def test_words_and_meaning_are_added(diary):
    diary.start_session()
    diary.add("user", "A pet shop; its owner is called Kiwi.")
    embedder = Topical()
    question = "Is the cat called Mochi?"
    found = alike(diary, question, embedder)
    assert found[1] == found[4]
    assert rank_sessions(diary, question, embedder=embedder)[:2] == [0, 3]


def test_dates_count_beside_meaning(diary):
    ranked = rank_sessions(diary, "What did I say yesterday?", "2023/06/02", embedder=Topical())
    assert ranked[0] == 1


def test_on_an_event_loop_the_async_twin_ranks_alike(diary):
    for embedder in (None, Topical()):
        asynchronous = asyncio.run(arank_sessions(diary, "my pet", embedder=embedder, k=2))
        assert asynchronous == rank_sessions(diary, "my pet", embedder=embedder, k=2)
        assert len(asynchronous) == 2


def test_a_turn_is_embedded_once_in_the_life_of_the_file(tmp_path):
    embedder = Topical()
    for said in ("My cat.", "My bicycle."):
        with MemoryStore(tmp_path / "history.db") as store:
            store.start_session()
            store.add("user", said)
            rank_sessions(store, "pet", embedder=embedder)
            rank_sessions(store, "pet", embedder=embedder)
    assert embedder.asked == ["My cat.", "pet", "pet", "My bicycle.", "pet", "pet"]


def test_what_the_assistant_said_is_not_embedded(diary):
    embedder = Topical()
    rank_sessions(diary, "pet", embedder=embedder)
    assert "Noted." not in embedder.asked


def test_a_session_of_the_assistant_alone_is_ranked_all_the_same(diary):
    diary.start_session()
    diary.add("assistant", "Here is a recipe of risotto.")
    assert sorted(rank_sessions(diary, "risotto", embedder=Topical())) == [0, 1, 2, 3]
    assert rank_sessions(diary, "risotto", embedder=Topical())[0] == 3


def test_each_model_has_vectors_of_its_own(diary):
    first, second = Topical("first"), Topical("second")
    rank_sessions(diary, "pet", embedder=first)
    rank_sessions(diary, "pet", embedder=second)
    assert first.asked == second.asked
    assert diary.query("SELECT model, count(*) FROM turn_vectors GROUP BY model") == [("first", 3), ("second", 3)]


def test_a_very_long_turn_is_cut(store):
    embedder = Topical()
    store.add("user", "cat " * MAX_CHARACTERS)
    rank_sessions(store, "pet", embedder=embedder)
    assert len(embedder.asked[0]) == MAX_CHARACTERS


def test_what_was_embedded_before_a_failure_is_kept(store, monkeypatch):
    monkeypatch.setattr("rlm_memory_core.search.semantic._AT_ONCE", 2)

    class Failing(Topical):
        async def embed(self, texts, budget=None):
            if "My city." in texts:
                raise ModelError("the server went away")
            return await super().embed(texts, budget)

    store.extend([("user", said) for said in ("My cat.", "My bike.", "My city.")])
    with pytest.raises(ModelError, match="went away"):
        rank_sessions(store, "pet", embedder=Failing())
    healthy = Topical()
    assert rank_sessions(store, "pet", embedder=healthy) == [0]
    assert healthy.asked == ["My city.", "pet"]


def test_many_vectors_are_read_in_blocks(monkeypatch, diary):
    whole = alike(diary, "pet", Topical())
    monkeypatch.setattr("rlm_memory_core.search.semantic._BLOCK", 2)
    assert alike(diary, "pet", Topical()) == whole


def test_another_model_under_the_same_name_is_told(diary):
    rank_sessions(diary, "pet", embedder=Topical())

    class Longer(Topical):
        async def embed(self, texts, budget=None):
            return Embeddings([[1.0] * 5 for _ in texts], Usage(), 0.0)

    with pytest.raises(ValueError, match=r"'topical' are not of 5 numbers.*a name of its own"):
        rank_sessions(diary, "pet", embedder=Longer())


def test_vectors_that_are_no_numbers_are_told_and_not_kept(diary):
    with pytest.raises(ValueError, match="topical gave vectors with numbers that are not finite"):
        rank_sessions(diary, "pet", embedder=Topical(scale=math.nan))
    assert diary.query("SELECT count(*) FROM turn_vectors") == [(0,)]


def test_an_empty_history_and_a_negative_k(store):
    assert rank_sessions(store, "pet", embedder=Topical()) == []
    with pytest.raises(ValueError, match="negative"):
        rank_sessions(store, "pet", embedder=Topical(), k=-1)


def test_an_llm_is_an_embedder_and_charges_the_budget(scripted, diary):
    def vectors(texts):
        rows = [{"index": n, "embedding": [float("cat" in text), 1.0]} for n, text in enumerate(texts)]
        return httpx2.Response(200, json={"data": rows, "usage": {"prompt_tokens": 10, "total_tokens": 10}})

    budget = Budget(calls=10)
    meter = Metered(scripted(vectors, "small", rates=(0.01, 0.0)))
    assert rank_sessions(diary, "cat", embedder=meter, budget=budget)[0] == 0
    assert (meter.model, meter.usage.calls, meter.usage.prompt_tokens) == ("small", 2, 20)
    assert meter.cost_usd == pytest.approx(0.2)
    assert budget.spent.calls == 2


def test_a_cost_that_is_not_known_once_stays_unknown():
    class Unpriced(Topical):
        async def embed(self, texts, budget=None):
            return Embeddings([[1.0] for _ in texts], Usage(calls=1), None)

    async def twice(meter):
        await meter.embed(["a"])
        await meter.embed(["b"])

    meter = Metered(Unpriced())
    asyncio.run(twice(meter))
    assert (meter.cost_usd, meter.usage.calls) == (None, 2)
