"""The corpus of small programs: CPython prints what the REPL prints, or the REPL says what to write instead."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from rlm_memory_core.models import background
from rlm_memory_core.query.prompts import NOT_HERE
from rlm_memory_core.repl.repl import Repl

FOLDER = Path(__file__).parent / "corpus"
sys.path.insert(0, str(FOLDER))
import world  # noqa: E402

sys.path.remove(str(FOLDER))

LEAST_SHARE = 0.90

# programs that do not run as in CPython: why, and words of the message that says what to write instead
INHERITANCE = ("the sandbox knows no base classes", "write a class without a base class")
DECORATORS = ("the sandbox knows no decorated methods", "write a plain method")
GENERATOR = ("the sandbox knows no generator functions", "append to a list and return it")
DELETION = ("the sandbox knows no `del`", "write x = None in place of del x")
DIFFERENT = {
    "classes: an exception of one's own": INHERITANCE,
    "classes: a named tuple class": INHERITANCE,
    "classes: inheritance": INHERITANCE,
    "modules: enum": INHERITANCE,
    "classes: a property": DECORATORS,
    "classes: a static method": DECORATORS,
    "classes: length of an object": ("the sandbox calls no __len__", "write a method"),
    "classes: an object's truth value": ("the sandbox calls no __bool__, and says nothing", ""),  # write a method
    "collections_itertools: ordered dict": ("there is no OrderedDict", "use a dict: it keeps its order"),
    "language: del of a variable and of items": DELETION,
    "language: a deleted name is gone": DELETION,
    "language: a generator function": GENERATOR,
    "language: a generator of sentences": GENERATOR,
    "language: a generator that asks": GENERATOR,
    "language: an endless generator": GENERATOR,
    "language: yield from": GENERATOR,
    "language: star import": ("the sandbox must know the names", "name what you import"),
    "language: input": ("nobody is there to type", "read `question` and `sessions`"),
    "language: with and a file": ("there are no files", "the history is in `sessions`"),
    "modules: cmp_to_key": ("sorting calls no __lt__", "use sorted(key=...)"),
    "modules: csv by hand": ("there is no io", "keep text in a variable"),
    "modules: numpy": ("not in the sandbox", "use lists, dicts, collections.Counter, statistics"),
    "modules: pandas": ("not in the sandbox", "use lists, dicts, collections.Counter, statistics"),
    "parallel: a default that sub-agents say": ("defaultdict cannot wait for the host", "call sub-agents in a loop"),
}

CPYTHON = """
import contextlib, io, json, sys
sys.path.insert(0, sys.argv[1])
import world
done = {}
for name, code in json.load(sys.stdin).items():
    out = io.StringIO()
    given = {"__name__": "__main__", **world.values(), **world.functions(), **world.subagents()}
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(code, "program", "exec"), given)
    except BaseException as error:
        out.write(f"{type(error).__name__}: {error}")
    done[name] = out.getvalue()
print(json.dumps(done))
"""


@dataclass(frozen=True)
class Program:
    name: str
    code: str
    weight: float


def read_corpus():
    for path in sorted(FOLDER.glob("*.py")):
        if path.stem == "world":
            continue
        head, *parts = path.read_text(encoding="utf-8").split("#===")
        weight = float(head.split("weight:")[1])
        for part in parts:
            title, _, code = part.partition("\n")
            yield Program(f"{path.stem}: {title.strip()}", code, weight / len(parts))


PROGRAMS = {program.name: program for program in read_corpus()}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What CPython prints, by program."""
    codes = {program.name: program.code for program in PROGRAMS.values()}
    done = subprocess.run(
        [sys.executable, "-c", CPYTHON, str(FOLDER)], input=json.dumps(codes), capture_output=True, text=True,
        timeout=120, cwd=tmp_path_factory.mktemp("cpython"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def _subagent(name, *args, **kwargs):
    return world.subagents()[name](*args, **kwargs)


async def run_all():
    done = {}
    for program in PROGRAMS.values():
        subagents = {name: lambda *a, _name=name, **k: _subagent(_name, *a, **k) for name in world.subagents()}
        values = world.values()
        async with Repl(values, world.functions(), subagents, today=values["question_date"]) as repl:
            done[program.name] = await repl.run(program.code)
    return done


@pytest.fixture(scope="module")
def ran():
    """What the REPL did, by program."""
    return background.run(run_all())


def test_the_corpus_is_large_and_its_weights_are_percents():
    assert len(PROGRAMS) >= 120
    assert sum(program.weight for program in PROGRAMS.values()) == pytest.approx(100)
    assert set(DIFFERENT) <= set(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_as_in_cpython_or_says_what_to_write_instead(name, expected, ran):
    run = ran[name]
    same = not run.error and run.output == expected[name]
    if name not in DIFFERENT:
        assert run.error == ""
        assert run.output == expected[name]
    else:
        assert not same, f"{name} runs as in CPython now: take it out of the list"
        _, words = DIFFERENT[name]
        assert words in run.error


def test_the_share_that_runs_the_same_is_large_enough(expected, ran, record_property, capsys):
    same = [p for p in PROGRAMS.values() if not ran[p.name].error and ran[p.name].output == expected[p.name]]
    share = sum(program.weight for program in same) / sum(program.weight for program in PROGRAMS.values())
    record_property("corpus_share", share)
    with capsys.disabled():
        print(f"\ncorpus: {len(same)} of {len(PROGRAMS)} programs run as in CPython; weighted {share:.1%}")
    assert share >= LEAST_SHARE


SAID_IN_THE_PROMPT = {
    "files": ["open('x')", "from pathlib import Path\nPath('x').read_text()"],
    "network": ["import requests", "import urllib.request", "import socket"],
    "input()": ["input()"],
    "numpy": ["import numpy"],
    "pandas": ["import pandas"],
    "base classes": ["class A:\n    pass\nclass B(A):\n    pass"],
    "of exceptions": ["class E(Exception):\n    pass"],
    "Enum": ["from enum import Enum"],
    "decorated methods": ["class A:\n    @property\n    def a(self):\n        return 1"],
    "generators that print, ask or do not end": [
        "def g():\n    print(1)\n    yield 1", "def g():\n    yield llm_query('x')",
        "def g():\n    while True:\n        yield 1",
    ],
}  # fmt: skip


@pytest.mark.parametrize("phrase", SAID_IN_THE_PROMPT)
def test_what_the_prompt_says_is_not_to_be_had_is_refused_with_the_way_round(phrase):
    async def session(code):
        async with Repl({}, {}, {"llm_query": lambda prompt: "x"}) as repl:
            return await repl.run(code)

    assert phrase in NOT_HERE
    for code in SAID_IN_THE_PROMPT[phrase]:
        assert "\nInstead: " in background.run(session(code)).error


def test_the_prompt_says_everything_that_is_not_to_be_had():
    rest = NOT_HERE
    for phrase in sorted(SAID_IN_THE_PROMPT, key=len, reverse=True):
        rest = rest.replace(phrase, "")
    assert set(rest.split()) <= {"and", "too),", "(", ",", "(,", "too)"}
