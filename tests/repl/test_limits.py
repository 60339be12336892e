import asyncio
from dataclasses import fields

import pytest
from paper import PaperRLM

from rlm_memory_core import Limits
from rlm_memory_core.models import background
from rlm_memory_core.repl.limits import LimitReached, Meter
from rlm_memory_core.repl.repl import Repl
from rlm_memory_core.repl.values import measure

ENDLESS = "n = 0\nwhile True:\n    n += 1\n    llm_query(str(n))"


def run(*codes, subagents=None, functions=None, **bounds):
    async def session():
        async with Repl({}, functions or {}, subagents or {}, limits=Limits(**bounds)) as opened:
            return [await asyncio.wait_for(opened.run(code), 30) for code in codes]

    return background.run(session())


@pytest.fixture
def counted():
    """A sub-agent that counts how often it was asked."""
    asked = []

    async def llm_query(prompt):
        asked.append(prompt)
        return "NOT_FOUND"

    async def llm_query_parallel(sessions, dates=None, question=None):
        asked.extend(sessions)
        return ["NOT_FOUND"] * len(sessions)

    return asked, {"llm_query": llm_query, "llm_query_parallel": llm_query_parallel}


@pytest.mark.parametrize("name", [bound.name for bound in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1])
def test_a_bound_that_is_not_above_zero_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be above 0, not {value}"):
        Limits(**{name: value})


def test_a_program_that_asks_for_ever_ends_and_says_why(counted):
    asked, subagents = counted
    first, after = run(ENDLESS, "print(n)", subagents=subagents, query_subcalls=7)
    assert len(asked) == 7
    assert "one query may ask 7 sub-agents" in first.error
    assert "Ask about fewer sessions" in first.error
    assert after.output == "8\n"


def test_a_program_that_catches_its_refusals_and_goes_on_is_ended(counted):
    asked, subagents = counted
    code = (
        "n = 0\nwhile True:\n    n += 1\n    try:\n        llm_query(str(n))\n    except BaseException:\n        pass"
    )
    first, after = run(code, "print(1)", subagents=subagents, query_subcalls=7)
    assert len(asked) == 7
    assert "after 100 refusals" in first.error
    assert after.output == "1\n"


def test_a_limit_on_the_query_holds_over_its_runs(counted):
    asked, subagents = counted
    *_, last = run(*["llm_query('x')"] * 5, subagents=subagents, query_subcalls=4)
    assert len(asked) == 4
    assert "one query may ask 4 sub-agents; it has used 4" in last.error


def test_a_fan_out_beyond_the_limit_asks_nobody(counted):
    asked, subagents = counted
    codes = ("llm_query_parallel(['a'] * 11)", "print(len(llm_query_parallel(['a'] * 10)))")
    first, after = run(*codes, subagents=subagents, query_subcalls=10)
    assert "wants 11 more" in first.error
    assert (after.output, len(asked)) == ("10\n", 10)


def test_host_calls_are_bounded():
    calls = []
    first, after = run(
        "while True:\n    look()", "print('still here')", functions={"look": lambda: calls.append(1)}, host_calls=50
    )
    assert len(calls) == 50
    assert "50 times" in first.error
    assert after.output == "still here\n"


def test_time_in_host_functions_counts_and_waiting_for_subagents_does_not():
    def slow():
        import time

        time.sleep(0.2)

    async def llm_query(prompt):
        await asyncio.sleep(0.5)
        return "late"

    first, second = run(
        "while True:\n    slow()", "print(llm_query('x'), llm_query('y'))", functions={"slow": slow},
        subagents={"llm_query": llm_query}, run_seconds=0.3,
    )  # fmt: skip
    assert "this run has taken" in first.error
    assert second.output == "late late\n"


def test_names_that_are_looked_up_without_end_take_time():
    code = "while True:\n    try:\n        no_such_name\n    except NameError:\n        pass"
    first, second = run(code, "print('still here')", run_seconds=0.2)
    assert "the run was ended after" in first.error
    assert second.output == "still here\n"


def test_a_query_whose_time_is_up_runs_no_further_code():
    *_, last = run("while True:\n    pass", "print(1)", run_seconds=0.2, query_seconds=0.1)
    assert last.output == ""
    assert "No further code is run" in last.error
    assert "FINAL(" in last.error


def test_output_keeps_head_and_tail_of_a_run_and_less_of_a_query_that_prints_on():
    first, second, third = run(*["print('a' * 5000 + 'b')"] * 3, output_characters=2000, query_output_characters=3000)
    assert first.output.startswith("aaa")
    assert first.output.endswith("ab\n")
    assert "3,002 characters cut; print less" in first.output
    assert len(third.output) < len(second.output) + 100 < len(first.output)
    assert len(third.output) >= 1000


def test_recursion_and_memory_are_bounded():
    deep, large, after = run(
        "def f(n): return f(n + 1)\nf(0)", "x = 'a' * 10**9", "print(1)", recursion=50, memory_mb=16
    )
    assert "RecursionError" in deep.error
    assert "a loop" in deep.error
    assert "keep less at once" in large.error
    assert after.output == "1\n"


def test_the_meter_refuses_before_it_counts():
    meter = Meter(Limits(query_subcalls=5))
    with pytest.raises(LimitReached):
        meter.ask(6, measure([]))
    meter.ask(5, measure([]))
    meter.check()


def test_an_engine_takes_limits_and_its_query_goes_on_after_a_refusal(diary, root_and_subagents, scripted):
    llm = root_and_subagents([f"```repl\n{ENDLESS}\n```", "FINAL(Mochi)"])
    answer = PaperRLM(llm, limits=Limits(query_subcalls=5)).query(diary, "Who?")
    assert (answer.text, answer.coverage.asked) == ("Mochi", 5)
    assert "one query may ask 5 sub-agents" in scripted.conversation[-1]["content"]
