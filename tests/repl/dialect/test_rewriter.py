import asyncio
import time

import pytest
from in_flight import InFlight

from rlm_memory_core.models import background
from rlm_memory_core.repl import stdlib as sandbox
from rlm_memory_core.repl.dialect.rewriter import Rewriter
from rlm_memory_core.repl.repl import Repl

UNCHANGED = """
for i, session in enumerate(sessions):
    if "cat" in session.lower():
        print(f"{i}: {session[:10]!r}", sep=" ")
found = [x for x in llm_query_parallel(sessions, None, question) if x != "NOT_FOUND"]
print(max(found, key=len), sum(len(x) for x in found), sorted(found, key=lambda x: -len(x)))
class Box:
    def get(self): return 1
import re, json
from datetime import datetime
print(re.findall("a", "aa"), re.sub("a", r"b", "a"), json.dumps(found), datetime(2023, 5, 20), list(map(str, [1])))
"""


def rewrite(code, **options):
    return Rewriter(["llm_query"], **options).rewrite(code)


def run(*codes, at_once=True, subagent=None, **values):
    async def session():
        subagents = {"llm_query": subagent} if subagent else {}
        async with Repl(values, {}, subagents, at_once=at_once) as repl:
            return [await repl.run(code) for code in codes]

    return background.run(session())


class Slow(InFlight):
    """A sub-agent that takes a while, and counts how many are asked together."""

    async def __call__(self, prompt):
        with self:
            await self.wait()
        return f"r{prompt}"

    async def wait(self):
        await asyncio.sleep(0.1)


class Together(Slow):
    """One that answers once four are asked."""

    def __init__(self):
        super().__init__()
        self.four = asyncio.Event()

    async def wait(self):
        if self.now == 4:
            self.four.set()
        await asyncio.wait_for(self.four.wait(), 60)


def test_a_program_that_needs_nothing_is_left_as_it_is():
    assert rewrite(UNCHANGED).code == UNCHANGED
    assert rewrite(UNCHANGED).before == ()


@pytest.mark.parametrize("code", ["x = = 1", "", "\x00", "(" * 5000, "x" + ".a" * 5000, "'\ud800'", 'f"{d["k"]}"'])
def test_what_this_python_cannot_parse_is_passed_on(code):
    assert isinstance(rewrite(code).code, str)


POOLS = {
    "map": "list(ex.map(llm_query, 'abcd'))",
    "submit": "[f.result() for f in [ex.submit(llm_query, x) for x in 'abcd']]",
    "as_completed": "sorted(f.result() for f in as_completed([ex.submit(llm_query, x) for x in 'abcd']))",
    "lambda": "list(ex.map(lambda x: llm_query(x), 'abcd'))",
    "helper": "list(ex.map(ask, 'abcd'))",
    "helper of a helper": "list(ex.map(ask_twice, 'abcd'))",
    "lambda of a helper": "list(ex.map(lambda x: ask(x), 'abcd'))",
}
HELPERS = """
from concurrent.futures import ThreadPoolExecutor, as_completed
def ask(x):
    try:
        return llm_query(x)
    except ValueError as e:
        return str(e)
def ask_twice(x):
    parts = [ask(y) for y in [x]]
    return parts[0]
"""


@pytest.mark.parametrize("call", POOLS.values(), ids=POOLS)
@pytest.mark.parametrize("earlier", [False, True])
def test_a_thread_pool_has_its_calls_in_flight_together(call, earlier):
    slow = Together()
    code = f"with ThreadPoolExecutor(4) as ex:\n    print({call})"
    *_, done = run(HELPERS, code, subagent=slow) if earlier else run(HELPERS + code, subagent=slow)
    assert (done.error, done.output) == ("", "['ra', 'rb', 'rc', 'rd']\n")
    assert slow.most == 4


@pytest.mark.parametrize(
    "code",
    ["print(list(map(llm_query, 'abcd')))", HELPERS + "print(list(map(ask, 'abcd')))",
     "import asyncio\nasync def main():\n    return await asyncio.gather(*[asyncio.to_thread(llm_query, x) for x in "
     "'abcd'])\nprint(asyncio.run(main()))"],
)  # fmt: skip
def test_map_and_asyncio_have_their_calls_in_flight_together(code):
    slow = Together()
    (done,) = run(code, subagent=slow)
    assert (done.error, done.output) == ("", "['ra', 'rb', 'rc', 'rd']\n")
    assert slow.most == 4


def test_without_at_once_the_same_programs_ask_one_after_another():
    slow = Slow()
    (done,) = run(
        HELPERS + f"with ThreadPoolExecutor(4) as ex:\n    print({POOLS['map']})", subagent=slow, at_once=False
    )
    assert done.output == "['ra', 'rb', 'rc', 'rd']\n"
    assert slow.most == 1


