"""No value that code passes to the host can freeze it, and ordinary values arrive as what they are."""

import json
import subprocess
import sys
from datetime import date

import pytest

from rlm_memory_core.models import background
from rlm_memory_core.repl.repl import Repl

SCRIPT = """
import json, sys
from rlm_memory_core import Limits
from rlm_memory_core.models import background
from rlm_memory_core.repl.repl import Repl

LIMITS = Limits(run_seconds=0.25, query_seconds=5, memory_mb=48)

async def ask(prompt):
    return "a reply"

async def go(code):
    async with Repl({}, {"find": lambda *args, **named: "found"}, {"llm_query": ask}, limits=LIMITS) as repl:
        return await repl.run(code), await repl.run("print('still here')")

for code in json.load(sys.stdin):
    done, after = background.run(go(code))
    print(json.dumps([done.output, done.error, done.final, after.output]), flush=True)
"""
HARMFUL = {
    "a nested tuple": "x = ()\nfor _ in range(60): x = (x, x)\ns, d = {x}, {x: 1}\n",
    "numbers with one hash": "s = {n * (2**61 - 1) for n in range(60000)}\nd = dict.fromkeys(s)\nx = tuple(s)\n",
    "tuples with one hash": (
        "import itertools\ns = set(itertools.product((-1, -2), repeat=15))\nd = dict.fromkeys(s, 1)\nx = (s, 1)\n"
    ),
    "nested frozen sets": "x = frozenset()\nfor _ in range(60): x = frozenset([(x, 1), (x, 2)])\ns, d = {x}, {x: 1}\n",
    "a dataclass": (
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass R:\n    a: object\n    b: object\n"
        "x = ()\nfor _ in range(30): x = R(x, x)\ns, d = {x}, {x: 1}\n"
    ),
    "an object": (
        "class A:\n    def __init__(self, a): self.a = a\nx = ()\nfor _ in range(60): x = (x, x)\nx = A({x})\n"
        "s, d = {x}, {'k': x}\n"
    ),
}
CALLS = [
    "find(s)", "find(d)", "find([[s], d])", "find(words=s)", "find(frozenset(s))", "find(*[s] * 3, **{'a': d})", "s",
    "llm_query(s)", "llm_query(prompt=d)", "FINAL(s)", "FINAL({'a': d})", "FINAL(value=[s])", "FINAL_VAR(s)",
    "FINAL_VAR('d')", "_rlm_final(s)", "_rlm_later_llm_query(s)", "vars(s)", "dir(d)", "no_such_function(s)", "open(s)",
    "eval('find(s)', {'s': s})", "exec('find(d)', {'d': d})", "eval('find(s)')", "_rlm_call_host('find', s, d)",
    "_rlm_crossing.call('find', [s], {'d': d})", "_rlm_crossing.call(s, [d], d)", "_rlm_crossing.call('no', [d], {})",
    "_rlm_crossing.call('FINAL', 5, 's')", "_rlm_crossing.call('find', s, d)", "_rlm_crossing.call('FINAL', [d], {})",
    "_rlm_crossing._plain = lambda *a: a\nfind(s)",
    "isinstance = str = id = len = list = dict = set = type = lambda *a: True\nfind(s)", "raise ValueError(s)",
    "from functools import partial\npartial(find, s)(d)", "list(map(find, [s, d]))",
    "print(find)\nfind = find\nfind(s)", "find(lambda: s, iter([s]), d.items())",
    "from collections import Counter, namedtuple, deque\nfind(Counter(s), namedtuple('P', 'a')(s), deque([s]))",
    "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as p: list(p.map(llm_query, [s, d]))",
    "def f():\n    find(s)\n    find = 1\nf()", "class B:\n    a = s\nfind(B, B())",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", HARMFUL)
def test_no_value_freezes_the_host(kind):
    place = list(HARMFUL).index(kind)
    calls = CALLS[place - 1 :: 4] if place else CALLS  # each call with two kinds or more
    programs = [HARMFUL[kind] + call for call in calls]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps(programs), capture_output=True, text=True, timeout=300,
        check=True,
    )  # fmt: skip
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(calls)
    for (_, error, final, after), call in zip(results, calls, strict=True):
        assert after == "still here\n", call
        assert len(error) < 30_000, call
        assert len(final or "") <= 100_100, call


def received(code, before=""):
    """The arguments with which code calls a host function."""
    calls = []

    async def session():
        async with Repl({}, {"find": lambda *args, **named: calls.append((args, named))}) as repl:
            return await repl.run(f"{before}\nfind({code})")

    done = background.run(session())
    assert done.error == ""
    return calls[0]


MODULES = "from collections import Counter, defaultdict, deque, namedtuple\nfrom datetime import date, timedelta\n"


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("'Mochi'", "Mochi"), ("2**100", 2**100), ("1.5", 1.5), ("True", True), ("None", None),
        ("date(2023, 5, 20)", date(2023, 5, 20)), ("[1, ['a', None]]", [1, ["a", None]]), ("(1, (2, 3))", [1, [2, 3]]),
        ("range(3)", [0, 1, 2]), ("range(10**9)", "range(0, 1000000000)"), ("{'b', 'a', 'c'}", ["b", "a", "c"]),
        ("frozenset([3, 1])", [3, 1]), ("deque('ab')", ["a", "b"]), ("namedtuple('P', 'x y')(1, 2)", [1, 2]),
        ("{'a': {'b': (1,)}}", {"a": {"b": [1]}}), ("{1: 2, ('a', 1): 3}", {"1": 2, "('a', 1)": 3}),
        ("Counter('aab')", {"a": 2, "b": 1}), ("defaultdict(list, a=[1])", {"a": [1]}), ("b'x'", "b'x'"),
        ("len", "<built-in function len>"),
        ("{'a': 1}.items()", "dict_items([('a', 1)])"), ("[]", []), ("{}", {}), ("set()", []), ("...", "Ellipsis"),
    ],
)  # fmt: skip
def test_values_arrive_plain(code, value):
    arrived = received(code, MODULES)
    assert arrived == ((value,), {})
    assert type(arrived[0][0]) is type(value)
    assert received(f"[{code}], name={code}", MODULES) == (([value],), {"name": value})


