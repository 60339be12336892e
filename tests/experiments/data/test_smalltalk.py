import random
import re

from rlm_memory_core.experiments.data import smalltalk, synthetic

EVERYDAY = smalltalk.SENTENCES["everyday"]


def test_talk_takes_turns_about_one_topic():
    turns = smalltalk.talk(random.Random(1), 5, "water")
    assert [turn.role for turn in turns] == ["user", "assistant"] * 5
    things = [thing.split()[-1] for thing in EVERYDAY["topics"]["water"]]
    assert all(any(thing in turn.content for thing in things) for turn in turns)


def test_the_assistant_speaks_of_the_users_things():
    replies = [turn.content for turn in smalltalk.talk(random.Random(2), 50, "family")[1::2]]
    assert "your sister" in " ".join(replies)
    assert not re.search(r"\bmy\b|\bour\b", " ".join(replies))


def test_sentences_hardly_repeat_themselves():
    said = [turn.content for turn in smalltalk.talk(random.Random(3), 300)]
    assert len(set(said)) > 0.75 * len(said)


def test_no_sentence_holds_a_figure_a_name_or_an_answer():
    parts = " ".join(
        thing for things in [*EVERYDAY["topics"].values(), EVERYDAY["worries"], EVERYDAY["reasons"]] for thing in things
    )
    assert not re.search(r"\d", parts)
    assert not re.search(r"\b[A-Z]\w", parts)
    values = [value for *_, values in (*synthetic.FACTS, *synthetic.UPDATES) for value in values]
    assert not [value for value in values if re.search(rf"\b{re.escape(value)}\b", parts, re.I)]


def test_what_is_asked_for_is_talked_about():
    spoken = " ".join(thing for things in EVERYDAY["topics"].values() for thing in things)
    for word in ("dentist", "sister", "boat", "course", "meeting", "teapot", "town"):
        assert word in spoken
