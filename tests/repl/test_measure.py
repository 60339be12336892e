import asyncio
from datetime import date

import pytest

from rlm_memory_core.models import background
from rlm_memory_core.repl.repl import Limits, Repl
from rlm_memory_core.repl.values import MAX_CHARACTERS, measure


def run(*codes, asked=None, functions=None, **bounds):
    async def llm_query(*args):
        asked.append(args)
        return f"reply {len(asked)}"

    async def session():
        async with Repl({}, functions or {}, {"llm_query": llm_query}, limits=Limits(**bounds)) as opened:
            return [await asyncio.wait_for(opened.run(code), 30) for code in codes]

    return background.run(session())


# loses the worker by the number of look-ups that `host_calls` allows, however long they take
ENDLESS = "while True:\n    try:\n        no_such_name\n    except NameError:\n        pass"
DIFFERENT = [
    -1, -2, 1, 1.0, True, False, 0, -0.0, 10**5000, 10**5000 + 1, "1", "-1", None, "None", "", [], {}, [[]], [{}],
    [1], {"1": 1}, [[1], 1], [[1, 1]], [[1], [1]], {"1": 2}, [1, 2], {"a": ["b"]}, {"a": "b"}, ["a", "b"], ["ab"],
    ["a", "b", ""], date(2023, 5, 20), date(2023, 5, 21), "2023-05-20", "\ud800", "\ud801", "int 1", ["int 1"],
]  # fmt: skip


def test_values_that_differ_in_content_or_in_type_are_told_apart():
    assert len({measure(value).digest for value in DIFFERENT}) == len(DIFFERENT)


def test_equal_values_are_equal_whatever_they_share():
    part = ["a", {"b": 1}]
    assert measure([part, part]).digest == measure([["a", {"b": 1}], ["a", {"b": 1}]]).digest


def test_a_value_that_shares_much_is_read_once():
    shared = ["x" * 1000] * 1000
    for _ in range(60):
        shared = [shared] * 1000
    assert measure(shared).characters > MAX_CHARACTERS
    assert measure(shared).longest == 1000
    assert measure({"a": 1, "b": ["x" * 500]}).longest == 500


@pytest.mark.parametrize("argument", ["-2", "True", "1.0", "b'1'", "['a', 'b']", "{'a': 1}", "date(2023, 5, 21)"])
def test_a_call_gets_no_reply_to_another_one_after_its_run_was_lost(argument):
    asked = []
    before = "from datetime import date\n"
    codes = [
        f"{before}for x in (-1, 1, '1', ['ab'], ('a', 1), date(2023, 5, 20)): llm_query(x)\n{ENDLESS}",
        f"{before}print(llm_query({argument}))\nprint(llm_query(['ab']))",
    ]
    _, again = run(*codes, asked=asked, host_calls=50)
    assert again.output == "reply 7\nreply 4\n"


def test_equal_sets_are_the_same_call_after_a_run_was_lost():
    asked = []
    *_, again = run(
        f"llm_query({{-1, -2, 'a'}})\n{ENDLESS}", "print(llm_query({-1, -2, 'a'}))", asked=asked, host_calls=50
    )
    assert (again.output, len(asked)) == ("reply 1\n", 1)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("llm_query(['x' * 1000000] * 10000)", "one call takes at most 32,000,000 characters"),
        ("b = ['x' * 1000] * 1000\nlook([b] * 1000)", "one call takes at most 1,000,000 characters"),
        ("look(*[[()] * 1000] * 1000)", "one call takes at most 1,000,000 characters"),
        (
            "llm_query('x' * 101)",
            "one text for a sub-agent may have 100 characters",
        ),
        (
            "llm_query([['ok', {'a': 'x' * 200}]])",
            "one text for a sub-agent may have 100 characters",
        ),
        ("for n in range(100): llm_query('x' * 90)", "one query may send 2,000 characters"),
    ],
)
def test_too_much_text_is_refused_with_the_limit_and_nobody_is_asked(code, words):
    asked = []
    limits = {"prompt_characters": 100, "query_prompt_characters": 2000} if "1000" not in code else {}
    refused, after = run(code, "print('still here')", asked=asked, functions={"look": lambda *_: 1}, **limits)
    assert words in refused.error
    assert after.output == "still here\n"
    assert sum(len(str(args)) for args in asked) <= 2000
