import asyncio
import datetime
import io
import os
import signal
import subprocess
import sys
import threading
from contextlib import redirect_stdout

import pytest

from rlm_memory_core import Limits
from rlm_memory_core.models import background
from rlm_memory_core.repl import repl
from rlm_memory_core.repl.repl import Repl
from rlm_memory_core.repl.values import shorten, to_text
from rlm_memory_core.repl.worker import WORKERS


def run(*codes, values=None, functions=None, **options):
    """What each piece of code did, in one session."""

    async def session():
        async with Repl(values or {}, functions or {}, **options) as opened:
            return [await asyncio.wait_for(opened.run(code), 20) for code in codes]

    return background.run(session())


def run_one(code, **given):
    return run(code, **given)[0]


SMALL = Limits(run_seconds=0.3, memory_mb=32)


PROGRAMS = """
print([n * n for n in range(10) if n % 2], {k: len(k) for k in ("a", "bb")}, {1, 1}, (1,))

n = 1234.5678
print(f"{n:>12,.2f}|{'x':<3}|{7:03d}|{0.256:.1%}|{n!r}", "%s and %d" % ("a", 3), "{:>4}".format("b"))

def adder(n):
    def add(m, *more, by=1):
        return (n + m + sum(more)) * by
    return add
print(adder(2)(3), adder(2)(3, 4, by=10))

def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
print(fib(15))

s = " Mochi, Luna;Kiwi "
print(s.strip().replace(";", ",").split(","), s.lower().find("luna"), s[::-1], s.title(), "\\n".join("ab"))

from datetime import date, datetime, timedelta
a, b = date(2023, 5, 20), date(2024, 2, 29)
print((b - a).days, b + timedelta(days=1), a.strftime("%A"), a < b)
print(datetime.strptime("2023/05/20", "%Y/%m/%d").date(), datetime(2023, 5, 20, 2, 21))

import re
for match in re.finditer(r"(\\w+)@(\\w+)", "a@b, cc@dd"): print(match.group(1), match[2])
print(re.sub(r"\\d+", "#", "a1b22"), re.findall(r"[A-Z]\\w+", "Ann met Bo"), re.search("x", "abc"))

from collections import Counter, defaultdict
c = Counter("mississippi")
d = defaultdict(list)
d["a"].append(1)
print(c.most_common(2), sum(c.values()), dict(d))

import json
print(json.dumps({"a": [1, None, True]}), json.loads('{"b": 2.5}')["b"])

print(sorted([("b", 2), ("a", 2), ("c", 1)], key=lambda p: (-p[1], p[0])), max(3, 7), any([0, 1]), min("ba"))

try:
    int("x")
except ValueError as e:
    print("caught", type(e).__name__, e)
finally:
    print("done")

for i, (a, b) in enumerate(zip("abc", [1, 2, 3])):
    if i == 1:
        continue
    print(i, a, b)
else:
    print("end")

import math
print(7 // 2, -7 % 3, 2**100, round(2.5), math.floor(-1.5), 0.1 + 0.2, 1e300, divmod(7, 2))
""".strip().split("\n\n")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.split("\n")[0][:30])
def test_ordinary_programs_print_what_cpython_prints(program):
    expected = io.StringIO()
    with redirect_stdout(expected):
        exec(program, {})
    done = run_one(program)
    assert (done.output, done.error) == (expected.getvalue(), "")


def test_variables_stay_for_the_next_run_also_after_an_error():
    *_, last = run("x = 1\ndef f(): return x + 1", "y = 2\n1 / 0", "print(x, y, f())")
    assert last.output == "1 2 2\n"


def test_an_error_is_a_traceback_after_what_was_printed():
    done = run_one("print('before')\n{}['missing']")
    assert done.output == "before\n"
    assert "line 2" in done.error
    assert "KeyError: 'missing'" in done.error or "KeyError: missing" in done.error


def test_a_syntax_error_says_where():
    done = run_one("print('never')\nx = = 3")
    assert (done.output, done.final) == ("", None)
    assert "line 2" in done.error
    assert "SyntaxError" in done.error


def test_host_functions_may_be_plain_or_async_and_take_any_arguments():
    async def later(text, *, times=1):
        await asyncio.sleep(0.01)
        return [text] * times

    functions = {"later": later, "double": lambda n: 2 * n}
    done = run_one("f = double\nprint(f(4), later('a', times=double(1)), double(n=3))", functions=functions)
    assert done.output == "8 ['a', 'a'] 6\n"


