"""Tokens of a question hardly grow with the history, if the root model searches for the same things."""

from datetime import date, timedelta
from itertools import islice, pairwise

import pytest

from rlm_memory_core import MemoryRLM, MemoryStore
from rlm_memory_core.search.words import content_words

FEW, MANY = 50, 1_000


def sessions_of(sample):
    return [(session.date, [(turn.role, turn.content) for turn in session.turns]) for session in sample.sessions]


def history(filler, own, count):
    """The sessions of a sample, and others before them: as many as make up the count."""
    store = MemoryStore()
    with store.transaction():
        for number, (_, turns) in enumerate(islice(filler, count - len(own))):
            store.start_session(f"{date(2022, 1, 1) + timedelta(days=number * 400 // count):%Y/%m/%d}")
            store.extend(turns)
        for day, turns in own:
            store.start_session(day)
            store.extend(turns)
    return store


def taken(store, sample, scripted):
    """The characters sent by a root model that probes for pairs of the question's words, and then answers."""
    words = content_words(sample.question)[:6]
    probes = ", ".join(map(repr, map(" ".join, pairwise(words))))
    root = [f'```repl\nfind({probes}, role="user")\nfind({probes})\n```', '```repl\nFINAL("x")\n```']
    before = len(scripted.requests)
    MemoryRLM(scripted(root)).query(store, sample.question, sample.question_date)
    return sum(len(each["content"]) for request in scripted.requests[before:] for each in request["messages"])


@pytest.mark.slow
def test_tokens_of_a_scripted_root_hardly_grow(longmemeval_s, scripted):
    filler = [each for sample in longmemeval_s[: MANY // FEW + 1] for each in sessions_of(sample)[:FEW]]
    few = many = 0
    for sample in longmemeval_s[9::33]:
        own = sessions_of(sample)
        few += taken(history(filler, own[:FEW], FEW), sample, scripted)
        many += taken(history(filler, own[:FEW], MANY), sample, scripted)
    assert many < 1.15 * few
