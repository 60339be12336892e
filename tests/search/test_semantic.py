import asyncio
import sys
from types import ModuleType

import pytest

from rlm_memory_core.search.semantic import DEFAULT_MODEL, LocalEmbedder


def embed(embedder, texts):
    return asyncio.run(embedder.embed(texts))


@pytest.fixture
def library(monkeypatch):
    """A stand-in for sentence-transformers that tells how it was called: the real one brings PyTorch."""
    np = pytest.importorskip("numpy")
    calls = []

    class SentenceTransformer:
        def __init__(self, path, device=None):
            calls.append((path, device))

        def encode(self, texts, **options):
            calls.append((texts, options))
            return np.ones((len(texts), 2), dtype="float32")

    module = ModuleType("sentence_transformers")
    module.SentenceTransformer = SentenceTransformer
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    return calls


def test_the_model_is_loaded_once_at_the_first_text(library):
    embedder = LocalEmbedder("/models/mine", device="cpu")
    assert library == []
    assert embed(embedder, ["one", "two"]).vectors == [[1.0, 1.0], [1.0, 1.0]]
    embed(embedder, ["three"])
    options = {"normalize_embeddings": True, "show_progress_bar": False}
    assert library == [("/models/mine", "cpu"), (["one", "two"], options), (["three"], options)]


def test_it_costs_nothing(library):
    embedded = embed(LocalEmbedder(), ["one"])
    assert (embedded.cost_usd, embedded.usage.calls) == (0.0, 0)


def test_vectors_are_kept_under_the_models_name_or_a_given_one():
    assert LocalEmbedder().model == DEFAULT_MODEL
    assert LocalEmbedder("/models/mine", name="mine").model == "mine"


def test_a_missing_library_is_told_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ImportError, match=r"pip install 'rlm-memory\[semantic\]'"):
        embed(LocalEmbedder(), ["one"])
