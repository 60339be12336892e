import asyncio

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


def test_a_value_that_shares_much_is_read_once():
    shared = ["x" * 1000] * 1000
    for _ in range(60):
        shared = [shared] * 1000
    assert measure(shared).characters > MAX_CHARACTERS
    assert measure(shared).longest == 1000
    assert measure({"a": 1, "b": ["x" * 500]}).longest == 500


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
