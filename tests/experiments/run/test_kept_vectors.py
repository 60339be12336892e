import asyncio

import pytest

from rlm_memory_core.experiments.run.kept_vectors import KeptVectors
from rlm_memory_core.models.embeddings import Embeddings
from rlm_memory_core.models.pricing import Usage


class Counting:
    """Vectors of lengths; what was asked is kept."""

    def __init__(self, model="m"):
        self.model = model
        self.asked = []

    async def embed(self, texts, budget=None):
        self.asked += texts
        return Embeddings([[float(len(text))] for text in texts], Usage(), 0.0)


@pytest.fixture
def kept():
    opened = []

    def make(embedder):
        opened.append(KeptVectors(embedder))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def vectors(embedder, *texts):
    return asyncio.run(embedder.embed(texts)).vectors


def test_a_text_is_embedded_once_in_any_order_and_by_any_process(kept):
    first, second = Counting(), Counting()
    assert vectors(kept(first), "a", "bb", "a") == [[1.0], [2.0], [1.0]]
    assert vectors(kept(second), "ccc", "bb") == [[3.0], [2.0]]
    assert first.asked == ["a", "bb"]
    assert second.asked == ["ccc"]


def test_models_are_kept_apart(kept):
    other = Counting("other")
    vectors(kept(Counting()), "a")
    assert kept(other).model == "other"
    vectors(kept(other), "a")
    assert other.asked == ["a"]
