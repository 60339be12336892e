import pytest

from rlm_memory_core.offline.facts import with_fields
from rlm_memory_core.offline.reader import extract
from rlm_memory_core.query.findings import parse_findings

DAY = "2023/05/20 (Sat) 02:21"


@pytest.mark.parametrize(
    ("said", "question", "date", "value"),
    [
        ("My cat is called Mochi.", "What is my cat called?", "2023/05/20", None),
        ("I ran the race in 25 minutes two days ago.", "How many minutes did the race take?", "2023/05/18", "25"),
        ("Our old | new cat cost 30 dollars.", "How much did the cat cost?", "2023/05/20", "30"),
    ],
)
def test_each_quote_has_a_day_and_a_value(said, question, date, value):
    reply = with_fields(extract(f"[Turn 1][user]: {said}", DAY, question), DAY, question)
    (finding,) = parse_findings(reply)
    assert (finding.quote, finding.turn, finding.date) == (said, 1, date)
    assert value is None or value in finding.value


def test_a_session_without_a_date_gives_none():
    (finding,) = parse_findings(with_fields('- [Turn 1] "My cat is Mochi.": user', None, "What is my cat called?"))
    assert (finding.date, finding.text) == (None, "user")


def test_any_other_reply_stays():
    assert with_fields("NOT_FOUND", DAY, "Who?") == "NOT_FOUND"