def test_a_function_that_was_bound_twice_or_cannot_be_copied_is_asked_one_after_another():
    for twice in (
        "def ask(x): return 'old'\ndef ask(x): return llm_query(x)\n",
        "def ask(x): return (lambda y: llm_query(y))(x)\n",
        "def ask(x, n=len('ab')): return llm_query(x)\n",
        "import re\ndef ask(x): return re.sub('a', lambda m: 'a', llm_query(x))\n",
    ):
        slow = Slow()
        code = f"{HELPERS}{twice}with ThreadPoolExecutor() as ex:\n    print(list(ex.map(ask, 'abcd')))"
        (done,) = run(code, subagent=slow)
        assert (done.error, done.output, slow.most) == ("", "['ra', 'rb', 'rc', 'rd']\n", 1)


def test_a_subagent_that_raises_in_a_pool_raises_where_its_result_is_taken():
    def fails(prompt):
        raise ValueError(f"bad {prompt}")

    code = (
        "from concurrent.futures import ThreadPoolExecutor\nex = ThreadPoolExecutor()\nf = ex.submit(llm_query, 'x')\n"
        "print('sent')\ntry:\n    f.result()\nexcept ValueError as e:\n    print('caught', e)"
    )
    (done,) = run(code, subagent=fails)
    assert done.output == "sent\ncaught bad x\n"


def test_a_generator_function_is_refused_with_the_way_round():
    (done,) = run("def g(xs):\n    for x in xs:\n        yield x\nprint(list(g([1])))")
    assert "Instead: append to a list and return it, in place of yield" in done.error


def test_errors_name_the_lines_that_were_written():
    first, second = run(
        "from string import (\n    digits,\n    punctuation,\n)\nx = digits\n1 / 0", "x = 1\ry = x\r\n1 / 0"
    )
    assert "line 6" in first.error
    assert "line 3" in second.error


def test_del_is_refused_with_the_way_round():
    (done,) = run("x = {1: 2}\ndel x[1]")
    assert "d.pop(key) in place of del d[key]" in done.error


def test_a_name_of_the_programs_own_wins_over_what_is_rewritten():
    code = "def map(f, xs): return 'mine'\nclass T:\n    def translate(self, a): return a + 1\n" \
           "def callable(x): return 'own'\nprint(map(len, 'a'), T().translate(2), callable(1))"  # fmt: skip
    (done,) = run(code)
    assert (done.error, done.output) == ("", "mine 3 own\n")


def test_a_large_program_is_rewritten_in_linear_time():
    code = "\n".join(f"def f{n}(x): f{n - 1}(x); f{n - 1}(x)\nlist(map(f{n}, []))\nprint('a' in globals())"
                     for n in range(1, 1200))  # fmt: skip
    started = time.thread_time()
    assert len(rewrite(code).code) < 10 * len(code)
    assert time.thread_time() - started < 20  # quadratic: minutes


@pytest.mark.parametrize("module", [*sandbox.MODULES, sandbox.HELPERS])
def test_every_module_of_the_sandbox_loads_there(module):
    imported = f"import {module}" if module in sandbox.MODULES else "callable(1)"
    names = [name for name in sandbox.names(module) if name.isidentifier()]
    used = "\n".join(f"{module}.{name}" for name in names) if module in sandbox.MODULES else ""
    (done,) = run(f"{imported}\n{used}")
    assert done.error == ""
    assert names


class Asked:
    """A sub-agent that notes what it is asked."""

    def __init__(self):
        self.prompts = []

    async def __call__(self, prompt):
        self.prompts.append(prompt)
        return f"r{prompt}"


