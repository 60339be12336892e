"""The one date parser: full dates, and the days that sentences mention."""

from datetime import date

import pytest

from rlm_memory_core.store.dates import moments, parse_date

SAID_ON = date(2023, 5, 20)  # a Saturday


@pytest.mark.parametrize(
    "text",
    [
        "2023-05-20", "2023/05/20 (Sat) 02:21", "2023/5/20", "2023.05.20", "20230520", "20230520T022100Z",
        "2023-05-20T02:21:00Z", "2023-05-20T23:59:59.123456-08:00", "2023-05-20 02:21:00+00:00",
        "5/20/2023", "05/20/2023 02:21", "20/5/2023", "20.05.2023", "20.5.2023, 02:21", "05-20-2023", "5/20/23",
        "20 May 2023", "20 MAY 2023", "20 may, 2023", "20th of May 2023", "1:56 pm on 20 May, 2023", "20-May-2023",
        "May 20, 2023", "MAY 20 2023", "May 20th, 2023", "may the 20th, 2023", "2023 May 20", "2023, may 20",
        "Sat May 20 02:21:00 2023", "Sat, 20 May 2023 02:21:00 GMT", "Saturday, 20 May 2023 (02:21)",
        "We met on 5/20/2023, at noon.", "It was (20 MAY 2023) or so.", "since 2022 May 20, 2023",
        "2023-02-30 and then 2023-05-20", "\u0662\u0660 May 2023",
    ],
)  # fmt: skip
def test_a_full_date_is_read_in_every_usual_form(text):
    assert parse_date(text) == SAID_ON


def test_the_first_date_of_a_text_counts_and_the_month_comes_first():
    assert parse_date("5 May 2023, not 2023-06-07") == date(2023, 5, 5)
    assert parse_date("5/6/2023") == parse_date("05.06.2023") == parse_date("2023-05-06") == date(2023, 5, 6)
    assert parse_date("May 2023") == parse_date("2023-05") == date(2023, 5, 1)


@pytest.mark.parametrize(
    "text",
    [
        "", None, "some day", "soon", "last Tuesday", "May", "5/20", "2023", "may be in 2023", "in May 2023 or so",
        "2023/02/31", "2/30/2024", "2023-13-05", "1/2/3/2023", "5", "10:30", "Saturday 2023", "May 2023 Saturday",
        "version 1.2.3", "10.0.0.20", "31.06.2023", "99/99/2023", "2023-05-205", "555-12-2023", "now", "\0", "20" * 40,
        "9" * 5000, "2023" * 2000, "1e400", "5/20/99999999999999999999", "May " * 2000, "-" * 5000, "\ud800 2023",
        "12/" * 3000, "2023-05-" * 1000, "Infinity 2023", "NaN/20/2023", "2023 FOO BAR 5",
    ],
)  # fmt: skip
def test_what_is_no_full_date_gives_none_and_never_an_error(text):
    assert parse_date(text) is None


def test_only_the_beginning_of_a_very_long_text_is_read():
    assert parse_date("x" * 20_000 + " 2023-05-20") is None
    assert moments("x" * 20_000 + " yesterday", SAID_ON) == []


@pytest.mark.parametrize(
    ("sentence", "day"),
    [
        ("I ran yesterday.", date(2023, 5, 19)), ("two weeks ago we met", date(2023, 5, 6)),
        ("We met last Saturday.", date(2023, 5, 13)), ("It opens next Monday.", date(2023, 5, 22)),
        ("I left on the 3rd of June", date(2023, 6, 3)), ("since last month", date(2023, 4, 20)),
        ("a couple of days ago", date(2023, 5, 18)), ("on 12/28 it snowed", date(2022, 12, 28)),
        ("the day before yesterday", date(2023, 5, 18)), ("a fortnight ago", date(2023, 5, 6)),
        ("half a year ago", None), ("on the 2nd day", None),
        ("a couple weeks ago", date(2023, 5, 6)), ("twenty-five days ago", date(2023, 4, 25)),
        ("every Tuesday morning I run", None),
        ("since Monday", date(2023, 5, 15)), ("in 2019", date(2019, 7, 1)), ("by April", date(2023, 4, 16)),
        ("several weeks ago", date(2023, 4, 22)), ("a year ago", date(2022, 5, 20)), ("I may go", None),
        ("it costs $3/4", None), ("we met on 5/1/2023", date(2023, 5, 1)), ("on 1 MAY 2021", date(2021, 5, 1)),
        ("on 31.12.2022 it rained", date(2022, 12, 31)), ("It was May 2021.", date(2021, 5, 16)),
        ("in may, 2021", date(2021, 5, 16)), ("I may 5", None), ("last weekend", date(2023, 5, 13)),
        ("The old \u017funday was wee\u212as ago", None), ("see you on \u017funday", date(2023, 5, 14)),
    ],
)  # fmt: skip
def test_a_sentence_mentions_a_day(sentence, day):
    assert [moment.day for moment in moments(sentence, SAID_ON)] == ([day] if day else [])


def test_the_days_of_a_sentence_come_in_its_order_each_once():
    found = moments("On 3 May, 2023, two days ago and in March I ran.", SAID_ON)
    assert [(str(moment.day), moment.width) for moment in found] == [
        ("2023-05-03", 1), ("2023-05-18", 1), ("2023-03-16", 30),
    ]  # fmt: skip


def test_a_month_back_ends_with_the_month():
    assert moments("a month ago", date(2023, 3, 31))[0].day == date(2023, 2, 28)
    assert moments("a month ago", date(2023, 5, 31))[0].day == date(2023, 4, 30)
    assert moments("a year ago", date(2024, 2, 29))[0].day == date(2023, 2, 28)


def test_relative_words_need_a_day():
    assert moments("yesterday, in March, on 3/4 and on 5 May", None) == []
    assert [moment.day.year for moment in moments("in May 2021 and in 2019", None)] == [2021, 2019]


@pytest.mark.parametrize("said_on", [date(1, 1, 1), date(9999, 12, 31)])
def test_the_ends_of_the_calendar_break_nothing(said_on):
    for words in ("999 years ago", "999 weeks ago", "next week", "last Monday", "on 12/31", "tomorrow", "in May"):
        moments(words, said_on)