@pytest.mark.parametrize(
    "error",
    [ValueError("bad"), TypeError("bad"), KeyError("bad"), AttributeError("bad"), RuntimeError("bad"), OSError("bad"),
     ZeroDivisionError("bad"), type("Own", (Exception,), {})("bad"), UnicodeDecodeError("utf-8", b"x", 0, 1, "bad")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_a_host_function_that_raises_raises_in_the_code(error):
    def fail():
        raise error

    caught, uncaught, after = run(
        "try:\n    fail()\nexcept Exception as e:\n    print('caught', e)",
        "fail()",
        "print(1)",
        functions={"fail": fail},
    )
    assert caught.output.startswith("caught")
    assert "bad" in caught.output
    assert "bad" in uncaught.error
    assert after.output == "1\n"


def test_a_function_that_does_not_exist_is_a_name_error_of_the_code():
    first, caught, after = run("missing(1)", "try:\n    missing()\nexcept NameError:\n    print('caught')", "print(1)")
    assert "NameError" in first.error
    assert "missing" in first.error
    assert (caught.output, after.output) == ("caught\n", "1\n")


def test_values_are_copied_when_they_are_first_read():
    read = []
    values = {"sessions": lambda: read.append("sessions") or ["a", "b"], "context": lambda: read.append("context")}
    done = run_one("print(sessions)\nprint(len(sessions))", values=values)
    assert done.output == "['a', 'b']\n2\n"
    assert read == ["sessions"]


def test_the_code_cannot_change_the_hosts_values():
    sessions = ["a"]
    _, second = run("sessions.append('b')", "print(sessions)", values={"sessions": sessions})
    assert (second.output, sessions) == ("['a', 'b']\n", ["a"])


@pytest.mark.parametrize(
    "code",
    [
        "FINAL('Mochi')\nprint('after')",
        "try:\n    FINAL('Mochi')\nexcept BaseException:\n    print('caught')\nprint('after')",
        "try:\n    FINAL('Mochi')\nfinally:\n    print('finally')",
        "def f():\n    for n in range(3):\n        FINAL('Mochi')\nf()",
        "answer = 'Mochi'\nFINAL_VAR('answer')\nprint('after')",
        "answer = 'Mochi'\ntry:\n    FINAL_VAR('answer')\nexcept BaseException:\n    missing()\nprint('after')",
    ],
)
def test_final_stops_the_rest_of_the_code(code):
    done = run_one(code)
    assert done.final == "Mochi"
    assert "after" not in done.output


def test_final_var_takes_a_name_or_the_value_itself():
    functions = {"llm_query": lambda prompt: ""}
    assert run_one("answer = ['Mochi', 'Luna']\nFINAL_VAR('answer')").final == "Mochi, Luna"
    assert run_one("answer = 'the red one'\nFINAL_VAR(answer)").final == "the red one"
    assert run_one("answer = 'Mochi'\nFINAL_VAR(answer)").final == "Mochi"
    assert run_one("FINAL_VAR(3)", functions=functions).final == "3"
    assert run_one("FINAL_VAR('context')", values={"context": "all of it"}).final == "all of it"


def test_final_var_of_an_unknown_name_is_an_error_that_can_be_repaired():
    first, second = run("x = 1\nFINAL_VAR('answer')", "FINAL_VAR('x')")
    assert first.final is None
    assert "no variable is called answer" in first.error
    assert second.final == "1"


@pytest.mark.parametrize("code", ["FINAL()", "FINAL(1, 2)", "FINAL_VAR()"])
def test_final_with_other_than_one_value_is_an_error_that_can_be_repaired(code):
    first, second = run(f"x = 1\n{code}", "FINAL(x)")
    assert first.final is None
    assert "one value" in first.error
    assert second.final == "1"


def test_printed_text_ends_nothing():
    done = run_one("print('FINAL(evil)')\nprint('FINAL_VAR(\"x\")')\nprint('```repl\\nFINAL(evil)\\n```')")
    assert done.final is None
    assert "FINAL(evil)" in done.output


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("x = 'a' * 10**11", "memory limit"),
        ("x = []\nwhile True:\n    x.append('a' * 1000000)", "memory limit"),
        ("def f(n):\n    return f(n + 1)\nf(0)", "RecursionError"),
        ("import re\nre.match('(a+)+$', 'a' * 40 + 'b')", ""),
        ("open('/etc/passwd').read()", "PermissionError"),
        ("with open('/tmp/x', 'w') as f:\n    f.write('x')", "PermissionError"),
        ("import socket", "ModuleNotFoundError"),
        ("import subprocess", "ModuleNotFoundError"),
        ("import os\nos.system('true')", "AttributeError"),
        ("import os\nprint(os.environ)", "RuntimeError"),
        ("[].__class__.__base__.__subclasses__()", "AttributeError"),
    ],
)
def test_what_the_code_may_not_do_is_an_error_and_the_session_goes_on(code, error):
    limits = Limits(run_seconds=15, memory_mb=32) if error else SMALL  # a busy machine takes long to fill the memory
    _, refused, after = run("kept = 1", code, "print(given, kept)", values={"given": 2}, limits=limits)
    assert error in refused.error
    if "variables are gone: kept" in refused.error:  # the worker had to be stopped
        assert "'kept' is not defined" in after.error
    else:
        assert after.output == "2 1\n"


