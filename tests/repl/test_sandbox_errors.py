import pytest

from rlm_memory_core.models import background
from rlm_memory_core.repl.repl import Repl
from rlm_memory_core.repl.sandbox_errors import hint

IMPORTABLE = hint("ModuleNotFoundError: No module named 'unheard_of'").partition("imported: ")[2].strip(".")


def error_of(code):
    async def session():
        async with Repl({}, {}, {"llm_query": lambda prompt: "x"}) as repl:
            return (await repl.run(code)).error

    return background.run(session())


@pytest.mark.parametrize("module", IMPORTABLE.split(", "))
def test_what_a_hint_says_can_be_imported_can_be(module):
    assert error_of(f"import {module}") == ""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import requests", "no network"),
        ("import logging", "print(repr(error))"),
        ("import unheard_of", "these can be imported"),
        ("exit()", "FINAL(answer) ends the query"),
        ("import os\nos.environ", "no system"),
        ("import datetime\ndatetime.date.today()", "use question_date"),
        ("async def f():\n    return await llm_query('x')\nimport asyncio\nasyncio.run(f())", "leave out await"),
        ("import asyncio\nasyncio.Semaphore(3)", "ThreadPoolExecutor().map(llm_query"),
        ("xs = []\nadd = xs.append", "write a lambda"),
        ("raise ValueError('a', 'b')", "one text"),
        ("dir()", "write it without this"),
        ("len(sessions)", "reach it with find(...)"),
        ("class A:\n    def __lt__(self, o): return True\nsorted([A(), A()])", "sorted(key=...)"),
    ],
)
def test_a_refusal_says_what_to_write_instead(code, words):
    *_, last = error_of(code).strip().splitlines()
    assert last.startswith("Instead: ")
    assert words in last


@pytest.mark.parametrize("code", ["{}['k']", "1 / 0", "int('x')", "[][0]", "assert False, 'no'"])
def test_a_plain_mistake_gets_no_hint(code):
    error = error_of(code)
    assert "Error" in error
    assert "Instead" not in error


def test_only_the_last_line_is_read():
    assert hint("x = open('a')\nKeyError: 'PermissionError'\nKeyError: 1") == ""
