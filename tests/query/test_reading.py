import pickle

import pytest

from rlm_memory_core import MemoryChat, MemoryRLM, Reading, connect
from rlm_memory_core.search.semantic import LocalEmbedder


def test_by_default_it_is_the_papers_full_scan():
    assert MemoryRLM(connect("offline")).reading == Reading()
    assert (Reading().first, Reading().embedder, Reading().facts, Reading().recency) == (None, None, False, False)


@pytest.mark.parametrize("first", [0, -3])
def test_a_first_wave_has_at_least_one_session(first):
    with pytest.raises(ValueError, match=f"at least 1 session, not {first}"):
        Reading(first=first)


def test_an_engine_takes_it_to_another_process():
    reading = Reading(first=10, embedder=LocalEmbedder("/models/mine", name="mine"), facts=True)
    engine = MemoryRLM(connect("offline"), reading=Reading(first=10, facts=True))
    assert pickle.loads(pickle.dumps(engine)).reading == engine.reading
    assert pickle.loads(pickle.dumps(Reading(first=5, recency=True))) == Reading(first=5, recency=True)
    assert reading.embedder.model == "mine"


def test_a_chat_passes_it_on():
    chat = MemoryChat(threshold_chars=0, reading=Reading(first=1))
    for _ in range(3):
        chat.store.start_session()
        chat.add_turn("user", "The bus was late again.")
    chat.store.start_session()
    chat.add_turn("user", "My cat is called Mochi.")
    answer = chat.query("What is my cat called?")
    assert (answer.text, answer.sessions_read) == ("My cat is called Mochi.", (4,))