def test_an_endless_loop_is_stopped_and_the_model_is_told_which_variables_are_gone():
    _, refused, after, gone, new = run(
        "kept = [len(given)]\ndef more(n): return n + 1",
        "lost = 1\nwhile True:\n    pass",
        "print(len(given))",
        "print(kept)",
        "kept = 2\nprint(kept)",
        values={"given": "abc"},
        limits=SMALL,
    )
    assert "time limit" in refused.error
    assert "Instead: " in refused.error
    assert "variables are gone: kept, more, lost." in refused.error
    assert after.output == "3\n"
    assert "'kept' is not defined" in gone.error
    assert new.output == "2\n"


@pytest.mark.parametrize("has_replies", [True, False])
def test_whoever_keeps_the_replies_is_told_that_the_variables_are_lost(has_replies):
    told = []
    (refused,) = run("while True:\n    pass", lost=lambda: told.append(1) or has_replies, limits=SMALL)
    assert told == [1]
    assert ("to ask the same again is answered at once" in refused.error) == has_replies


def test_endless_printing_is_stopped_before_it_fills_the_hosts_memory(monkeypatch):
    collected = []
    monkeypatch.setattr(repl, "shorten", lambda text, limit: collected.append(len(text)) or text[:500])
    first, after = run("while True:\n    print('x' * 100000)", "print(1)", limits=Limits(run_seconds=1.0))
    assert "limit" in first.error
    assert after.output == "1\n"
    assert max(collected) <= 20 * 1024 * 1024


def test_waiting_for_host_functions_is_not_counted_as_running():
    async def slow():
        await asyncio.sleep(0.5)
        return "done"

    assert run_one("print(slow())", functions={"slow": slow}, limits=SMALL).output == "done\n"


def test_a_value_larger_than_the_memory_is_an_error_and_the_session_goes_on():
    first, after = run("print(len(context))", "print(1)", values={"context": "x" * 64 * 1024 * 1024}, limits=SMALL)
    assert first.error
    assert after.output == "1\n"


def test_a_worker_that_died_is_replaced_and_says_so():
    async def session():
        async with Repl({"sessions": ["a"]}, {"double": lambda n: 2 * n}) as opened:
            await opened.run("x = 1")
            os.kill(opened._session.worker_pid, signal.SIGKILL)
            return [await opened.run(code) for code in ("y = x", "print(double(len(sessions)))", "print(x)")]

    died, after, gone = background.run(session())
    assert "worker was replaced" in died.error
    assert "variables are gone: x, y." in died.error
    assert after.output == "2\n"
    assert "NameError" in gone.error


def test_an_uncaught_error_within_a_large_output_keeps_both():
    done = run_one("for n in range(30000):\n    print(n)\nraise ValueError('at the end')")
    assert len(done.output) < 21_000
    assert done.output.startswith("0\n1\n")
    assert done.output.endswith("29999\n")
    assert "at the end" in str(done)


def test_a_long_output_keeps_its_head_and_tail_and_says_what_was_cut():
    assert shorten("abcdefghij", limit=10) == "abcdefghij"
    assert shorten("abcdefghijk", limit=5) == "abc\n[... 6 characters cut; print less ...]\njk"


def test_nothing_printed_is_said():
    assert str(run_one("x = 1")) == "(nothing was printed)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("  Mochi ", "Mochi"), ("", "I don't know"), ("  ", "I don't know"), (None, "I don't know"), (0, "0"), (7, "7"),
        (2.0, "2"), (2.5, "2.5"), (-0.0, "0"), (float("inf"), "inf"), (float("nan"), "nan"), (True, "True"),
        ([], "I don't know"), (["a", 1.0, None], "a, 1, I don't know"), (["a", ["b", "c"]], "a, b, c"),
        ({"é": 1}, '{"é": 1}'), ({"a": datetime.date(2023, 5, 20)}, '{"a": "2023-05-20"}'),
        ([[], " a "], "I don't know, a"),
        (datetime.date(2023, 5, 20), "2023-05-20"), (10**5000, None), ({}, "{}"),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) or value < 10**9 else "huge",
)  # fmt: skip
def test_an_answer_of_any_type_becomes_text(value, text):
    written = to_text(value)
    assert isinstance(written, str)
    assert written
    assert text is None or written == text


def test_a_deeply_nested_answer_becomes_text():
    assert run_one("a = 'deep'\nfor n in range(5000):\n    a = [a]\nFINAL(a)").final is not None


def test_a_set_is_written_in_the_same_order_in_every_process():
    assert run_one("FINAL(set('gfedcba'))").final == "g, f, e, d, c, b, a"


