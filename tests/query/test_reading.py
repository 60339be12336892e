import pickle
import re

import pytest

from rlm_memory_core import MemoryChat, MemoryRLM, Reading, connect
from rlm_memory_core.search.semantic import LocalEmbedder


def test_by_default_it_is_the_papers_full_scan():
    assert MemoryRLM(connect("offline")).reading == Reading()
    assert (Reading().way, Reading().first, Reading().embedder) == ("search", None, None)
    assert Reading("search") == Reading()
    assert (Reading(first=10), Reading(first=10).way) == (Reading("paper", 10), "paper")


@pytest.mark.parametrize(
    ("given", "said"), [(("scan",), "search"), ((10,), "Reading(first=10)"), (("search", 5), "paper")]
)
def test_a_way_that_there_is_not_is_told(given, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Reading(*given)


@pytest.mark.parametrize("first", [0, -3])
def test_a_first_wave_has_at_least_one_session(first):
    with pytest.raises(ValueError, match=f"at least 1 session, not {first}"):
        Reading(first=first)


def test_an_engine_takes_it_to_another_process():
    reading = Reading(first=10, embedder=LocalEmbedder("/models/mine", name="mine"))
    engine = MemoryRLM(connect("offline"), reading=Reading(first=10))
    assert pickle.loads(pickle.dumps(engine)).reading == engine.reading
    assert pickle.loads(pickle.dumps(Reading(first=5))) == Reading(first=5)
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