EARLY = {
    "any": ("any('b' in llm_query(s) for s in 'abcd')", "True", "ab"),
    "any of none": ("any('z' in llm_query(s) for s in 'abcd')", "False", "abcd"),
    "all": ("all('a' in llm_query(s) for s in 'abcd')", "False", "ab"),
    "all of all": ("all(llm_query(s) for s in 'ab')", "True", "ab"),
    "next": ("next(llm_query(s) for s in 'abcd' if s != 'a')", "rb", "b"),
    "next in brackets": ("next((r for r in [1]), llm_query('z'))", "1", "z"),
    "next with a default": ("next((s for s in 'abcd' if llm_query(s) == 'rb'), None)", "b", "ab"),
    "next over lines": ("next(\n  (s for s in 'ab'\n   if llm_query(s) == 'x'),\n  (5),\n)", "5", "ab"),
    "a name in it": ("(any((hit := llm_query(s)) == 'rb' for s in 'abcd'), hit)", "(True, 'rb')", "ab"),
    "two loops": ("any(llm_query(x + y) == 'rac' for x in 'ab' for y in 'bcd')", "True", ["ab", "ac"]),
    "pairs": ("any(n for n, s in enumerate('abcd') if llm_query(s))", "True", "ab"),
    "within another": ("[any(llm_query(x + y) == 'rab' for y in 'bc') for x in 'ab']", "[True, False]",
                       ["ab", "bb", "bc"]),
    "one within one": ("any(all(llm_query(x + y) for y in 'bc') for x in 'ab')", "True", ["ab", "ac"]),
    "in a function": ("(lambda wanted: any(llm_query(s) == wanted for s in 'abcd'))('rb')", "True", "ab"),
    "by a helper": ("any(ask(s) == 'rb' for s in 'abcd')", "True", "ab"),
    "a comment": ("any(  # (is there one?)\n  llm_query(s) == 'rb'\n  for s in 'abcd'  # ), no\n)", "True", "ab"),
    "a comment between": ("next(\n  # (the first)\n  (s for s in 'abcd' if llm_query(s) == 'rb'),  # or, 1) none\n"
                          "  (None)\n)", "b", "ab"),
    "more brackets": ("any(((llm_query(s) == 'rb' for s in 'abcd')))", "True", "ab"),
    "more brackets, and a default": ("next(((s for s in 'abcd' if llm_query(s) == 'rb') ), None,)", "b", "ab"),
    "a map asks all": ("next(map(llm_query, 'abcd')), any(map(llm_query, 'a'))", "ra True", "abcda"),
    "a filter asks all": ("next(filter(lambda s: llm_query(s) == 'rb', 'abcd')), next(filter(ask, ''), 0)", "b 0",
                          "abcd"),
    "a lambda with a name": ("(q := lambda s: llm_query(s)) and any(q(s) == 'rb' for s in 'abcd')", "True", "ab"),
    "a parameter": ("(lambda f: any(f(s) == 'rb' for s in 'abcd'))(llm_query)", "True", "ab"),
    "with a key": ("any(sorted([llm_query(s)], key=len) == ['rb'] for s in 'abcd')", "True", "ab"),
}  # fmt: skip


@pytest.mark.parametrize("name", EARLY)
def test_what_is_settled_is_not_asked_on(name):
    code, shown, prompts = EARLY[name]
    asked = Asked()
    (done,) = run(f"{HELPERS}\nprint({code})", subagent=asked)
    assert (done.error, done.output) == ("", f"{shown}\n")
    assert asked.prompts == list(prompts)


def test_next_of_nothing_stops_and_an_error_names_the_line():
    first, second = run(
        "try:\n    next(llm_query(s) for s in '')\nexcept StopIteration:\n    print('stopped')",
        "x = any(\n    llm_query(s) / 1\n    for s in 'ab'\n)",
        subagent=Asked(),
    )
    assert first.output == "stopped\n"
    assert "line 2" in second.error
    assert "TypeError" in second.error


def test_any_of_what_asks_nobody_is_left_to_the_sandbox():
    code = "print(any(x for x in 'ab'), all(x for x in 'ab'), any('a' in w for w in sessions))"
    assert rewrite(code).code == code


@pytest.mark.parametrize(
    "code", ["for reply in (llm_query(s) for s in 'abcd'):\n    break", "g = (llm_query(s) for s in 'abcd')\nnext(g)"]
)
def test_elsewhere_a_generator_expression_that_asks_runs_to_its_end(code):
    asked = Asked()
    (done,) = run(code, subagent=asked)
    assert done.error == ""
    assert asked.prompts == list("abcd")


WAITING = {
    "sorted(['b', 'a'], key=llm_query)": ["a", "b"],
    "sorted(['bb', 'a', 'cc'], key=lambda x: len(llm_query(x)), reverse=True)": ["bb", "cc", "a"],
    "min('ba', key=llm_query) + max(['b', 'a'], key=lambda x: llm_query(x)) + min('z', 'y', key=ask)": "aby",
    "max([], key=llm_query, default=7)": 7,
    "list(filter(lambda x: llm_query(x) == 'rb', 'abc'))": ["b"],
    "(lambda x: (x.sort(key=llm_query), x)[1])(['b', 'a'])": ["a", "b"],
    "[x for x in map(lambda x, y: llm_query(x + y), 'ab', 'cd')]": ["rac", "rbd"],
}


@pytest.mark.parametrize("code", WAITING)
def test_what_cannot_wait_for_the_host_is_given_what_it_waits_for(code):
    (done,) = run(f"{HELPERS}\nprint({code})", subagent=Asked())
    assert (done.error, done.output) == ("", f"{WAITING[code]}\n")


