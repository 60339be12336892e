import asyncio
from datetime import date
from itertools import permutations

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
    -1, -2, 1, 1.0, True, False, 0, -0.0, 10**5000, 10**5000 + 1, "1", "-1", b"1", None, ..., "None", "", [], (), {},
    set(), [1], (1,), {1}, {1: 1}, [[1], 1], [[1, 1]], [(1, 1)], {1: 2}, [1, 2], {"a": ["b"]}, {"a": "b"}, ["a", "b"],
    ["ab"], ["a", "b", ""], date(2023, 5, 20), date(2023, 5, 21), "2023-05-20", {"b", "a"}, {"b", "c"},
    "\ud800", "\ud801", frozenset({"a"}), {"a"}, {("a", 1), ("b", 2)}, {("a", 2), ("b", 1)},
]  # fmt: skip


def test_values_that_differ_in_content_or_in_type_are_told_apart():
    assert len({measure(value).digest for value in DIFFERENT}) == len(DIFFERENT)


def test_equal_values_are_equal_whatever_they_share_and_in_whatever_order_a_set_comes():
    part = ["a", {"b": 1}]
    assert measure([part, part]).digest == measure([["a", {"b": 1}], ["a", {"b": 1}]]).digest
    words = [f"word {number}" for number in range(100)]
    assert measure(frozenset(words)).digest == measure(frozenset(words[::-1])).digest


@pytest.mark.parametrize(
    "members",
    [
        [-1, -2], [(-1,), (-2,)], [frozenset({-1}), frozenset({-2})], [(-1, "a"), (-2, "a"), 3], [2**61 - 1, 0, "0"],
        [frozenset({(-1,), (-2,)}), frozenset({(-1,)}), frozenset({(-2,)})], [1.5, "1.5", b"1.5"],
    ],
)  # fmt: skip
def test_a_set_has_no_order_also_where_hashes_are_equal(members):
    digests = {measure(set(order)).digest for order in permutations(members)}
    digests |= {measure([frozenset(order)] * 2).digest for order in permutations(members)}
    assert len(digests) == 2
    assert measure(set(members)).digest != measure(set(members[1:])).digest != measure(frozenset(members[1:])).digest


def test_sets_that_share_their_members_are_measured_once():
    value = frozenset({1})
    for _ in range(200):
        value = frozenset({(value, 1), (value, 2)})
    assert measure(value).characters > MAX_CHARACTERS
    assert measure({"a", ("b", frozenset({"x" * 500}))}).longest == 500


@pytest.mark.parametrize("depth", [3, 100_000])
def test_nested_and_cyclic_values_are_measured(depth):
    value = []
    for _ in range(depth):
        value = [value]
    assert measure(value).characters >= depth
    value = [1]
    value.append(value)
    assert measure(value, 1000).characters > 1000


def test_a_value_that_shares_much_is_read_up_to_the_limit():
    shared = ["x" * 1000] * 1000
    for _ in range(5):
        shared = [shared] * 1000
    assert measure(shared).characters > MAX_CHARACTERS


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
        f"llm_query({{-1, -2, 'a'}})\n{ENDLESS}", "print(llm_query({'a', -2, -1}))", asked=asked, host_calls=50
    )
    assert (again.output, len(asked)) == ("reply 1\n", 1)


def test_sets_that_are_nested_too_deep_are_an_error_of_the_code():
    code = "x = frozenset([1])\nfor n in range(5000): x = frozenset([x, 1])\nllm_query(x)"
    refused, after = run(code, "print('still here')", asked=[])
    assert "ValueError: llm_query takes no sets that are nested as deep as this" in refused.error
    assert after.output == "still here\n"


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
