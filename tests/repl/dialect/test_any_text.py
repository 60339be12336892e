"""Any program text is safe to rewrite: nothing is raised, and what Python can parse stays what Python can parse."""

import ast
import random
import warnings
from pathlib import Path

import pytest

from rlm_memory_core.models import background
from rlm_memory_core.repl.dialect import rewriter
from rlm_memory_core.repl.dialect.rewriter import Rewriter
from rlm_memory_core.repl.repl import Repl

FOLDER = Path(__file__).parent.parent
LINES = [line for path in sorted((FOLDER / "corpus").glob("*.py")) for line in path.read_text().split("\n")]
ODD = [
    "\r", "\f", "\v", "\x1c", "\u2028", "\x85", "\t", "\\", "\\\n", "\r\n", "\ud800", "\0", "é", '"""', "'''", "#",
    ";", "\u3000", "\ufeff", "lambda ", "await ", "(", ")", "\n", "\n  ", "yield ", "llm_query(", "any(", "next(",
    'f"{', '}"', "del ", "global x\n", "import statistics;",
]  # fmt: skip


def parses(code):
    with warnings.catch_warnings(action="ignore"):
        try:
            ast.parse(code.replace("\r\n", "\n").replace("\r", "\n"))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


@pytest.mark.parametrize("seed", range(10))
def test_damaged_programs_are_rewritten_or_left(seed):
    rng = random.Random(seed)
    session = Rewriter(["llm_query"], hosts=["rank_sessions"])
    for _ in range(150):
        start = rng.randrange(len(LINES))
        code = "\n".join(LINES[start : start + rng.randrange(1, 12)])
        for _ in range(rng.randrange(4)):
            place = rng.randrange(len(code) + 1)
            code = code[:place] + rng.choice(ODD) + code[place + rng.choice((0, 0, 1)) :]
        assert parses(session.rewrite(code).code) == parses(code)


@pytest.mark.parametrize("error", [IndexError, RuntimeError, KeyError, AssertionError, ZeroDivisionError])
def test_an_error_of_the_rewriter_runs_the_program_as_it_is_and_leaves_the_session_as_it_was(error, monkeypatch):
    def fails(*args):
        raise error("a fault")

    session = Rewriter(["llm_query"])
    with monkeypatch.context() as patched:
        patched.setattr(rewriter, "_write_twin", fails)
        code = "import statistics\ndef ask(x): return llm_query(x)"
        assert session.rewrite(code) == (code, (), ("statistics", "ask"))
    assert len(session.rewrite(code).before) == 2  # the module and the twin: neither counts as loaded


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("x = 1\rprint(x)\r", "1\n"),
        ("x = 1\r\nif x:\r    print(callable(x))\n", "False\n"),
        ("x = next(\r  s for s in 'ab'\r)\r\rprint(x)", "a\n"),
        ("\fx = next(s for s in 'ab')\nprint(x)", "a\n"),
        ("print(len('''a\rb'''))", "3\n"),
        ("print(callable('\x85\u2028'))", "False\n"),
    ],
)
def test_whatever_ends_a_line_ends_a_line(code, printed):
    async def session():
        async with Repl({}, {}) as opened:
            return await opened.run(code)

    done = background.run(session())
    assert (done.error, done.output) == ("", printed)


@pytest.mark.parametrize(
    "code", ["x = '\ud800'", "\0", "\ufeff", "\r" * 50_000, "(" * 50_000, "'" * 99_999, "a." * 40_000]
)
def test_no_text_is_an_error_of_ours(code):
    async def session():
        async with Repl({}, {}) as opened:
            return await opened.run(code), await opened.run("print(1)")

    assert background.run(session())[1].output == "1\n"
