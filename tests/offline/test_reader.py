"""The offline reader: what it quotes, and when it says that it does not know."""

from datetime import date

import pytest

from rlm_memory_core.offline.history import Turn, parse_turns, sentences
from rlm_memory_core.offline.matching import best_passages, names
from rlm_memory_core.offline.reader import answer, extract
from rlm_memory_core.query.prompts import NOT_FOUND, UNKNOWN

DAY = "2023/05/20 (Sat) 02:21"


def said(*texts):
    """Turns of the user, one a session, a month apart."""
    return [Turn("user", text, date(2023, 1 + at, 1), at) for at, text in enumerate(texts)]


def test_sentences_lose_no_word():
    text = "I saw Dr. Lee. It cost 3.50 euros! Fine?\n1. Rest well\nТак. 好。再见"
    assert sentences(text) == ["I saw Dr. Lee.", "It cost 3.50 euros!", "Fine?", "1. Rest well", "Так.", "好。", "再见"]
    assert "".join(sentences("x" * 5000)) == "x" * 5000
    assert " ".join(sentences("word " * 500)).split() == ["word"] * 500


def test_a_heading_stands_with_what_follows_it():
    assert sentences("Pack these things:\n\n1. Wool socks\n2. Crampons") == [
        "Pack these things: 1. Wool socks",
        "2. Crampons",
    ]


def test_turns_have_roles_numbers_and_days():
    turns = parse_turns(f"[--- Session 1 | {DAY} ---]\n[Turn 1][user]: I ski.\nA lot.\n[Turn 2][my helper]: Good.\n")
    found = [(turn.role, turn.number, turn.text.strip(), turn.day) for turn in turns]
    day = date(2023, 5, 20)
    assert found == [("user", 1, "I ski.\nA lot.", day), ("my helper", 2, "Good.", day)]
    assert [turn.text for turn in parse_turns("No marks.")] == ["No marks."]
    assert parse_turns("") == []


def test_the_passage_that_matches_best_is_quoted():
    turns = said("It rains. My cat is called Mochi. I like tea.", "My dog is called Rex.")
    assert answer(turns, "What is my cat called?").startswith("My cat is called Mochi.")


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("My classes start at nine.", "When does my class start?"),
        ("I planned a loud party.", "Am I planning parties?"),
        ("I grew up in Nairobi.", "What city did I grow up in?"),
    ],
)
def test_words_are_compared_by_their_stems(text, question):
    assert text in answer(said(text), question)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Моя кошка живёт у мамы.", "Где живёт кошка?"),
        ("I met José at the café.", "Where did I meet Jose?"),
        ("Η γάτα λέγεται Μόκα.", "Πώς λέγεται η γάτα;"),
    ],
)
def test_other_scripts_and_accents(text, question):
    assert answer(said("It rains.", text), question) == text


def test_rare_words_decide():
    turns = said(*["My record player is old."] * 5, "My record in the pottery league is 6-2.")
    assert answer(turns, "What was my record in the league?").startswith("My record in the pottery league is 6-2.")


def test_words_may_stand_around_the_sentence():
    turns = said("I adopted a kitten at the shelter. His name is Biscuit.", "I went to a shelter from the rain.")
    assert "Biscuit" in answer(turns, "What is the name of the kitten that I adopted at the shelter?")


def test_a_question_on_how_things_stand_gets_the_newest():
    turns = said("My sister lives in Oslo.", "My sister lives in Rome.", "It rains.")
    assert answer(turns, "Where does my sister live?").startswith("My sister lives in Rome.")
    assert answer(turns, "Where did my sister live?").startswith("My sister lives in Oslo.")


def test_the_assistant_is_quoted_when_it_is_asked_for():
    turns = [Turn("user", "I want a red hiking jacket."), Turn("assistant", "For a hiking jacket I recommend Fjordan.")]
    assert answer(turns, "Which hiking jacket did you recommend?").startswith("For a hiking jacket")
    assert answer(turns, "Which hiking jacket do I want?").startswith("I want a red")


def test_a_question_asked_before_is_no_answer():
    assert answer(said("What is my cat called?"), "What is my cat called?") == UNKNOWN


def test_when_gives_the_day():
    turns = [Turn("user", "I ran my first marathon yesterday.", date(2023, 5, 20))]
    assert answer(turns, "When did I run my marathon?") == "I ran my first marathon yesterday. (19 May 2023)"


def test_an_answer_is_short():
    turns = said(*[f"My garden has {number} roses and a long path with stones along the wall." for number in range(9)])
    assert 20 < len(answer(turns, "What does my garden have?").split()) <= 40


@pytest.mark.parametrize("turns", [[], said(""), said("The bus was late.")])
@pytest.mark.parametrize("question", ["What is my cat called?", "", "???", "Who am I?"])
def test_it_does_not_know_what_nobody_said(turns, question):
    assert answer(turns, question) == UNKNOWN


def test_names():
    assert names("Where does Boris live? In Rome, since last Monday in May?") == ["boris", "rome"]


def test_extract_quotes_or_reports_nothing():
    session = "[Turn 1][user]: My sister Ann lives in Ghent.\n[Turn 2][assistant]: How nice."
    assert extract(session, None, "Where does my sister live?") == ('- [Turn 1] "My sister Ann lives in Ghent.": user')
    assert extract(session, None, "What is the speed of my printer?") == NOT_FOUND
    assert extract("", None, "Where?") == NOT_FOUND
    assert extract(session, None, "") == NOT_FOUND


HOSTILE = ["x" * 1_000_000, "la " * 100_000, "[" * 200_000, "<" * 200_000, '"' * 200_000, "." * 200_000, ". " * 30_000,
           ":\n" * 100_000, "\\" * 200_000, "\n" * 200_000, " " * 200_000, "a\0b", "\ud800", "[Turn 1][" * 50_000,
           "cat " * 50_000, "¡" * 100_000, "Z" + "\u0301" * 50_000]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_read_in_linear_time(text):
    found = answer([*parse_turns(text), Turn("user", "My grey cat is called Mochi.")], "What is my grey cat called?")
    assert "Mochi" in found
    assert extract(text, text[:200], "What is my grey dog called?") is not None
    assert best_passages(parse_turns("It rains."), text[:1000]) == []