def test_an_object_arrives_as_its_text():
    own = "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Cat:\n    name: str\n"
    assert received("{Cat('Mochi')}, {Cat('Luna'): 1}", own) == ((["Cat(name='Mochi')"], {"Cat(name='Luna')": 1}), {})
    shown = "class Cat:\n    def __str__(self): return 'Mochi'\n"
    assert received("Cat(), x=[Cat()]", shown) == (("Mochi",), {"x": ["Mochi"]})


def test_what_is_shared_is_copied_once_and_what_holds_itself_ends():
    ((shared,), _) = received("[x, x]", "x = ['a']\nfor _ in range(10): x = [x, x]")
    assert shared[0] is shared[1]
    assert shared[0][0] is shared[0][1]
    ((own,), _) = received("x", "x = [1]\nx.append(x)")
    assert own[0] == own[1][0] == 1
    ((deep,), _) = received("x", "x = []\nfor _ in range(5000): x = [x]")
    assert deep


def test_an_error_shows_the_line_of_the_code_and_nothing_of_ours():
    def fail(text):
        raise ValueError("bad")

    async def session():
        async with Repl({}, {"fail": fail}) as repl:
            return await repl.run("x = 1\ndef f():\n    return fail('a')\nf()")

    lines = background.run(session()).error.splitlines()
    assert [line.split(", ")[1:] for line in lines if "File" in line] == [["line 4", "in <module>"], ["line 3", "in f"]]
    assert lines[-1] == "ValueError: bad"
    assert not any("_rlm" in line for line in lines)


def test_names_of_built_in_functions_may_get_new_values():
    names = "dict, list, str, id, len, range, tuple, set, isinstance, type, date, deque"
    before = f"{names}, enumerate, hasattr, getattr, repr = [{{}}] * 16"
    assert received("[{'a': (1, 'b')}], x={1}", before) == (([{"a": [1, "b"]}],), {"x": [1]})


@pytest.mark.parametrize("name", ["function", "args", "kwargs", "self", "name", "value"])
def test_a_keyword_may_have_any_name(name):
    assert received(f"1, {name}='x'") == ((1,), {name: "x"})
    assert received(f"**{{{name!r}: 'x'}}") == ((), {name: "x"})


@pytest.mark.parametrize("arguments", ["5, {}", "[], 5", "None, None"])
def test_only_lists_and_dicts_of_arguments_reach_the_host(arguments):
    async def session():
        async with Repl({}, {"find": lambda *args, **named: "found"}) as repl:
            calls = [f"_rlm_crossing.call({name!r}, {arguments})" for name in ("find", "FINAL")]
            return [await repl.run(call) for call in (*calls, "print('still here')")]

    *failed, after = background.run(session())
    assert all("TypeError" in done.error for done in failed)
    assert after.output == "still here\n"


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("{1: 'a', '1': 'b'}", {"1": "a", "1 (2)": "b"}),
        ("{None: 1, 'None': 2, True: 3, 'True': 4}", {"None": 1, "None (2)": 2, "True": 3, "True (4)": 4}),
        ("{'1 (3)': 'a', 1: 'b', '1': 'c'}", {"1 (3)": "a", "1": "b", "1 (3) (3)": "c"}),
    ],
)
def test_keys_with_one_text_are_all_kept(code, value):
    assert received(code) == ((value,), {})


def test_many_keys_with_one_text_are_all_kept():
    own = "class Cat:\n    def __str__(self): return 'Mochi'\n"
    ((names,), _) = received("{Cat(): n for n in range(2000)}", own)
    assert sorted(names.values()) == list(range(2000))
    assert set(names) == {"Mochi", *(f"Mochi ({n})" for n in range(2, 2001))}


class StoreError(Exception):
    """An error that the sandbox does not know."""


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (StoreError("history.db is damaged"), "RuntimeError: store: StoreError: history.db is damaged"),
        (ConnectionError(), "RuntimeError: store: ConnectionError: "),
        (FileNotFoundError(2, "no file", "a.db"), "RuntimeError: store: FileNotFoundError: [Errno 2] no file: 'a.db'"),
        (KeyError("Mochi"), "KeyError: Mochi"),
        (ValueError("bad"), "ValueError: bad"),
        (IndexError("far"), "IndexError: far"),
    ],
)
def test_an_error_of_a_host_function_names_the_function_and_its_type(error, shown):
    def store():
        raise error

    async def session():
        async with Repl({}, {"store": store}) as repl:
            caught = "try:\n    store()\nexcept (RuntimeError, LookupError, ValueError):\n    print('caught')"
            return await repl.run("store()"), await repl.run(caught)

    failed, caught = background.run(session())
    assert failed.error.splitlines()[-1] == shown
    assert (caught.output, caught.error) == ("caught\n", "")
