from datetime import date

import pytest

from rlm_memory_core.search.ranking import periods, without_relative

ASKED = "2023/05/30 (Tue) 23:40"


def spans(question, asked=ASKED):
    return [(str(period.start), str(period.end)) for period in periods(question, asked)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What did I buy yesterday?", ("2023-05-29", "2023-05-29")),
        ("What did I bake in the past two weeks?", ("2023-05-16", "2023-05-30")),
        ("Who was born in the last few months?", ("2023-03-01", "2023-05-30")),
        ("Where was I over the last 10 days?", ("2023-05-20", "2023-05-30")),
        ("What did I read during the past couple of weeks?", ("2023-05-16", "2023-05-30")),
        ("Where did I eat last week?", ("2023-05-20", "2023-05-26")),
        ("Which book did I finish a week ago?", ("2023-05-20", "2023-05-26")),
        ("What did I start in March?", ("2023-03-01", "2023-03-31")),
        ("What did she do on 3 May, 2023?", ("2023-05-03", "2023-05-03")),
        ("Who came in December 2022?", ("2022-12-01", "2022-12-31")),
    ],
)
def test_a_span_of_the_past_is_read(question, expected):
    assert spans(question) == [expected]


@pytest.mark.parametrize(
    "question",
    [
        "What should I cook this weekend?",
        "What shall I do tomorrow?",
        "How many days ago did I watch the Super Bowl?",
        "What is my cat called?",
        "",
    ],
)
def test_what_lies_ahead_and_no_date_at_all_are_no_span(question):
    assert spans(question) == []


@pytest.mark.parametrize("asked", [None, "some day"])
def test_without_a_day_of_asking_only_words_with_a_year_count(asked):
    assert spans("What did I buy last week, or a month ago, or in March?", asked) == []
    assert spans("What did I buy in March 2021?", asked) == [("2021-03-01", "2021-03-31")]


def test_relative_words_are_left_out_and_names_of_months_kept():
    question = "What did I plant two weeks ago, and in February?"
    found = periods(question, ASKED)
    assert [period.words for period in found] == ["two weeks ago", "in February"]
    assert without_relative(question, found).split() == ["What", "did", "I", "plant", ",", "and", "in", "February?"]


def test_a_width_is_that_of_the_unit():
    (found,) = periods("What did I bake in the past two weeks?", ASKED)
    assert (found.width, found.start, found.end) == (7, date(2023, 5, 16), date(2023, 5, 30))


def test_a_year_too_many_breaks_nothing():
    assert spans("What happened in the last 999 years?", "1950/01/01") == [("0951-08-31", "1950-01-01")]
    assert len(spans("What happened 999 years ago?", "1950/01/01")) == 1