def test_a_helper_that_sorts_by_the_host_still_works_in_a_pool():
    code = "def best(xs):\n    return sorted([llm_query(x) for x in xs], key=lambda r: llm_query(r))[0]\n"
    (done,) = run(f"{HELPERS}{code}with ThreadPoolExecutor() as ex:\n    print(list(ex.map(best, ['ba', 'dc'])))",
                  subagent=Asked())  # fmt: skip
    assert (done.error, done.output) == ("", "['ra', 'rc']\n")


OWN_NAMES = {
    "a parameter any": ("def g(any):\n    return any(llm_query(s) == 'r2' for s in '123')", "g(list)",
                        "[False, True, False]"),
    "a parameter next": ("def g(next):\n    return next(llm_query(s) for s in '12')", "g(list)", "['r1', 'r2']"),
    "a parameter sorted": ("def g(sorted):\n    return sorted('21', key=llm_query)",
                           "g(lambda xs, key: [key(x) for x in xs])", "['r2', 'r1']"),
    "a function any": ("def g():\n    def any(it): return list(it)\n    return any(llm_query(s) for s in '12')",
                       "g()", "['r1', 'r2']"),
    "in a function within": ("def g(all):\n    return lambda: all(llm_query(s) for s in '12')", "g(list)()",
                             "['r1', 'r2']"),
    "a lambda's": ("g = lambda max: max('12', key=llm_query)", "g(lambda xs, key: 'own')", "own"),
    "callable": ("def g(callable):\n    return callable(1)", "g(str)", "1"),
    "a module": ("import re\nclass R:\n    def sub(self, *a): return 'own'\n"
                 "def g(re):\n    return re.sub('a', len, 'b')", "g(R())", "own"),
    "a function's name": ("class N:\n    def __init__(self): self.__name__ = 'own'\ndef f(): pass\n"
                          "def g(f):\n    return f.__name__", "g(N())", "own"),
    "a method is not a name": ("class A:\n    def any(self): return any(llm_query(s) == 'r1' for s in '123')",
                               "A().any()", "True"),
    "one that asks": ("def g(llm_query):\n    return list(map(llm_query, '12'))", "g(int)", "[1, 2]"),
    "one that asks, in a lambda": ("", "list(map(lambda llm_query: llm_query(1), [str]))", "['1']"),
    "one that asks, in a helper": ("def g(llm_query):\n    return llm_query(1)", "list(map(g, [str]))", "['1']"),
    "in a class": ("class A:\n    first = next((n for n in 'ab' if llm_query(n)), None)\n"
                   "    some = [any(llm_query(n) == 'ra' for n in 'ab') for _ in '1']\n"
                   "    def f(self, a=any(llm_query(n) for n in 'ab')): return a",
                   "(A.first, A.some, A().f())", "('a', [True], True)"),
}  # fmt: skip


@pytest.mark.parametrize("name", OWN_NAMES)
def test_a_name_that_an_enclosing_scope_binds_is_that_scopes(name):
    defined, code, shown = OWN_NAMES[name]
    (done,) = run(f"{defined}\nprint({code})", subagent=Asked())
    assert (done.error, done.output) == ("", f"{shown}\n")


def test_a_name_of_a_comprehension_is_left_to_the_sandbox():
    code = "[any(llm_query(s) for s in '12') for any in [list]]"
    assert rewrite(code).code == code


NO_KEY = {
    "sorted('21', key=llm_query if 0 else None)": ["1", "2"],
    "max('21', key=llm_query if 0 else None)": "2",
    "list(filter(llm_query if 0 else None, ['', 'a']))": ["a"],
    "(lambda x: (x.sort(reverse=llm_query('1') == 'r1'), x)[1])([1, 2])": [2, 1],
    "(lambda x: (x.sort(key=llm_query if 0 else None), x)[1])([2, 1])": [1, 2],
    "L().sort(key=llm_query)": "own",
}


@pytest.mark.parametrize("code", NO_KEY)
def test_no_key_and_a_sort_of_ones_own_are_what_they_are_elsewhere(code):
    (done,) = run(
        f"class L:\n    def sort(self, key=None): return 'own'\nprint({code})", subagent=lambda prompt: f"r{prompt}"
    )
    assert (done.error, done.output) == ("", f"{NO_KEY[code]}\n")


def test_the_largest_of_nothing_is_the_same_error_with_a_key_that_asks():
    code = (
        "for f in (lambda: {0}([]), lambda: {0}([], key=llm_query)):\n"
        "    try: f()\n    except ValueError as e: print(e)"
    )
    for name in ("min", "max"):
        (done,) = run(code.format(name), subagent=Asked())
        first, second = done.output.splitlines()
        assert first == second
        assert first.startswith(name)