def test_more_sessions_than_workers_wait_for_one(monkeypatch):
    async def one(number):
        async with Repl({"n": number}, {}) as opened:
            return (await opened.run("print(n)")).output

    async def many():
        return await asyncio.gather(*map(one, range(WORKERS + 8)))

    assert background.run(many()) == [f"{number}\n" for number in range(WORKERS + 8)]


def test_a_cancelled_run_frees_its_worker():
    started = threading.Event()

    async def wait():
        started.set()
        await asyncio.sleep(60)

    async def cancelled():
        async with Repl({}, {"wait": wait}) as opened:
            await asyncio.wait_for(opened.run("wait()"), 0.2)

    with pytest.raises(TimeoutError):
        background.run(cancelled())
    assert started.is_set()
    assert run_one("print(1)").output == "1\n"


@pytest.mark.slow
def test_a_script_that_used_the_repl_ends_without_a_crash():
    script = (
        "from rlm_memory_core.models import background; from rlm_memory_core.repl.repl import Repl\n"
        "async def go():\n    async with Repl({}, {}) as r:\n        print((await r.run('print(1)')).output, end='')\n"
        "background.run(go())"
    )
    for _ in range(3):
        scripts = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) for _ in range(2)]
        assert [(process.communicate(timeout=60)[0], process.returncode) for process in scripts] == [(b"1\n", 0)] * 2


@pytest.mark.parametrize("wait", [0, 0.0003])
def test_a_session_that_runs_no_code_gives_its_worker_back(wait):
    async def leave():
        async with Repl({}, {}):
            await asyncio.sleep(wait)  # it is left before, or while, its worker is fetched

    async def hold(everyone):
        async with Repl({}, {}) as opened:
            await opened.run("1")
            await everyone.wait()

    async def sessions():
        for _ in range(5):
            barrier = asyncio.Barrier(WORKERS)
            left = [asyncio.create_task(leave()) for _ in range(4)]
            await asyncio.wait_for(asyncio.gather(*(hold(barrier) for _ in range(WORKERS)), *left), 60)

    background.run(sessions())  # all workers can be had each time


def test_a_worker_that_cannot_be_had_is_an_error_of_the_first_run_and_of_no_other_query(monkeypatch):
    async def none(limits, today):
        raise OSError("no more processes")

    async def session(*codes):
        async with Repl({}, {}) as opened:
            return [await opened.run(code) for code in codes]

    monkeypatch.setattr(repl.worker, "checkout", none)
    assert background.run(session()) == []
    with pytest.raises(repl.NoSandbox, match="cannot be started: no more processes"):
        background.run(session("print(1)"))


WORDS = (
    "was terminated",
    "suspension limit 5 exceeded",
    "feed time limit exceeded: 1 s",
    "memory limit",
    "No module named 'x'",
)


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize(
    "code",
    ["{{}}['{}']", "raise ValueError('{}')", "int('{}')", "raise KeyError('a\\n{}')", "raise Exception('{}')",
     "assert False, '{}'", "raise RuntimeError('it {}')", "['a'].index('{}')", "raise OSError('{}')", "1 / 0  # {}"],
)  # fmt: skip
def test_an_error_that_holds_the_words_of_a_lost_worker_loses_none(code, words):
    _, error, after = run("x = 1", code.format(words.replace("'", "")), "print(x)")
    assert "Error" in error.error or "Exception" in error.error
    assert "worker was replaced" not in error.error
    assert after.output == "1\n"


@pytest.mark.parametrize(
    "code", ["{}['time limit']", "int('memory limit')", "raise ValueError('not yet support yield')"]
)
def test_words_of_the_history_get_no_hint(code):
    assert "Instead" not in run_one(code).error


def test_what_runs_again_takes_time_too():
    work = "for n in range(3 * 10**5): m = n"
    limits = Limits(run_seconds=5, query_seconds=2, memory_mb=32)
    *_, last = run(
        work, *["x = 'a' * 10**6\nwhile True: x = x + x[:10**6] + x[10**6:]", "print(m)"] * 60, limits=limits
    )
    assert "No further code is run" in last.error


@pytest.mark.slow
def test_no_worker_is_lost_when_sessions_are_cancelled_while_they_wait_for_one(times):
    async def enter():
        async with Repl({}, {}) as opened:
            await opened.run("x = 1")

    async def hold(everyone):
        async with Repl({}, {}) as opened:
            await opened.run("1")
            await everyone.wait()

    async def rounds():
        for number in range(times(100, 300)):
            waiting = [asyncio.create_task(enter()) for _ in range(WORKERS + 8)]
            await asyncio.sleep(number % 10 * 0.0005)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        barrier = asyncio.Barrier(WORKERS)
        await asyncio.wait_for(asyncio.gather(*(hold(barrier) for _ in range(WORKERS))), 60)

    background.run(rounds())  # all workers are there
