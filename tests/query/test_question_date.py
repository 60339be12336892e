"""The day of a question: one that cannot be read is not accepted in silence."""

import asyncio

import pytest

from rlm_memory_core import MemoryChat, MemoryRLM, Reading, connect

UNREADABLE = pytest.warns(UserWarning, match="'soon' cannot be read as a date; write 2023-05-30")


@pytest.mark.parametrize("reading", ["search", "paper"])
def test_a_query_warns_of_a_day_that_cannot_be_read(diary, reading):
    engine = MemoryRLM(connect("offline"), reading=Reading(reading))
    with UNREADABLE:
        engine.query(diary, "What is my cat called?", "soon")
    with UNREADABLE:
        asyncio.run(engine.aquery(diary, "What is my cat called?", "soon"))


@pytest.mark.parametrize("threshold", [0, 10**6])
def test_a_chat_warns_of_it_too(threshold):
    chat = MemoryChat(connect("offline"), threshold_chars=threshold)
    chat.add_turn("user", "My cat is called Mochi.")
    with UNREADABLE:
        chat.query("What is my cat called?", "soon")


def test_a_day_that_can_be_read_is_accepted(diary, recwarn):
    MemoryRLM(connect("offline")).query(diary, "What is my cat called?", "1:56 pm on 8 May, 2023")
    assert [warning for warning in recwarn if "cannot be read" in str(warning.message)] == []
