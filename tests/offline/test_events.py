"""Questions on time, cut into the events that they set against each other."""

import pytest

from rlm_memory_core.offline.categories import kind_among
from rlm_memory_core.offline.events import in_order, items, leans, options, pair, told_apart
from rlm_memory_core.offline.question import analyse
from rlm_memory_core.offline.words import stem


@pytest.mark.parametrize(
    ("question", "first", "second"),
    [("How many days were there between the day I sold the boat and the day I lost my keys?", "sold the boat", "keys"),
     ("How many weeks had passed since I last rowed when my arm broke?", "last rowed", "my arm broke"),
     ("How many days before my trip to Oslo did I renew my passport?", "renew my passport", "trip to Oslo"),
     ("When I moved to Lyon, how long had I been learning French?", "learning French", "moved to Lyon"),
     ("How many days passed from when I ordered the sofa until it was delivered?", "ordered the sofa", "delivered"),
     ("How long did it take me to finish the puzzle after I opened the box?", "opened the box", "finish the puzzle")],
)  # fmt: skip
def test_the_two_events_of_a_question_the_earlier_first(question, first, second):
    found = pair(question)
    assert found is not None
    assert first in found[0]
    assert second in found[1]


def test_no_pair_where_the_other_end_is_the_day_of_asking():
    question = "How many months have passed since I moved into the flat?"
    assert pair(question) is None
    assert analyse(question).kind == "ago"


@pytest.mark.parametrize(
    ("question", "expected"),
    [("Which did I buy first, the kettle or the toaster?", ("kettle", "toaster")),
     ("Did I visit Rome or Paris first?", ("visit Rome", "Paris")),
     ("Of the kettle and the toaster, which did I buy last?", ("kettle", "toaster")),
     ("What did I do first: mend the roof, dig the pond, or mow?", ("mend the roof", "dig the pond", "mow")),
     ("Where is Rome?", ())],
)  # fmt: skip
def test_options(question, expected):
    assert options(question) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [("Put the exam, my move and the flood in order.", ("the exam", "my move", "the flood")),
     ("What is the order of these trips, from first to last: Rome, Oslo and Bern?", ("Rome", "Oslo", "Bern")),
     ("In which order did I visit Rome, Oslo and Bern?", ("visit Rome", "Oslo", "Bern")),
     ("What was the order of the three trips I took, from the earliest to the latest?", ())],
)  # fmt: skip
def test_happenings_to_put_in_order(question, expected):
    assert in_order(question) == expected
    assert analyse(question).kind == "order"


@pytest.mark.parametrize("question", ["What do I need in order to travel?", "What did I order at the bakery?"])
def test_an_order_that_is_no_sequence(question):
    assert analyse(question).kind != "order"


def test_before_or_after():
    assert told_apart("Was the wedding before or after the funeral?") == ("the wedding", "the funeral", None)
    assert told_apart("Did the parcel arrive before I left for Oslo?") == (
        "the parcel arrive",
        "I left for Oslo",
        "before",
    )
    assert told_apart("Who came?") is None


def test_items_and_pronouns():
    assert items("What did I pay for the hat, the coat and my scarf?") == ("hat", "coat", "scarf")
    assert items("What did I pay?") == ()
    assert items("What is the number of songs I know from 'Tapestry' and 'Blue'?") == ("'Tapestry'", "'Blue'")
    assert leans("I ordered it")
    query = analyse("How many days did it take for the lamp to arrive after I ordered it?")
    assert stem("lamp") in query.part_terms[1]


def test_kinds_of_things_hold_their_members_and_not_the_other_way_round():
    assert kind_among(stem("cousin"), [stem("relatives")]) == stem("relative")
    assert kind_among(stem("relative"), [stem("cousin")]) is None
