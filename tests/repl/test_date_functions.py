import pytest
from paper import PaperRLM

from rlm_memory_core import MemoryRLM
from rlm_memory_core.repl.date_functions import days_between, parse_date

CODE = """```repl
import datetime
a, b = "2023/05/20 (Sat) 02:21", "2023-06-01"
print(parse_date(a), parse_date("8 May, 2023"), parse_date("soon"), parse_date(None), parse_date(question_date))
print(days_between(a, b), days_between(b, a), days_between(datetime.date(2024, 2, 29), question_date))
print(days_between(start=datetime.datetime(2024, 2, 28, 23, 59), end="March 1st, 2024"))
print(parse_date(datetime.datetime(2023, 5, 20, 2, 21)), sorted(["2023/12/01", "2023/2/3"], key=parse_date))
```"""
SHOWN = """2023-05-20 2023-05-08 None None 2024-03-10
12 -12 10
2
2023-05-20 ['2023/2/3', '2023/12/01']
"""


WITH_WEEKDAYS = """2023-05-20 Sat 2023-05-08 Mon None None 2024-03-10 Sun
12 -12 10
2
2023-05-20 Sat ['2023/2/3', '2023/12/01']
"""


@pytest.mark.parametrize(
    ("rlm", "shown"),
    [(PaperRLM, SHOWN), (MemoryRLM, WITH_WEEKDAYS)],
)
def test_the_repl_has_them(diary, root_and_subagents, scripted, rlm, shown):
    engine = rlm(root_and_subagents([CODE, "FINAL(done)"]))
    engine.query(diary, "When?", question_date="2024/03/10 (Sun) 12:00")
    assert "parse_date(text), days_between(a, b)" in scripted.requests[0]["messages"][0]["content"]
    assert shown in scripted.conversation[-1]["content"]


@pytest.mark.parametrize("rlm", [PaperRLM, MemoryRLM])
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("days_between('2023-05-20', 'soon')",
         "ValueError: days_between takes two dates with a year, such as '2023-05-20'; there is none in 'soon'"),
        ("days_between('2023-05-20', None)", "there is none in None"),
        ("days_between('2023-02-30', '2023-03-01')", "there is none in '2023-02-30'"),
        ("days_between('x' * 99, '2023-03-01')", "there is none in 'xxx"),
        ("days_between(5, '2023-03-01')", "TypeError: days_between takes a text or a date, not int"),
        ("parse_date(['2023-03-01'])", "TypeError: parse_date takes a text or a date, not list"),
        ("parse_date('x' * 10**5)", "ValueError: parse_date takes at most 10,000 characters, not 100,000"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_the_repl(diary, root_and_subagents, scripted, code, said, rlm):
    engine = rlm(root_and_subagents([f"```repl\n{code}\n```", "FINAL(done)"]))
    engine.query(diary, "When?")
    assert said in scripted.conversation[-1]["content"]


def test_days_are_counted_over_leap_days_and_years():
    assert days_between("2024-02-28", "2024-03-01") == 2
    assert days_between("2023-12-31 23:59", "2024/01/01 00:01") == 1
    assert days_between("2023-05-20", "2023-05-20") == 0


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("12/31/2023", "2023-12-31"),
        ("on 5/6/2023, at noon", "2023-05-06"),
        ("31/12/2023", "2023-12-31"),
        ("1/2/3/2023", None),
        ("may 5, 2023", "2023-05-05"),
        ("MAY 5 2023", "2023-05-05"),
        ("5 SEPT. 2023", "2023-09-05"),
        ("2023 May 5", "2023-05-05"),
        ("2023, december 31", "2023-12-31"),
        ("since 2022 May 5, 2023", "2023-05-05"),
        ("2024-02-30 and then 2024-03-01", "2024-03-01"),
        ("2/30/2024 or 3/1/2024", "2024-03-01"),
        ("2024-02-30", None),
        ("may be in 2023", None),
    ],
)
def test_dates_as_people_write_them(text, day):
    assert parse_date(text) == day
